r"""How far predicted boxes cover the object, and what lies beside it.

An IoU does not tell why a box is wrong. Of a predicted box :math:`P` and a
ground-truth box :math:`G`, in pixels counted as for the IoU, these do:

- the area ratio :math:`|P| / |G|`: below 1 where boxes are too small;
- over-coverage :math:`1 - |P \cap G| / |P|`: the part of the prediction that is not
  object;
- under-coverage :math:`1 - |P \cap G| / |G|`: the part of the object that is missed.

:math:`G` is the ground-truth box that the prediction overlaps best.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.boxes import (
    box_areas,
    check_boxes,
    shared_areas,
)

#: Thresholds at which coverage is known for every image, 0, 0.05, ..., 0.95.
COVERAGE_THRESHOLDS: NDArray[np.float64] = np.arange(20) / 20


def cover_areas(boxes: ArrayLike, gt_boxes: ArrayLike) -> NDArray[np.int64]:
    """Areas that coverage is made of.

    Args:
        boxes: (B, 4) integers, x0, y0, x1, y1, predicted.
        gt_boxes: (M, 4) integers, M >= 1, of the same image.

    Returns:
        (B, 3) int64: pixels of the predicted box, pixels that it shares with the
        ground-truth box of highest IoU (the first one on a tie), and pixels of
        that box.

    Raises:
        DataError: If boxes are malformed or there is no ground truth.

    Example:
        >>> cover_areas([[0, 0, 3, 1]], [[9, 9, 9, 9], [0, 0, 1, 3]]).tolist()
        [[8, 4, 8]]
    """
    predicted = check_boxes(boxes, "boxes")
    targets = check_boxes(gt_boxes, "gt_boxes")
    if len(targets) == 0:
        raise DataError("Expected `gt_boxes` to be at least one box, but got none.")
    shared, own = shared_areas(predicted, targets), box_areas(predicted)
    others = box_areas(targets)
    nearest = (shared / (own[:, None] + others - shared)).argmax(axis=1)
    shared = shared[np.arange(len(own)), nearest]
    return np.stack([own, shared, others[nearest]], axis=1).astype(np.int64)


def mean_coverage(areas: ArrayLike) -> tuple[float, float, float]:
    """Mean area ratio, over- and under-coverage of images.

    Args:
        areas: (N, 3), one row of :func:`cover_areas` per image, N >= 1.

    Returns:
        The mean of :math:`|P| / |G|`, over-coverage in percent of the predicted box,
        and under-coverage in percent of the ground-truth box.

    Raises:
        DataError: If there is no image.

    Example:
        >>> mean_coverage([[8, 4, 8], [2, 2, 4]])
        (0.75, 25.0, 50.0)
    """
    array = np.asarray(areas, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 3 or len(array) == 0:
        raise DataError(
            "Expected `areas` of shape (N, 3) with N >= 1, but got shape "
            f"{array.shape}."
        )
    predicted, shared, target = array.T
    # Sorted sums make the means independent of the order of the images.
    ratio, over, under = (
        float(np.sort(values).sum() / len(array))
        for values in (predicted / target, shared / predicted, shared / target)
    )
    return ratio, 100.0 * (1.0 - over), 100.0 * (1.0 - under)
