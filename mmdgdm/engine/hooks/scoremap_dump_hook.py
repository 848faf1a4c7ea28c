"""ScoremapDumpHook: store the maps of a test for other evaluators."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional, Union

from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.cam_target import GROUND_TRUTH, select_scoremap
from mmdgdm.evaluation.functional.scoremaps import normalize_scoremap
from mmdgdm.evaluation.stored.class_scores import write_class_scores
from mmdgdm.evaluation.stored.metadata import write_split
from mmdgdm.evaluation.stored.scoremap_files import write_scoremap
from mmdgdm.registry import HOOKS

#: Beside the maps, and read by ``tools/eval_scoremaps.py``.
SCORES_FILE = "scores.npz"
METADATA_FOLDER = "metadata"


@HOOKS.register_module()
class ScoremapDumpHook(Hook):
    """Write the score maps of a test in the form that the WSOL benchmark reads.

    ``out_dir/<image id>.npy`` is the map of the ground-truth class, or the one that
    the metrics' ``cam_target`` names, at 224 x 224, in float64 and [0, 1] (about 0.4
    MB), exactly as it was evaluated. Beside the maps
    stand ``scores.npz`` with the class scores and, for data sets with boxes,
    ``metadata`` with the split in the benchmark's text form. So

        python tools/eval_scoremaps.py DIR DIR/metadata --scores DIR/scores.npz

    gives the numbers of the test.

    Args:
        out_dir: The folder; files in it are replaced.

    Example:
        >>> custom_hooks = [dict(type="mmdgdm.ScoremapDumpHook", out_dir="maps")]
    """

    priority = "LOW"

    def __init__(self, out_dir: Union[str, Path]) -> None:
        self.out_dir = Path(out_dir)
        self._facts: list[dict[str, Any]] = []
        self._cam_target = GROUND_TRUTH

    def before_test_epoch(self, runner: Runner) -> None:
        """Forget an earlier test, and see which maps the metrics score."""
        self._facts = []
        evaluator = getattr(runner, "test_evaluator", None)
        targets = {
            metric.cam_target
            for metric in getattr(evaluator, "metrics", ())
            if hasattr(metric, "cam_target")
        }
        if len(targets) > 1:
            raise ConfigError(
                "Expected all metrics of `test_evaluator` to score the same maps for "
                f"ScoremapDumpHook, but got `cam_target` {sorted(targets)}."
            )
        self._cam_target = targets.pop() if targets else GROUND_TRUTH
        if self._cam_target != GROUND_TRUTH:
            runner.logger.log(
                logging.WARNING,
                f"The stored maps are {self._cam_target!r}, not the ground truth's: "
                "what tools/eval_scoremaps.py calls GT-known is not GT-known.",
            )

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Optional[Sequence[Any]] = None,
    ) -> None:
        """Write the maps of a batch."""
        for sample in outputs or ():
            label = int(_field(sample, "gt_label").reshape(-1)[0])
            image_id = _field(sample, "image_id")
            scoremap = select_scoremap(
                _field(sample, "cam"),
                _field(sample, "cam_labels"),
                self._cam_target,
                label,
                _field(sample, "pred_score"),
            )
            scores = normalize_scoremap(scoremap)
            write_scoremap(self.out_dir, image_id, scores)
            boxes = sample.get("gt_bboxes")
            height, width = _field(sample, "ori_shape")[:2]
            fact = dict(label=label, image_size=(int(width), int(height)))
            fact["scores"] = _field(sample, "pred_score")
            fact["boxes"] = None if boxes is None else boxes.cpu().tolist()
            self._facts.append(dict(fact, image_id=image_id))

    def after_test_epoch(
        self, runner: Runner, metrics: Optional[dict[str, float]] = None
    ) -> None:
        """Write scores and metadata, on the main process."""
        gathered = all_gather_object(self._facts)
        self._facts = []
        if not is_main_process():
            return
        # With several processes the sampler may repeat images to fill up.
        facts = {fact["image_id"]: fact for part in gathered for fact in part}
        write_class_scores(
            self.out_dir / SCORES_FILE, {k: fact["scores"] for k, fact in facts.items()}
        )
        if all(fact["boxes"] is not None for fact in facts.values()):
            write_split(
                self.out_dir / METADATA_FOLDER,
                {k: fact["label"] for k, fact in facts.items()},
                {k: fact["image_size"] for k, fact in facts.items()},
                {k: fact["boxes"] for k, fact in facts.items()},
            )
        runner.logger.info(f"Wrote {len(facts)} score maps to {self.out_dir}.")


def _field(sample: Any, name: str) -> Any:
    value = sample.get(name)
    if value is None:
        raise ConfigError(
            f"Expected every sample to carry `{name}` for ScoremapDumpHook: let the "
            "test pipeline end with mmdgdm.PackWSOLInputs and the model with "
            "mmdgdm.WSOLHead."
        )
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else value
