"""MaxBoxAcc and MaxBoxAccV2 alone, each as a metric of its own."""

from __future__ import annotations

from typing import Any

from mmdgdm.evaluation.functional.max_box_acc import LOC_IOU_THRESHOLD
from mmdgdm.evaluation.functional.names import (
    AT_VAL,
    THRESHOLD,
    VAL_CHOSE,
    split_name,
)
from mmdgdm.evaluation.metrics.wsol_metric import WSOLMetric
from mmdgdm.registry import METRICS

#: The scores of MaxBoxAcc over all images.
_NAMES = frozenset(
    f"{before}max_box_acc" for before in ("", THRESHOLD, AT_VAL, VAL_CHOSE)
)


@METRICS.register_module()
class MaxBoxAcc(WSOLMetric):
    """Share of images whose largest contour's box reaches IoU 0.5, in percent.

    Computed as by :class:`WSOLMetric`, of whose scores it reports ``max_box_acc``,
    its threshold and, with ``threshold``, what it is there. Samples need no
    ``pred_score``.

    Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods
    Right, CVPR 2020.

    Args:
        **kwargs: As for :class:`WSOLMetric`: ``interval``, ``threshold``,
            ``cam_target``, ``collect_device``, ``prefix``.

    Raises:
        ConfigError: If an argument is out of range.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(iou_thresholds=(LOC_IOU_THRESHOLD,), topk=(), **kwargs)

    def compute_metrics(self, results: list[bytes]) -> dict[str, Any]:
        """Turn the records of all images into MaxBoxAcc.

        Args:
            results: One record per image, in any order.

        Returns:
            The score in percent and its threshold, by name.
        """
        metrics = super().compute_metrics(results)
        return {name: value for name, value in metrics.items() if name in _NAMES}


@METRICS.register_module()
class MaxBoxAccV2(WSOLMetric):
    """MaxBoxAccV2: boxes of all contours, mean over IoU thresholds, in percent.

    Computed as by :class:`WSOLMetric`, of whose scores it reports ``max_box_acc_v2``,
    ``max_box_acc_v2_P`` with their thresholds and, with ``threshold``, what they are
    there. Samples need no ``pred_score``.

    Source: Choe et al., Evaluation for Weakly Supervised Object Localization:
    Protocol, Metrics, and Datasets, TPAMI 2022.

    Args:
        **kwargs: As for :class:`WSOLMetric`: ``iou_thresholds``, ``interval``,
            ``threshold``, ``cam_target``, ``collect_device``, ``prefix``.

    Raises:
        ConfigError: If an argument is out of range.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(topk=(), **kwargs)

    def compute_metrics(self, results: list[bytes]) -> dict[str, Any]:
        """Turn the records of all images into MaxBoxAccV2.

        Args:
            results: One record per image, in any order.

        Returns:
            The scores in percent and their thresholds, by name.
        """
        metrics = super().compute_metrics(results)
        return {
            name: value
            for name, value in metrics.items()
            if split_name(name).score.startswith("max_box_acc_v2")
        }
