"""ResNet with the size of its last map as one argument."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmpretrain.models.backbones import ResNet as MMPretrainResNet

from mmdgdm.models.backbones.base import (
    SizedBackbone,
    check_out_indices,
    drop_agreed,
)
from mmdgdm.registry import MODELS
from mmdgdm.utils.argument_checks import check_choice

# The strides of the four stages by output stride.
_STRIDES = {32: (1, 2, 2, 2), 16: (1, 2, 2, 1), 8: (1, 2, 1, 1)}


class ResNetOutputStride(SizedBackbone):
    """Gives a ResNet of mmpretrain the arguments ``output_stride`` and ``dilate``.

    To be named before the ResNet among the base classes; see :class:`ResNet`.
    """

    arch_settings: dict[int, Any]
    changed_modules = {16: ("layer4",), 8: ("layer3", "layer4")}

    def __init__(
        self,
        depth: int,
        output_stride: int = 32,
        *,
        dilate: bool = False,
        out_indices: Sequence[int] = (3,),
        **kwargs: Any,
    ) -> None:
        check_choice("depth", depth, choices=sorted(self.arch_settings))
        check_choice("output_stride", output_stride, choices=sorted(_STRIDES))
        strides = _STRIDES[output_stride]
        # mmpretrain dilates the first block of a stage too, which is another network.
        is_dilated = dilate and output_stride < 32
        decided = {
            "num_stages": (4, "`out_indices`"),
            "strides": (strides, "`output_stride`"),
            "dilations": (None if is_dilated else (1, 1, 1, 1), "`dilate`"),
        }
        options = drop_agreed(kwargs, decided)
        indices = check_out_indices(out_indices, 4)
        super().__init__(depth=depth, out_indices=indices, **options)  # type: ignore
        self.strides = strides
        self._set_stride(output_stride, dilate)


@MODELS.register_module()
class ResNet(ResNetOutputStride, MMPretrainResNet):
    """mmpretrain's ``ResNet`` with the size of its last map as one argument.

    Names of parameters are those of mmpretrain's and torchvision's ResNet. The maps
    of its stages for a 224 x 224 image (channels for depth 50 and above) at each
    ``output_stride``:

    ===== ============ ======== == == ==
    stage module       channels 32 16 8
    ===== ============ ======== == == ==
    0     ``layer1``   256      56 56 56
    1     ``layer2``   512      28 28 28
    2     ``layer3``   1024     14 14 28
    3     ``layer4``   2048     7  14 28
    ===== ============ ======== == == ==

    The WSOL benchmark (Choe et al., CVPR 2020) localizes at 16 (14 x 14 maps) or 8
    ("large feature map"), without dilation.

    Source: `Deep Residual Learning for Image Recognition
    <https://arxiv.org/abs/1512.03385>`_.

    Args:
        depth: 18, 34, 50, 101 or 152.
        output_stride: Image pixels per cell of the last map: 32, 16 (no stride in
            ``layer4``) or 8 (none in ``layer3`` either).
        dilate: Whether the convolutions after a stride that was taken out are
            dilated in its place (2, then 4), which keeps their receptive field;
            otherwise weights trained at 32 need fine-tuning. Without effect at 32.
        out_indices: The stages whose maps are returned, in 0 to 3.
        **kwargs: As for mmpretrain's ``ResNet``: ``frozen_stages``, ``norm_eval``,
            ``norm_cfg``, ``style``, ``with_cp``, ``init_cfg``, ...

    Raises:
        ConfigError: If ``depth``, ``output_stride`` or ``out_indices`` is not one of
            its values, or ``strides``, ``dilations`` or ``num_stages`` has another
            value than here.

    Example:
        >>> import torch
        >>> from mmdgdm.models.backbones import ResNet
        >>> backbone = ResNet(50, output_stride=16, out_indices=(2, 3)).eval()
        >>> [tuple(x.shape) for x in backbone(torch.rand(1, 3, 224, 224))]
        [(1, 1024, 14, 14), (1, 2048, 14, 14)]
    """
