r"""How well the boxes of a map overlap the ground truth, at every level.

The mask of level v is ``quantized > v``. The rank of a box is the number of IoU
thresholds that it reaches with any of the ground-truth boxes. A level has two ranks:
that of the box of the largest contour, and the best one of the boxes of all contours.

:func:`rank_levels_by_contours` is the definition: each mask, the contours that OpenCV
finds in it, their boxes, their overlaps. A mask changes only at the values that occur
in the map, at most 255 times, so the cost is bounded. :func:`rank_levels` gives the
same faster where numba is installed: see
:mod:`mmdgdm.evaluation.functional.level_kernel`.

Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods Right,
CVPR 2020 and its journal version.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Callable, NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray

from mmdgdm.evaluation.functional.scoremaps import contour_rectangles, rectangle_boxes

#: Number of values of a quantised map.
NUM_LEVELS = 256


class LevelRanks(NamedTuple):
    """Ranks of the boxes of a map.

    Levels from ``max(maximum of the map, 1)`` on have no mask and the rank 0.

    Attributes:
        single: (256,) int64, of the box of the largest contour.
        multi: (256,) int64, of the best of the boxes of all contours.
        boxes: (B, 4) int64, x0, y0, x1, y1: the box of the largest contour at each
            level that boxes were asked for.
    """

    single: NDArray[np.int64]
    multi: NDArray[np.int64]
    boxes: NDArray[np.int64]


#: A way to rank the levels of a map: :func:`rank_levels` says what is what.
Ranker = Callable[..., LevelRanks]


def rank_levels_by_contours(
    quantized: NDArray[np.uint8],
    targets: NDArray[np.int64],
    *,
    deltas: NDArray[np.float64],
    box_levels: NDArray[np.int64],
    scores: Optional[NDArray[np.float64]] = None,
) -> LevelRanks:
    """Rank the boxes of a map, level by level.

    Contours and boxes are those of ``contour_boxes``. A map that is zero everywhere has
    no contour, and the box 0, 0, 0, 0 at level 0.

    Args:
        quantized: (H, W) uint8.
        targets: (M, 4), ground-truth boxes x0, y0, x1, y1 in the map's pixels, both
            ends included, M >= 1.
        deltas: (K,), the IoU thresholds, rising.
        box_levels: (B,), levels below ``max(maximum, 1)`` whose box is wanted.
        scores: Not used.

    Returns:
        The ranks and boxes.

    Example:
        >>> quantized = np.array([[0, 9, 9, 0, 5], [0, 9, 9, 0, 5]], dtype=np.uint8)
        >>> ranks = rank_levels_by_contours(
        ...     quantized,
        ...     np.array([[4, 0, 4, 1]]),
        ...     deltas=np.array([0.5]),
        ...     box_levels=np.array([0]),
        ... )
        >>> ranks.single[:9].tolist(), ranks.multi[:9].tolist(), ranks.boxes.tolist()
        ([0, 0, 0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0, 0, 0, 0], [[1, 0, 3, 1]])
    """
    values = np.union1d(quantized, 0) if quantized.any() else np.array([0, 1])
    rectangles: list[Sequence[int]] = []
    starts, largest = [], []
    for level in values[:-1].tolist():
        found, place = contour_rectangles(quantized, level)
        starts.append(len(rectangles))
        largest.append(len(rectangles) + place)
        rectangles += found
    boxes = rectangle_boxes(rectangles, quantized.shape)
    ranks = np.searchsorted(deltas, _best_iou(boxes, targets), side="right")
    # A mask holds for all levels up to the next value.
    mask_of = np.repeat(np.arange(len(starts)), np.diff(values))
    single, multi = np.zeros((2, NUM_LEVELS), dtype=np.int64)
    single[: len(mask_of)] = ranks[largest][mask_of]
    multi[: len(mask_of)] = np.maximum.reduceat(ranks, starts)[mask_of]
    return LevelRanks(single, multi, boxes[largest][mask_of[box_levels]])


def _best_iou(
    boxes: NDArray[np.int64], targets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Highest IoU of each box with any target; one target at a time spares memory."""
    best = np.zeros(len(boxes))
    x0, y0, x1, y1 = boxes.T
    areas = (x1 - x0 + 1) * (y1 - y0 + 1)
    for left, top, right, bottom in targets.tolist():
        width = np.minimum(x1, right) - np.maximum(x0, left) + 1
        height = np.minimum(y1, bottom) - np.maximum(y0, top) + 1
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        area = (right - left + 1) * (bottom - top + 1)
        np.maximum(best, shared / (areas + area - shared), out=best)
    return best


@cache
def _fastest() -> tuple[Ranker, str]:
    """The way to rank levels that this machine has, and its name."""
    try:
        import numba
    except ImportError:
        return rank_levels_by_contours, "contours of each level (OpenCV)"
    from mmdgdm.evaluation.functional.level_kernel import rank_levels_compiled

    return rank_levels_compiled, f"compiled (numba {numba.__version__})"


def rank_levels(
    quantized: NDArray[np.uint8],
    targets: NDArray[np.int64],
    *,
    deltas: NDArray[np.float64],
    box_levels: NDArray[np.int64],
    scores: Optional[NDArray[np.float64]] = None,
) -> LevelRanks:
    """Rank the boxes of a map, in the fastest way at hand.

    Args:
        quantized: As for :func:`rank_levels_by_contours`, and so are the others.
        targets: (M, 4), ground-truth boxes.
        deltas: (K,), the IoU thresholds, rising.
        box_levels: (B,), levels whose box is wanted.
        scores: (H, W) in [0, 1], what ``quantized`` was made of, if at hand. They
            change no rank, but the compiled pass takes a third of its time.

    Returns:
        What :func:`rank_levels_by_contours` returns.
    """
    return _fastest()[0](
        quantized, targets, deltas=deltas, box_levels=box_levels, scores=scores
    )


def ranking_engine() -> str:
    """Name the way in which :func:`rank_levels` works on this machine.

    Returns:
        ``'compiled (numba ...)'``, or ``'contours of each level (OpenCV)'``.
    """
    return _fastest()[1]
