"""CalibrationHook: the threshold that val chooses travels with the checkpoint."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, Optional

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdgdm.evaluation.stored.thresholds import calibrated_thresholds, choosing_rule
from mmdgdm.registry import HOOKS
from mmdgdm.utils.checkpoint import load_checkpoint_file
from mmdgdm.utils.resources import explain_write_error
from mmdgdm.utils.whole_files import whole_file

#: Where the thresholds stand in the ``meta`` of a checkpoint.
META_KEY = "wsol_thresholds"


@HOOKS.register_module()
class CalibrationHook(Hook):
    """Choose the threshold of maps on val, store it, and use it on test.

    After each validation, the thresholds for ``max_box_acc``, by each rule of
    :mod:`mmdgdm.evaluation.functional.calibration` that was computed, and for
    ``pixel_iou`` are written to ``meta['wsol_thresholds']`` of the checkpoint of that
    moment, and of those saved until the next validation. In a test, metrics whose
    ``threshold`` is not set take that of the weights in memory, which the last
    validation of the training chose, or which the checkpoint holds that was loaded
    since: that of their own rule, else of ``argmax``. They report their
    ``val_threshold/`` scores then. A metric finds its threshold under its own prefix.

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
        #: Those of the weights in memory.
        self._thresholds: dict[str, float] = {}
        #: Metrics whose threshold is not their own.
        self._given: list[Any] = []

    def before_train(self, runner: Runner) -> None:
        """Forget the thresholds of weights that training starts from anew."""
        if not runner._resume:
            self._thresholds = {}

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
            runner.logger.warning(
                f"The thresholds of this validation are not stored in {path}, which "
                "is no local file.",
            )
            return
        checkpoint = load_checkpoint_file(path)
        meta = checkpoint.get("meta", {})
        if (meta.get("epoch"), meta.get("iter")) != (runner.epoch, runner.iter):
            return  # it is of an earlier moment
        meta[META_KEY] = dict(self._thresholds)
        buffer = BytesIO()
        torch.save(checkpoint, buffer)
        try:
            with whole_file(path) as part:
                part.write_bytes(buffer.getbuffer())
        except OSError as error:
            raise explain_write_error(error, path) from error

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Read the thresholds of the checkpoint."""
        self._thresholds = dict((checkpoint.get("meta") or {}).get(META_KEY) or {})

    def before_test(self, runner: Runner) -> None:
        """Hand the thresholds to the metrics that have none of their own."""
        for metric in self._given:
            metric.threshold = metric.threshold_rule = None
        self._given = []
        for metric in runner.test_evaluator.metrics if self.use_in_test else ():
            scores = getattr(metric, "calibrated_by", ())
            if not scores or metric.threshold is not None:
                continue
            names = [f"{metric.prefix}/{score}" for score in scores]
            found = [name for name in names if name in self._thresholds]
            if not found:
                runner.logger.warning(
                    f"The weights come with no {names[0]!r} from a validation: "
                    f"{type(metric).__name__} reports no scores at a fixed threshold.",
                )
                continue
            metric.threshold = self._thresholds[found[0]]
            metric.threshold_rule = rule = choosing_rule(found[0])
            self._given.append(metric)
            asked = choosing_rule(names[0])
            other = "" if rule == asked else f" They come with none by {asked}."
            runner.logger.info(
                f"{type(metric).__name__} takes the threshold {metric.threshold:g}, "
                f"which validation chose by {rule}: {found[0]!r} of the weights.{other}"
            )
