"""What the options of the command line change in a config, one function each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Union

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import find_latest_checkpoint

from mmdgdm.errors import ConfigError
from mmdgdm.utils.checkpoint import check_checkpoint_path

_VISUALIZATION_HOOK = "mmdgdm.WSOLVisualizationHook"
_DUMP_HOOK = "mmdgdm.ScoremapDumpHook"
_CALIBRATION_HOOK = "mmdgdm.CalibrationHook"


def set_work_dir(
    cfg: Config, work_dir: Optional[str], config_path: Union[str, Path]
) -> None:
    """Choose the output folder: the option, the config, or the config's name.

    Args:
        cfg: The config to change.
        work_dir: The option's value.
        config_path: Its stem names the default, ``./work_dirs/<stem>``.
    """
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get("work_dir") is None:
        cfg.work_dir = str(Path("work_dirs") / Path(config_path).stem)


def set_seed(cfg: Config, seed: Optional[int]) -> None:
    """Fix the random seed; other settings of ``randomness`` stay.

    Args:
        cfg: The config to change.
        seed: A seed, or ``None`` to change nothing.
    """
    if seed is not None:
        cfg.randomness = {**(cfg.get("randomness") or {}), "seed": seed}


def set_resume(cfg: Config, resume: Optional[str]) -> None:
    """Continue a run.

    With ``'auto'`` and no checkpoint in the output folder yet, the run starts
    from the beginning, from ``load_from`` if the config sets it.

    Args:
        cfg: The config to change; its ``work_dir`` must be set.
        resume: ``'auto'`` for the newest checkpoint in the output folder, the
            path of a checkpoint, or ``None`` to change nothing.

    Raises:
        CheckpointError: If the named file does not exist.
    """
    if resume is None:
        return
    if resume == "auto":
        latest = find_latest_checkpoint(cfg.work_dir)
        if latest is None:
            cfg.resume = False
            print_log(f"No checkpoint in {cfg.work_dir}: a new run starts.", "current")
            return
        resume = latest
    check_checkpoint_path(resume)
    cfg.resume = True
    cfg.load_from = resume


def enable_amp(cfg: Config) -> None:
    """Train in mixed precision.

    Args:
        cfg: The config to change.

    Raises:
        ConfigError: If the config has another optimizer wrapper than the plain one.
    """
    wrapper = cfg.get("optim_wrapper") or {}
    kind = wrapper.get("type", "OptimWrapper")
    name = kind if isinstance(kind, str) else kind.__name__
    if name not in ("OptimWrapper", "AmpOptimWrapper"):
        raise ConfigError(
            f"Expected `optim_wrapper.type` to be OptimWrapper for `--amp`, but got "
            f"{name}."
        )
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


def use_split(cfg: Config, split: str) -> None:
    """Choose the data that a test run evaluates.

    Args:
        cfg: The config to change.
        split: ``'test'``, or ``'val'`` to put the validation loader and
            evaluator in the test's place.

    Raises:
        ConfigError: If the config has no validation set.
    """
    if split == "test":
        return
    for key in ("dataloader", "evaluator", "cfg"):
        if cfg.get(f"val_{key}") is None:
            raise ConfigError(
                f"Expected the config to set `val_{key}` for `--split val`, but it "
                "is missing."
            )
    cfg.test_dataloader = cfg.val_dataloader
    cfg.test_evaluator = cfg.val_evaluator
    # The class of the loop differs (ValLoop, TestLoop), its settings do not.
    cfg.test_cfg = {k: v for k, v in cfg.val_cfg.items() if k != "type"}
    # Val is where the threshold was chosen: to fix it there would say nothing.
    _set_hook(cfg, _CALIBRATION_HOOK, {"use_in_test": False})


def add_visualization(
    cfg: Config, show_dir: Optional[str], show_num: Optional[int] = None
) -> None:
    """Write pictures of the test images, by ``mmdgdm.WSOLVisualizationHook``.

    A hook of this type that the config already has keeps its other settings.

    Args:
        cfg: The config to change.
        show_dir: Folder of the pictures, or ``None`` to change nothing.
        show_num: Number of pictures; ``None`` leaves it to the hook.
    """
    if show_dir is None:
        return
    settings: dict[str, Any] = {"out_dir": show_dir}
    if show_num is not None:
        settings["num_images"] = show_num
    _set_hook(cfg, _VISUALIZATION_HOOK, settings)


def add_scoremap_dump(cfg: Config, out_dir: Optional[str]) -> None:
    """Store the maps of the test images, by ``mmdgdm.ScoremapDumpHook``.

    Args:
        cfg: The config to change.
        out_dir: Folder of the maps, or ``None`` to change nothing.
    """
    if out_dir is not None:
        _set_hook(cfg, _DUMP_HOOK, {"out_dir": out_dir})


def _set_hook(cfg: Config, kind: str, settings: dict[str, Any]) -> None:
    """Change the settings of a hook, or add it if the config has none of its type."""
    hooks = list(cfg.get("custom_hooks") or [])
    for i, hook in enumerate(hooks):
        if isinstance(hook, dict) and hook.get("type") == kind:
            hooks[i] = {**hook, **settings}
            break
    else:
        hooks.append({"type": kind, **settings})
    cfg.custom_hooks = hooks
