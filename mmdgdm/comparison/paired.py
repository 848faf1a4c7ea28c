"""Paired comparisons of two results on the same images.

Whether one method beats another on a data set is asked of the differences image by
image: what both get right, or both wrong, says nothing. The interval comes from a
bootstrap: images are drawn anew with replacement, as many as there are, and the mean
difference is taken each time.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993 (percentile
interval).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.max_box_acc import LOC_IOU_THRESHOLD, scored_ious
from mmdgdm.evaluation.functional.names import metric_name
from mmdgdm.evaluation.functional.records import BoxTable, hits_at

#: Percentiles between which 95 % of the resamples lie.
_INTERVAL = (2.5, 97.5)
#: Images that are drawn at a time, over all resamples of a block.
_BLOCK = 1_000_000


def image_scores(
    table: BoxTable,
    thresholds: Mapping[str, float],
    *,
    iou_thresholds: Sequence[float],
) -> dict[str, NDArray[np.float64]]:
    """What each image adds to the scores of its data set.

    Args:
        table: The records of N images.
        thresholds: Where maps are cut, by the name of a localization score:
            ``gt_known``, ``top1_loc`` and ``max_box_acc_v2_P`` of each overlap. Without
            that of ``top1_loc``, there is no such score.
        iou_thresholds: The overlaps of MaxBoxAccV2 that the records were made for.

    Returns:
        For ``gt_known``, ``max_box_acc_v2``, and, where the table has ranks,
        ``top1_loc`` and ``top1_cls``: (N,), in [0, 1], whose mean is the score.

    Raises:
        DataError: If the records were made for another number of overlaps.
    """
    ious = scored_ious(iou_thresholds)
    if table.single.shape[1] != len(ious):
        raise DataError(
            f"Expected records of {len(ious)} IoU thresholds, but got "
            f"{table.single.shape[1]}."
        )
    known = table.single[:, ious.index(LOC_IOU_THRESHOLD)]

    def hits(name: str, bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
        return hits_at(table.maxima, bits, threshold=thresholds[name])

    v2 = [
        hits(metric_name("max_box_acc_v2", iou=iou), table.multi[:, ious.index(iou)])
        for iou in iou_thresholds
    ]
    scores: dict[str, NDArray[Any]] = {
        "gt_known": hits("gt_known", known),
        "max_box_acc_v2": np.mean(v2, axis=0),
    }
    if table.ranks is not None:
        right = table.ranks == 0
        if "top1_loc" in thresholds:
            scores["top1_loc"] = hits("top1_loc", known) & right
        scores["top1_cls"] = right
    return {name: values.astype(np.float64) for name, values in scores.items()}


def bootstrap_interval(
    differences: NDArray[np.float64], *, num_resamples: int, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""The interval of 95 % of a mean over images, by the percentile bootstrap.

    With :math:`d_{1..N}` the differences and N indices i drawn with replacement, it
    lies between the percentiles 2.5 and 97.5 of :math:`\frac{1}{N}\sum d_i`.

    Args:
        differences: (N, S), one row an image, N >= 1; the same images are drawn for
            all S columns.
        num_resamples: How often images are drawn.
        seed: The same one draws the same images.

    Returns:
        Lower and upper ends, (S,) each.

    Example:
        >>> low, high = bootstrap_interval(np.full((9, 1), 0.5), num_resamples=100)
        >>> float(low[0]), float(high[0])
        (0.5, 0.5)
    """
    rng = np.random.default_rng(seed)
    num_images = len(differences)
    size = max(1, _BLOCK // num_images)
    means = []
    for start in range(0, num_resamples, size):
        count = min(size, num_resamples - start)
        drawn = rng.integers(num_images, size=(count, num_images))
        # Column by column: all at once would hold S times the memory.
        means.append(
            np.stack([column[drawn].mean(axis=1) for column in differences.T], axis=1)
        )
    low, high = np.percentile(np.concatenate(means), _INTERVAL, axis=0)
    return low, high
