"""Rename foreign weights, and prove by the models that nothing is missing or odd."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional, Union

import torch
from torch import Tensor, nn

from mmdgdm.errors import CheckpointError
from mmdgdm.registry import MODELS
from mmdgdm.utils.checkpoint import load_checkpoint_file
from mmdgdm.utils.safetensors_files import write_weights

PathLike = Union[str, Path]
#: Gives the name here of a foreign name; ``None`` for one that is left out on purpose.
Rename = Callable[[str], Optional[str]]


class Conversion(NamedTuple):
    """Weights under the names of a classifier of this package.

    Attributes:
        state_dict: The weights, ``backbone.*`` and ``head.*``.
        backbone: Config of the backbone that takes them.
        head: Config of the head that takes them; ``None`` if the file holds none.
        left_out: The foreign names that have no place here and were left out.
    """

    state_dict: dict[str, Tensor]
    backbone: dict[str, Any]
    head: Optional[dict[str, Any]]
    left_out: list[str]


def convert_names(
    state_dict: Mapping[str, Tensor],
    rename: Rename,
    *,
    backbone: dict[str, Any],
    head: Optional[dict[str, Any]],
    bias: str = "",
    what: str,
) -> Conversion:
    """Rename weights and check them against the modules that are to take them.

    Args:
        state_dict: Weights under their foreign names. Not changed.
        rename: Gives the name here, ``backbone.*`` or ``head.*``.
        backbone: Config of the backbone; it is built for its names and shapes.
        head: Config of the head without ``num_classes``, likewise, or ``None``.
        bias: Foreign name of the head's last bias, as long as there are classes.
        what: What the file should be, for messages.

    Returns:
        The renamed weights. A tensor whose shape differs from the wanted one by
        ones at its end (a 1 x 1 convolution for a linear layer) is reshaped.

    Raises:
        CheckpointError: Naming the names that are unknown, missing or of another
            shape. Only counters of batches (``num_batches_tracked``) may be missing,
            as in files of old versions of torch: the network does not use them.
    """
    modules = nn.ModuleDict({"backbone": MODELS.build(dict(backbone))})
    if head is not None:
        # Without the bias, which is reported below, any number will do.
        classes = max(1, getattr(state_dict.get(bias), "numel", int)())
        head = {**head, "num_classes": classes}
        modules["head"] = MODELS.build(dict(head))
    wanted = {name: value.shape for name, value in modules.state_dict().items()}
    converted: dict[str, Tensor] = {}
    unknown, odd, left_out = [], [], []
    for name, tensor in state_dict.items():
        target = rename(name)
        if target is None:
            left_out.append(name)
        elif target not in wanted or target in converted:
            unknown.append(name)
        elif not _is_plain(tensor):
            odd.append(f"{name} (no plain tensor)")
        elif not _fits(tensor.shape, wanted[target]):
            shapes = f"{tuple(tensor.shape)} instead of {tuple(wanted[target])}"
            odd.append(f"{name} ({shapes})")
        else:
            converted[target] = tensor.reshape(wanted[target])
    # Names of another shape are there: they are reported as such.
    arrived = {rename(name) for name in state_dict}
    missing = {n for n in set(wanted) - arrived if "num_batches_tracked" not in n}
    for names, problem in (
        (unknown, "unknown name(s)"),
        (missing, "missing name(s), as they are called here"),
        (odd, "name(s) of another shape"),
    ):
        if names:
            more = ", ..." if len(names) > 3 else ""
            raise CheckpointError(
                f"Expected the weights of {what}, but got {len(names)} {problem}: "
                f"{', '.join(sorted(names)[:3])}{more}."
            )
    return Conversion(converted, dict(backbone), head, left_out)


def _is_plain(value: Any) -> bool:
    is_tensor = isinstance(value, Tensor)
    return is_tensor and value.layout == torch.strided and not value.is_quantized


def _fits(shape: torch.Size, wanted: torch.Size) -> bool:
    return shape[: len(wanted)] == wanted and set(shape[len(wanted) :]) <= {1}


def read_weights(source: PathLike) -> dict[str, Tensor]:
    """Read the weights of a file; nothing in it is executed.

    Args:
        source: A state dict, or a training checkpoint that holds one under
            ``state_dict``. Names may start with the ``module.`` of a parallel model.

    Returns:
        The weights by name, without ``module.``.

    Raises:
        CheckpointError: If the file is missing, unreadable, unsafe or holds none.
    """
    checkpoint = load_checkpoint_file(source)
    weights = checkpoint.get("state_dict", checkpoint)
    if not isinstance(weights, Mapping) or not weights:
        raise CheckpointError(f"Expected {source} to hold weights, but got none.")
    if all(name.startswith("module.") for name in weights):
        return {name[len("module.") :]: value for name, value in weights.items()}
    return dict(weights)


def convert_file(
    convert: Callable[[str, Mapping[str, Tensor]], Conversion],
    arch: str,
    *,
    source: PathLike,
    target: PathLike,
) -> Conversion:
    """Write the weights of a foreign file as a checkpoint of this package.

    The file holds ``{'state_dict': ..., 'meta': ...}``. Load the whole classifier
    with ``load_from``, or the backbone alone with ``init_cfg=dict(
    type='Pretrained', checkpoint=target, prefix='backbone')``.

    Args:
        convert: Renames the weights, such as :func:`convert_torchvision`.
        arch: The network, for ``convert``.
        source: The foreign file.
        target: The file to write, ``.pth`` or ``.safetensors``. Missing folders are
            made.

    Returns:
        What was written.

    Raises:
        ConfigError: If ``arch`` is unknown.
        CheckpointError: If the source is missing, unreadable or another model's, or
            if the target is a folder.
    """
    target = Path(target)
    if target.is_dir():
        raise CheckpointError(f"Expected a file to write, but {target} is a folder.")
    conversion = convert(arch, read_weights(source))
    meta = {
        "backbone": conversion.backbone,
        "head": conversion.head,
        "source": Path(source).name,
    }
    write_weights(target, {"state_dict": conversion.state_dict, "meta": meta})
    return conversion


def describe(path: PathLike, conversion: Conversion) -> str:
    """Say what a conversion wrote and what it left out.

    Args:
        path: The written file.
        conversion: What was written.

    Returns:
        The text that the tools print, of several lines.
    """
    lines = [f"Wrote {path}", f"  backbone={conversion.backbone}"]
    if conversion.head is not None:
        lines.append(f"  head={conversion.head}")
    lines += [f"  left out: {name}" for name in conversion.left_out]
    return "\n".join(lines)
