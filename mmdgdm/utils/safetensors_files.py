"""Weights as ``.safetensors``: tensors and text, nothing that could be executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

import torch

from mmdgdm.errors import CheckpointError

ENDING = ".safetensors"
#: Under which name what a checkpoint says of itself stands in the file.
_META = "mmdgdm"
#: What is kept of it: names of classes, and thresholds that validation chose.
KEPT = ("dataset_meta", "wsol_thresholds")


def read_safetensors(path: Union[str, Path], map_location: Any = "cpu") -> dict:
    """Read weights.

    Args:
        path: The file, of this package or another's.
        map_location: Where tensors go; ``None`` for the CPU.

    Returns:
        ``state_dict`` and ``meta``, as a training checkpoint holds them.

    Raises:
        CheckpointError: If the library is not installed.
        OSError: If the file cannot be read; the library has errors of its own for one
            that is damaged.
    """
    library = _library(path)
    device = "cpu" if map_location is None else str(map_location)
    with library.safe_open(str(path), framework="pt", device=device) as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        meta = json.loads((file.metadata() or {}).get(_META, "{}"))
    return {"state_dict": weights, "meta": meta}


def write_weights(path: Union[str, Path], checkpoint: Mapping[str, Any]) -> None:
    """Write weights in the form that the name of a file asks for.

    Args:
        path: A ``.safetensors`` file, for :func:`write_safetensors`, or any other, for
            :func:`torch.save`; missing folders are made.
        checkpoint: A state dict, or a dict with ``state_dict`` and ``meta``.

    Raises:
        CheckpointError: As for :func:`write_safetensors`.
        OSError: If the file cannot be written.
    """
    if Path(path).suffix == ENDING:
        write_safetensors(path, checkpoint)
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    torch.save(checkpoint, path)


def write_safetensors(path: Union[str, Path], checkpoint: Mapping[str, Any]) -> None:
    """Write the weights of a checkpoint, its class names and its thresholds.

    Args:
        path: The file; missing folders are made.
        checkpoint: A state dict, or a dict with ``state_dict`` and ``meta``.

    Raises:
        CheckpointError: If the library is not installed, or something among the weights
            is no tensor; names it.
        OSError: If the file cannot be written.
    """
    _library(path)
    from safetensors.torch import save_file

    weights = checkpoint.get("state_dict", checkpoint)
    for name, value in weights.items():
        if not hasattr(value, "contiguous"):
            raise CheckpointError(
                f"Expected tensors as weights for {path}, but {name!r} is "
                f"{type(value).__name__}."
            )
    meta = (checkpoint.get("meta") if weights is not checkpoint else None) or {}
    kept = {name: meta[name] for name in KEPT if name in meta}
    # Copies, since tensors that share memory are refused.
    tensors = {name: t.detach().contiguous().clone() for name, t in weights.items()}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    # Names of classes may be tuples, and other facts of a data set arrays.
    text = json.dumps(kept, default=str)
    save_file(tensors, str(path), metadata={"format": "pt", _META: text})


def _library(path: Union[str, Path]) -> Any:
    try:
        import safetensors
    except ImportError as error:
        raise CheckpointError(
            f"{path} needs the library safetensors, but it is not installed: install "
            "it with `pip install safetensors`."
        ) from error
    return safetensors
