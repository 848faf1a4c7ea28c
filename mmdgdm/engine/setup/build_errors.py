"""One clear sentence for what goes wrong while a config is turned into objects.

mmengine builds every registered class in one place and lets exceptions pass as
they are. Whether an exception comes from there, and for which part of the
config, is read from the frames of its traceback.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any, Optional, Union

import torch
from mmengine.config import Config
from mmengine.registry import Registry, build_functions
from mmengine.runner import runner as runner_module

from mmdgdm.engine.setup.config_check import did_you_mean, find_paths
from mmdgdm.errors import ConfigError, MMDGDMError

_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
#: Their message alone says what is wrong.
_PLAIN = (ValueError, TypeError, AssertionError, RuntimeError)


@contextlib.contextmanager
def explain_build_errors(cfg: Config) -> Iterator[None]:
    """Turn errors of building registered classes into :class:`ConfigError`.

    Errors of other origin pass unchanged, and so do those of this package,
    missing modules and lack of GPU memory.

    Args:
        cfg: The config that the run was made from, to say which part is wrong.

    Raises:
        ConfigError: In place of an error in the config.
    """
    try:
        yield
    except (MMDGDMError, ImportError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        sentence = _explain(error, cfg)
        if sentence is None:
            raise
        raise ConfigError(sentence) from error


def _explain(error: Exception, cfg: Config) -> Optional[str]:
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    builds = [
        frame
        for frame in frames
        if frame.f_code.co_filename == build_functions.__file__
        and isinstance(frame.f_locals.get("cfg"), (dict, Config))
    ]
    unexpected = _UNEXPECTED.search(str(error))
    if not builds:
        in_runner = frames[-1].f_code.co_filename == runner_module.__file__
        if isinstance(error, TypeError) and unexpected and in_runner:
            return _unexpected_key(unexpected[1], "", None, cfg)
        return None
    scope = builds[-1].f_locals
    path = _path_of(scope["cfg"], cfg)
    if isinstance(error, KeyError) and "is not in the" in str(error):
        return _unknown_type(builds[-1], path)
    if unexpected and isinstance(error, TypeError) and unexpected[1] in scope["cfg"]:
        return _unexpected_key(unexpected[1], path, scope.get("obj_cls"), cfg)
    place = f" of `{path}`" if path else ""
    return (
        f"Cannot build `{_type_name(scope)}`{place}: {_reason(error)} "
        "(MMDGDM_TRACEBACK=1 shows where)"
    )


def _path_of(part: Union[dict, Config], cfg: Config) -> str:
    """Where a part of the config lies: the same dict, else one of its type."""
    if isinstance(part, Config):
        return ""
    kind = part.get("type")
    for same in (
        lambda _, node: isinstance(node, dict) and dict(node) == dict(part),
        lambda _, node: isinstance(node, dict) and node.get("type", "") == kind,
    ):
        for path in find_paths(cfg, same):
            return path
    return ""


def _type_name(scope: dict[str, Any]) -> str:
    kind = scope["cfg"].get("type", scope.get("obj_type", "?"))
    return kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))


def _reason(error: Exception) -> str:
    # The text of a KeyError is its message in quotes.
    is_key = isinstance(error, KeyError) and error.args
    text = " ".join(str(error.args[0] if is_key else error).split())
    if not text:
        return type(error).__name__
    if len(text) > 400:
        text = f"{text[:400]}..."
    return text if type(error) in _PLAIN else f"{type(error).__name__}: {text}"


def _unknown_type(frame: FrameType, path: str) -> str:
    registry, name = frame.f_locals["registry"], _type_name(frame.f_locals)
    names = _registered_names(registry)
    # A class known without its scope, or under another one, is the best guess.
    bare = [full for full in names if full.split(".")[-1] == name.split(".")[-1]]
    hint = did_you_mean(name, names)
    if bare:
        hint = f"; did you mean {' or '.join(f'`{full}`' for full in bare[:3])}?"
    place = f"{path}.type" if path else "runner_type"
    return (
        f"Expected `{place}` to be a registered {registry.name}, but got `{name}`{hint}"
    )


def _registered_names(registry: Registry) -> list[str]:
    """What may be written as a type: plain in the current scope, else prefixed."""
    names = list(registry.module_dict)
    root = registry
    while root.parent is not None:
        root = root.parent
    names += [name for name in root.module_dict if name not in names]
    for scope, child in root.children.items():
        if child is not registry:
            names += [f"{scope}.{name}" for name in child.module_dict]
    return names


def _unexpected_key(key: str, path: str, cls: Any, cfg: Config) -> str:
    if not path:
        found = next(find_paths(cfg, lambda name, _: name == key), key)
        path = found.rpartition(".")[0] or found
    if cls is None:
        return f"Expected the keys of `{path}` to be known, but got `{key}`."
    known: list[str] = []
    for base in inspect.getmro(cls) if inspect.isclass(cls) else (cls,):
        target = vars(base).get("__init__") if inspect.isclass(base) else base
        if target is not None:
            with contextlib.suppress(ValueError, TypeError):
                known += list(inspect.signature(target).parameters)
    known = [name for name in known if name not in ("self", "args", "kwargs")]
    return (
        f"Expected the keys of `{path}` to be arguments of {cls.__name__}, but got "
        f"`{key}`" + did_you_mean(key, sorted(set(known)))
    )
