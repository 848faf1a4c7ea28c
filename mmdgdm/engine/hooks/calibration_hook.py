"""CalibrationHook: the threshold that val chooses travels with the checkpoint."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, Optional

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdgdm.evaluation.stored.thresholds import calibrated_thresholds
from mmdgdm.registry import HOOKS
from mmdgdm.utils.checkpoint import load_checkpoint_file

#: Where the thresholds stand in the ``meta`` of a checkpoint.
META_KEY = "wsol_thresholds"


@HOOKS.register_module()
class CalibrationHook(Hook):
    """Choose the threshold of maps on val, store it, and use it on test.

    After each validation, the best thresholds of ``max_box_acc`` and ``pixel_iou`` are
    written to ``meta['wsol_thresholds']`` of the checkpoint of that moment, and of
    those saved until the next validation. When a checkpoint is tested, metrics whose
    ``threshold`` is not set take it from there and report their ``val_threshold/``
    scores. A metric finds the threshold under its own prefix.

    Args:
        use_in_test: Whether tests take the stored threshold. There is no need where
            val itself is tested.

    Example:
        >>> custom_hooks = [dict(type="mmdgdm.CalibrationHook")]
    """

    # Before CheckpointHook, which saves the best checkpoint after validation.
    priority = "NORMAL"

    def __init__(self, use_in_test: bool = True) -> None:
        self.use_in_test = use_in_test
        self._thresholds: dict[str, float] = {}
        self._stored: Optional[dict[str, float]] = None

    def after_val_epoch(
        self, runner: Runner, metrics: Optional[dict[str, float]] = None
    ) -> None:
        """Keep the thresholds, and add them to the checkpoint just saved."""
        self._thresholds = calibrated_thresholds(metrics or {})
        if self._thresholds and is_main_process():
            self._add_to_last_checkpoint(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Write the thresholds of the last validation."""
        if self._thresholds:
            checkpoint["meta"][META_KEY] = dict(self._thresholds)

    def _add_to_last_checkpoint(self, runner: Runner) -> None:
        # An epoch is saved before it is validated.
        path = runner.message_hub.get_info("last_ckpt", None)
        if path is None:
            return
        if not Path(path).is_file():
            runner.logger.log(
                logging.WARNING,
                f"The thresholds of this validation are not stored in {path}, which "
                "is no local file.",
            )
            return
        checkpoint = load_checkpoint_file(path)
        meta = checkpoint.get("meta", {})
        if (meta.get("epoch"), meta.get("iter")) != (runner.epoch, runner.iter):
            return  # it is of an earlier moment
        meta[META_KEY] = dict(self._thresholds)
        unfinished = f"{path}.part"
        torch.save(checkpoint, unfinished)
        os.replace(unfinished, path)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Read the thresholds of the checkpoint."""
        meta = checkpoint.get("meta") or {}
        self._stored = meta.get(META_KEY)

    def before_test(self, runner: Runner) -> None:
        """Hand the thresholds to the metrics that have none."""
        if not self.use_in_test:
            return
        for metric in runner.test_evaluator.metrics:
            name = getattr(metric, "calibrated_by", None)
            if name is None or metric.threshold is not None:
                continue
            name = f"{metric.prefix}/{name}"
            threshold = (self._stored or {}).get(name)
            if threshold is None:
                runner.logger.log(
                    logging.WARNING,
                    f"The checkpoint holds no {name!r} from a validation: "
                    f"{type(metric).__name__} reports no scores at a fixed threshold.",
                )
                continue
            metric.threshold = threshold
            runner.logger.info(
                f"{type(metric).__name__} takes the threshold {threshold:g}, which "
                "validation chose, from the checkpoint."
            )
