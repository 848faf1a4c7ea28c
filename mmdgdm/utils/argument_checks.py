"""Checks of constructor arguments, with messages that name the argument.

Each check of a value takes the argument's name, for the message, and what the user
gave. It raises a :class:`~mmdgdm.errors.ConfigError` if the value does not fit. Else it
returns the value, so that it can stand where the value is stored.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, TypeVar, Union

from mmdgdm.errors import ConfigError

_Value = TypeVar("_Value")


def check_share(
    name: str, value: Any, *, low_open: bool = False, high_open: bool = False
) -> float:
    """Return ``value`` as a float if it is a share in [0, 1].

    ``low_open`` refuses 0 itself, and ``high_open`` 1 itself.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    excluded = (low_open and value == 0) or (high_open and value == 1)
    if is_number and 0 <= value <= 1 and not excluded:
        return float(value)
    interval = f"{'(' if low_open else '['}0, 1{')' if high_open else ']'}"
    raise ConfigError(
        f"Expected `{name}` to be a number in {interval}, but got {value!r}."
    )


def check_non_negative(name: str, value: Any) -> float:
    """Return ``value`` as a float if it is a finite number of at least 0."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and 0 <= value < math.inf:
        return float(value)
    raise ConfigError(
        f"Expected `{name}` to be a finite number >= 0, but got {value!r}."
    )


def check_choice(name: str, value: _Value, *, choices: Iterable[Any]) -> _Value:
    """Return ``value`` if it is one of ``choices``."""
    # A list, since a dict or a range may not be asked for what cannot be hashed.
    known = list(choices)
    if value not in known:
        valid = ", ".join(map(repr, known))
        raise ConfigError(f"Expected `{name}` to be one of {valid}, but got {value!r}.")
    return value


def check_positive_int(name: str, value: Any) -> int:
    """Return ``value`` if it is a whole number of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(
            f"Expected `{name}` to be a whole number >= 1, but got {value!r}."
        )
    return value


def check_block_size(name: str, value: Any) -> Union[int, float]:
    """Return ``value`` if it is a number of pixels or a share of a map's side.

    The former is a whole number >= 1, the latter a float in (0, 1).
    """
    if isinstance(value, float) and 0 < value < 1:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise ConfigError(
        f"Expected `{name}` to be a whole number >= 1, in pixels, or a share in (0, 1) "
        f"of the map's side, but got {value!r}."
    )


def check_output_folder(name: str, path: Union[str, Path]) -> None:
    """Make a folder that a long run will write to, and try to write in it.

    Args:
        name: The argument's name, for the message.
        path: The folder.

    Raises:
        ConfigError: If it cannot be made or written.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise ConfigError(
            f"Expected `{name}` to be a folder that can be written, but {path} "
            f"cannot: {error.strerror}."
        ) from error


def check_output_file(
    name: str, path: Union[str, Path, None], *, endings: Collection[str]
) -> None:
    """Check before long work that its result can be written.

    Args:
        name: The argument's name, for the message.
        path: The file to be written, or ``None`` for none.
        endings: What its name may end in, without the dot.

    Raises:
        ConfigError: If it has another ending, or is a folder.
    """
    if path is None:
        return
    if Path(path).suffix.lstrip(".") not in endings or Path(path).is_dir():
        valid = ", ".join(f".{ending}" for ending in sorted(endings))
        raise ConfigError(f"Expected `{name}` to be a {valid} file, but got {path}.")
