"""What a search may change: the space file, and its keys against the config."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import yaml

from mmdgdm.errors import ConfigError

#: How a key may vary, by the name that the space file uses.
KINDS = ("uniform", "log_uniform", "int", "choice")
_PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Dimension:
    """One key of the config and the values that it may take.

    Args:
        key: Dotted key of the config, for example ``model.stage_necks.0.drop_rate``.
        kind: ``'uniform'`` or ``'log_uniform'`` (real numbers between two bounds,
            both included), ``'int'`` (whole numbers likewise) or ``'choice'``.
        values: The two bounds, or the choices.
    """

    key: str
    kind: str
    values: tuple[Any, ...]

    def grid(self) -> list[Any]:
        """All values, in order.

        Raises:
            ConfigError: If the values are real numbers, which have no end.
        """
        if self.kind == "choice":
            return list(self.values)
        if self.kind == "int":
            low, high = self.values
            return list(range(low, high + 1))
        raise ConfigError(
            f"Expected `{self.key}` to be `choice` or `int` for the grid sampler, but "
            f"got `{self.kind}`: list its values as a `choice`."
        )


Space = dict[str, Dimension]


def grid_settings(space: Space) -> list[dict[str, Any]]:
    """All combinations of the values of a space.

    Args:
        space: From :func:`read_space`.

    Returns:
        One dict of value by key for each combination; the last key varies fastest.

    Raises:
        ConfigError: If a key takes real numbers.

    Example:
        >>> space = {k: Dimension(k, "int", (0, 1)) for k in "ab"}
        >>> [tuple(setting.values()) for setting in grid_settings(space)]
        [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    grids = [dimension.grid() for dimension in space.values()]
    return [dict(zip(space, values)) for values in itertools.product(*grids)]


class _Loader(yaml.SafeLoader):
    """YAML in which a key stands once and ``1e-3`` is a number, as in JSON."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Build a dict, unless a key is repeated."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"`{key}` stands twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def read_space(path: Union[str, Path]) -> Space:
    """Read a space file.

    It maps each key of the config to one of ``{uniform: [low, high]}``,
    ``{log_uniform: [low, high]}``, ``{int: [low, high]}`` and ``{choice: [...]}``.

    Args:
        path: A file in YAML or JSON.

    Returns:
        The dimensions by key, in the order of the file.

    Raises:
        ConfigError: If the file is missing, is of another form, or a range is
            empty. The message names file and key.
    """
    path = Path(path)
    try:
        # The loader is a safe one.
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"Space file {path} cannot be read ({reason}).") from error
    if not isinstance(content, Mapping) or not content:
        raise ConfigError(
            f"Expected space file {path} to map keys of the config to their ranges, "
            f"but got {content!r}."
        )
    space = {}
    for key, entry in content.items():
        try:
            space[str(key)] = _parse_dimension(str(key), entry)
        except ConfigError as error:
            raise ConfigError(f"Space file {path}, `{key}`: {error}") from error
    return space


def _parse_dimension(key: str, entry: Any) -> Dimension:
    if not isinstance(entry, Mapping) or len(entry) != 1 or {*entry} - {*KINDS}:
        raise ConfigError(
            f"Expected one of {', '.join(f'{{{kind}: [...]}}' for kind in KINDS)}, "
            f"but got {entry!r}."
        )
    ((kind, values),) = entry.items()
    if not isinstance(values, list):
        raise ConfigError(f"Expected `{kind}` to be a list, but got {values!r}.")
    check = _check_choices if kind == "choice" else _check_bounds
    check(kind, values)
    if kind in ("uniform", "log_uniform"):
        values = [float(value) for value in values]
    return Dimension(key, kind, tuple(values))


def _check_choices(kind: str, values: list[Any]) -> None:
    if not values:
        raise ConfigError("Expected `choice` to name a value, but got an empty list.")
    for value in values:
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(item, _PLAIN) for item in items):
            raise ConfigError(
                f"Expected each `{kind}` to be a number, string, boolean, null or a "
                f"list of these, but got {value!r}."
            )
        if sum(repr(value) == repr(other) for other in values) > 1:
            raise ConfigError(f"Expected different choices, but got {value!r} twice.")


def _check_bounds(kind: str, values: list[Any]) -> None:
    numbers = [
        value
        for value in values
        if isinstance(value, int if kind == "int" else (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
    ]
    if len(values) != 2 or len(numbers) != 2:
        what = "whole numbers" if kind == "int" else "finite numbers"
        raise ConfigError(
            f"Expected `{kind}` to be two {what} [low, high], but got {values!r}."
        )
    low, high = numbers
    if low >= high:
        raise ConfigError(
            f"Expected `{kind}` to be [low, high] with low < high, but got {values!r}: "
            "the range is empty or a single point."
        )
    if kind == "log_uniform" and low <= 0:
        raise ConfigError(
            f"Expected the bounds of `log_uniform` to be above 0, but got {values!r}."
        )
