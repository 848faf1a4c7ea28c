"""The parts that a config builds: checked before, and named where one fails."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Iterator
from typing import Any, Callable, Optional

import torch
from mmengine import registry as root
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope, Registry
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, TestLoop, ValLoop
from torch.utils.data import DataLoader

from mmdgdm.engine.setup.config_check import did_you_mean, find_paths
from mmdgdm.errors import ConfigError, MMDGDMError

#: Keys whose dicts are handed to a registry as they are, by mmengine and mmpretrain.
_REGISTRIES = {
    **dict.fromkeys(
        ("model", "backbone", "neck", "head", "data_preprocessor"), root.MODELS
    ),
    **dict.fromkeys(("dataset", "datasets"), root.DATASETS),
    **dict.fromkeys(("sampler", "batch_sampler"), root.DATA_SAMPLERS),
    **dict.fromkeys(("pipeline", "transforms"), root.TRANSFORMS),
    **dict.fromkeys(("val_evaluator", "test_evaluator"), root.METRICS),
    **dict.fromkeys(("train_cfg", "val_cfg", "test_cfg"), root.LOOPS),
    **dict.fromkeys(("default_hooks", "custom_hooks"), root.HOOKS),
    "optim_wrapper": root.OPTIM_WRAPPERS,
    "optimizer": root.OPTIMIZERS,
    "param_scheduler": root.PARAM_SCHEDULERS,
    "visualizer": root.VISUALIZERS,
    "vis_backends": root.VISBACKENDS,
}
#: What mmengine builds where a config names no type.
_DEFAULTS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(
        ("train_dataloader", "val_dataloader", "test_dataloader"), DataLoader
    ),
    "train_cfg": EpochBasedTrainLoop,
    "val_cfg": ValLoop,
    "test_cfg": TestLoop,
    "optim_wrapper": OptimWrapper,
}
#: Keys that mmengine takes out of a part before it builds it.
_TAKEN = frozenset(
    [
        "type",
        "_scope_",
        "by_epoch",
        "convert_to_iter_based",
        "paramwise_cfg",
        "num_batch_per_epoch",
        "disable_subprocess_warning",
    ]
)
_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")


def check_parts(cfg: Config) -> None:
    """Check types and keys of what the Runner builds, before it builds anything.

    Parts within an argument that only its class understands are left to that class;
    see :func:`explain_build_errors`.

    Args:
        cfg: The config.

    Raises:
        ConfigError: If a type is not registered, or a key is no argument of its class.
    """
    with DefaultScope.overwrite_default_scope(cfg.get("default_scope") or "mmengine"):
        if "runner_type" in cfg:
            _find_class(root.RUNNERS, cfg.runner_type, "runner_type", None)
        for path, part, registry, scope in _list_parts(cfg):
            if "type" in part:
                cls = _find_class(registry, part["type"], f"{path}.type", scope)
            else:
                cls = _DEFAULTS[path]
                if path == "train_cfg" and not part.get("by_epoch", True):
                    cls = IterBasedTrainLoop
            taken = {*_TAKEN, "priority"} if registry is root.HOOKS else _TAKEN
            # Another constructor of optimizers may take keys of its own.
            for key in () if "constructor" in part else part:
                if key not in taken and not _takes(cls, key):
                    raise ConfigError(_unexpected_key(key, path, cls))


def _list_parts(cfg: Config) -> Iterator[tuple[str, dict, Registry, Optional[str]]]:
    """Each part with its path, registry and scope."""
    scopes: dict[str, Optional[str]] = {}
    for path, node in find_paths(cfg):
        scopes[path] = scopes.get(path.rpartition(".")[0])
        if not isinstance(node, dict):
            continue
        scopes[path] = node.get("_scope_", scopes[path])
        # What stands in a list, or is a default hook, has the registry of the whole.
        outer, _, key = re.sub(r"(\.\d+)+$", "", path).rpartition(".")
        key = outer if outer == "default_hooks" else key
        registry = _REGISTRIES.get(key)
        if path in _DEFAULTS or (registry is not None and "type" in node):
            # Compared with None: a registry that holds nothing yet counts as false.
            chosen = root.DATASETS if registry is None else registry
            yield path, node, chosen, scopes[path]


def _find_class(
    registry: Registry, kind: Any, path: str, scope: Optional[str]
) -> Callable[..., Any]:
    """The class of a type, looked up as mmengine does."""
    if not isinstance(kind, str):
        return kind
    with registry.switch_scope_and_registry(scope) as scoped:
        try:
            found = scoped.get(kind)
        except RuntimeError:  # a dotted name of which no such module exists
            found = None
        if found is None:
            raise ConfigError(_unknown_type(scoped, kind, path))
        return found


def _unknown_type(registry: Registry, kind: str, path: str) -> str:
    names = list(registry.module_dict)
    names += [name for name in registry.root.module_dict if name not in names]
    children = registry.root.children
    for child in list(children.values()):  # what is imported may register others
        child.import_from_location()  # else its classes may not be known yet
    for scope, child in children.items():
        if child is not registry:
            names += [f"{scope}.{name}" for name in child.module_dict]
    # A class known without its scope, or under another one, is the best guess.
    bare = [name for name in names if name.split(".")[-1] == kind.split(".")[-1]]
    hint = did_you_mean(kind, names)
    if bare:
        hint = f"; did you mean {' or '.join(f'`{name}`' for name in bare[:3])}?"
    wanted = f"Expected `{path}` to be a registered {registry.name}"
    return f"{wanted}, but got `{kind}`{hint}"


def _parameters(target: Any) -> dict[str, inspect.Parameter]:
    with contextlib.suppress(ValueError, TypeError):
        return dict(inspect.signature(target).parameters)
    return {"kwargs": inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)}


def _takes(cls: Callable[..., Any], key: str) -> bool:
    """Whether a class may take an argument: one with ``**kwargs`` may take any."""
    known = _parameters(cls)
    any_key = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
    return any_key or key in known


def _unexpected_key(key: str, path: str, cls: Any) -> str:
    bases = inspect.getmro(cls)[:-1] if inspect.isclass(cls) else (cls,)
    names = {name for base in bases for name in _parameters(base)}
    return (
        f"Expected the keys of `{path}` to be arguments of {cls.__name__}, but got "
        f"`{key}`" + did_you_mean(key, sorted(names - {"args", "kwargs"}))
    )


@contextlib.contextmanager
def explain_build_errors(cfg: Config) -> Iterator[None]:
    """Turn errors of building registered classes into :class:`ConfigError`.

    Meanwhile ``Registry.build``, through which mmengine builds every part, notes
    which part failed. Errors of other origin pass unchanged, and so do those of this
    package and lack of GPU memory.

    Args:
        cfg: The config that the run was made from, to say which part is wrong.

    Raises:
        ConfigError: In place of an error in the config, or of a missing package.
    """
    failed: list[tuple[Exception, Registry, Any]] = []
    build = Registry.build

    def build_and_note(registry: Registry, part: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return build(registry, part, *args, **kwargs)
        except Exception as error:
            if not failed or failed[-1][0] is not error:  # the innermost part
                failed.append((error, registry, part))
            raise

    Registry.build = build_and_note
    try:
        yield
    except (MMDGDMError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if failed and failed[-1][0] is error:
            raise ConfigError(_explain(*failed[-1], cfg)) from error
        if isinstance(error, ImportError):
            raise ConfigError(f"A package is missing: {_reason(error)}") from error
        raise
    finally:
        Registry.build = build


def _explain(error: Exception, registry: Registry, part: Any, cfg: Config) -> str:
    """What went wrong in which part of the config."""
    kind = part.get("type") if isinstance(part, dict) else None
    path = _path_of(part, cfg)
    unexpected = _UNEXPECTED.search(str(error)) if type(error) is TypeError else None
    cls = kind
    if isinstance(kind, str):
        try:
            cls = _find_class(registry, kind, f"{path}.type", part.get("_scope_"))
        except ConfigError as unknown:
            return str(unknown)
    if unexpected and kind is not None and unexpected[1] in part:
        return _unexpected_key(unexpected[1], path, cls)
    name = kind if isinstance(kind, str) else getattr(kind, "__name__", "")
    what = " of ".join(f"`{word}`" for word in (name, path) if word) or "a part"
    return f"Cannot build {what}: {_reason(error)} (MMDGDM_TRACEBACK=1 shows where)"


def _path_of(part: Any, cfg: Config) -> str:
    """Where a part lies in the config; the class around it may change its keys."""

    def agreement(item: tuple[str, Any]) -> int:
        node = item[1]
        if isinstance(node, dict) and isinstance(part, dict):
            if node.get("type") != part.get("type"):
                return 0
            return sum(str(node.get(key)) == str(value) for key, value in part.items())
        return int(str(node) == str(part))

    best = max(find_paths(cfg), key=agreement, default=("", None))
    return best[0] if agreement(best) else ""


def _reason(error: Exception) -> str:
    # The text of a KeyError is its message in quotes.
    is_key = isinstance(error, KeyError) and error.args
    text = " ".join(str(error.args[0] if is_key else error).split())
    text = text if len(text) <= 400 else f"{text[:400]}..."
    plain = (ValueError, TypeError, AssertionError, RuntimeError, ImportError)
    name = type(error).__name__
    return (text if type(error) in plain else f"{name}: {text}") if text else name
