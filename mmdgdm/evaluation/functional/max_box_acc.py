"""MaxBoxAcc and MaxBoxAccV2: share of images whose box is right.

Each image is reduced to its hits at the integer levels of its quantised map, from
which the hits at any thresholds follow.

Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods
Right, CVPR 2020 and its journal version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.boxes import check_boxes
from mmdgdm.evaluation.functional.level_ranks import rank_levels
from mmdgdm.evaluation.functional.scoremaps import (
    check_quantized,
    threshold_levels,
)

#: Overlaps that a box must reach to count, for MaxBoxAccV2.
IOU_THRESHOLDS: tuple[float, ...] = (0.3, 0.5, 0.7)
#: Overlap that a box must reach to count, for MaxBoxAcc and the Loc scores.
LOC_IOU_THRESHOLD = 0.5
#: Overlaps by which a threshold is chosen for test.
CALIBRATION_IOUS: tuple[float, ...] = (0.3, 0.5, 0.7)


class LevelHits(NamedTuple):
    """Hits of one image at the integer levels of its quantised map.

    Entry [k, v] tells whether the mask ``quantized > v`` localizes the object at
    the k-th IoU threshold. Levels that no threshold below 1 reaches, from
    ``max(maximum, 1)`` on, are False.

    Attributes:
        maximum: Largest value of the quantised map.
        single: (K, 256) bool, by the box of the largest contour.
        multi: (K, 256) bool, by the best of the boxes of all contours.
        boxes: (B, 4) int64, x0, y0, x1, y1: the box of the largest contour at each
            of the thresholds that boxes were asked for.
    """

    maximum: int
    single: NDArray[np.bool_]
    multi: NDArray[np.bool_]
    boxes: NDArray[np.int64]


class CurveMaximum(NamedTuple):
    """Where a curve is highest.

    Attributes:
        value: Percent of the images.
        threshold: First threshold at which the curve takes that value.
    """

    value: float
    threshold: float


def check_iou_thresholds(iou_thresholds: Sequence[float]) -> NDArray[np.float64]:
    """Check overlaps that boxes must reach.

    Args:
        iou_thresholds: K numbers in (0, 1].

    Returns:
        (K,) float64.

    Raises:
        ConfigError: If there is none or one is out of range.
    """
    array = np.asarray(iou_thresholds, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not ((array > 0) & (array <= 1)).all():
        raise ConfigError(
            "Expected `iou_thresholds` to be numbers in (0, 1], but got "
            f"{iou_thresholds!r}."
        )
    return array


def scored_ious(iou_thresholds: Sequence[float]) -> tuple[float, ...]:
    """The overlaps asked for and those of calibration, GT-known's 0.5 too, rising.

    Example:
        >>> scored_ious((0.5, 0.4))
        (0.3, 0.4, 0.5, 0.7)
    """
    return tuple(sorted({*iou_thresholds, *CALIBRATION_IOUS}))


def level_hits(
    quantized: NDArray[np.uint8],
    gt_boxes: ArrayLike,
    *,
    iou_thresholds: Sequence[float] = IOU_THRESHOLDS,
    box_thresholds: ArrayLike = (),
    scores: Optional[NDArray[np.float64]] = None,
) -> LevelHits:
    r"""Find at which levels a map localizes the object.

    A box is right at :math:`\delta` if its IoU with any of the ground-truth boxes
    is at least :math:`\delta`.

    Args:
        quantized: (H, W) uint8, as ``quantize_scoremap`` makes it.
        gt_boxes: (M, 4) integers, x0, y0, x1, y1 in the map's pixels, M >= 1, as
            ``scale_boxes`` makes them.
        iou_thresholds: The K values of :math:`\delta`, each in (0, 1].
        box_thresholds: (B,), each in [0, 1): thresholds at which the predicted box
            is wanted too.
        scores: (H, W), what ``quantized`` was made of, if at hand: it takes less time
            then.

    Returns:
        The hits at all levels.

    Raises:
        DataError: If the map or the boxes are malformed.
        ConfigError: If a threshold is out of range.

    Example:
        >>> quantized = np.zeros((6, 6), dtype=np.uint8)
        >>> quantized[1:4, 1:4] = 10
        >>> quantized[1, 1] = 20
        >>> hits = level_hits(
        ...     quantized, [[1, 1, 4, 4]], iou_thresholds=(0.5,), box_thresholds=[0.0]
        ... )
        >>> hits.maximum, np.flatnonzero(hits.single[0]).tolist()
        (20, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        >>> hits.boxes.tolist()
        [[1, 1, 4, 4]]
    """
    check_quantized(quantized)
    deltas = check_iou_thresholds(iou_thresholds)
    targets = np.asarray(gt_boxes)
    if targets.dtype.kind not in "iu" or len(targets) == 0:
        raise DataError(
            "Expected `gt_boxes` to be at least one box of integers, but got "
            f"{targets.tolist()}."
        )
    check_boxes(targets, "gt_boxes")
    maximum = int(quantized.max())
    order = np.sort(deltas)
    ranks = rank_levels(
        quantized,
        targets.astype(np.int64),
        deltas=order,
        box_levels=threshold_levels(box_thresholds, maximum),
        scores=scores,
    )
    # A rank counts the overlaps reached, so it exceeds the place of each of them.
    places = np.searchsorted(order, deltas)[:, None]
    return LevelHits(maximum, ranks.single > places, ranks.multi > places, ranks.boxes)


def threshold_sums(
    maxima: ArrayLike, per_level: NDArray[Any], *, thresholds: ArrayLike
) -> NDArray[np.int64]:
    r"""Sums over images of what each has at the level of each threshold.

    The level of image i at threshold t is :math:`\lfloor t \cdot maximum_i \rfloor`.
    Sums of parts of a data set add up to those of the whole.

    Args:
        maxima: (N,) integers, ``LevelHits.maximum`` of the images.
        per_level: (N, 256), whole numbers or bool, such as a row of
            ``LevelHits.single`` of each image, whose sums are numbers of hits.
        thresholds: (T,), each in [0, 1).

    Returns:
        (T,) int64.

    Raises:
        ConfigError: If a threshold is not in [0, 1).

    Example:
        >>> hits = np.zeros((2, 256), dtype=bool)
        >>> hits[0, :5] = True
        >>> threshold_sums([10, 255], hits, thresholds=[0.0, 0.4, 0.5]).tolist()
        [1, 1, 0]
    """
    tops, cuts = np.asarray(maxima), np.asarray(thresholds, dtype=np.float64)
    sums = np.zeros(len(cuts), dtype=np.int64)
    # Normalised maps share the maximum 255, so there are few groups.
    for maximum in np.unique(tops):
        of_group = per_level[tops == maximum].sum(axis=0, dtype=np.int64)
        sums += of_group[threshold_levels(cuts, int(maximum))]
    return sums


def curve_maximum(curve: ArrayLike, thresholds: ArrayLike) -> CurveMaximum:
    """Highest value of a curve and the first threshold that reaches it.

    Args:
        curve: (T,), in percent.
        thresholds: (T,).

    Raises:
        DataError: If the shapes do not fit.

    Example:
        >>> curve_maximum([10.0, 40.0, 40.0], [0.0, 0.1, 0.2])
        CurveMaximum(value=40.0, threshold=0.1)
    """
    values, cuts = np.asarray(curve), np.asarray(thresholds)
    if values.ndim != 1 or values.size == 0 or values.shape != cuts.shape:
        raise DataError(
            "Expected `curve` and `thresholds` to be of the same shape (T,), but got "
            f"{values.shape} and {cuts.shape}."
        )
    best = int(values.argmax())
    return CurveMaximum(float(values[best]), float(cuts[best]))
