"""Classification and localization together: GT-known, Top-1 and Top-5 Loc.

- GT-known Loc: the map of the ground-truth class localizes the object, single
  contour, IoU >= 0.5.
- Top-k Loc: GT-known, and the ground-truth class is among the k best.

Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods
Right, CVPR 2020.
"""

from __future__ import annotations

from typing import Optional

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.max_box_acc import hit_counts


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


def top_k_correct(scores: ArrayLike, label: int, k: int) -> bool:
    """Tell whether a class is among the k best.

    Args:
        scores: (C,).
        label: Class, 0 to C - 1.
        k: 1 to C.

    Returns:
        Whether :func:`label_rank` is less than k.

    Raises:
        ConfigError: If ``k`` is out of range.
        DataError: If scores are malformed or the label is out of range.

    Example:
        >>> top_k_correct([0.5, 0.5], 1, 1), top_k_correct([0.5, 0.5], 1, 2)
        (False, True)
    """
    num_classes = len(np.atleast_1d(scores))
    if not 1 <= k <= num_classes:
        raise ConfigError(
            f"Expected `k` to be in [1, {num_classes}], the number of classes, but "
            f"got {k}."
        )
    return label_rank(scores, label) < k


def localization_counts(
    maxima: ArrayLike,
    hits: NDArray[np.bool_],
    thresholds: ArrayLike,
    correct: Optional[ArrayLike] = None,
) -> NDArray[np.int64]:
    """Number of images that are localized and classified, per threshold.

    Args:
        maxima: (N,) integers, ``LevelHits.maximum`` of the images.
        hits: (N, 256) bool, the row of ``LevelHits.single`` at IoU 0.5, from the
            map of each image's ground-truth class.
        thresholds: (T,), each in [0, 1).
        correct: (N,) bool, whether the class is right as well: top-1 for Top-1
            Loc, top-5 for Top-5 Loc. ``None`` for GT-known Loc.

    Returns:
        (T,) int64.

    Raises:
        DataError: If the shapes do not fit.

    Example:
        >>> hits = np.ones((4, 256), dtype=bool)
        >>> right = [True, False, True, True]
        >>> localization_counts([255] * 4, hits, [0.0, 0.5], right).tolist()
        [3, 3]
    """
    if hits.ndim != 2:
        raise DataError(
            f"Expected `hits` to be of shape (N, 256), but got {hits.shape}."
        )
    kept = hits
    if correct is not None:
        right = np.asarray(correct)
        if right.dtype != np.bool_ or right.shape != hits.shape[:1]:
            raise DataError(
                f"Expected `correct` to be bool of shape {hits.shape[:1]}, but got "
                f"{right.dtype} of shape {right.shape}."
            )
        kept = hits & right[:, None]
    counts: NDArray[np.int64] = hit_counts(maxima, kept[:, None], thresholds)[0]
    return counts
