"""PxAP: pixel-wise average precision against object masks.

The scores of all object pixels and of all background pixels of a data set make two
histograms; the pixels at or above a threshold are the predicted ones. Histograms of
images add up, field by field, to those of the data set.

Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods
Right, CVPR 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.scoremaps import (
    EVAL_SIZE,
    check_scoremap,
    check_unit_range,
    describe,
)

#: Value of the mask pixels that are left out of the evaluation.
IGNORED = 255
#: Bins beyond those of the thresholds: [1, 2) for the score 1, and [2, 3], empty.
NUM_EXTRA_BINS = 2
#: Pixels that are counted at a time.
_BLOCK = 8192


class ScoreHistograms(NamedTuple):
    """How many pixels have which score.

    With T thresholds, bin i < T - 1 counts scores from threshold i to below the
    next one, bin T - 1 those from the last threshold to below 1, bin T those of 1,
    and bin T + 1 is empty.

    Attributes:
        positive: (T + 2,) int64, of the object's pixels.
        negative: (T + 2,) int64, of the background's pixels.
    """

    positive: NDArray[np.int64]
    negative: NDArray[np.int64]


def merge_masks(
    masks: Sequence[NDArray[Any]],
    ignore: Optional[NDArray[Any]] = None,
    *,
    size: tuple[int, int] = EVAL_SIZE,
) -> NDArray[np.uint8]:
    """Merge the masks of an image's objects at the size of the evaluation.

    Each mask is resized by itself, taking the nearest pixel. Object pixels win over
    ignored ones.

    Args:
        masks: The objects, at least one; each (h, w), uint8 or bool, of any size,
            set where it is above 0.
        ignore: (h, w), uint8 or bool, set where pixels are to be left out.
        size: (width, height) of the result.

    Returns:
        (height, width) uint8: 1 on an object, else 255 where ignored, else 0.

    Raises:
        DataError: If there is no mask or one is malformed.
        ConfigError: If ``size`` is not two positive integers.

    Example:
        >>> left, right = np.array([[9, 0]], np.uint8), np.array([[0, 1, 1]], bool)
        >>> merge_masks([left], ignore=right, size=(6, 1)).tolist()
        [[1, 1, 1, 255, 255, 255]]
    """
    if len(masks) == 0:
        raise DataError("Expected `masks` to hold at least one mask, but got none.")
    resized = [_resize_binary(mask, "masks", size) for mask in masks]
    merged: NDArray[np.uint8] = np.any(resized, axis=0).astype(np.uint8)
    if ignore is not None:
        merged[_resize_binary(ignore, "ignore", size) & (merged == 0)] = IGNORED
    return merged


def resize_label_mask(
    mask: NDArray[np.uint8], size: tuple[int, int] = EVAL_SIZE
) -> NDArray[np.uint8]:
    """Bring a merged mask to the size of the evaluation, taking the nearest pixel.

    Where all masks of an image are of one size, merging them first gives the same
    as :func:`merge_masks`.

    Args:
        mask: (h, w) uint8 of {0, 1, 255 = ignored}.
        size: (width, height) of the result.

    Returns:
        (height, width) uint8 of {0, 1, 255}.

    Raises:
        DataError: If the mask is not of this form.
        ConfigError: If ``size`` is not two positive integers.

    Example:
        >>> resize_label_mask(np.array([[1, 255]], np.uint8), size=(4, 1)).tolist()
        [[1, 1, 255, 255]]
    """
    _check_label_mask(mask)
    return _resize_nearest(mask, size).astype(np.uint8)


def score_histograms(
    scoremap: ArrayLike, mask: NDArray[np.uint8], *, thresholds: ArrayLike
) -> ScoreHistograms:
    """Count the scores of an image's object and background pixels.

    Args:
        scoremap: (H, W) floating point in [0, 1]; widened to float64.
        mask: (H, W) uint8 of {0, 1, 255}; pixels of 255 are left out.
        thresholds: (T,), rising from 0 to below 1; slower if uneven.

    Returns:
        The two histograms.

    Raises:
        DataError: If the map or the mask is malformed or their shapes differ.
        ConfigError: If the thresholds are malformed.

    Example:
        >>> mask = np.array([[1, 0, 255]], dtype=np.uint8)
        >>> both = score_histograms([[1.0, 0.5, 0.7]], mask, thresholds=[0.0, 0.5])
        >>> both.positive.tolist(), both.negative.tolist()
        ([0, 0, 1, 0], [0, 1, 0, 0])
    """
    scores = check_unit_range(check_scoremap(scoremap))
    _check_label_mask(mask)
    if mask.shape != scores.shape:
        raise DataError(
            "Expected `scoremap` and `mask` to be of the same shape, but got "
            f"{scores.shape} and {mask.shape}."
        )
    cuts = _check_thresholds(thresholds)
    num_bins = len(cuts) + NUM_EXTRA_BINS
    edges, slope = _bin_edges(cuts)
    # The kinds of pixels, 0, 1 and 2 for the ignored ones, are counted in one go.
    flat_scores, kinds = scores.ravel(), np.minimum(mask.ravel(), 2)
    total = np.zeros(3 * num_bins, dtype=np.int64)
    # Large temporary arrays would cost more than the work done in them.
    for first in range(0, flat_scores.size, _BLOCK):
        places = _find_bins(flat_scores[first : first + _BLOCK], edges, slope)
        part = kinds[first : first + _BLOCK]
        places += np.multiply(part, num_bins, dtype=np.int64)
        total += np.bincount(places, minlength=len(total))
    negative, positive, _ = total.reshape(3, num_bins)
    return ScoreHistograms(positive=positive, negative=negative)


def pxap(histograms: ScoreHistograms) -> float:
    r"""PxAP: area under the precision-recall curve of the pixels.

    .. math:: PxAP = 100 \sum_i P_i (R_i - R_{i+1})

    where :math:`P_i` and :math:`R_i` are precision and recall of the pixels in bin
    i or above. No interpolation takes place.

    Args:
        histograms: Of all images.

    Returns:
        The area in percent: 100 for maps that part object and background, the
        object's share of the pixels for constant maps.

    Raises:
        DataError: If the histograms are malformed or hold no object pixel.

    Example:
        >>> one = np.array([0, 1, 3, 0])
        >>> pxap(ScoreHistograms(positive=one, negative=np.array([2, 4, 0, 0])))
        87.5
    """
    positive, negative = _check_histograms(histograms)
    # Kept in this order of operations: the last bit depends on it.
    true = positive[::-1].astype(np.float64).cumsum()
    false = negative[::-1].astype(np.float64).cumsum()
    predicted = true + false
    some = predicted != 0
    precision = np.divide(true, predicted, out=np.zeros_like(true), where=some)
    recall = true / true[-1]
    area = (precision[1:] * np.diff(recall))[some[1:]].sum()
    return float(area * 100)


def pixel_curves(
    histograms: ScoreHistograms, thresholds: ArrayLike
) -> dict[str, NDArray[np.float64]]:
    """Precision, recall and IoU of the pixels of a data set, at each threshold.

    Pixels with a score of at least the threshold are the predicted ones. Where
    there is none, precision is undefined and given as NaN: no number is made up for
    it, and a plot leaves it out.

    Args:
        histograms: Of all images.
        thresholds: The (T,) thresholds that the histograms were made with.

    Returns:
        ``pixel_precision``, 100 TP / (TP + FP), ``pixel_recall``, 100 TP / (TP + FN),
        and ``pixel_iou``, 100 TP / (TP + FP + FN), each (T,) float64 in percent.

    Raises:
        DataError: If the histograms are malformed, are not of T + 2 bins or hold no
            object pixel.
        ConfigError: If the thresholds are malformed.

    Example:
        >>> pair = ScoreHistograms(np.array([1, 3, 0, 0]), np.array([2, 1, 0, 0]))
        >>> [c.round(1).tolist() for c in pixel_curves(pair, [0.0, 0.5]).values()]
        [[57.1, 75.0], [100.0, 75.0], [57.1, 60.0]]
    """
    positive, negative = _check_histograms(histograms)
    num_cuts = len(_check_thresholds(thresholds))
    if len(positive) != num_cuts + NUM_EXTRA_BINS:
        raise DataError(
            f"Expected `histograms` to have {num_cuts + NUM_EXTRA_BINS} bins for "
            f"{num_cuts} thresholds, but got {len(positive)}."
        )
    true, false = (
        counts[::-1].cumsum()[::-1][:-NUM_EXTRA_BINS] for counts in (positive, negative)
    )
    predicted, share = true + false, true * 100.0
    precision = np.full(num_cuts, np.nan)
    np.divide(share, predicted, out=precision, where=predicted > 0)
    return {
        "pixel_precision": precision,
        "pixel_recall": share / true[0],
        "pixel_iou": share / (true[0] + false),
    }


def _resize_nearest(mask: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    if len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size):
        raise ConfigError(
            f"Expected `size` to be (width, height) in pixels, but got {size!r}."
        )
    # As the benchmark does it: OpenCV has other code for other types.
    wide = mask.astype(np.float32)
    return np.asarray(cv2.resize(wide, size, interpolation=cv2.INTER_NEAREST))


def _resize_binary(
    mask: NDArray[Any], name: str, size: tuple[int, int]
) -> NDArray[np.bool_]:
    if not _is_mask(mask, "uint8", "bool"):
        raise DataError(
            f"Expected `{name}` to be of non-empty uint8 or bool masks (h, w), but "
            f"got {describe(mask)}."
        )
    return np.asarray(_resize_nearest(mask, size) > 0.5)


def _is_mask(mask: Any, *dtypes: str) -> bool:
    known = isinstance(mask, np.ndarray) and mask.dtype.name in dtypes
    return known and mask.ndim == 2 and mask.size > 0


def _check_label_mask(mask: NDArray[Any]) -> None:
    if not _is_mask(mask, "uint8"):
        raise DataError(
            f"Expected `mask` to be non-empty uint8 (H, W), but got {describe(mask)}."
        )
    wrong = (mask > 1) & (mask != IGNORED)
    if wrong.any():
        raise DataError(
            f"Expected `mask` to hold 0, 1 and {IGNORED} only, but got "
            f"{np.unique(mask[wrong])[:5].tolist()} among its values."
        )


def _check_thresholds(thresholds: ArrayLike) -> NDArray[np.float64]:
    cuts = np.asarray(thresholds, dtype=np.float64)
    rising = cuts.ndim == 1 and (np.diff(cuts, append=1.0) > 0).all()
    if not rising or cuts.size == 0 or cuts[0] != 0:
        raise ConfigError(
            "Expected `thresholds` to rise from 0 to below 1, but got "
            f"{np.array2string(cuts, threshold=6)}."
        )
    return cuts


def _bin_edges(cuts: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Lower edges of the bins and beyond, and a factor from scores to bins.

    The factor times a score, rounded down, is the score's bin or the one below. It
    is 0 if the cuts are too uneven for that.
    """
    edges = np.append(cuts, [1.0, 2.0])
    with np.errstate(over="ignore"):
        # A little less than the inverse of the step: rounding cannot reach it.
        slope = (1 - 1e-9) / edges[1]
        guesses = np.floor(edges[1:-1] * slope)
    # Guesses rise with the scores, so that it is enough to look at the edges.
    return edges, float(slope) if (guesses == np.arange(len(cuts))).all() else 0.0


def _find_bins(
    scores: NDArray[np.float64], edges: NDArray[np.float64], slope: float
) -> NDArray[np.int64]:
    """Index of the last of the edges that each score reaches."""
    if not slope:
        return np.asarray(np.searchsorted(edges, scores, side="right") - 1)
    bins: NDArray[np.int64] = (scores * slope).astype(np.int64)
    bins += scores >= edges[1:].take(bins)
    return bins


def _check_histograms(
    histograms: ScoreHistograms,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if len(histograms) != 2:
        raise DataError(
            f"Expected `histograms` to be a pair of them, but got {len(histograms)}."
        )
    positive, negative = (np.asarray(counts) for counts in histograms)
    if positive.shape != negative.shape or not all(
        c.ndim == 1
        and len(c) > NUM_EXTRA_BINS
        and c.dtype.kind in "iu"
        and c.min() >= 0
        for c in (positive, negative)
    ):
        raise DataError(
            "Expected `histograms` to hold two arrays of counts (T + 2,), none below "
            f"0, but got {describe(positive)} and {describe(negative)}."
        )
    if positive.sum() == 0:
        raise DataError(
            "Expected `histograms` to hold at least one object pixel (1 in the "
            f"mask), but got none beside {int(negative.sum())} of the background."
        )
    return positive, negative
