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

    Args and errors are those of ``ResNet``, for ``depth`` 50, 101 and 152; with
    ``**kwargs`` of mmpretrain's ``SEResNet``, such as ``se_ratio``. Channel weights are
    averages over places, so that with ``dilate`` maps come close to those at 32
    without being the same.
    """
