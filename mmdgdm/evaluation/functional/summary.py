"""All box scores of a data set, from the records of its images.

Whoever evaluates, a running experiment or a tool for stored maps, gets the numbers
here. All scores are percentages of images, unless said otherwise:

- ``topK_cls``: the class is among the K best.
- ``gt_known``: the box of the largest contour reaches IoU 0.5.
- ``topK_loc``: the same, and the class is among the K best.
- ``max_box_acc``: the same as ``gt_known``, under the benchmark's name.
- ``max_box_acc_P``: the box of the largest contour reaches another IoU, P percent.
- ``max_box_acc_v2_P``: a box of any contour reaches an IoU of P percent.
- ``max_box_acc_v2``: the mean of those over all P.

Each localization score is the maximum over thresholds, and ``threshold/<name>`` is
the first threshold that reaches it (``max_box_acc_v2`` itself has one per P). A maximum
chosen on the scored images is optimistic: at a threshold fixed on val,
``val_threshold/<name>`` is the honest score, and ``threshold/val_max_box_acc`` repeats
that threshold.

What tells a method's failing, at the best threshold of ``max_box_acc`` or at val's:

- ``gt_known_small``, ``_medium``, ``_large``: among images whose largest
  ground-truth box takes less than 15 %, 15 to 50 %, more than 50 % of the image. They
  stand at the threshold of the whole set, so that they average to its score.
- ``box_area_ratio``, ``over_coverage``, ``under_coverage``: see
  :mod:`mmdgdm.evaluation.functional.coverage`. They are known at thresholds 0, 0.05,
  ..., 0.95 and at val's; of the former, the nearest to the best is taken, and
  ``threshold/box_area_ratio`` says which.

Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods Right,
CVPR 2020 and its journal version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.coverage import (
    COVERAGE_THRESHOLDS,
    mean_coverage,
)
from mmdgdm.evaluation.functional.localization import localization_counts
from mmdgdm.evaluation.functional.max_box_acc import (
    LOC_IOU_THRESHOLD,
    CurveMaximum,
    check_iou_thresholds,
    curve_maximum,
    hit_counts,
    max_box_acc_v2,
    percentages,
)
from mmdgdm.evaluation.functional.names import (
    AT_VAL,
    THRESHOLD,
    VAL_CHOSE,
    metric_name,
)
from mmdgdm.evaluation.functional.records import (
    BoxTable,
    coverage_thresholds,
    hits_at,
)
from mmdgdm.evaluation.functional.scoremaps import EVAL_SIZE, check_fixed_threshold

#: Shares of the image at which objects become medium and large.
SIZE_LIMITS = (0.15, 0.50)
SIZE_NAMES = ("small", "medium", "large")
#: Images whose packed hits are unpacked at a time.
_CHUNK = 1024


class BoxSummary(NamedTuple):
    """The scores of a data set.

    Attributes:
        metrics: Scores and their thresholds by name, as the module lists them.
        curves: Percent of the images at each threshold, (T,) each, by name.
        by_class: Of each class that occurs, its number of ``images`` and its
            scores at the thresholds of ``metrics``.
        by_size: The same for small, medium and large objects.
        num_constant: Number of maps that are zero everywhere.
    """

    metrics: dict[str, float]
    curves: dict[str, NDArray[np.float64]]
    by_class: dict[int, dict[str, float]]
    by_size: dict[str, dict[str, float]]
    num_constant: int


def check_box_settings(
    iou_thresholds: Sequence[float],
    topk: Sequence[int],
    threshold: Optional[float],
) -> None:
    """Check what scores are asked for.

    Args:
        iou_thresholds: Overlaps, all different; 0.5 must be among them.
        topk: Numbers of best classes, each at least 1.
        threshold: A threshold fixed elsewhere, in [0, 1), or ``None``.

    Raises:
        ConfigError: If one is malformed; names the argument.
    """
    check_iou_thresholds(iou_thresholds)
    if LOC_IOU_THRESHOLD not in iou_thresholds:
        raise ConfigError(
            f"Expected `iou_thresholds` to hold {LOC_IOU_THRESHOLD}, which "
            f"GT-known is defined at, but got {iou_thresholds!r}."
        )
    if len({metric_name("", iou=iou) for iou in iou_thresholds}) < len(iou_thresholds):
        raise ConfigError(
            "Expected `iou_thresholds` to differ in six digits, by which scores are "
            f"named, but got {iou_thresholds!r}."
        )
    if not isinstance(topk, Sequence) or any(
        not isinstance(k, int) or k < 1 for k in topk
    ):
        raise ConfigError(
            f"Expected `topk` to be a list of positive integers, but got {topk!r}."
        )
    check_fixed_threshold(threshold)


def summarize_boxes(
    table: BoxTable,
    thresholds: NDArray[np.float64],
    iou_thresholds: Sequence[float],
    topk: Sequence[int] = (),
    threshold: Optional[float] = None,
) -> BoxSummary:
    """Score a data set.

    Args:
        table: The records of its images, made for the same ``iou_thresholds`` and
            ``threshold``.
        thresholds: (T,), the thresholds of curves, from ``make_thresholds``.
        iou_thresholds: The K overlaps d; 0.5 among them.
        topk: The values of k; the records must hold ranks then.
        threshold: A threshold fixed elsewhere.

    Returns:
        All scores.

    Raises:
        ConfigError: If an argument is malformed.
        DataError: If the records do not fit the arguments.
    """
    check_box_settings(iou_thresholds, topk, threshold)
    _check_table(table, len(iou_thresholds), topk, threshold)
    curves = _curves(table, thresholds, iou_thresholds, topk)
    best = {name: curve_maximum(curve, thresholds) for name, curve in curves.items()}
    facts = _image_facts(table, best, iou_thresholds, topk, threshold)
    everything = np.arange(len(table.maxima))
    metrics = _score(facts, everything, iou_thresholds)
    del metrics["images"]
    sizes = np.searchsorted(
        np.array(SIZE_LIMITS) * EVAL_SIZE[0] * EVAL_SIZE[1], table.object_areas
    )
    by_size = {}
    for place, name in enumerate(SIZE_NAMES):
        scores = _score(facts, np.flatnonzero(sizes == place), iou_thresholds)
        by_size[name] = scores
        for at in ("", AT_VAL):
            if f"{at}gt_known" in scores:
                metrics[f"{at}gt_known_{name}"] = scores[f"{at}gt_known"]
    order = np.argsort(table.labels, kind="stable")
    labels, starts = np.unique(table.labels[order], return_index=True)
    by_class = {
        int(label): _score(facts, places, iou_thresholds)
        for label, places in zip(labels, np.split(order, starts[1:]))
    }
    metrics.update(_thresholds_of(best, facts.coverage_threshold, threshold))
    return BoxSummary(
        metrics, curves, by_class, by_size, int((table.maxima == 0).sum())
    )


def _check_table(
    table: BoxTable, num_deltas: int, topk: Sequence[int], threshold: Optional[float]
) -> None:
    num_thresholds = len(coverage_thresholds(threshold))
    if table.single.shape[1] != num_deltas or table.areas.shape[1] != num_thresholds:
        raise DataError(
            f"Expected records of {num_deltas} IoU thresholds and {num_thresholds} "
            f"coverage thresholds, but got {table.single.shape[1]} and "
            f"{table.areas.shape[1]}."
        )
    if topk and table.ranks is None:
        raise DataError(
            f"Expected the images to have class scores for `topk` {tuple(topk)}, but "
            "got none."
        )


def _correct(table: BoxTable, topk: Sequence[int]) -> dict[int, NDArray[np.bool_]]:
    """Whether the class of each image is among the k best, by k."""
    if table.ranks is None:
        return {}
    return {k: table.ranks < k for k in topk}


def _curves(
    table: BoxTable,
    thresholds: NDArray[np.float64],
    iou_thresholds: Sequence[float],
    topk: Sequence[int],
) -> dict[str, NDArray[np.float64]]:
    """The curve of each localization score over thresholds."""
    correct = _correct(table, topk)
    counts: dict[str, NDArray[np.int64]] = {}

    def add(name: str, more: NDArray[np.int64]) -> None:
        counts[name] = counts.get(name, 0) + more

    loc = list(iou_thresholds).index(LOC_IOU_THRESHOLD)
    for start in range(0, len(table.maxima), _CHUNK):
        part = slice(start, start + _CHUNK)
        maxima = table.maxima[part]
        single, multi = _unpack(table.single[part]), _unpack(table.multi[part])
        add("gt_known", localization_counts(maxima, single[:, loc], thresholds))
        for top, right in correct.items():
            more = localization_counts(maxima, single[:, loc], thresholds, right[part])
            add(metric_name("loc", k=top), more)
        single_counts = hit_counts(maxima, single, thresholds)
        multi_counts = hit_counts(maxima, multi, thresholds)
        add("max_box_acc", single_counts[loc])
        for k, delta in enumerate(iou_thresholds):
            if k != loc:  # which is max_box_acc itself
                add(metric_name("max_box_acc", iou=delta), single_counts[k])
            add(metric_name("max_box_acc_v2", iou=delta), multi_counts[k])
    return {
        name: percentages(count, len(table.maxima)) for name, count in counts.items()
    }


def _unpack(bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.unpackbits(bits, axis=2).view(np.bool_)


class _ImageFacts(NamedTuple):
    """What each score counts, one entry per image, by the name of the score."""

    right: dict[str, NDArray[np.bool_]]
    areas: dict[str, NDArray[np.int32]]
    coverage_threshold: float


def _image_facts(
    table: BoxTable,
    best: dict[str, CurveMaximum],
    iou_thresholds: Sequence[float],
    topk: Sequence[int],
    threshold: Optional[float],
) -> _ImageFacts:
    correct = _correct(table, topk)
    right: dict[str, NDArray[np.bool_]] = {}
    cuts_of = {"": {name: point.threshold for name, point in best.items()}}
    if threshold is not None:
        cuts_of[AT_VAL] = dict.fromkeys(best, threshold)
    loc = list(iou_thresholds).index(LOC_IOU_THRESHOLD)
    for at, cuts in cuts_of.items():
        known = hits_at(table.maxima, table.single, cuts["gt_known"])[:, loc]
        right[f"{at}gt_known"] = right[f"{at}max_box_acc"] = known
        for k, kept in correct.items():
            name = metric_name("loc", k=k)
            hits = hits_at(table.maxima, table.single, cuts[name])[:, loc]
            right[f"{at}{name}"] = kept & hits
        for place, delta in enumerate(iou_thresholds):
            kinds = {"max_box_acc": table.single, "max_box_acc_v2": table.multi}
            for kind, bits in kinds.items():
                name = metric_name(kind, iou=delta)
                if name in cuts:
                    hits = hits_at(table.maxima, bits, cuts[name])
                    right[f"{at}{name}"] = hits[:, place]
    right.update({metric_name("cls", k=k): kept for k, kept in correct.items()})
    nearest = int(np.abs(COVERAGE_THRESHOLDS - best["max_box_acc"].threshold).argmin())
    areas = {"": table.areas[:, nearest]}
    if threshold is not None:
        areas[AT_VAL] = table.areas[:, -1]
    return _ImageFacts(right, areas, float(COVERAGE_THRESHOLDS[nearest]))


def _score(
    facts: _ImageFacts, places: NDArray[np.int64], iou_thresholds: Sequence[float]
) -> dict[str, float]:
    """The scores of some of the images; of none, only their number."""
    scores: dict[str, float] = {"images": len(places)}
    if len(places) == 0:
        return scores
    for name, right in facts.right.items():
        scores[name] = float(percentages(int(right[places].sum()), len(places)))
    for at, areas in facts.areas.items():
        names = [metric_name("max_box_acc_v2", iou=delta) for delta in iou_thresholds]
        parts = [scores[f"{at}{name}"] for name in names]
        scores[f"{at}max_box_acc_v2"] = max_box_acc_v2(parts)
        coverage = mean_coverage(areas[places])
        scores[f"{at}box_area_ratio"] = coverage.area_ratio
        scores[f"{at}over_coverage"] = coverage.over
        scores[f"{at}under_coverage"] = coverage.under
    return scores


def _thresholds_of(
    best: dict[str, CurveMaximum],
    coverage_threshold: float,
    threshold: Optional[float],
) -> dict[str, float]:
    entries = {f"{THRESHOLD}{name}": point.threshold for name, point in best.items()}
    entries[f"{THRESHOLD}box_area_ratio"] = coverage_threshold
    if threshold is not None:
        entries[f"{VAL_CHOSE}max_box_acc"] = threshold
    return entries
