"""What a foreign checkpoint may be: checks of its bytes, and of what came out of it."""

from __future__ import annotations

import math
import mmap
import os
import pickle
import pickletools
from collections.abc import Mapping
from typing import IO, Any, Union, cast

import torch

from mmdgdm.errors import CheckpointError

PathLike = Union[str, os.PathLike[str]]
#: How a pickle asks for the one function of torch's own list that takes memory by a
#: number alone.
_TAKES_MEMORY = (b"builtins\nbytearray\n", b"__builtin__\nbytearray\n")


def check_pickle(path: PathLike) -> None:
    """Check that a file does not ask for memory by a number.

    Args:
        path: The file.

    Raises:
        UnpicklingError: If it does.
        OSError: If the file cannot be read.
    """
    if os.path.getsize(path) == 0:
        return
    with _content(path) as content:
        if any(content.find(call) >= 0 for call in _TAKES_MEMORY):
            raise pickle.UnpicklingError("refused GLOBAL builtins.bytearray")


def _content(path: PathLike) -> mmap.mmap:
    """A file that is not empty; unlike a file, it takes no memory for what it lacks."""
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def check_memory(checkpoint: Mapping[str, Any], size: int, *, source: str) -> None:
    """Check that no tensor takes more memory than the file has bytes.

    A few bytes can stand for any number of equal values, which are written out where
    the tensor is copied.

    Args:
        checkpoint: What was read.
        size: Bytes of the file.
        source: The name of the checkpoint, for the message.

    Raises:
        CheckpointError: If one does; names its shape.
    """
    waiting: list[Any] = [checkpoint]
    while waiting:  # no recursion: a file may nest its content as deeply as it likes
        item = waiting.pop()
        if isinstance(item, torch.Tensor):
            if item.is_meta or item.numel() * item.element_size() > size:
                raise CheckpointError(
                    f"Checkpoint {source} is refused: it declares a tensor of shape "
                    f"{tuple(item.shape)}, and has {size:,} bytes."
                )
        elif isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)


def find_global(source: str) -> str:
    """The first global that a bare pickle asks for; nothing of it is executed.

    Args:
        source: A file, or an address.

    Returns:
        Its name; an empty text if the file is no bare pickle, or asks for none.
    """
    texts: list[str] = []
    try:
        with _content(os.path.expanduser(source)) as content:
            # It reads as a file does.
            for opcode, value, _ in pickletools.genops(cast(IO[bytes], content)):
                if opcode.name == "GLOBAL":
                    return str(value).replace(" ", ".")
                if opcode.name == "STACK_GLOBAL":
                    return ".".join(texts[-2:])
                if isinstance(value, str):
                    texts.append(value)
    except (OSError, ValueError, OverflowError):  # an address, or no pickle
        pass
    return ""


def check_form(checkpoint: Mapping[str, Any], source: str) -> None:
    """Check that weights have names, and that what ``meta`` says can be relied on.

    Args:
        checkpoint: A state dict, or a dict that holds one as ``state_dict``.
        source: The name of the checkpoint, for the message.

    Raises:
        CheckpointError: If weights, ``meta``, its ``dataset_meta`` or its thresholds
            are of another form, or class names are no texts.
    """
    weights = checkpoint.get("state_dict", checkpoint)
    _check_mapping("weights by name", weights, source)
    if weights is checkpoint:
        return
    meta = _part("`meta`", checkpoint.get("meta"), source)
    facts = _part("`dataset_meta` in `meta`", meta.get("dataset_meta"), source)
    for names in (facts.get("classes"), meta.get("CLASSES")):
        is_list = names is None or isinstance(names, (list, tuple))
        if not is_list or not all(isinstance(name, str) for name in names or ()):
            raise CheckpointError(
                f"Expected checkpoint {source} to hold class names as a list of texts, "
                f"but got {type(names).__name__}."
            )
    thresholds = meta.get("wsol_thresholds")
    thresholds = _part("`wsol_thresholds` in `meta`", thresholds, source)
    for name, value in thresholds.items():
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise CheckpointError(
                f"Expected checkpoint {source} to hold thresholds as numbers, but got "
                f"{type(value).__name__} for {name!r}."
            )


def _part(what: str, value: Any, source: str) -> Mapping[str, Any]:
    """A part that may be missing."""
    part: Mapping[str, Any] = {} if value is None else value
    _check_mapping(what, part, source)
    return part


def _check_mapping(what: str, value: Any, source: str) -> None:
    is_mapping = isinstance(value, Mapping)
    if not is_mapping or not all(isinstance(name, str) for name in value):
        raise CheckpointError(
            f"Expected checkpoint {source} to hold {what} as a dict with texts as its "
            f"keys, but got {type(value).__name__}."
        )
