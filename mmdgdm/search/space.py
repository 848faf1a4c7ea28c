"""What a search may change: the space file, as distributions of Optuna."""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

import yaml
from optuna import distributions

from mmdgdm.errors import ConfigError
from mmdgdm.utils.yaml_files import read_yaml

#: Optuna's distributions by dotted key of the config, in the order of the file.
Space = dict[str, Any]

_KINDS = ("uniform", "log_uniform", "int", "choice")
_PLAIN = (str, int, float, bool, type(None))


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
    Bounds are included; a third number of ``uniform`` or ``int`` is the step.

    Args:
        path: A file in YAML or JSON.

    Returns:
        The distributions by key, in the order of the file. Those of choices hold
        JSON text: Optuna takes no lists, and holds 1 and True for the same.

    Raises:
        ConfigError: If the file is missing, is of another form, or a range is
            empty. The message names file and key.
    """
    path = Path(path)
    try:
        content = read_yaml(path, _Loader)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"Space file {path} cannot be read ({reason}).") from error
    if not isinstance(content, Mapping) or not content:
        raise ConfigError(
            f"Expected space file {path} to map keys of the config to their ranges, "
            f"but got {reprlib.repr(content)}."
        )
    space = {}
    for key, entry in content.items():
        try:
            space[str(key)] = _parse(entry)
        except ValueError as error:
            raise ConfigError(f"Space file {path}, `{key}`: {error}") from error
    return space


def _parse(entry: Any) -> distributions.BaseDistribution:
    """A distribution; what is wrong is a ``ValueError``, as it is for Optuna."""
    if not isinstance(entry, Mapping) or len(entry) != 1 or {*entry} - {*_KINDS}:
        forms = ", ".join(f"{{{kind}: [...]}}" for kind in _KINDS)
        raise ConfigError(f"Expected one of {forms}, but got {reprlib.repr(entry)}.")
    ((kind, values),) = entry.items()
    if not isinstance(values, list):
        raise ConfigError(
            f"Expected `{kind}` to be a list, but got {reprlib.repr(values)}."
        )
    if kind == "choice":
        return _parse_choices(values)
    types = {int} if kind == "int" else {int, float}
    if len(values) not in (2, 3) or {type(value) for value in values} - types:
        what = "whole numbers" if kind == "int" else "numbers"
        raise ConfigError(
            f"Expected `{kind}` to be {what} [low, high] or [low, high, step], but got "
            f"{reprlib.repr(values)}."
        )
    low, high, *step = values
    # A whole number may be larger than any float.
    if not all(abs(value) < 1e300 for value in values):
        raise ConfigError(f"Expected finite bounds, but got {reprlib.repr(values)}.")
    if kind == "int":
        return distributions.IntDistribution(low, high, step=step[0] if step else 1)
    return distributions.FloatDistribution(
        low, high, log=kind == "log_uniform", step=step[0] if step else None
    )


def _parse_choices(values: list[Any]) -> distributions.CategoricalDistribution:
    for value in values:
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(item, _PLAIN) for item in items):
            raise ConfigError(
                "Expected each `choice` to be a number, string, boolean, null or a "
                f"list of these, but got {reprlib.repr(value)}."
            )
        if sum(repr(value) == repr(other) for other in values) > 1:
            raise ConfigError(
                f"Expected different choices, but got {reprlib.repr(value)} twice."
            )
    return distributions.CategoricalDistribution(
        [json.dumps(value) for value in values]
    )


def decode(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a trial by dotted key, in the order of the space.

    Args:
        space: From :func:`read_space`.
        params: What Optuna drew; it may lack keys.
    """
    values = {key: params[key] for key in space if key in params}
    texts = (key for key in values if hasattr(space[key], "choices"))
    return {**values, **{key: json.loads(values[key]) for key in texts}}


def list_values(space: Space) -> dict[str, list[Any]]:
    """All values of each key, as Optuna draws them.

    Args:
        space: From :func:`read_space`.

    Raises:
        ConfigError: If a key takes real numbers without a step, which have no end.

    Example:
        >>> list_values({"a": distributions.IntDistribution(1, 5, step=2)})
        {'a': [1, 3, 5]}
    """
    found = {}
    for key, distribution in space.items():
        if hasattr(distribution, "choices"):
            found[key] = list(distribution.choices)
        elif distribution.step is None:
            raise ConfigError(
                f"Expected `{key}` to be `choice`, `int` or `uniform` with a step for "
                "the grid sampler, but it takes any number: name a step."
            )
        else:
            low, high, step = distribution.low, distribution.high, distribution.step
            # Rounding may carry the last value beyond the bound.
            count = round((high - low) / step) + 1
            found[key] = [min(low + index * step, high) for index in range(count)]
    return found
