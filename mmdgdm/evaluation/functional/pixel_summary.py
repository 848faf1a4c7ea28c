"""All pixel scores of a data set with masks, from counts of its pixels.

Whoever evaluates, a running experiment or a tool for stored maps, gets the numbers
here. All scores are percentages:

- ``pxap``: area under the precision-recall curve of the pixels of all images.
- ``pixel_iou``: IoU of the pixels at or above a threshold with the object pixels,
  over all images at once, at the best threshold; ``threshold/pixel_iou`` is the first
  one that reaches it.

A maximum chosen on the scored images is optimistic: at a threshold fixed on val,
``val_threshold/pixel_iou`` is the honest score, with ``val_threshold/pixel_precision``
and ``val_threshold/pixel_recall`` beside it, and ``threshold/val_pixel_iou`` repeats
that threshold. Precision is NaN if no pixel reaches the threshold.

Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods Right,
CVPR 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.max_box_acc import curve_maximum
from mmdgdm.evaluation.functional.names import AT_VAL, THRESHOLD, VAL_CHOSE
from mmdgdm.evaluation.functional.pxap import (
    NUM_EXTRA_BINS,
    ScoreHistograms,
    pixel_curves,
    pxap,
    score_histograms,
)
from mmdgdm.evaluation.functional.records import pack_record, unpack_record
from mmdgdm.evaluation.functional.scoremaps import check_fixed_threshold


class PixelSummary(NamedTuple):
    """The scores of a data set.

    Attributes:
        metrics: Scores and their thresholds by name, as the module lists them.
        curves: ``pixel_precision``, ``pixel_recall`` and ``pixel_iou`` at each
            threshold, (T,) each, in percent.
        num_constant: Number of maps whose pixels are all equal.
    """

    metrics: dict[str, float]
    curves: dict[str, NDArray[np.float64]]
    num_constant: int


def _rows_of_cuts(
    thresholds: NDArray[np.float64], threshold: Optional[float]
) -> list[NDArray[np.float64]]:
    """The thresholds that pixels are counted at: of curves, and up to the fixed one."""
    check_fixed_threshold(threshold)
    fixed = [] if threshold is None else [np.unique([0.0, threshold])]
    return [thresholds, *fixed]


def make_pixel_record(
    scores: NDArray[np.float64],
    mask: NDArray[np.uint8],
    *,
    thresholds: NDArray[np.float64],
    threshold: Optional[float] = None,
) -> bytes:
    """Evaluate one map by its pixels.

    Args:
        scores: (H, W) in [0, 1], the normalised map of the ground-truth class.
        mask: (H, W) uint8 of {0, 1, 255 = ignored}.
        thresholds: (T,), the thresholds of curves.
        threshold: A threshold fixed elsewhere.

    Returns:
        The record, for :func:`summarize_pixels`.

    Raises:
        DataError: If the map or the mask is malformed.
        ConfigError: If thresholds are malformed.
    """
    counts = [
        score_histograms(scores, mask, thresholds=cuts)
        for cuts in _rows_of_cuts(thresholds, threshold)
    ]
    is_constant = np.array([scores.min() == scores.max()])
    return pack_record(
        *(part.astype("<i4") for part in (is_constant, *chain.from_iterable(counts)))
    )


def summarize_pixels(
    records: Sequence[bytes],
    *,
    thresholds: NDArray[np.float64],
    threshold: Optional[float] = None,
) -> PixelSummary:
    """Score a data set.

    Args:
        records: One per image, in any order, made with the same thresholds.
        thresholds: (T,), the thresholds of curves.
        threshold: A threshold fixed elsewhere.

    Returns:
        All scores.

    Raises:
        DataError: If there is no record, the records do not fit, or no mask has an
            object pixel.
    """
    rows = _rows_of_cuts(thresholds, threshold)
    lengths = [len(cuts) + NUM_EXTRA_BINS for cuts in rows for _ in range(2)]
    total = _add_up(records, 1 + sum(lengths))
    parts = np.split(total[1:], np.cumsum(lengths)[:-1])
    histograms = ScoreHistograms(*parts[:2])
    curves = pixel_curves(histograms, thresholds)
    best = curve_maximum(curves["pixel_iou"], thresholds)
    metrics = {
        "pxap": pxap(histograms),
        "pixel_iou": best.value,
        f"{THRESHOLD}pixel_iou": best.threshold,
    }
    if threshold is not None:
        fixed = pixel_curves(ScoreHistograms(*parts[2:]), rows[1])
        for name in ("pixel_iou", "pixel_precision", "pixel_recall"):
            metrics[f"{AT_VAL}{name}"] = float(fixed[name][-1])
        metrics[f"{VAL_CHOSE}pixel_iou"] = threshold
    return PixelSummary(metrics, curves, int(total[0]))


def _add_up(records: Sequence[bytes], length: int) -> NDArray[np.int64]:
    """Sum records; of whole numbers, so that their order does not matter."""
    if not records:
        raise DataError("No image was scored: there is no record.")
    total = np.zeros(length, dtype=np.int64)
    for record in records:
        counts = unpack_record(record).view("<i4")
        if (counts < 0).any():
            raise DataError("Expected records of pixels, but got counts below 0.")
        if len(counts) != length:
            raise DataError(
                f"Expected records of {length} counts, one for each score between "
                f"the thresholds, but got one of {len(counts)}: all images must be "
                "counted with the thresholds that they are scored with."
            )
        total += counts
    return total
