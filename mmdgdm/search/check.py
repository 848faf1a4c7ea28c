"""Whether a config can be searched, and whether a run would use each key."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Iterator
from typing import Any, Optional

import mmpretrain.registry  # noqa: F401  its classes are then known by name
from mmengine.config import Config
from mmengine.registry import Registry, root

import mmdgdm.registry  # noqa: F401  and so are ours
from mmdgdm.engine.setup.config_check import RUNNER_KEYS, check_config, did_you_mean
from mmdgdm.errors import ConfigError
from mmdgdm.search.space import Dimension, Space

_VALIDATION = ("val_dataloader", "val_cfg", "val_evaluator")
#: Why a key may not vary, by its first part.
_FORBIDDEN = {
    **dict.fromkeys(
        ("test_dataloader", "test_cfg", "test_evaluator"),
        "the search never touches the test set",
    ),
    **dict.fromkeys(_VALIDATION, "scores of different validations cannot be compared"),
    "randomness": "the seed is set by --seed",
    **dict.fromkeys(
        ("work_dir", "launcher", "resume", "experiment_name", "visualizer"),
        "the search sets it for each trial",
    ),
}
#: The scope of all configs.
_SCOPE = "mmpretrain"
_UNEXPECTED = re.compile(r"unexpected keyword argument")


def without_test(cfg: Config) -> Config:
    """A copy of a config that has no test set.

    Args:
        cfg: The config.

    Returns:
        The copy, whose ``test_dataloader``, ``test_cfg`` and ``test_evaluator``
        are ``None``.
    """
    reduced = cfg.copy()
    reduced.test_dataloader = reduced.test_cfg = reduced.test_evaluator = None
    return reduced


def check_searchable(cfg: Config) -> None:
    """Check that a run of a config validates and leaves its scores in a file.

    Args:
        cfg: The config.

    Raises:
        ConfigError: If it cannot be trained, has no validation set, or has no
            ``LocalVisBackend``, which writes the scores.
    """
    check_config(without_test(cfg), "train")
    for key in _VALIDATION:
        if cfg.get(key) is None:
            raise ConfigError(
                f"Expected the config to set `{key}` for a search, but it is missing."
            )
    if cfg.get("visualizer") is None:
        return
    backends = cfg.visualizer.get("vis_backends") or []
    kinds = [str(backend.get("type")).split(".")[-1] for backend in backends]
    if "LocalVisBackend" not in kinds:
        raise ConfigError(
            "Expected `visualizer.vis_backends` to hold a LocalVisBackend, from whose "
            f"file a search reads the scores, but got {kinds}."
        )


def check_space(space: Space, cfg: Config, name: str) -> None:
    """Check that each key of a space changes what a run of a config does.

    A key stands in the config, or is an argument of the class whose dict it
    enters (``model.stage_necks.0.drop_rate`` of a layer that is at its defaults).

    Args:
        space: From :func:`mmdgdm.search.space.read_space`.
        cfg: The config.
        name: The space file, for the messages.

    Raises:
        ConfigError: If a key is unknown, is a mere variable of the config file,
            names a whole section, lies within another key, or belongs to what a
            search does not change: the test and validation sets, the seed.
    """
    for key, dimension in space.items():
        outer = [other for other in space if key.startswith(f"{other}.")]
        problem = f"lies within `{outer[0]}`, which varies too." if outer else None
        problem = problem or _first_part_problem(key, cfg)
        problem = problem or _path_problem(dimension, cfg)
        if problem:
            raise ConfigError(f"Space file {name}: `{key}` {problem}")


def _first_part_problem(key: str, cfg: Config) -> Optional[str]:
    first = key.split(".")[0]
    if first in _FORBIDDEN:
        return f"may not vary: {_FORBIDDEN[first]}."
    if first in RUNNER_KEYS:
        return None
    if first in cfg:
        return (
            "is a variable of the config file, which changes no value that was made "
            "from it: name the key that the run reads."
        )
    return "is not a key of the config" + did_you_mean(first, sorted(RUNNER_KEYS))


def _path_problem(dimension: Dimension, cfg: Config) -> Optional[str]:
    """Follow a key into the config, and where it leaves it, into a class."""
    parts = dimension.key.split(".")
    node: Any = cfg
    owner = None
    for depth, part in enumerate(parts):
        path = ".".join(parts[:depth])
        if isinstance(node, dict) and "type" in node:
            owner = depth, node
        if isinstance(node, (list, tuple)):
            if not part.isdigit() or int(part) >= len(node):
                return f"does not exist: `{path}` has the indices 0 to {len(node) - 1}."
            node = node[int(part)]
            if not isinstance(node, (dict, list, tuple)):
                # mmengine merges single values into dicts alone.
                return f"is one value of the list `{path}`: vary the whole list."
        elif isinstance(node, (dict, Config)) and part in node:
            node = node[part]
        elif isinstance(node, dict) and owner is not None:
            return _argument_problem(owner[1], parts, owner[0], dimension.values[0])
        else:
            names = sorted(map(str, node)) if isinstance(node, dict) else []
            return f"does not exist: no `{part}` in `{path}`" + did_you_mean(
                part, names
            )
    if isinstance(node, dict):
        return "is a whole section of the config: name a key in it."
    return None


def _argument_problem(
    node: dict, parts: list[str], depth: int, value: Any
) -> Optional[str]:
    """Whether the class of a dict of the config takes what it is not given yet."""
    path, (first, *inner) = ".".join(parts[:depth]), parts[depth:]
    classes = list(_find_classes(node["type"]))
    if not any(_accepts(cls, first) for cls in classes):
        names = sorted(
            {*map(str, node), *(n for c in classes for n in _argument_names(c))}
        )
        return (
            f"does not exist: `{path}` is a {node['type']}, which takes no `{first}`"
            + did_you_mean(first, names)
        )
    if inner and not any(_takes_nested(c, node, parts[depth:], value) for c in classes):
        return (
            f"does not exist: `{first}` of `{path}`, a {node['type']}, takes no "
            f"`{'.'.join(inner)}`."
        )
    return None


def _find_classes(kind: Any) -> Iterator[Any]:
    """What a type of a config may stand for, in any registry."""
    if not isinstance(kind, str):
        yield kind
        return
    for name in dir(root):
        registry = getattr(root, name)
        if not isinstance(registry, Registry) or _SCOPE not in registry.children:
            continue
        with registry.switch_scope_and_registry(_SCOPE) as scoped:
            found = scoped.get(kind)
        if found is not None:
            yield found


def _signatures(cls: Any) -> Iterator[inspect.Signature]:
    """The signatures that take part in a call, while each hands on the rest."""
    bases = inspect.getmro(cls) if inspect.isclass(cls) else (cls,)
    for base in bases:
        target = vars(base).get("__init__") if inspect.isclass(base) else base
        if target is None or base is object:
            continue
        signature = inspect.signature(target)
        yield signature
        kinds = [parameter.kind for parameter in signature.parameters.values()]
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            return


def _argument_names(cls: Any) -> set[str]:
    free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {
        name
        for signature in _signatures(cls)
        for name, parameter in signature.parameters.items()
        if parameter.kind not in free and name != "self"
    }


def _accepts(cls: Any, name: str) -> bool:
    return name in _argument_names(cls)


def _takes_nested(cls: Any, node: dict, rest: list[str], value: Any) -> bool:
    """Whether a class takes a dict with this key in it, found by making an object."""
    given = {k: copy.deepcopy(v) for k, v in node.items() if _accepts(cls, str(k))}
    inner = given
    for part in rest[:-1]:
        if not isinstance(inner.get(part), dict):
            inner[part] = {}
        inner = inner[part]
    inner[rest[-1]] = value
    try:
        cls(**given)
    except TypeError as error:
        return not _UNEXPECTED.search(str(error))
    except ConfigError:
        # The key is known; whether its values fit together each trial will tell.
        return True
    return True
