"""InceptionV3 as a backbone: maps of its stages, their size set by one argument."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmpretrain.models.backbones import InceptionV3 as MMPretrainInceptionV3
from torch import Tensor, nn

from mmdgdm.models.backbones.base import (
    SizedBackbone,
    check_out_indices,
    drop_agreed,
)
from mmdgdm.models.backbones.vgg_gap import make_gap_convs
from mmdgdm.registry import MODELS
from mmdgdm.utils.argument_checks import check_choice

_STAGES = (
    ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1"),
    ("Conv2d_3b_1x1", "Conv2d_4a_3x3", "maxpool2"),
    ("Mixed_5b", "Mixed_5c", "Mixed_5d", "maxpool3"),
    ("Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
)
_LAST_STAGE = 4
_DECIDED = {"num_classes": (None, "it in `head`"), "aux_logits": (False, "nothing")}
_MIXED_7 = ("Mixed_7a", "Mixed_7b", "Mixed_7c")


@MODELS.register_module()
class InceptionV3(SizedBackbone, MMPretrainInceptionV3):
    """InceptionV3 without classifiers, returning maps.

    At ``output_stride`` 16 and 8 it is the form of the localization literature: cut
    after ``Mixed_6e``, followed by two 3 x 3 convolutions of 1024 channels with ReLU,
    ``gap_convs.0`` and ``gap_convs.1``, and padded so that 224 pixels give 14 or 28
    cells (padding 1 in ``Conv2d_1a_3x3`` and in all poolings of the stem, which round
    up; no stride but padding 1 in ``Mixed_6a``, and before it a 3 x 3 pooling of
    stride 2 at 16). At 32 it is the published network up to ``Mixed_7c``, without
    any change. Names of parameters are those of mmpretrain's and torchvision's.

    The maps of its stages for a 224 x 224 image at each ``output_stride``:

    ===== =================================== ========= == == ==
    stage modules                             channels  32 16 8
    ===== =================================== ========= == == ==
    0     ``Conv2d_1a_3x3`` to ``maxpool1``   64        54 56 56
    1     ``Conv2d_3b_1x1`` to ``maxpool2``   192       25 28 28
    2     ``Mixed_5b`` to ``maxpool3``        288       25 14 28
    3     ``Mixed_6a`` to ``Mixed_6e``        768       12 14 28
    4     ``Mixed_7a`` to ``Mixed_7c`` (32)   2048      5
    4     ``gap_convs`` (16 and 8)            1024         14 28
    ===== =================================== ========= == == ==

    ``maxpool3`` pools at 16 only.

    Source: `Rethinking the Inception Architecture for Computer Vision
    <https://arxiv.org/abs/1512.00567>`_; Zhang et al., Self-produced Guidance for
    Weakly-supervised Object Localization, ECCV 2018 (the added convolutions); Choe et
    al., CVPR 2020 (the padding and the map sizes).

    Args:
        output_stride: Image pixels per cell of the last map: 16, 8 or 32.
        gap_channels: Channels of the added convolutions, one entry a convolution;
            without effect at 32.
        dropout: Rate of the dropout before each added convolution and after the last
            one; without effect at 32.
        out_indices: The stages whose maps are returned, in 0 to 4. The parts of
            stage 4 exist only if its map is asked for.
        frozen_stages: The number of first stages whose parameters get no gradient and
            whose batch norm stays in eval mode, from 0 to 4.
        norm_eval: Whether all batch norm layers stay in eval mode in training.
        **kwargs: As for mmpretrain's ``InceptionV3``: ``init_cfg``.

    Raises:
        ConfigError: If an argument is not one of its values, ``num_classes`` is given
            or ``aux_logits`` is not ``False``.

    Example:
        >>> import torch
        >>> from mmdgdm.models.backbones import InceptionV3
        >>> backbone = InceptionV3(output_stride=16, out_indices=(2, 3, 4)).eval()
        >>> [tuple(x.shape) for x in backbone(torch.rand(1, 3, 224, 224))]
        [(1, 288, 14, 14), (1, 768, 14, 14), (1, 1024, 14, 14)]
    """

    # At 16 a pooling takes over the stride of `Mixed_6a`.
    published_stride = 16

    def __init__(
        self,
        output_stride: int = 16,
        gap_channels: Sequence[int] = (1024, 1024),
        *,
        dropout: float = 0.5,
        out_indices: Sequence[int] = (_LAST_STAGE,),
        frozen_stages: int = 0,
        norm_eval: bool = False,
        **kwargs: Any,
    ) -> None:
        check_choice("output_stride", output_stride, choices=(8, 16, 32))
        check_choice("frozen_stages", frozen_stages, choices=range(_LAST_STAGE + 1))
        indices = check_out_indices(out_indices, _LAST_STAGE + 1)
        options = drop_agreed(kwargs, _DECIDED)
        super().__init__(aux_logits=False, dropout=dropout, **options)
        self.out_indices = indices
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.maxpool3: nn.Module = nn.Identity()
        del self.avgpool, self.fc
        with_last = _LAST_STAGE in indices
        if output_stride != 32:
            self._set_sizes(output_stride)
        if output_stride != 32 or not with_last:
            for name in _MIXED_7:
                delattr(self, name)
        if output_stride != 32 and with_last:
            self.gap_convs = make_gap_convs(768, gap_channels)
        self._set_stride(output_stride)

    def _set_sizes(self, output_stride: int) -> None:
        self.Conv2d_1a_3x3.conv.padding = (1, 1)
        self.maxpool1 = nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)
        self.maxpool2 = nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)
        if output_stride == 16:
            self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
        for conv in (self.Mixed_6a.branch3x3.conv, self.Mixed_6a.branch3x3dbl_3.conv):
            conv.stride, conv.padding = (1, 1), (1, 1)
        self.Mixed_6a.branch_pool = nn.MaxPool2d(3, 1, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps of the stages in ``out_indices``.

        Args:
            x: Batch of images, (N, 3, H, W).

        Returns:
            The maps, (N, C, h, w) each.
        """
        outs = []
        for stage, names in enumerate(_STAGES):
            for name in names:
                x = getattr(self, name)(x)
            if stage in self.out_indices:
                outs.append(x)
        if _LAST_STAGE in self.out_indices:
            outs.append(self._last_stage(x))
        return tuple(outs)

    def _last_stage(self, x: Tensor) -> Tensor:
        if self.output_stride == 32:
            for name in _MIXED_7:
                x = getattr(self, name)(x)
            return x
        for conv in self.gap_convs:
            x = conv(self.dropout(x))
        return self.dropout(x)

    def _freeze_stages(self) -> None:
        for names in _STAGES[: self.frozen_stages]:
            for name in names:
                getattr(self, name).eval().requires_grad_(False)

    def train(self, mode: bool = True) -> InceptionV3:
        """Set the training mode, except for frozen stages and, maybe, batch norm.

        Args:
            mode: Whether to train (``True``) or to evaluate (``False``).

        Returns:
            The backbone itself.
        """
        super().train(mode)
        self._freeze_stages()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self
