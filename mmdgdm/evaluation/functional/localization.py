"""Where the true class stands among the class scores, for Top-1 and Top-5 Loc."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mmdgdm.errors import DataError


def label_rank(scores: ArrayLike, label: int) -> int:
    """Position of a class among all classes, sorted by falling score.

    Of two equal scores, the class of lower index comes first, as with argmax.

    Args:
        scores: (C,).
        label: Class, 0 to C - 1.

    Returns:
        0 for the best class, C - 1 for the last.

    Raises:
        DataError: If scores are malformed or hold NaN, or the label is out of
            range.

    Example:
        >>> label_rank([0.2, 0.5, 0.2, 0.1], 2)
        2
    """
    array = np.asarray(scores)
    if array.ndim != 1 or array.size == 0 or np.isnan(array).any():
        raise DataError(
            "Expected `scores` to be numbers of shape (C,), but got shape "
            f"{array.shape} with {int(np.isnan(array).sum())} NaN."
        )
    if not 0 <= label < len(array):
        raise DataError(
            f"Expected `label` to be in [0, {len(array) - 1}], but got {label}."
        )
    before = (array > array[label]).sum() + (array[:label] == array[label]).sum()
    return int(before)
