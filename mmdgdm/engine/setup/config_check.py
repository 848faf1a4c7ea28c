"""Reading a config, and checking that it holds what a run needs."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Union

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import Runner

from mmdgdm.errors import ConfigError
from mmdgdm.named_configs import find_config, list_configs
from mmdgdm.utils.suggestions import did_you_mean

#: Endings of config files.
CONFIG_ENDINGS = (".py", ".json", ".yaml", ".yml")
#: Keys that are read from the config although the Runner has no such argument.
_OTHER_KEYS = frozenset(
    [
        "activation_checkpointing",
        "compile",
        "efficient_conv_bn_eval",
        "find_unused_parameters",
        "model_wrapper_cfg",
        "runner_type",
        "sync_bn",
    ]
)
#: All first-level keys that an experiment understands.
RUNNER_KEYS = _OTHER_KEYS | (
    set(inspect.signature(Runner.__init__).parameters) - {"self", "cfg"}
)
_LOOP_KEYS = {
    "train": ("train_dataloader", "train_cfg", "optim_wrapper"),
    "val": ("val_dataloader", "val_cfg", "val_evaluator"),
    "test": ("test_dataloader", "test_cfg", "test_evaluator"),
}


def find_paths(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """All nodes of a config, parents first.

    Args:
        node: A config or a part of one.
        path: The path of ``node`` itself.

    Yields:
        The dotted path and the value of each node, for example
        ``("param_scheduler.0.end", 5)``.
    """
    is_list = isinstance(node, (list, tuple))
    if not is_list and not isinstance(node, (dict, Config)):
        return
    for key, value in enumerate(node) if is_list else list(node.items()):
        inner = f"{path}.{key}" if path else str(key)
        yield inner, value
        yield from find_paths(value, inner)


def load_config(path: Union[str, Path]) -> Config:
    """Read a config file.

    Args:
        path: A config in Python, JSON or YAML, or the name of one of this package.

    Returns:
        The config with its bases merged in, and with the paths of its weights as
        :func:`find_weights` finds them.

    Raises:
        ConfigError: If the file is missing or cannot be read.
    """
    path = find_config(str(path))
    if not path.is_file():
        near = [p.name for p in path.parent.glob("*")] if path.name else []
        near += [p.name if path.suffix else p.stem for p in list_configs()]
        raise ConfigError(
            f"Config {path} does not exist{did_you_mean(path.name, near)}"
        )
    try:
        cfg = Config.fromfile(path)
    except Exception as error:
        reason = " ".join(str(error).split()) or "no reason given"
        raise ConfigError(
            f"Config {path} cannot be read ({type(error).__name__}: {reason})."
        ) from error
    weights = {
        key: str(find_weights(value, path))
        for key, value in find_paths(cfg)
        if isinstance(value, str) and value.startswith("pretrained/")
    }
    if weights:
        cfg.merge_from_dict(weights)
    return cfg


def find_weights(name: str, config: Path) -> Path:
    """Find the file of a relative path such as ``pretrained/resnet50.pth``.

    Args:
        name: The path as a config names it.
        config: The file of the config.

    Returns:
        The first of these that exists: below the folder of the config or one that
        holds it, the nearest first; below the working folder; below
        ``~/.cache/mmdgdm``. If none does, the path as it is.
    """
    folders = [*config.resolve().parents, Path.cwd(), Path.home() / ".cache" / "mmdgdm"]
    found = (folder / name for folder in folders if (folder / name).is_file())
    return next(found, Path(name))


def check_keys(cfg: Config, keys: Iterable[str], *, use: str = "") -> None:
    """Check that a config sets some keys.

    Args:
        cfg: The config.
        keys: Its first-level keys.
        use: What needs them, for the message.

    Raises:
        ConfigError: If one is missing or None.
    """
    for key in keys:
        if cfg.get(key) is None:
            raise ConfigError(
                f"Expected the config to set `{key}`{use}, but it is missing."
            )


def check_config(cfg: Config, mode: str) -> None:
    """Check what a run needs, before anything is built.

    Args:
        cfg: The config.
        mode: ``'train'`` or ``'test'``.

    Raises:
        ConfigError: If a key is missing, or mixed precision is asked for on a
            machine without an accelerator.
    """
    check_keys(cfg, ("model", *_LOOP_KEYS[mode]))
    for keys in _LOOP_KEYS.values():
        missing = [key for key in keys if cfg.get(key) is None]
        if 0 < len(missing) < len(keys):
            raise ConfigError(
                f"Expected the config to set all or none of {', '.join(keys)}, but "
                f"{', '.join(missing)} is missing."
            )
    is_amp = mode == "train" and type_name(cfg.optim_wrapper) == "AmpOptimWrapper"
    if is_amp and get_device() in ("cpu", "mps"):
        raise ConfigError(
            "Expected a GPU for `optim_wrapper.type='AmpOptimWrapper'`, but none is "
            "available: leave it out, or set `optim_wrapper.type="
            "'mmdgdm.BFloat16OptimWrapper'`, as `--amp` does on CPUs."
        )


def type_name(part: Any) -> str:
    """The name of the class of a part of a config, without scope or module.

    Args:
        part: A part of a config.

    Returns:
        The name, or an empty string if the part has no type.
    """
    kind = part.get("type", "") if isinstance(part, dict) else ""
    return getattr(kind, "__name__", str(kind)).split(".")[-1]
