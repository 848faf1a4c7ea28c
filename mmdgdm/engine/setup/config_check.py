"""Reading a config, overriding it, and checking it before anything is built."""

from __future__ import annotations

import difflib
import inspect
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable, Optional, Union

from mmengine.config import Config
from mmengine.device import (
    is_cuda_available,
    is_mlu_available,
    is_musa_available,
    is_npu_available,
)
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmdgdm.errors import ConfigError

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


def did_you_mean(word: str, possibilities: Sequence[str]) -> str:
    """The end of a sentence: ``; did you mean `a` or `b`?``, or a full stop.

    Args:
        word: What was written.
        possibilities: What could have been meant.

    Returns:
        Up to three close matches, or ``"."`` if nothing is close.
    """
    close = difflib.get_close_matches(word, possibilities)
    if not close:
        return "."
    return f"; did you mean {' or '.join(f'`{name}`' for name in close)}?"


def find_paths(
    node: Any, matches: Callable[[str, Any], bool], path: str = ""
) -> Iterator[str]:
    """Dotted paths of all nodes of a config that satisfy a condition.

    Args:
        node: A config or a part of one.
        matches: Called with the last key and the value of each node.
        path: The path of ``node`` itself.

    Yields:
        Paths such as ``train_dataloader.dataset.pipeline.0``, parents first.
    """
    if isinstance(node, (dict, Config)):
        items = list(node.items())
    elif isinstance(node, (list, tuple)):
        items = [(str(i), value) for i, value in enumerate(node)]
    else:
        return
    for key, value in items:
        inner = f"{path}.{key}" if path else str(key)
        if matches(str(key), value):
            yield inner
        yield from find_paths(value, matches, inner)


def load_config(path: Union[str, Path]) -> Config:
    """Read a config file.

    Args:
        path: A config in Python, JSON or YAML.

    Returns:
        The config with its bases merged in.

    Raises:
        ConfigError: If the file is missing or cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        siblings = [p.name for p in path.parent.glob("*")] if path.name else []
        raise ConfigError(
            f"Config {path} does not exist{did_you_mean(path.name, siblings)}"
        )
    try:
        return Config.fromfile(path)
    except Exception as error:
        reason = " ".join(str(error).split()) or "no reason given"
        raise ConfigError(
            f"Config {path} cannot be read ({type(error).__name__}: {reason})."
        ) from error


def merge_cfg_options(cfg: Config, options: Optional[dict[str, Any]]) -> None:
    """Override keys of a config in place, as ``--cfg-options`` does.

    Args:
        cfg: The config to change.
        options: New values by dotted key, for example
            ``{'model.head.num_classes': 200, 'param_scheduler.0.end': 5}``.

    Raises:
        ConfigError: If a key's first part is neither in the config nor an
            argument of the Runner, or a path does not exist in the config.
    """
    if not options:
        return
    for key in options:
        first = key.split(".")[0]
        if first not in cfg and first not in RUNNER_KEYS:
            raise ConfigError(
                f"Expected the key of `--cfg-options {key}=...` to start with a key "
                f"of the config, but got `{first}`"
                + did_you_mean(first, sorted({*cfg.keys(), *RUNNER_KEYS}))
            )
        _warn_if_only_a_variable(cfg, key)
    try:
        cfg.merge_from_dict(options)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        reason = str(error.args[0]) if error.args else type(error).__name__
        raise ConfigError(
            f"`--cfg-options {' '.join(options)}` does not fit the config: {reason}"
        ) from error


def _warn_if_only_a_variable(cfg: Config, key: str) -> None:
    """Warn if a key is a mere variable of the config file, already put to use."""
    value = cfg.get(key)
    if key in RUNNER_KEYS or not isinstance(value, (str, int, float)):
        return
    used = [p for p in find_paths(cfg, lambda _, v: v == value) if "." in p]
    hint = f"; set {' or '.join(f'`{path}`' for path in used[:4])}" if used else ""
    print_log(
        f"`--cfg-options {key}=...` sets a variable of the config file, which changes "
        f"no value that was made from it{hint}.",
        logger="current",
        level=logging.WARNING,
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
    for key in ("model", *_LOOP_KEYS[mode]):
        if cfg.get(key) is None:
            raise ConfigError(f"Expected the config to set `{key}`, but it is missing.")
    for keys in _LOOP_KEYS.values():
        missing = [key for key in keys if cfg.get(key) is None]
        if 0 < len(missing) < len(keys):
            raise ConfigError(
                f"Expected the config to set all or none of {', '.join(keys)}, but "
                f"{', '.join(missing)} is missing."
            )
    if mode == "train":
        _check_amp(cfg.optim_wrapper)


def _check_amp(optim_wrapper: Any) -> None:
    kind = optim_wrapper.get("type") if isinstance(optim_wrapper, dict) else None
    name = kind if isinstance(kind, str) else getattr(kind, "__name__", "")
    accelerators = (
        is_cuda_available,
        is_npu_available,
        is_mlu_available,
        is_musa_available,
    )
    if name.split(".")[-1] == "AmpOptimWrapper" and not any(f() for f in accelerators):
        raise ConfigError(
            "Mixed precision (`--amp`, or `optim_wrapper.type='AmpOptimWrapper'`) "
            "needs a GPU, but none is available: leave it out."
        )
