r"""What is wrong with a predicted box, in words.

Of a predicted box :math:`P` and the ground-truth box :math:`G` that it overlaps best,
with :math:`\delta` the IoU that a box must reach, a box is

- ``"right"`` where it reaches :math:`\delta` and the class is right (or not known),
- ``"wrong class"`` where it reaches :math:`\delta` and the class is wrong,
- ``"too small"`` where it does not and most of it is object,
  :math:`|P \cap G| / |P| \ge c`,
- ``"too large"`` where it does not and it holds most of the object,
  :math:`|P \cap G| / |G| \ge c`,
- ``"wrong place"`` otherwise,

with :math:`c = 2 \delta / (1 + \delta)`, which is 2/3 for an IoU of 0.5. That share is
the smallest at which no box can be too small and too large at once: two boxes that
share :math:`c` of each other have an IoU of at least :math:`\delta`. The box comes
first: whether the class is right too is asked of right boxes only.
"""

from __future__ import annotations

from typing import Optional

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.max_box_acc import LOC_IOU_THRESHOLD

RIGHT = "right"
WRONG_CLASS = "wrong class"
TOO_SMALL = "too small"
TOO_LARGE = "too large"
WRONG_PLACE = "wrong place"
#: All kinds, in the order in which they are shown.
ERROR_KINDS = (RIGHT, WRONG_CLASS, TOO_SMALL, TOO_LARGE, WRONG_PLACE)


def box_ious(areas: ArrayLike) -> NDArray[np.float64]:
    """IoUs from the areas that coverage is made of.

    Args:
        areas: (N, 3), rows of
            :func:`~mmdgdm.evaluation.functional.coverage.cover_areas`.

    Returns:
        (N,) float64 in [0, 1].

    Raises:
        DataError: If the shape is another one.

    Example:
        >>> box_ious([[8, 4, 8]]).tolist()
        [0.3333333333333333]
    """
    array = np.asarray(areas, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 3:
        raise DataError(
            f"Expected `areas` of shape (N, 3), but got shape {array.shape}."
        )
    predicted, shared, target = array.T
    ious: NDArray[np.float64] = shared / (predicted + target - shared)
    return ious


def error_kinds(
    areas: ArrayLike,
    class_is_right: Optional[ArrayLike] = None,
    *,
    iou_threshold: float = LOC_IOU_THRESHOLD,
) -> list[str]:
    """Say of each image what is wrong with its box, or that nothing is.

    Args:
        areas: (N, 3), a row of
            :func:`~mmdgdm.evaluation.functional.coverage.cover_areas` an image.
        class_is_right: (N,) bool, whether the predicted class is the true one; ``None``
            where that is not known or does not count.
        iou_threshold: The IoU that a box must reach, in (0, 1].

    Returns:
        One of :data:`ERROR_KINDS` for each image.

    Raises:
        ConfigError: If ``iou_threshold`` is out of range.
        DataError: If the arrays have other shapes.

    Example:
        Boxes of 4 and 36 pixels around an object of 12, of which they share 4 and 12:

        >>> error_kinds([[4, 4, 12], [36, 12, 12]])
        ['too small', 'too large']
    """
    if not 0 < iou_threshold <= 1:
        raise ConfigError(
            f"Expected `iou_threshold` to be in (0, 1], but got {iou_threshold!r}."
        )
    ious = box_ious(areas)
    right = np.ones(len(ious), dtype=bool)
    if class_is_right is not None:
        right = np.asarray(class_is_right, dtype=bool)
        if right.shape != ious.shape:
            raise DataError(
                f"Expected `class_is_right` of shape {ious.shape}, but got "
                f"{right.shape}."
            )
    predicted, shared, target = np.asarray(areas, dtype=np.float64).T
    share = 2 * iou_threshold / (1 + iou_threshold)
    hit = ious >= iou_threshold
    cases = [hit & right, hit, shared >= share * predicted, shared >= share * target]
    kinds = (RIGHT, WRONG_CLASS, TOO_SMALL, TOO_LARGE)
    return [str(kind) for kind in np.select(cases, kinds, WRONG_PLACE)]
