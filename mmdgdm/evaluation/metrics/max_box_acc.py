"""MaxBoxAcc and MaxBoxAccV2 alone, each as a metric of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmdgdm.evaluation.functional.max_box_acc import (
    LOC_IOU_THRESHOLD,
    curve_maximum,
)
from mmdgdm.evaluation.functional.names import THRESHOLD, metric_name, split_name
from mmdgdm.evaluation.functional.summary import given_thresholds
from mmdgdm.evaluation.metrics.wsol_metric import WSOLMetric
from mmdgdm.evaluation.stored.thresholds import BOX_SCORES
from mmdgdm.registry import METRICS


@METRICS.register_module()
class MaxBoxAcc(WSOLMetric):
    """Share of images whose largest contour's box reaches IoU 0.5, in percent.

    Computed as by :class:`WSOLMetric`, of whose scores it reports ``max_box_acc``,
    its threshold, the one for test and, with ``threshold``, what it is there. Samples
    need no ``pred_score``.

    Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods
    Right, CVPR 2020.

    Args:
        **kwargs: As for :class:`WSOLMetric`: ``calibration``, ``interval``,
            ``threshold``, ``cam_target``, ``collect_device``, ``prefix``.

    Raises:
        ConfigError: If an argument is out of range.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(iou_thresholds=(LOC_IOU_THRESHOLD,), topk=(), **kwargs)

    def score(self, records: list[bytes]) -> dict[str, Any]:
        """Turn the records of all images, in any order, into MaxBoxAcc."""
        metrics = self.summarize(records).metrics
        return {
            k: v for k, v in metrics.items() if split_name(k).score == "max_box_acc"
        }


@METRICS.register_module()
class MaxBoxAccV2(WSOLMetric):
    """MaxBoxAccV2: boxes of all contours, mean over IoU thresholds, in percent.

    Computed as by :class:`WSOLMetric`, of whose scores it reports ``max_box_acc_v2``,
    ``max_box_acc_v2_P`` with their thresholds and, with ``threshold``, what they are
    there. Samples need no ``pred_score``.

    ``threshold/max_box_acc_v2`` is the one at which the mean over the IoUs is highest,
    and ``threshold_by_median/max_box_acc_v2`` the one for test where this metric
    validates alone. Where ``max_box_acc`` is validated too, its threshold is taken, as
    for all box scores.

    Source: Choe et al., Evaluation for Weakly Supervised Object Localization:
    Protocol, Metrics, and Datasets, TPAMI 2022.

    Args:
        **kwargs: As for :class:`WSOLMetric`: ``iou_thresholds``, ``calibration``,
            ``interval``, ``threshold``, ``cam_target``, ``collect_device``, ``prefix``.

    Raises:
        ConfigError: If an argument is out of range.
    """

    calibrated_scores = BOX_SCORES

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(topk=(), **kwargs)

    def score(self, records: list[bytes]) -> dict[str, Any]:
        """Turn the records of all images, in any order, into MaxBoxAccV2."""
        name = "max_box_acc_v2"
        summary = self.summarize(records)
        curves = [
            summary.curves[metric_name(name, iou=iou)] for iou in self.iou_thresholds
        ]
        best = curve_maximum(np.mean(curves, axis=0), self.thresholds)
        metrics = {name: summary.metrics[name], f"{THRESHOLD}{name}": best.threshold}
        metrics.update(
            given_thresholds(name, self.threshold, threshold_rule=self.threshold_rule)
        )
        parts = {
            k: v
            for k, v in {**summary.calibrated, **summary.metrics}.items()
            if split_name(k).score.startswith(name)
        }
        return {**metrics, **parts}
