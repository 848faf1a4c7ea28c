"""MobileNetV2 with the size of its last map as one argument."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmpretrain.models.backbones import MobileNetV2 as MMPretrainMobileNetV2

from mmdgdm.models.backbones.base import SizedBackbone, check_out_indices
from mmdgdm.registry import MODELS
from mmdgdm.utils.argument_checks import check_choice


@MODELS.register_module()
class MobileNetV2(SizedBackbone, MMPretrainMobileNetV2):
    """mmpretrain's ``MobileNetV2`` with the size of its last map as one argument.

    Names of parameters are mmpretrain's. The maps of its stages for a 224 x 224 image
    (channels at ``widen_factor`` 1) at each ``output_stride``:

    ===== =============== ======== === === ===
    stage module          channels 32  16  8
    ===== =============== ======== === === ===
    0     ``layer1``      16       112 112 112
    1     ``layer2``      24       56  56  56
    2     ``layer3``      32       28  28  28
    3     ``layer4``      64       14  14  28
    4     ``layer5``      96       14  14  28
    5     ``layer6``      160      7   14  28
    6     ``layer7``      320      7   14  28
    7     ``conv2``       1280     7   14  28
    ===== =============== ======== === === ===

    Source: `MobileNetV2: Inverted Residuals and Linear Bottlenecks
    <https://arxiv.org/abs/1801.04381>`_.

    Args:
        output_stride: Image pixels per cell of the last map: 32, 16 or 8.
        dilate: As for :class:`mmdgdm.models.backbones.ResNet`.
        out_indices: The stages whose maps are returned, in 0 to 7.
        **kwargs: As for mmpretrain's ``MobileNetV2``: ``widen_factor``,
            ``frozen_stages``, ``norm_eval``, ``norm_cfg``, ``with_cp``,
            ``init_cfg``, ...

    Raises:
        ConfigError: If ``output_stride`` or ``out_indices`` is not one of its values.
        ValueError: If ``frozen_stages`` is out of range.
    """

    _LAST = ("layer6", "layer7", "conv2")
    changed_modules = {16: _LAST, 8: ("layer4", "layer5", *_LAST)}

    def __init__(
        self,
        output_stride: int = 32,
        dilate: bool = False,
        *,
        out_indices: Sequence[int] = (7,),
        **kwargs: Any,
    ) -> None:
        check_choice("output_stride", output_stride, choices=(8, 16, 32))
        super().__init__(out_indices=check_out_indices(out_indices, 8), **kwargs)
        self._set_stride(output_stride, dilate)
