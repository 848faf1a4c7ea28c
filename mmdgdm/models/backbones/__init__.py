"""Backbones whose last map has the size that one argument, ``output_stride``, says."""

from mmdgdm.models.backbones.convnext import ConvNeXt
from mmdgdm.models.backbones.efficientnet_lite import EfficientNetLite
from mmdgdm.models.backbones.inception_v3 import InceptionV3
from mmdgdm.models.backbones.mobilenet_v2 import MobileNetV2
from mmdgdm.models.backbones.resnet import ResNet
from mmdgdm.models.backbones.seresnet import SEResNet
from mmdgdm.models.backbones.vgg_gap import VGGGAP

__all__ = [
    "VGGGAP",
    "ConvNeXt",
    "EfficientNetLite",
    "InceptionV3",
    "MobileNetV2",
    "ResNet",
    "SEResNet",
]
