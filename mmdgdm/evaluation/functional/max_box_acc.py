"""MaxBoxAcc and MaxBoxAccV2: share of images whose box is right.

Each image is reduced to its hits at the integer levels of its quantised map, from
which the hits at any thresholds follow.

Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods
Right, CVPR 2020 and its journal version.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.boxes import box_iou
from mmdgdm.evaluation.functional.scoremaps import (
    check_quantized,
    contour_boxes,
    threshold_levels,
)

#: Overlaps that a box must reach to count, for MaxBoxAccV2.
IOU_THRESHOLDS: tuple[float, ...] = (0.3, 0.5, 0.7)
#: Overlap that a box must reach to count, for MaxBoxAcc and the Loc scores.
LOC_IOU_THRESHOLD = 0.5
#: Number of values of a quantised map.
NUM_LEVELS = 256


class LevelHits(NamedTuple):
    """Hits of one image at the integer levels of its quantised map.

    Entry [k, v] tells whether the mask ``quantized > v`` localizes the object at
    the k-th IoU threshold. Levels that no threshold below 1 reaches, from
    ``max(maximum, 1)`` on, are False.

    Attributes:
        maximum: Largest value of the quantised map; 0 if the map was constant.
        single: (K, 256) bool, by the box of the largest contour.
        multi: (K, 256) bool, by the best of the boxes of all contours.
    """

    maximum: int
    single: NDArray[np.bool_]
    multi: NDArray[np.bool_]


class CurveMaximum(NamedTuple):
    """Where a curve is highest.

    Attributes:
        value: Percent of the images.
        threshold: First threshold at which the curve takes that value.
    """

    value: float
    threshold: float


class MaxBoxAccV2Score(NamedTuple):
    """MaxBoxAccV2 and what it is the mean of.

    Attributes:
        value: Percent of the images, the mean of the maxima.
        maxima: One per IoU threshold.
    """

    value: float
    maxima: tuple[CurveMaximum, ...]


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


def level_hits(
    quantized: NDArray[np.uint8],
    gt_boxes: ArrayLike,
    iou_thresholds: Sequence[float] = IOU_THRESHOLDS,
) -> LevelHits:
    r"""Find at which levels a map localizes the object.

    A box is right at :math:`\delta` if its IoU with any of the ground-truth boxes
    is at least :math:`\delta`.

    Args:
        quantized: (H, W) uint8, as ``quantize_scoremap`` makes it.
        gt_boxes: (M, 4) integers, x0, y0, x1, y1 in the map's pixels, M >= 1, as
            ``scale_boxes`` makes them.
        iou_thresholds: The K values of :math:`\delta`, each in (0, 1].

    Returns:
        The hits at all levels.

    Raises:
        DataError: If the map or the boxes are malformed.
        ConfigError: If an IoU threshold is out of range.

    Example:
        >>> quantized = np.zeros((6, 6), dtype=np.uint8)
        >>> quantized[1:4, 1:4] = 10
        >>> quantized[1, 1] = 20
        >>> hits = level_hits(quantized, [[1, 1, 4, 4]], (0.5,))
        >>> hits.maximum, np.flatnonzero(hits.single[0]).tolist()
        (20, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    check_quantized(quantized)
    deltas = check_iou_thresholds(iou_thresholds)
    targets = np.asarray(gt_boxes)
    if targets.dtype.kind not in "iu" or len(targets) == 0:
        raise DataError(
            "Expected `gt_boxes` to be at least one box of integers, but got "
            f"{targets.tolist()}."
        )
    maximum = int(quantized.max())
    num_levels = max(maximum, 1)
    single_iou, multi_iou = _level_ious(quantized, targets, num_levels)
    single = np.zeros((len(deltas), NUM_LEVELS), dtype=np.bool_)
    multi = np.zeros_like(single)
    single[:, :num_levels] = single_iou >= deltas[:, None]
    multi[:, :num_levels] = multi_iou >= deltas[:, None]
    return LevelHits(maximum, single, multi)


def _level_ious(
    quantized: NDArray[np.uint8], gt_boxes: NDArray[np.int64], num_levels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Best IoU of the largest contour's box and of all boxes, at each level."""
    found = [contour_boxes(quantized, level) for level in range(num_levels)]
    counts = [len(boxes) for boxes, _ in found]
    starts = np.cumsum([0, *counts[:-1]])
    winners = starts + np.array([largest for _, largest in found])
    boxes = np.concatenate([boxes for boxes, _ in found])
    # One target at a time keeps the memory of noisy maps within bounds.
    best = reduce(
        np.maximum, (box_iou(boxes, target[None])[:, 0] for target in gt_boxes)
    )
    return best[winners], np.maximum.reduceat(best, starts)


def hit_curves(
    maxima: ArrayLike, hits: NDArray[np.bool_], thresholds: ArrayLike
) -> NDArray[np.float64]:
    r"""Percent of the images that are localized, at each threshold.

    Image i counts at threshold t if its hit at level
    :math:`\lfloor t \cdot maximum_i \rfloor` is set.

    Args:
        maxima: (N,) integers, ``LevelHits.maximum`` of the images.
        hits: (N, K, 256) bool, ``LevelHits.single`` or ``.multi`` of the images.
        thresholds: (T,), each in [0, 1).

    Returns:
        (K, T) float64, in percent.

    Raises:
        DataError: If there is no image or the shapes do not fit.
        ConfigError: If a threshold is not in [0, 1).

    Example:
        >>> hits = np.zeros((2, 1, 256), dtype=bool)
        >>> hits[0, 0, :5] = True
        >>> hit_curves([10, 255], hits, [0.0, 0.4, 0.5]).tolist()
        [[50.0, 50.0, 0.0]]
    """
    tops = np.asarray(maxima)
    if hits.ndim != 3 or hits.shape[2] != NUM_LEVELS or tops.shape != hits.shape[:1]:
        raise DataError(
            "Expected `maxima` of shape (N,) and `hits` of shape (N, K, "
            f"{NUM_LEVELS}), but got {tops.shape} and {hits.shape}."
        )
    if len(tops) == 0:
        raise DataError("Expected at least one image to be scored, but got none.")
    cuts = np.asarray(thresholds, dtype=np.float64)
    counts = np.zeros((hits.shape[1], len(cuts)), dtype=np.int64)
    # Normalised maps share the maximum 255, so there are few groups.
    for maximum in np.unique(tops):
        per_level = hits[tops == maximum].sum(axis=0, dtype=np.int64)
        counts += per_level[:, threshold_levels(cuts, int(maximum))]
    return counts * 100.0 / len(tops)


def curve_maximum(curve: ArrayLike, thresholds: ArrayLike) -> CurveMaximum:
    """Highest value of a curve and the first threshold that reaches it.

    Args:
        curve: (T,), in percent.
        thresholds: (T,).

    Returns:
        The maximum.

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


def max_box_acc(
    single_curves: NDArray[np.float64],
    thresholds: ArrayLike,
    iou_thresholds: Sequence[float] = IOU_THRESHOLDS,
) -> CurveMaximum:
    """MaxBoxAcc: single contour, IoU >= 0.5, at the best threshold.

    Args:
        single_curves: (K, T), in percent, of the largest contours' hits.
        thresholds: (T,).
        iou_thresholds: The K overlaps of the curves, 0.5 among them.

    Returns:
        The value in percent and its threshold.

    Raises:
        ConfigError: If 0.5 is not among ``iou_thresholds``.
    """
    overlaps = list(iou_thresholds)
    if LOC_IOU_THRESHOLD not in overlaps:
        raise ConfigError(
            f"Expected `iou_thresholds` to hold {LOC_IOU_THRESHOLD}, which MaxBoxAcc "
            f"is defined at, but got {overlaps}."
        )
    return curve_maximum(single_curves[overlaps.index(LOC_IOU_THRESHOLD)], thresholds)


def max_box_acc_v2(
    multi_curves: NDArray[np.float64], thresholds: ArrayLike
) -> MaxBoxAccV2Score:
    """MaxBoxAccV2: all contours, mean over IoU thresholds of the maxima.

    Each IoU threshold has its own best threshold.

    Args:
        multi_curves: (K, T), in percent, of all contours' hits.
        thresholds: (T,).

    Returns:
        The value in percent and the K maxima.

    Example:
        >>> curves = np.array([[90.0, 80.0], [50.0, 60.0]])
        >>> max_box_acc_v2(curves, [0.0, 0.5]).value
        75.0
    """
    maxima = tuple(curve_maximum(curve, thresholds) for curve in multi_curves)
    return MaxBoxAccV2Score(float(np.mean([best.value for best in maxima])), maxima)
