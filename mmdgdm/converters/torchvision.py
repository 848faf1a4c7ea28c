"""Turn the ImageNet weights of torchvision into checkpoints of this package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from torch import Tensor

from mmdgdm.converters.names import Conversion, Rename, convert_names
from mmdgdm.utils.argument_checks import check_choice

# The convolutions of the VGG16 in torchvision's `features` and in mmpretrain's, which
# counts a convolution and its ReLU as one module.
VGG16_CONVS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
VGG16_TARGETS = (0, 1, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16)
# The layer of each block of MobileNetV2 and its number there; a layer has so many.
_MOBILENET_BLOCKS = [
    (layer, i) for layer, n in enumerate((1, 2, 3, 4, 3, 3, 1), 1) for i in range(n)
]
_CONVNEXT_BLOCK = {
    "layer_scale": "gamma",
    "block.0": "depthwise_conv",
    "block.2": "norm",
    "block.3": "pointwise_conv1",
    "block.5": "pointwise_conv2",
}


def _same_names(name: str) -> Optional[str]:
    """ResNet and InceptionV3: the names are the same, the auxiliary branch goes."""
    if name.startswith("AuxLogits."):
        return None
    return f"head.{name}" if name.startswith("fc.") else f"backbone.{name}"


def _vgg16(name: str) -> Optional[str]:
    if name.startswith("classifier."):
        return None
    match = re.fullmatch(r"features\.(\d+)\.(\w+)", name)
    if match is None or int(match[1]) not in VGG16_CONVS:
        return ""
    number = VGG16_TARGETS[VGG16_CONVS.index(int(match[1]))]
    return f"backbone.features.{number}.conv.{match[2]}"


def _mobilenet_v2(name: str) -> str:
    match = re.fullmatch(r"features\.(\d+)\.(.+)\.(\w+)", name)
    if match is None:
        return name.replace("classifier.1.", "head.fc.")
    number, place, entry = int(match[1]), match[2], match[3]
    kinds = {"0": "conv", "1": "bn"}
    if number in (0, 18):
        module = "conv1" if number == 0 else "conv2"
        return f"backbone.{module}.{kinds.get(place)}.{entry}"
    if number > 18:
        return ""
    # The last convolution of a block and its norm stand without a wrapper.
    last = 1 if number == 1 else 2
    bare = {f"conv.{last}": f"{last}.conv", f"conv.{last + 1}": f"{last}.bn"}
    wrapped = re.fullmatch(r"conv\.(\d)\.(\d)", place)
    if wrapped is not None:
        part = f"{wrapped[1]}.{kinds.get(wrapped[2])}"
    else:
        part = bare.get(place, place)
    layer, block = _MOBILENET_BLOCKS[number - 1]
    return f"backbone.layer{layer}.{block}.conv.{part}.{entry}"


def _convnext(name: str) -> str:
    match = re.fullmatch(r"features\.(\d)\.(\d+)\.(.+)", name)
    if match is None:
        name = name.replace("classifier.0.", "backbone.norm3.")
        return name.replace("classifier.2.", "head.fc.")
    number, part, rest = int(match[1]), match[2], match[3]
    if number % 2 == 0:
        return f"backbone.downsample_layers.{number // 2}.{part}.{rest}"
    for source, target in _CONVNEXT_BLOCK.items():
        if rest == source or rest.startswith(f"{source}."):
            rest = target + rest[len(source) :]
            break
    return f"backbone.stages.{number // 2}.{part}.{rest}"


class _Network(NamedTuple):
    rename: Rename
    backbone: dict[str, Any]
    in_channels: int = 0
    bias: str = ""


_NETWORKS = {
    "vgg16": _Network(_vgg16, {"type": "mmdgdm.VGGGAP", "out_indices": [4]}),
    "resnet50": _Network(
        _same_names, {"type": "mmdgdm.ResNet", "depth": 50}, 2048, "fc.bias"
    ),
    "inception_v3": _Network(
        _same_names,
        {"type": "mmdgdm.InceptionV3", "output_stride": 32},
        2048,
        "fc.bias",
    ),
    "mobilenet_v2": _Network(
        _mobilenet_v2, {"type": "mmdgdm.MobileNetV2"}, 1280, "classifier.1.bias"
    ),
    "convnext_tiny": _Network(
        _convnext,
        {"type": "mmdgdm.ConvNeXt", "arch": "tiny"},
        768,
        "classifier.2.bias",
    ),
}
#: The networks of torchvision that can be converted.
TORCHVISION_ARCHS = tuple(sorted(_NETWORKS))


def convert_torchvision(arch: str, state_dict: Mapping[str, Tensor]) -> Conversion:
    """Rename the weights of a torchvision model for a classifier of this package.

    Left out, and listed in the result: ``classifier.*`` of ``vgg16``, whose fully
    connected layers have no place in :class:`VGGGAP` (its added convolution and the
    head start untrained), and ``AuxLogits.*`` of ``inception_v3``.

    The weights of ``inception_v3`` serve every ``output_stride``: at 16 and 8 the
    backbone takes them up to ``Mixed_6e``. torchvision trained them on images scaled
    to [-1, 1]. The layer norm before ``convnext_tiny``'s last layer stands after the
    average in torchvision, and before it here.

    Args:
        arch: One of :data:`TORCHVISION_ARCHS`.
        state_dict: The weights under torchvision's names.

    Returns:
        The weights under ``backbone.*`` and, except for ``vgg16``, ``head.fc.*``, with
        the configs that take them.

    Raises:
        ConfigError: If ``arch`` is unknown.
        CheckpointError: If a name is unknown, missing or of another shape.
    """
    check_choice("arch", arch, choices=TORCHVISION_ARCHS)
    network = _NETWORKS[arch]
    head = {"type": "mmdgdm.WSOLHead", "in_channels": network.in_channels}
    return convert_names(
        state_dict,
        network.rename,
        backbone=network.backbone,
        head=head if network.bias else None,
        bias=network.bias,
        what=f"torchvision's {arch}",
    )
