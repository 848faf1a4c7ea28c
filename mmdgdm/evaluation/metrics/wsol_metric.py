"""WSOLMetric: all box scores of weakly supervised object localization."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Optional

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.boxes import scale_boxes
from mmdgdm.evaluation.functional.cam_target import GROUND_TRUTH, target_prefix
from mmdgdm.evaluation.functional.localization import label_rank
from mmdgdm.evaluation.functional.max_box_acc import IOU_THRESHOLDS
from mmdgdm.evaluation.functional.names import PREFIX, THRESHOLD
from mmdgdm.evaluation.functional.records import make_record, read_records
from mmdgdm.evaluation.functional.scoremaps import (
    DEFAULT_INTERVAL,
    EVAL_SIZE,
    make_thresholds,
    normalize_scoremap,
    quantize_scoremap,
)
from mmdgdm.evaluation.functional.summary import check_box_settings, summarize_boxes
from mmdgdm.evaluation.metrics.samples import (
    get_array,
    get_field,
    get_gt_label,
    get_scoremap,
)
from mmdgdm.registry import METRICS


@METRICS.register_module()
class WSOLMetric(BaseMetric):
    """Box scores of the WSOL benchmark, from raw class activation maps.

    Each sample's map of its ground-truth class, or the one that ``cam_target`` names
    (:mod:`mmdgdm.evaluation.functional.cam_target`), is normalised, quantised and
    thresholded at 224 x 224 (see
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
        iou_thresholds: The overlaps of ``max_box_acc_v2``; 0.5 must be among them.
        interval: Distance between two thresholds.
        topk: The values of k. With none, samples need no ``pred_score``.
        threshold: A threshold in [0, 1) fixed elsewhere. ``None`` takes the one
            that was calibrated on the validation split and is stored in the
            checkpoint, if :class:`~mmdgdm.engine.hooks.CalibrationHook` is at hand.
        classwise: Whether to report GT-known of each class too, as the lists
            ``gt_known_classes`` and ``gt_known_classwise``.
        cam_target: Which map is scored: ``"gt"``, ``"top1"``, ``"mean_topK"`` or
            ``"weighted_topK"``. Other than ``"gt"``, it is part of the prefix, as in
            ``wsol_top1``, and nothing is called GT-known. The head's
            ``cam_targets`` must hold ``"topK"``.
        collect_device: Where results of several processes meet, ``"cpu"`` or
            ``"gpu"``.
        prefix: Put before all names, with a slash; ``None`` for ``wsol``.

    Raises:
        ConfigError: If an argument is out of range.

    Example:
        >>> val_evaluator = dict(type="mmdgdm.WSOLMetric", interval=0.01)
    """

    default_prefix = PREFIX
    #: The score whose best threshold on val becomes `threshold` on test.
    calibrated_by = f"{THRESHOLD}max_box_acc"

    def __init__(
        self,
        iou_thresholds: Sequence[float] = IOU_THRESHOLDS,
        interval: float = DEFAULT_INTERVAL,
        topk: Sequence[int] = (1, 5),
        threshold: Optional[float] = None,
        classwise: bool = False,
        cam_target: str = GROUND_TRUTH,
        collect_device: str = "cpu",
        prefix: Optional[str] = None,
    ) -> None:
        super().__init__(
            collect_device=collect_device,
            prefix=target_prefix(prefix or PREFIX, cam_target),
        )
        self.cam_target = cam_target
        check_box_settings(iou_thresholds, topk, threshold)
        self.iou_thresholds = tuple(iou_thresholds)
        self.thresholds = make_thresholds(interval)
        self.topk = tuple(topk)
        self.threshold = threshold
        self.classwise = classwise

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Reduce each sample to one record of a few hundred bytes.

        Args:
            data_batch: Not used.
            data_samples: Predicted samples as dictionaries.

        Raises:
            DataError: If a field is missing or malformed; names the image.
            ConfigError: If ``topk`` asks for more classes than there are.
        """
        for sample in data_samples:
            try:
                self.results.append(self._record(sample))
            except DataError as err:
                name = sample.get("image_id", sample.get("img_path"))
                raise DataError(f"Image {name!r}: {err}") from err

    def _record(self, sample: dict) -> bytes:
        label = get_gt_label(sample)
        cam = get_scoremap(sample, label, self.cam_target)
        height, width = get_field(sample, "ori_shape")[:2]
        boxes = scale_boxes(
            get_array(sample, "gt_bboxes"), (int(width), int(height)), EVAL_SIZE
        )
        return make_record(
            quantize_scoremap(normalize_scoremap(cam)),
            boxes,
            label,
            self._rank(sample, label),
            self.iou_thresholds,
            self.threshold,
        )

    def _rank(self, sample: dict, label: int) -> Optional[int]:
        if not self.topk:
            return None
        scores = get_array(sample, "pred_score")
        if scores.ndim == 1 and max(self.topk) > len(scores):
            raise ConfigError(
                f"Expected `topk` to be at most the number of classes, {len(scores)}, "
                f"but got {self.topk}. Set `topk` of {type(self).__name__} in the "
                "config."
            )
        return label_rank(scores, label)

    def compute_metrics(self, results: list[bytes]) -> dict[str, Any]:
        """Turn the records of all images into scores.

        Args:
            results: One record per image, in any order.

        Returns:
            Scores in percent and their thresholds, by name.

        Raises:
            DataError: If there is no record.
        """
        summary = summarize_boxes(
            read_records(results),
            self.thresholds,
            self.iou_thresholds,
            self.topk,
            self.threshold,
        )
        if summary.num_constant:
            print_log(
                f"{summary.num_constant} of {len(results)} score maps are constant and "
                "were scored as all zeros.",
                logger="current",
                level=logging.WARNING,
            )
        metrics: dict[str, Any] = dict(summary.metrics)
        if self.classwise:
            by_class = summary.by_class
            metrics["gt_known_classes"] = list(by_class)
            metrics["gt_known_classwise"] = [
                scores["gt_known"] for scores in by_class.values()
            ]
        if self.cam_target == GROUND_TRUTH:
            return metrics
        return {
            name.replace("gt_known", "max_box_acc"): v for name, v in metrics.items()
        }
