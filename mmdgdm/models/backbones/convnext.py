"""ConvNeXt with the size of its last map as one argument."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

from mmpretrain.models.backbones import ConvNeXt as MMPretrainConvNeXt
from torch import Tensor, nn
from torch.nn import functional

from mmdgdm.errors import ConfigError
from mmdgdm.models.backbones.base import (
    SizedBackbone,
    check_out_indices,
    drop_agreed,
)
from mmdgdm.registry import MODELS
from mmdgdm.utils.argument_checks import check_choice


class _RightPaddedConv2d(nn.Conv2d):
    """A convolution that pads at the right and the bottom to keep its map's size.

    Not by `padding="same"`, which would put one half at the left and the top once the
    convolution is dilated and shift the map.
    """

    def forward(self, x: Tensor) -> Tensor:
        pad = self.dilation[0]  # the reach of the second of two weights
        return super().forward(functional.pad(x, (0, pad, 0, pad)))


@MODELS.register_module()
class ConvNeXt(SizedBackbone, MMPretrainConvNeXt):
    """mmpretrain's ``ConvNeXt`` with maps, their size set by one argument.

    Names of parameters are mmpretrain's. The maps of its stages for a 224 x 224 image
    (channels of the tiny network) at each ``output_stride``:

    ===== ============ ======== == == ==
    stage module       channels 32 16 8
    ===== ============ ======== == == ==
    0     ``stages.0`` 96       56 56 56
    1     ``stages.1`` 192      28 28 28
    2     ``stages.2`` 384      14 14 28
    3     ``stages.3`` 768      7  14 28
    ===== ============ ======== == == ==

    mmpretrain's classifier averages over places before its last layer norm. Class
    activation maps need that norm at each place, as it is here, before the average:
    published classification layers see other features than in training and need
    fine-tuning.

    A 2 x 2 convolution whose stride is taken out is padded at the right and the
    bottom, so that its map keeps its size.

    Source: `A ConvNet for the 2020s <https://arxiv.org/abs/2201.03545>`_.

    Args:
        arch: Name of the architecture, or a dict with ``depths`` and ``channels`` of
            four stages, as for mmpretrain's ``ConvNeXt``.
        output_stride: Image pixels per cell of the last map: 32, 16 or 8.
        dilate: As for :class:`mmdgdm.models.backbones.ResNet`.
        out_indices: The stages whose normalised maps are returned, in 0 to 3.
        **kwargs: As for mmpretrain's ``ConvNeXt``: ``drop_path_rate``,
            ``frozen_stages``, ``layer_scale_init_value``, ``use_grn``, ``with_cp``,
            ``init_cfg``, ...

    Raises:
        ConfigError: If ``arch``, ``output_stride`` or ``out_indices`` is not one of
            its values, or ``gap_before_final_norm`` or ``stem_patch_size`` has
            another value than here (``False``, 4).
    """

    _LAST = ("downsample_layers.3", "stages.3")
    changed_modules = {16: _LAST, 8: ("downsample_layers.2", "stages.2", *_LAST)}

    def __init__(
        self,
        arch: Union[str, dict[str, Any]] = "tiny",
        output_stride: int = 32,
        *,
        dilate: bool = False,
        out_indices: Sequence[int] = (3,),
        **kwargs: Any,
    ) -> None:
        if not isinstance(arch, dict):
            check_choice("arch", arch, choices=self.arch_settings)
        elif {len(arch.get(name, ())) for name in ("depths", "channels")} != {4}:
            raise ConfigError(
                "Expected `arch` to hold `depths` and `channels` of four stages, but "
                f"got {arch!r}."
            )
        check_choice("output_stride", output_stride, choices=(8, 16, 32))
        options = drop_agreed(
            kwargs,
            {
                "gap_before_final_norm": (False, "the average in WSOLHead"),
                "stem_patch_size": (4, "`output_stride`"),
            },
        )
        super().__init__(
            arch=arch,
            out_indices=check_out_indices(out_indices, 4),
            gap_before_final_norm=False,
            **options,
        )
        for stage in {32: (), 16: (3,), 8: (2, 3)}[output_stride]:
            downsample = self.downsample_layers[stage]
            conv = downsample[1]
            padded = _RightPaddedConv2d(conv.in_channels, conv.out_channels, 2, 2)
            padded.load_state_dict(conv.state_dict())
            downsample[1] = padded
        self._set_stride(output_stride, dilate)
