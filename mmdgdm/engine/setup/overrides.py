"""What the options of the command line change in a config, one function each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Union

from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.logging import print_log

from mmdgdm.engine.setup.config_check import (
    RUNNER_KEYS,
    check_keys,
    did_you_mean,
    find_paths,
    type_name,
)
from mmdgdm.engine.setup.newest_checkpoint import find_newest_checkpoint
from mmdgdm.errors import ConfigError
from mmdgdm.registry import METRICS
from mmdgdm.utils.checkpoint import check_checkpoint_path

#: Read from the config by a tool, not by the Runner.
_TOOL_KEYS = frozenset(["tta_model", "tta_pipeline"])
#: Last keys whose values are names and paths, whatever they look like.
_TEXT_KEYS = re.compile(
    r"(.*_)?(dir|root|prefix|file|path|from|name|checkpoint|filename)"
)
#: Arguments of mmengine's wrapper for mixed precision that are of no use in bfloat16.
_GPU_AMP_KEYS = ("loss_scale", "dtype", "use_fsdp")


def read_option(key: str, text: str, *, current: Any = None) -> Any:
    """The value that an option of the command line means.

    Text stays text in quotes, where the config has text, and where the last key
    names a file, a folder, a prefix or a name. Elsewhere numbers, ``true``,
    ``false`` and lists (``a,b``, ``[a,b]``, ``(1,2)``) are read as mmengine does,
    with spaces kept. ``None`` is None everywhere.

    Args:
        key: The dotted key.
        text: What is written after ``KEY=``.
        current: The value in the config.

    Returns:
        The value.

    Raises:
        ConfigError: If brackets do not match.
    """
    bare = text.strip("'\"")
    if text == "None":
        return None
    is_list = bare.startswith(("[", "("))
    is_text = not is_list and (bare != text or isinstance(current, str))
    if is_text or _TEXT_KEYS.fullmatch(key.split(".")[-1]):
        return bare
    if not is_list and "," not in bare:
        return DictAction._parse_int_float_bool(bare)
    try:
        return DictAction._parse_iterable(bare)
    except AssertionError as error:
        raise ConfigError(
            f"The brackets of `--cfg-options {key}={text}` do not match."
        ) from error


def merge_cfg_options(
    cfg: Config, options: Union[Mapping[str, Any], Iterable[tuple[str, str]], None]
) -> dict[str, Any]:
    """Override keys of a config in place, as ``--cfg-options`` does.

    Args:
        cfg: The config to change.
        options: New values by dotted key, for example
            ``{'model.head.num_classes': 200, 'param_scheduler.0.end': '5'}``, or
            pairs of key and value. Text is read by :func:`read_option`.

    Returns:
        The values as they stand in the config now.

    Raises:
        ConfigError: If a key's first part is neither in the config nor an
            argument of the Runner, a path does not exist in the config, or a key is
            a variable of the config file, which no run reads.
    """
    values = dict(options or {})
    current = dict(find_paths(cfg))
    for key, value in values.items():
        _check_option(cfg, key)
        if isinstance(value, str):
            values[key] = read_option(key, value, current=current.get(key))
    try:
        cfg.merge_from_dict(values)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        reason = str(error.args[0]) if error.args else type(error).__name__
        raise ConfigError(
            f"`--cfg-options {' '.join(values)}` does not fit the config: {reason}"
        ) from error
    return values


def _check_option(cfg: Config, key: str) -> None:
    """Refuse a key that no run reads."""
    first, dot, rest = key.partition(".")
    if first in RUNNER_KEYS | _TOOL_KEYS or "runner_type" in cfg:
        return
    if first not in cfg:
        raise ConfigError(
            f"Expected the key of `--cfg-options {key}=...` to start with a key of the "
            f"config, but got `{first}`"
            + did_you_mean(first, sorted({*cfg.keys(), *RUNNER_KEYS}))
        )
    used = [
        f"`{path}{dot}{rest}`"
        for path, value in find_paths(cfg)
        if path.split(".")[0] in RUNNER_KEYS and value == cfg[first]
    ]
    raise ConfigError(
        f"`--cfg-options {key}=...` sets a variable of the config file, which changes "
        "no value that was made from it: set "
        + (" or ".join(used[:4]) or "the keys that were made from it")
        + " instead."
    )


def leave_out_idle_workers(cfg: Config) -> None:
    """Drop the settings of worker processes from loaders that have none.

    torch refuses them, and so ``train_dataloader.num_workers=0`` would need two
    options more.

    Args:
        cfg: The config to change.
    """
    for mode in ("train", "val", "test"):
        loader = cfg.get(f"{mode}_dataloader")
        if isinstance(loader, dict) and not loader.get("num_workers"):
            for key in ("persistent_workers", "prefetch_factor"):
                loader.pop(key, None)


def use_safe_checkpoints(cfg: Config) -> None:
    """Let this package's hook save checkpoints where the config names mmengine's.

    Args:
        cfg: The config to change.
    """
    hook = (cfg.get("default_hooks") or {}).get("checkpoint")
    if isinstance(hook, dict) and type_name(hook) in ("CheckpointHook", ""):
        hook["type"] = "mmdgdm.SafeCheckpointHook"


def set_resume(cfg: Config, resume: str) -> None:
    """Continue a run.

    With ``'auto'`` and no checkpoint in the output folder yet, the run starts
    from the beginning, from ``load_from`` if the config sets it.

    Args:
        cfg: The config to change; its ``work_dir`` must be set.
        resume: ``'auto'`` for the newest whole checkpoint in the output folder, or the
            path of a checkpoint.

    Raises:
        CheckpointError: If the named file does not exist, or there are checkpoints and
            none of them is whole.
    """
    if resume == "auto":
        latest = find_newest_checkpoint(cfg.work_dir)
        if latest is None:
            cfg.resume = False
            print_log(f"No checkpoint in {cfg.work_dir}: a new run starts.", "current")
            return
        resume = latest
    check_checkpoint_path(resume)
    cfg.resume = True
    cfg.load_from = resume


def enable_amp(cfg: Config) -> None:
    """Train in mixed precision: on CPUs in bfloat16, else as mmengine does.

    Args:
        cfg: The config to change.

    Raises:
        ConfigError: If the config has another optimizer wrapper than the plain one.
    """
    wrapper = cfg.get("optim_wrapper") or {}
    name = type_name(wrapper)
    if name not in ("", "OptimWrapper", "AmpOptimWrapper", "BFloat16OptimWrapper"):
        raise ConfigError(
            f"Expected `optim_wrapper.type` to be OptimWrapper for `--amp`, but got "
            f"{name}."
        )
    if get_device() == "cpu":
        kept = {k: v for k, v in wrapper.items() if k not in _GPU_AMP_KEYS}
        cfg.optim_wrapper = {**kept, "type": "mmdgdm.BFloat16OptimWrapper"}
        return
    cfg.optim_wrapper = {
        "loss_scale": "dynamic",
        **wrapper,
        "type": "AmpOptimWrapper",
    }


def enable_auto_scale_lr(cfg: Config) -> None:
    """Scale the learning rate by the true batch size over the config's.

    Args:
        cfg: The config to change.

    Raises:
        ConfigError: If the config does not say what batch size it was made for.
    """
    if "base_batch_size" not in (cfg.get("auto_scale_lr") or {}):
        raise ConfigError(
            "Expected the config to set `auto_scale_lr.base_batch_size` for "
            "`--auto-scale-lr`, but it is missing."
        )
    cfg.auto_scale_lr["enable"] = True


def disable_validation(cfg: Config) -> None:
    """Train without validation; no best checkpoint can be chosen then.

    Args:
        cfg: The config to change.
    """
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    checkpoint = (cfg.get("default_hooks") or {}).get("checkpoint")
    if checkpoint:
        checkpoint.pop("save_best", None)


def use_val_split(cfg: Config) -> None:
    """Test on the validation set: its loader and evaluator take the test's place.

    Args:
        cfg: The config to change.

    Raises:
        ConfigError: If the config has no validation set.
    """
    keys = ("val_dataloader", "val_evaluator", "val_cfg")
    check_keys(cfg, keys, use=" for `--split val`")
    cfg.test_dataloader = cfg.val_dataloader
    cfg.test_evaluator = cfg.val_evaluator
    # The class of the loop differs (ValLoop, TestLoop), its settings do not.
    cfg.test_cfg = {k: v for k, v in cfg.val_cfg.items() if k != "type"}
    # Val is where the threshold was chosen: to fix it there would say nothing.
    set_hook(cfg, "mmdgdm.CalibrationHook", use_in_test=False)


def set_record_file(cfg: Config, path: Path) -> None:
    """Keep the records of a test's images.

    The first metric of this package writes them to ``path``, the second one to
    ``<path>_2.npz`` and so on. A file that the config names gives way: the config that
    a test leaves in its output folder names the file of that test.

    Args:
        cfg: The config to change.
        path: A ``.npz`` file.
    """
    evaluator = cfg.get("test_evaluator")
    metrics = evaluator if isinstance(evaluator, list) else [evaluator]
    number = 0
    for metric in metrics:
        kind = metric.get("type") if isinstance(metric, dict) else None
        kind = METRICS.get(kind) if isinstance(kind, str) else kind
        if hasattr(kind, "calibrated_by"):
            number += 1
            end = "" if number == 1 else f"_{number}"
            metric["record_file"] = str(path.with_name(path.stem + end + path.suffix))


def set_cam_method(cfg: Config, cam_method: str) -> None:
    """Make maps in another way than the config says.

    The threshold that a checkpoint brings was chosen for the config's maps, so it is
    not used for others.

    Args:
        cfg: The config to change.
        cam_method: One of :data:`mmdgdm.utils.cam_methods.CAM_METHODS`.

    Raises:
        ConfigError: If the model is of another class than WSOLClassifier.
    """
    if type_name(cfg.get("model")) != "WSOLClassifier":
        raise ConfigError(
            "Expected `model.type` to be mmdgdm.WSOLClassifier for `--cam-method`, but "
            f"got {type_name(cfg.get('model'))!r}."
        )
    if cam_method != cfg.model.get("cam_method", "cam"):
        cfg.model.cam_method = cam_method
        set_hook(cfg, "mmdgdm.CalibrationHook", use_in_test=False)


def set_hook(cfg: Config, kind: str, **settings: Any) -> None:
    """Change settings of a hook, or add it if the config has none of its type.

    Args:
        cfg: The config to change.
        kind: The type of the hook.
        settings: Its arguments; those that are ``None`` are left as they are.
    """
    settings = {key: value for key, value in settings.items() if value is not None}
    hooks = list(cfg.get("custom_hooks") or [])
    for i, hook in enumerate(hooks):
        if isinstance(hook, dict) and hook.get("type") == kind:
            hooks[i] = {**hook, **settings}
            break
    else:
        hooks.append({"type": kind, **settings})
    cfg.custom_hooks = hooks
