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

from collections.abc import Iterable
from typing import NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.max_box_acc import curve_maximum
from mmdgdm.evaluation.functional.names import AT_VAL, THRESHOLD, VAL_CHOSE
from mmdgdm.evaluation.functional.pxap import (
    ScoreHistograms,
    pixel_iou_curve,
    precision_recall_curve,
    pxap,
    score_histograms,
)
from mmdgdm.evaluation.functional.scoremaps import check_fixed_threshold


class PixelCounts(NamedTuple):
    """What some images add to the scores.

    Attributes:
        num_images: Number of images.
        num_constant: Number of maps that are zero everywhere.
        histograms: Their pixels by score.
        fixed: Their pixels below and above the fixed threshold, if there is one.
    """

    num_images: int
    num_constant: int
    histograms: ScoreHistograms
    fixed: Optional[ScoreHistograms]


class PixelSummary(NamedTuple):
    """The scores of a data set.

    Attributes:
        metrics: Scores and their thresholds by name, as the module lists them.
        curves: ``pixel_precision``, ``pixel_recall`` and ``pixel_iou`` at each
            threshold, (T,) each, in percent.
        num_constant: Number of maps that are zero everywhere.
    """

    metrics: dict[str, float]
    curves: dict[str, NDArray[np.float64]]
    num_constant: int


def count_pixels(
    scores: NDArray[np.float64],
    mask: NDArray[np.uint8],
    thresholds: NDArray[np.float64],
    threshold: Optional[float] = None,
) -> PixelCounts:
    """Count the pixels of one image.

    Args:
        scores: (H, W) in [0, 1], the normalised map of the ground-truth class.
        mask: (H, W) uint8 of {0, 1, 255 = ignored}.
        thresholds: (T,), the thresholds of curves.
        threshold: A threshold fixed elsewhere.

    Returns:
        The counts.

    Raises:
        DataError: If the map or the mask is malformed.
        ConfigError: If thresholds are malformed.
    """
    check_fixed_threshold(threshold)
    fixed = None
    if threshold is not None:
        fixed = score_histograms(scores, mask, _fixed_cuts(threshold))
    return PixelCounts(
        num_images=1,
        num_constant=int(scores.max() == 0),
        histograms=score_histograms(scores, mask, thresholds),
        fixed=fixed,
    )


def _fixed_cuts(threshold: float) -> NDArray[np.float64]:
    """Thresholds that end with the given one."""
    return np.unique([0.0, threshold])


def add_counts(parts: Iterable[PixelCounts]) -> PixelCounts:
    """Add up the counts of images; whole numbers, so that the order does not matter.

    Args:
        parts: At least one, made with the same thresholds.

    Returns:
        Their sum.

    Raises:
        DataError: If there is none.
    """
    total: Optional[PixelCounts] = None
    for part in parts:
        total = part if total is None else _add(total, part)
    if total is None:
        raise DataError("Expected at least one image to be scored, but got none.")
    return total


def _add(a: PixelCounts, b: PixelCounts) -> PixelCounts:
    def both(x: ScoreHistograms, y: ScoreHistograms) -> ScoreHistograms:
        return ScoreHistograms(x.positive + y.positive, x.negative + y.negative)

    if (a.fixed is None) != (b.fixed is None):
        raise DataError("Expected all or none of the counts to have a fixed threshold.")
    return PixelCounts(
        a.num_images + b.num_images,
        a.num_constant + b.num_constant,
        both(a.histograms, b.histograms),
        both(a.fixed, b.fixed) if a.fixed is not None and b.fixed is not None else None,
    )


def summarize_pixels(
    counts: PixelCounts,
    thresholds: NDArray[np.float64],
    threshold: Optional[float] = None,
) -> PixelSummary:
    """Score a data set.

    Args:
        counts: The counts of all its images.
        thresholds: (T,), as they were counted with.
        threshold: As they were counted with.

    Returns:
        All scores.

    Raises:
        DataError: If no mask has an object pixel, or the counts do not fit.
    """
    curves = precision_recall_curve(counts.histograms, thresholds)
    overlap = pixel_iou_curve(counts.histograms, thresholds)
    best = curve_maximum(overlap, thresholds)
    metrics = {
        "pxap": pxap(counts.histograms),
        "pixel_iou": best.value,
        f"{THRESHOLD}pixel_iou": best.threshold,
    }
    if (threshold is None) != (counts.fixed is None):
        raise DataError(
            "Expected pixels to be counted at the fixed threshold, if there is one, "
            f"but got `threshold` {threshold}."
        )
    if threshold is not None and counts.fixed is not None:
        cuts = _fixed_cuts(threshold)
        fixed = precision_recall_curve(counts.fixed, cuts)
        metrics[f"{AT_VAL}pixel_iou"] = float(pixel_iou_curve(counts.fixed, cuts)[-1])
        metrics[f"{VAL_CHOSE}pixel_iou"] = threshold
        metrics[f"{AT_VAL}pixel_precision"] = float(fixed.precision[-1])
        metrics[f"{AT_VAL}pixel_recall"] = float(fixed.recall[-1])
    named = {
        "pixel_precision": curves.precision,
        "pixel_recall": curves.recall,
        "pixel_iou": overlap,
    }
    return PixelSummary(metrics, named, counts.num_constant)
