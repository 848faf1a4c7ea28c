"""From a config to a finished run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

import mmdgdm.registry  # noqa: F401  its classes are then known by name
from mmdgdm.engine.hooks.checkpoint_check_hook import CheckpointCheckHook
from mmdgdm.engine.hooks.finite_loss_hook import FiniteLossHook
from mmdgdm.engine.hooks.mean_loss_hook import MeanLossHook
from mmdgdm.engine.safe_runner import SafeRunner
from mmdgdm.engine.setup.config_check import check_config
from mmdgdm.engine.setup.overrides import (
    leave_out_idle_workers,
    set_resume,
    use_safe_checkpoints,
)
from mmdgdm.engine.setup.parts import check_parts, explain_build_errors
from mmdgdm.engine.setup.processes import prepare_cpu_processes
from mmdgdm.utils.argument_checks import check_output_folder
from mmdgdm.utils.checkpoint import use_safe_checkpoint_loader


def build_runner(cfg: Config, mode: str = "train") -> Runner:
    """Build mmengine's Runner for a config, with clear errors.

    On a machine without a GPU several processes work too (gloo). Nothing in a
    checkpoint is executed, and it is compared with the model before it is loaded.

    Args:
        cfg: A config with ``work_dir`` set; it is completed in place.
        mode: ``'train'`` or ``'test'``.

    Returns:
        The Runner; nothing has been loaded yet.

    Raises:
        ConfigError: If the config is incomplete, names an unknown class or
            argument, a class cannot be built, or ``work_dir`` cannot be written.
        CheckpointError: If a run shall be resumed and the checkpoint is missing.
    """
    use_safe_checkpoint_loader()
    check_config(cfg, mode)
    check_parts(cfg)
    check_output_folder("work_dir", cfg.work_dir)
    leave_out_idle_workers(cfg)
    use_safe_checkpoints(cfg)
    if mode == "train" and cfg.get("resume") and cfg.get("load_from") is None:
        set_resume(cfg, "auto")
    prepare_cpu_processes(cfg)
    with explain_build_errors(cfg):
        make = RUNNERS.build if "runner_type" in cfg else SafeRunner.from_cfg
        runner = make(cfg)
    if mode == "train":
        runner.register_hook(FiniteLossHook())
        runner.register_hook(MeanLossHook())
    if cfg.get("load_from") is not None:
        resume = mode == "train" and bool(cfg.get("resume"))
        strict = resume or mode == "test"
        runner.register_hook(CheckpointCheckHook(cfg.load_from, strict, resume=resume))
    return runner


def run_training(cfg: Config) -> Runner:
    """Train.

    Args:
        cfg: A config with ``work_dir`` set.

    Returns:
        The Runner after training.

    Raises:
        ConfigError: If a class of the config cannot be built.
        CheckpointError: If the checkpoint to load or resume does not fit.
    """
    runner = build_runner(cfg, "train")
    with explain_build_errors(cfg):
        runner.train()
    return runner


#: Takes what is done and the total.
Progress = Callable[[int, int], None]


class _ReportHook(Hook):
    """Reports progress, and the metrics before hooks that draw or write can fail."""

    priority = "BELOW_NORMAL"

    def __init__(
        self, report: Callable[[Mapping[str, Any]], None], progress: Progress
    ) -> None:
        self.report = report
        self.progress = progress

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Optional[Any] = None,
        outputs: Optional[Any] = None,
    ) -> None:
        if is_main_process():
            self.progress(batch_idx + 1, len(runner.test_dataloader))

    def after_test_epoch(
        self, runner: Runner, metrics: Optional[dict[str, float]] = None
    ) -> None:
        if is_main_process():
            self.report(metrics or {})


def run_test(
    cfg: Config,
    checkpoint: str,
    *,
    report: Callable[[Mapping[str, Any]], None] = lambda metrics: None,
    progress: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """Evaluate a checkpoint on the test set.

    Args:
        cfg: A config with ``work_dir`` set.
        checkpoint: Path or address of the checkpoint.
        report: Called with the metrics, on the main process, before anything that
            follows the test can fail, such as drawing.
        progress: Called with the batches done and of all, on the main process.

    Returns:
        The metrics by name.

    Raises:
        ConfigError: If a class of the config cannot be built.
        CheckpointError: If the checkpoint was made for another model.
    """
    cfg.load_from = checkpoint
    cfg.resume = False
    runner = build_runner(cfg, "test")
    runner.register_hook(_ReportHook(report, progress))
    with explain_build_errors(cfg):
        return runner.test()
