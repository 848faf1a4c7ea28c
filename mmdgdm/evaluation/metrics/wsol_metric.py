"""WSOLMetric: all box scores of weakly supervised object localization."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Optional

from mmengine.logging import print_log

from mmdgdm.evaluation.functional.boxes import scale_boxes
from mmdgdm.evaluation.functional.calibration import DEFAULT_RULE, check_rule
from mmdgdm.evaluation.functional.cam_target import GROUND_TRUTH
from mmdgdm.evaluation.functional.level_ranks import ranking_engine
from mmdgdm.evaluation.functional.max_box_acc import IOU_THRESHOLDS
from mmdgdm.evaluation.functional.records import label_rank, make_box_record
from mmdgdm.evaluation.functional.scoremaps import EVAL_SIZE, normalize_scoremap
from mmdgdm.evaluation.functional.summary import (
    BoxSummary,
    check_box_settings,
    summarize_boxes,
)
from mmdgdm.evaluation.metrics.record_metric import (
    RecordMetric,
    warn,
    warn_of_constant_maps,
)
from mmdgdm.evaluation.stored.thresholds import BOX_SCORES, box_thresholds
from mmdgdm.registry import METRICS
from mmdgdm.utils.samples import (
    get_array,
    get_field,
    get_gt_label,
    get_scoremap,
)


@cache
def _tell_engine() -> None:
    """Say once in the log how boxes are found."""
    print_log(f"Boxes are found by: {ranking_engine()}.", logger="current")


@METRICS.register_module()
class WSOLMetric(RecordMetric):
    """Box scores of the WSOL benchmark, from raw class activation maps.

    Each sample's map of its ground-truth class, or the one that ``cam_target`` names,
    is normalised, quantised and thresholded at 224 x 224 (see
    :mod:`mmdgdm.evaluation.functional.scoremaps`), and its boxes are compared with
    the ground truth scaled to the same size. The scores, ``wsol/gt_known``,
    ``wsol/top1_loc``, ``wsol/max_box_acc_v2`` and others, each at its best threshold
    and at ``threshold``, are defined and named in
    :mod:`mmdgdm.evaluation.functional.summary`.

    Samples carry ``cam`` (K, h, w), not normalised, ``cam_labels`` (K,),
    ``gt_label``, ``pred_score`` (C,), ``gt_bboxes`` (M, 4), x0, y0, x1, y1 in pixels
    of the original image, and ``ori_shape`` (height, width).

    Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods
    Right, CVPR 2020 and its journal version.

    Args:
        iou_thresholds: The overlaps of ``max_box_acc_v2``.
        topk: The values of K. Those beyond the number of classes are left out, with a
            warning. With none, samples need no ``pred_score``.
        classwise: Whether to report GT-known of each class too, as the lists
            ``gt_known_classes``, their names, or labels if the data set tells none,
            and ``gt_known_classwise``.
        calibration: The rule that chooses the threshold for test on val, and by which
            a test takes it from the checkpoint: ``"median"`` or ``"argmax"``
            (:mod:`mmdgdm.evaluation.functional.calibration`). A checkpoint without the
            former's gives the latter's. Scores at their best threshold, which is that
            of ``"argmax"`` always, do not depend on it.
        **kwargs: As for :class:`RecordMetric`: ``interval``, ``threshold``,
            ``cam_target``, ``collect_device``, ``prefix``.

    Raises:
        ConfigError: If an argument is out of range.

    Example:
        >>> val_evaluator = dict(type="mmdgdm.WSOLMetric", interval=0.01)
    """

    #: The scores for which val chooses a threshold.
    calibrated_scores: tuple[str, ...] = BOX_SCORES[:1]
    calibrated_by = box_thresholds(scores=calibrated_scores)

    def __init__(
        self,
        iou_thresholds: Sequence[float] = IOU_THRESHOLDS,
        topk: Sequence[int] = (1, 5),
        *,
        classwise: bool = False,
        calibration: str = DEFAULT_RULE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.calibration = check_rule(calibration)
        self.calibrated_by = box_thresholds(calibration, self.calibrated_scores)
        check_box_settings(iou_thresholds, topk, threshold=self.threshold)
        self.iou_thresholds = tuple(iou_thresholds)
        self.topk = tuple(topk)
        self.classwise = classwise
        self._num_classes = max(self.topk, default=0)

    def make_record(self, sample: dict) -> bytes:
        """Evaluate the boxes of a sample: some hundred bytes."""
        label = get_gt_label(sample)
        cam = get_scoremap(sample, label, cam_target=self.cam_target)
        height, width = get_field(sample, "ori_shape")[:2]
        boxes = scale_boxes(
            get_array(sample, "gt_bboxes"),
            (int(width), int(height)),
            target_size=EVAL_SIZE,
        )
        return make_box_record(
            normalize_scoremap(cam),
            boxes,
            label=label,
            rank=self._rank(sample, label),
            iou_thresholds=self.iou_thresholds,
            threshold=self.threshold,
        )

    def _rank(self, sample: dict, label: int) -> Optional[int]:
        if not self.topk:
            return None
        scores = get_array(sample, "pred_score")
        self._num_classes = scores.size
        return label_rank(scores, label)

    def summarize(self, records: list[bytes]) -> BoxSummary:
        """Score the records of all images, and warn of what is left out.

        Args:
            records: One per image, in any order.

        Returns:
            All scores, without a prefix.

        Raises:
            DataError: If there is no record.
        """
        left_out = [k for k in self.topk if k > self._num_classes]
        if left_out:
            warn(
                f"There are {self._num_classes} classes: `topk` {left_out} of "
                f"{type(self).__name__} are left out."
            )
        summary = summarize_boxes(
            records,
            thresholds=self.thresholds,
            iou_thresholds=self.iou_thresholds,
            topk=[k for k in self.topk if k not in left_out],
            threshold=self.threshold,
            threshold_rule=self.threshold_rule,
            calibration=self.calibration,
        )
        warn_of_constant_maps(summary.num_constant, len(records))
        return summary

    def score(self, records: list[bytes]) -> dict[str, Any]:
        """Turn the records of all images, in any order, into scores by name."""
        _tell_engine()
        summary = self.summarize(records)
        metrics: dict[str, Any] = dict(summary.metrics)
        if self.classwise:
            by_class = summary.by_class
            names = self.class_names()
            classes = [names[label] if names else label for label in by_class]
            metrics["gt_known_classes"] = classes
            metrics["gt_known_classwise"] = [
                scores["gt_known"] for scores in by_class.values()
            ]
        if self.cam_target == GROUND_TRUTH:
            return metrics
        return {
            name.replace("gt_known", "max_box_acc"): value
            for name, value in metrics.items()
        }
