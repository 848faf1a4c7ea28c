"""Loading checkpoints without ever executing what is stored in them.

A checkpoint is a pickle, and a pickle may call any function. torch's restricted
unpickler (``weights_only=True``) refuses that, but it also refuses the training
checkpoints of mmengine 0.10, which hold a log history in numpy arrays. This
module adds what these need, and no more:

- mmengine's ``HistoryBuffer`` and, by ``getattr``, its four statistics;
- arrays and scalars of plain numbers and truth values.

numpy's own functions are not on the list: ``numpy.dtype.__setstate__`` accepts
forged object fields, so narrow stand-ins of the same name take their place.

A file that takes more memory than it holds is refused too, as is one whose parts are
not of the form that the rest of this package relies on.

Example:
    >>> from mmdgdm.utils.checkpoint import use_safe_checkpoint_loader
    >>> use_safe_checkpoint_loader()  # from here on, for all of mmengine
"""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NoReturn, Optional, Union

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengine_checkpoint

from mmdgdm.errors import CheckpointError, MMDGDMError
from mmdgdm.utils.checkpoint_checks import (
    check_form,
    check_memory,
    check_pickle,
    find_global,
)
from mmdgdm.utils.fetched_files import fetch
from mmdgdm.utils.safetensors_files import ENDING, read_safetensors
from mmdgdm.utils.unpacked_size import check_unpacked_size

#: Names of numpy dtypes that a checkpoint may hold: truth values, integers, floats.
_DTYPES = frozenset(
    ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
)
_STATISTICS = frozenset(["min", "max", "current", "mean"])
#: What torch says when its restricted unpickler refuses something.
_REFUSAL = re.compile(
    r"GLOBAL (?P<name>\S+)|unrecognized function (?P<function>.+)"
    r"|but got <class '(?P<type>[^']+)'>"
)
#: Forms of torch that hold code; so torch calls them.
_EXECUTED = ("legacy .tar", "TorchScript")
#: mmengine's loaders leave the choice to torch, which reads it from here.
_FORCED = {
    "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",
    "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "0",
}
_HTTP_OF_MMENGINE = mmengine_checkpoint.load_from_http

PathLike = Union[str, os.PathLike[str]]


def _refuse(name: str) -> NoReturn:
    raise pickle.UnpicklingError(f"refused GLOBAL {name}")


def _get_statistic(*args: Any) -> Any:
    """``getattr`` for the statistics of a history buffer, and nothing else."""
    if len(args) == 2 and args[0] is HistoryBuffer and args[1] in _STATISTICS:
        return getattr(*args)
    shown = ",".join(str(getattr(arg, "__name__", arg)) for arg in args)
    return _refuse(f"builtins.getattr({shown})")


class _DType:
    """Stands in for ``numpy.dtype``: a number type and its byte order."""

    name = ""
    order: Any = "="

    def __init__(self, name: str, *_: Any) -> None:
        self.name = name

    def __setstate__(self, state: tuple) -> None:
        # (version, byte order, subdtype, names, fields, size, alignment, flags)
        if any(item is not None for item in state[2:5]):
            _refuse("numpy.dtype(structured)")
        self.order = state[1]

    def build(self) -> np.dtype:
        if self.name not in _DTYPES:
            _refuse(f"numpy.dtype({self.name})")
        return np.dtype(self.name).newbyteorder(self.order)


class _Array(np.ndarray):
    """An array read from a file; it is saved again as a plain ``numpy.ndarray``."""

    def __setstate__(self, state: tuple) -> None:
        version, shape, dtype, fortran_order, data = state
        if not isinstance(dtype, _DType):
            _refuse("numpy.ndarray")
        super().__setstate__((version, shape, dtype.build(), fortran_order, data))

    def __reduce__(self) -> Any:
        return self.view(np.ndarray).__reduce__()


def _array_type(*_: Any) -> NoReturn:
    """Stands in for ``numpy.ndarray`` where the class itself is named."""
    _refuse("numpy.ndarray")


def _reconstruct(subtype: Any, *_: Any) -> _Array:
    """Stands in for numpy's function of this name: an empty array, filled later."""
    if subtype is not _array_type:
        _refuse(f"numpy._reconstruct({subtype})")
    return _Array((0,), dtype="b")


def _scalar(dtype: Any, data: bytes) -> Any:
    """Stands in for numpy's function of this name: one number."""
    if not isinstance(dtype, _DType):
        _refuse("numpy._core.multiarray.scalar")
    return np.frombuffer(data, dtype.build())[0]


#: What a checkpoint may name beside what torch allows.
_ALLOWED: list[Any] = [
    HistoryBuffer,
    (_get_statistic, "builtins.getattr"),
    (_array_type, "numpy.ndarray"),
    (_DType, "numpy.dtype"),
    # Every name in a file holds a dot, so none can reach this class; it is
    # listed because torch fills only instances of listed classes.
    (_Array, "_Array"),
    (_reconstruct, "numpy._core.multiarray._reconstruct"),  # numpy 2
    (_reconstruct, "numpy.core.multiarray._reconstruct"),  # numpy 1
    (_scalar, "numpy._core.multiarray.scalar"),
    (_scalar, "numpy.core.multiarray.scalar"),
]


@contextlib.contextmanager
def _safe_loading() -> Iterator[None]:
    """Every ``torch.load`` inside is restricted to weights and the allowed globals."""
    known = torch.serialization.get_safe_globals()
    extra = [item for item in _ALLOWED if item not in known]
    before = {name: os.environ.get(name) for name in _FORCED}
    os.environ.update(_FORCED)
    try:
        with torch.serialization.safe_globals(extra):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _explain(error: Exception, source: str) -> str:
    """One sentence on why a file could not be loaded."""
    is_pickle = isinstance(error, pickle.UnpicklingError)
    refusal = _REFUSAL.search(str(error)) if is_pickle else None
    found = ""
    if refusal is not None:
        name = next(filter(None, refusal.groups()))
        found = f"asks for {name}, which is not on the list of safe globals"
    elif bare := find_global(source):
        found = f"is a bare pickle, which asks for {bare}"
    elif form := next((form for form in _EXECUTED if form in str(error)), ""):
        found = f"is of torch's {form} form, which would have to be executed"
    if found:
        return (
            f"Checkpoint {source} is refused: it {found}; ask its author for a file "
            "with the weights alone."
        )
    text = str(error).strip().splitlines()
    reason = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
    if is_pickle:
        reason = "it is no torch checkpoint, or a damaged one"
    if isinstance(error, OSError) and "://" in source:
        return (
            f"Checkpoint {source} cannot be downloaded ({reason}): download it where "
            "there is a connection, and name the file in its place."
        )
    return f"Checkpoint {source} cannot be read ({reason})."


def _read(load: Callable[[], Any], source: str) -> dict:
    """Run ``load`` safely and check that a dict of the known form comes out."""
    try:
        with _safe_loading():
            checkpoint = load()
    except MMDGDMError as error:
        raise CheckpointError(str(error)) from error
    except Exception as error:
        raise CheckpointError(_explain(error, source)) from error
    if not isinstance(checkpoint, dict):
        raise CheckpointError(
            f"Expected checkpoint {source} to hold a dict of weights, but got "
            f"{type(checkpoint).__name__}."
        )
    check_form(checkpoint, source)
    if "state_dict" in checkpoint and checkpoint.get("meta"):
        # mmengine would execute this text, which some versions of it have written.
        checkpoint["meta"].pop("config", None)
    return checkpoint


def check_checkpoint_path(path: PathLike) -> None:
    """Check that a local checkpoint is a file; addresses with a scheme pass.

    Args:
        path: A path, or an address such as ``https://...``.

    Raises:
        CheckpointError: If ``path`` is local and is not a file.
    """
    if "://" in str(path):
        return
    local = Path(path).expanduser()
    if local.is_dir():
        raise CheckpointError(
            f"Expected the checkpoint to be a file, but {path} is a folder."
        )
    if not local.is_file():
        raise CheckpointError(f"Checkpoint {path} does not exist.")


def load_checkpoint_file(path: PathLike, map_location: Any = "cpu") -> dict:
    """Load a local checkpoint; nothing in it is executed.

    Args:
        path: A file written by mmengine's ``CheckpointHook`` or by ``torch.save``, or
            weights as ``.safetensors`` (:mod:`mmdgdm.utils.safetensors_files`).
        map_location: Where tensors go, as in :func:`torch.load`.

    Returns:
        What the file holds: a bare state dict, or a dict with ``state_dict``,
        ``meta``, ``message_hub``, ``optimizer`` and ``param_schedulers``.

    Raises:
        CheckpointError: If the file is missing or unreadable, holds something
            else than a dict of weights, asks for a global that is not known to
            be harmless, or declares more memory than it holds. The message names
            the file, and what was found.
    """
    check_checkpoint_path(path)
    return _load(os.path.expanduser(path), map_location, source=str(path))


def _load(path: str, map_location: Any, source: str) -> dict:
    """Load a file that is there; messages call it ``source``."""

    def load() -> Any:
        if path.endswith(ENDING):
            return read_safetensors(path, map_location)
        check_unpacked_size(path)
        check_pickle(path)
        return torch.load(path, map_location=map_location, weights_only=True)

    checkpoint = _read(load, source)
    check_memory(checkpoint, os.path.getsize(path), source=source)
    return checkpoint


def load_fetched_checkpoint(
    address: str,
    map_location: Any = "cpu",
    *,
    model_dir: Optional[PathLike] = None,
    progress: bool = False,
) -> dict:
    """Load a checkpoint from the web as :func:`load_checkpoint_file` loads local ones.

    Args:
        address: ``http://...`` or ``https://...``.
        map_location: Where tensors go, as in :func:`torch.load`.
        model_dir: Where the file is kept; default: torch's folder of checkpoints.
        progress: Show a bar while the file is downloaded.

    Returns:
        What the file holds.

    Raises:
        CheckpointError: If it cannot be downloaded, or is refused.
    """
    try:
        path = fetch(address, model_dir, progress=progress)
    except OSError as error:
        raise CheckpointError(_explain(error, address)) from error
    return _load(str(path), map_location, source=address)


def _make_safe(loader: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(loader)
    def load_safely(filename: str, *args: Any, **kwargs: Any) -> dict:
        return _read(lambda: loader(filename, *args, **kwargs), filename)

    load_safely.is_safe = True  # type: ignore[attr-defined]
    return load_safely


def use_safe_checkpoint_loader() -> None:
    """Make every checkpoint that mmengine loads from here on a safe one.

    Local files are read by :func:`load_checkpoint_file`, those of the web
    (``https://``, ``torchvision://``, ``openmmlab://``, ...) by
    :func:`load_fetched_checkpoint`. What other stores hold (``s3://``, ...) mmengine's
    own loaders fetch as before, with torch's restricted unpickler forced on them: a
    file from there that declares more memory than it holds is not refused. Calling it
    again changes nothing.
    """
    mmengine_checkpoint.load_from_http = load_fetched_checkpoint
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        if prefix == "":
            CheckpointLoader.register_scheme("", load_checkpoint_file, force=True)
        elif loader is _HTTP_OF_MMENGINE:
            CheckpointLoader.register_scheme(
                prefix, load_fetched_checkpoint, force=True
            )
        elif not getattr(loader, "is_safe", loader is load_fetched_checkpoint):
            CheckpointLoader.register_scheme(prefix, _make_safe(loader), force=True)
