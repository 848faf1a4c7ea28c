"""VGG-GAP, the VGG whose fully connected layers give way to a convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import ConvModule
from mmengine.model import Sequential
from mmpretrain.models.backbones import VGG
from torch import Tensor, nn

from mmdgdm.errors import ConfigError
from mmdgdm.models.backbones.base import (
    SizedBackbone,
    check_out_indices,
    drop_agreed,
)
from mmdgdm.registry import MODELS
from mmdgdm.utils.argument_checks import check_choice

_GAP_STAGE = 5
_DECIDED = {
    "num_classes": (-1, "it in `head`"),
    "num_stages": (5, "`out_indices`"),
    "with_last_pool": (False, "`output_stride`"),
}


@MODELS.register_module()
class VGGGAP(SizedBackbone, VGG):
    """VGG without its last pooling, followed by a 3 x 3 convolution and a ReLU.

    The form that class activation mapping gives the VGG: the fully connected layers
    and the last pooling are gone, a convolution of 1024 channels is added, and the
    head averages over places. Names of parameters are those of mmpretrain's ``VGG``,
    ``features.0`` to ``features.16``; the added convolutions are ``gap_convs.0``, ...

    The maps of its stages for a 224 x 224 image at each ``output_stride``, and the
    modules of the VGG16 that layers can be placed after (the container ``features``
    itself is never called):

    ===== ======================================== ======== === ===
    stage last modules                             channels 16  8
    ===== ======================================== ======== === ===
    0     ``features.1`` conv1_2, ``.2`` pool1     64       112 112
    1     ``features.4`` conv2_2, ``.5`` pool2     128      56  56
    2     ``features.8`` conv3_3, ``.9`` pool3     256      28  28
    3     ``features.12`` conv4_3, ``.13`` pool4   512      14  28
    4     ``features.16`` conv5_3                  512      14  28
    5     ``gap_convs.0``                          1024     14  28
    ===== ======================================== ======== === ===

    Source: Zhou et al., Learning Deep Features for Discriminative Localization, CVPR
    2016 (the added convolution); Choe et al., CVPR 2020 (the two map sizes);
    `VGG <https://arxiv.org/abs/1409.1556>`_.

    Args:
        depth: 11, 13, 16 or 19.
        output_stride: Image pixels per cell of the last map: 16, or 8 (without
            pool4, "large feature map").
        gap_channels: Channels of the added convolutions, one entry a convolution.
            They exist only if ``out_indices`` asks for their map.
        pool_sizes: Sides of pool1 to pool4: 2, or 3 for windows that overlap
            (padding 1), with which the benchmark's ACoL (all four) and SPG (pool4)
            pool. Where ``output_stride`` takes the stride out of pool4, the size 3
            pools with stride 1 and the size 2 does not pool.
        last_pools: Whether stage 4 ends with a 3 x 3 max and a 3 x 3 average pooling,
            both of stride 1, as in the benchmark's ACoL.
        out_indices: The stages whose maps are returned, in 0 to 5; those of stages 0
            to 3 are taken after the pooling.
        **kwargs: As for mmpretrain's ``VGG``: ``frozen_stages`` (the number of first
            stages), ``norm_cfg`` (``None`` for no batch norm), ``norm_eval``,
            ``init_cfg``, ...

    Raises:
        ConfigError: If an argument is not one of its values, or ``num_classes``,
            ``num_stages`` or ``with_last_pool`` has another value than here.

    Example:
        >>> import torch
        >>> from mmdgdm.models.backbones import VGGGAP
        >>> backbone = VGGGAP(output_stride=8, out_indices=(3, 5)).eval()
        >>> [tuple(x.shape) for x in backbone(torch.rand(1, 3, 224, 224))]
        [(1, 512, 28, 28), (1, 1024, 28, 28)]
    """

    published_stride = 16

    def __init__(
        self,
        depth: int = 16,
        output_stride: int = 16,
        *,
        gap_channels: Sequence[int] = (1024,),
        pool_sizes: Sequence[int] = (2, 2, 2, 2),
        last_pools: bool = False,
        out_indices: Sequence[int] = (_GAP_STAGE,),
        **kwargs: Any,
    ) -> None:
        check_choice("depth", depth, choices=sorted(self.arch_settings))
        check_choice("output_stride", output_stride, choices=(8, 16))
        options = drop_agreed(kwargs, _DECIDED)
        indices = check_out_indices(out_indices, _GAP_STAGE + 1)
        super().__init__(depth, out_indices=indices, with_last_pool=False, **options)
        self._set_pools(pool_sizes, output_stride, ceil=options.get("ceil_mode", False))
        self.last_pools = nn.Sequential()
        if last_pools:
            pools = nn.MaxPool2d(3, 1, padding=1), nn.AvgPool2d(3, 1, padding=1)
            self.last_pools.extend(pools)
        if _GAP_STAGE in indices:
            self.gap_convs = make_gap_convs(self.in_channels, gap_channels)
        self._set_stride(output_stride)

    def _set_pools(
        self, sizes: Sequence[int], output_stride: int, *, ceil: bool
    ) -> None:
        if len(sizes) != 4 or not set(sizes) <= {2, 3}:
            raise ConfigError(
                "Expected `pool_sizes` to be four numbers, each 2 or 3, but got "
                f"{sizes!r}."
            )
        for stage, size in enumerate(sizes):
            stride = 1 if stage == 3 and output_stride == 8 else 2
            pool: nn.Module = nn.MaxPool2d(
                size, stride, padding=size - 2, ceil_mode=ceil
            )
            # Not left out: the numbers of the later modules must stay.
            if (size, stride) == (2, 1):
                pool = nn.Identity()
            self.features[self.range_sub_modules[stage][1] - 1] = pool

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps of the stages in ``out_indices``.

        Args:
            x: Batch of images, (N, 3, H, W).

        Returns:
            The maps, (N, C, h, w) each.
        """
        outs = []
        for stage, (start, end) in enumerate(self.range_sub_modules):
            for index in range(start, end):
                x = self.features[index](x)
            if stage == _GAP_STAGE - 1:
                x = self.last_pools(x)
            if stage in self.out_indices:
                outs.append(x)
        if _GAP_STAGE in self.out_indices:
            outs.append(self.gap_convs(x))
        return tuple(outs)


def make_gap_convs(in_channels: int, gap_channels: Sequence[int]) -> Sequential:
    """Build 3 x 3 convolutions, each followed by a ReLU.

    Args:
        in_channels: Channels of the map before.
        gap_channels: Channels of the convolutions.

    Returns:
        The convolutions, named by their number.

    Raises:
        ConfigError: If ``gap_channels`` is no sequence of positive numbers.
    """
    valid = isinstance(gap_channels, Sequence) and len(gap_channels) > 0
    if not valid or not all(isinstance(c, int) and c > 0 for c in gap_channels):
        raise ConfigError(
            "Expected `gap_channels` to hold the channels of at least one convolution, "
            f"but got {gap_channels!r}: leave the last stage out of `out_indices` for "
            "none."
        )
    widths = [in_channels, *gap_channels]
    pairs = zip(widths, gap_channels)
    return Sequential(*[ConvModule(a, b, 3, padding=1) for a, b in pairs])
