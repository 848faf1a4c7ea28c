"""SE-ResNet with the size of its last map as one argument."""

from __future__ import annotations

from mmpretrain.models.backbones import SEResNet as MMPretrainSEResNet

from mmdgdm.models.backbones.resnet import ResNetOutputStride
from mmdgdm.registry import MODELS


@MODELS.register_module()
class SEResNet(ResNetOutputStride, MMPretrainSEResNet):
    """mmpretrain's ``SEResNet`` with the size of its last map as one argument.

    A ResNet whose every block ends in a squeeze-and-excitation layer. Stages, maps
    and ``output_stride`` are those of :class:`mmdgdm.models.backbones.ResNet`; names
    of parameters are mmpretrain's.

    Source: `Squeeze-and-Excitation Networks <https://arxiv.org/abs/1709.01507>`_.

    Args:
        depth: 50, 101 or 152.
        output_stride: Image pixels per cell of the last map: 32, 16 or 8.
        dilate: Whether the convolutions after a stride that was taken out are
            dilated in its place. The channel weights are averages over places, so
            that the maps then come close to those at 32 without being the same.
        out_indices: The stages whose maps are returned, in 0 to 3.
        **kwargs: As for mmpretrain's ``SEResNet``: ``se_ratio``, ``frozen_stages``,
            ``norm_eval``, ``norm_cfg``, ``with_cp``, ``init_cfg``, ...

    Raises:
        ConfigError: If ``depth``, ``output_stride`` or ``out_indices`` is not one of
            its values, or ``strides``, ``dilations`` or ``num_stages`` has another
            value than here.

    Example:
        >>> import torch
        >>> from mmdgdm.models.backbones import SEResNet
        >>> backbone = SEResNet(50, output_stride=16).eval()
        >>> [tuple(x.shape) for x in backbone(torch.rand(1, 3, 224, 224))]
        [(1, 2048, 14, 14)]
    """
