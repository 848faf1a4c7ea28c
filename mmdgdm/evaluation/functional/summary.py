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
``val_threshold/<name>`` is the honest score, ``threshold/val_max_box_acc`` repeats
that threshold and, if a rule chose it, ``threshold_by_RULE/val_max_box_acc`` too.

Without a fixed threshold ``threshold_by_median/max_box_acc`` is the one that these
images would hand to test, by the rule ``median`` of
:mod:`mmdgdm.evaluation.functional.calibration`. By the rule ``argmax`` it is
``threshold/max_box_acc``, and has no other name.

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
from mmdgdm.evaluation.functional.calibration import (
    DEFAULT_RULE,
    MEDIAN,
    OverlapSums,
    check_rule,
    overlap_sums,
    plausible_median,
)
from mmdgdm.evaluation.functional.coverage import COVERAGE_THRESHOLDS, mean_coverage
from mmdgdm.evaluation.functional.max_box_acc import (
    CALIBRATION_IOUS,
    IOU_THRESHOLDS,
    LOC_IOU_THRESHOLD,
    CurveMaximum,
    check_iou_thresholds,
    curve_maximum,
    scored_ious,
    threshold_sums,
)
from mmdgdm.evaluation.functional.names import (
    AT_VAL,
    THRESHOLD,
    VAL_CHOSE,
    chosen_by,
    metric_name,
)
from mmdgdm.evaluation.functional.records import (
    BoxTable,
    coverage_thresholds,
    hits_at,
    join_tables,
    read_box_parts,
    without_levels,
)
from mmdgdm.evaluation.functional.scoremaps import EVAL_SIZE, check_fixed_threshold

#: Shares of the image at which objects become medium and large.
SIZE_LIMITS = (0.15, 0.50)
SIZE_NAMES = ("small", "medium", "large")


class BoxSummary(NamedTuple):
    """The scores of a data set.

    Attributes:
        metrics: Scores and their thresholds by name, as the module lists them.
        curves: Percent of the images at each threshold, (T,) each, by name.
        by_class: Of each class that occurs, its number of ``images`` and its
            scores at the thresholds of ``metrics``.
        by_size: The same for small, medium and large objects.
        num_constant: Number of maps whose pixels are all equal.
        calibrated: The thresholds for test of ``max_box_acc``, which is among
            ``metrics`` too, and of ``max_box_acc_v2``, by name. There is none by the
            rule ``argmax``, and none beside a fixed threshold.
    """

    metrics: dict[str, float]
    curves: dict[str, NDArray[np.float64]]
    by_class: dict[int, dict[str, float]]
    by_size: dict[str, dict[str, float]]
    num_constant: int
    calibrated: dict[str, float]


def check_box_settings(
    iou_thresholds: Sequence[float],
    topk: Sequence[int],
    *,
    threshold: Optional[float],
) -> None:
    """Check what scores are asked for.

    Args:
        iou_thresholds: Overlaps, all different.
        topk: Numbers of best classes, each at least 1.
        threshold: A threshold fixed elsewhere, in [0, 1), or ``None``.

    Raises:
        ConfigError: If one is malformed; names the argument.
    """
    check_iou_thresholds(iou_thresholds)
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
    records: Sequence[bytes],
    *,
    thresholds: NDArray[np.float64],
    iou_thresholds: Sequence[float] = IOU_THRESHOLDS,
    topk: Sequence[int] = (),
    threshold: Optional[float] = None,
    threshold_rule: Optional[str] = None,
    calibration: str = DEFAULT_RULE,
) -> BoxSummary:
    """Score a data set.

    Args:
        records: One per image, in any order, made for the same ``iou_thresholds`` and
            ``threshold``.
        thresholds: (T,), the thresholds of curves, from ``make_thresholds``.
        iou_thresholds: The overlaps of ``max_box_acc_P`` and ``max_box_acc_v2``.
        topk: The values of K; the records must hold ranks then.
        threshold: A threshold fixed elsewhere.
        threshold_rule: The rule that chose it on val, if one did.
        calibration: The rule that chooses a threshold for test.

    Returns:
        All scores.

    Raises:
        ConfigError: If an argument is malformed.
        DataError: If there is no record, or the records do not fit the arguments.
    """
    check_box_settings(iou_thresholds, topk, threshold=threshold)
    check_rule(calibration)
    table, counts, overlaps = _add_up(
        records,
        iou_thresholds,
        topk,
        threshold,
        thresholds=thresholds,
        by_median=calibration == MEDIAN and threshold is None,
    )
    # The benchmark's order of operations.
    curves = {k: count * 100.0 / len(table.maxima) for k, count in counts.items()}
    best = {name: curve_maximum(curve, thresholds) for name, curve in curves.items()}
    right, areas, coverage_threshold = _look_again(
        records, iou_thresholds, topk, best=best, threshold=threshold
    )
    right.update({metric_name("cls", k=k): _correct(table, k) for k in topk})
    v2_names = [metric_name("max_box_acc_v2", iou=iou) for iou in iou_thresholds]

    def score(places: NDArray[np.int64]) -> dict[str, float]:
        return _score(right, areas, places, v2_names)

    metrics = score(np.arange(len(table.maxima)))
    del metrics["images"]
    by_size = {name: score(places) for name, places in size_groups(table).items()}
    for size, scores in by_size.items():
        for name in ("gt_known", f"{AT_VAL}gt_known"):
            if name in scores:
                metrics[f"{name}_{size}"] = scores[name]
    by_class = {label: score(places) for label, places in class_groups(table).items()}
    metrics.update({f"{THRESHOLD}{name}": at.threshold for name, at in best.items()})
    metrics[f"{THRESHOLD}box_area_ratio"] = coverage_threshold
    calibrated = _medians(overlaps, len(table.maxima), thresholds)
    metrics.update({k: v for k, v in calibrated.items() if k.endswith("max_box_acc")})
    metrics.update(
        given_thresholds("max_box_acc", threshold, threshold_rule=threshold_rule)
    )
    constant = int(table.is_constant.sum())
    return BoxSummary(metrics, curves, by_class, by_size, constant, calibrated)


def given_thresholds(
    score: str, threshold: Optional[float], *, threshold_rule: Optional[str]
) -> dict[str, float]:
    """Repeat a threshold that was fixed elsewhere beside what was scored at it.

    Args:
        score: The score for which val chose it.
        threshold: The threshold, if there is one.
        threshold_rule: The rule that chose it, if known.

    Example:
        >>> given_thresholds("max_box_acc", 0.3, threshold_rule=None)
        {'threshold/val_max_box_acc': 0.3}
    """
    if threshold is None:
        return {}
    kinds = [VAL_CHOSE]
    if threshold_rule is not None:
        kinds.append(chosen_by(threshold_rule, on_val=True))
    return {f"{kind}{score}": threshold for kind in kinds}


def _add_up(
    records: Sequence[bytes],
    iou_thresholds: Sequence[float],
    topk: Sequence[int],
    threshold: Optional[float],
    *,
    thresholds: NDArray[np.float64],
    by_median: bool,
) -> tuple[BoxTable, dict[str, NDArray[np.int64]], dict[str, OverlapSums]]:
    """Facts of all images, how many count at each threshold, and what is reached."""
    facts = []
    counts: dict[str, NDArray[np.int64]] = {}
    overlaps: dict[str, OverlapSums] = {}
    for part in read_box_parts(records):
        _check_table(part, len(scored_ious(iou_thresholds)), topk, threshold)
        for name, bits in _rules(part, iou_thresholds, topk).items():
            hits = np.unpackbits(bits, axis=1)
            found = threshold_sums(part.maxima, hits, thresholds=thresholds)
            counts[name] = counts[name] + found if name in counts else found
        if by_median:
            _add_overlaps(overlaps, part, iou_thresholds, thresholds)
        facts.append(without_levels(part))
    return join_tables(facts), counts, overlaps


def _add_overlaps(
    sums: dict[str, OverlapSums],
    table: BoxTable,
    iou_thresholds: Sequence[float],
    thresholds: NDArray[np.float64],
) -> None:
    """Add what the rule ``median`` needs of a part of the images, by score."""
    ious = scored_ious(iou_thresholds)
    bits_of = {
        "max_box_acc": table.single[:, [ious.index(iou) for iou in CALIBRATION_IOUS]],
        "max_box_acc_v2": table.multi[:, [ious.index(iou) for iou in iou_thresholds]],
    }
    for score, bits in bits_of.items():
        found = overlap_sums(table.maxima, bits, thresholds=thresholds)
        known = sums.get(score, OverlapSums(np.zeros(1, int), np.zeros(1, int)))
        sums[score] = OverlapSums(
            known.first + found.first, known.second + found.second
        )


def _medians(
    overlaps: dict[str, OverlapSums], num_images: int, thresholds: NDArray[np.float64]
) -> dict[str, float]:
    """The thresholds for test by the rule ``median``, by name."""
    return {
        f"{chosen_by(MEDIAN)}{score}": plausible_median(
            sums, num_images=num_images, thresholds=thresholds
        )
        for score, sums in overlaps.items()
    }


def size_groups(table: BoxTable) -> dict[str, NDArray[np.int64]]:
    """Places of the images with small, medium and large objects, by these names."""
    limits = np.array(SIZE_LIMITS) * EVAL_SIZE[0] * EVAL_SIZE[1]
    sizes = np.searchsorted(limits, table.object_areas)
    return {name: np.flatnonzero(sizes == k) for k, name in enumerate(SIZE_NAMES)}


def class_groups(table: BoxTable) -> dict[int, NDArray[np.int64]]:
    """Places of the images of each class that occurs, by its label."""
    order = np.argsort(table.labels, kind="stable")
    labels, starts = np.unique(table.labels[order], return_index=True)
    return dict(zip(labels.tolist(), np.split(order, starts[1:])))


def _check_table(
    table: BoxTable, num_ious: int, topk: Sequence[int], threshold: Optional[float]
) -> None:
    num_thresholds = len(coverage_thresholds(threshold))
    if table.single.shape[1] != num_ious or table.areas.shape[1] != num_thresholds:
        raise DataError(
            f"Expected records of {num_ious} IoU thresholds and {num_thresholds} "
            f"coverage thresholds, but got {table.single.shape[1]} and "
            f"{table.areas.shape[1]}."
        )
    if topk and table.ranks is None:
        raise DataError(
            f"Expected the images to have class scores for `topk` {tuple(topk)}, but "
            "got none."
        )


def _rules(
    table: BoxTable, iou_thresholds: Sequence[float], topk: Sequence[int]
) -> dict[str, NDArray[np.uint8]]:
    """When an image counts for each localization score: (N, 32), bits of levels."""
    ious = scored_ious(iou_thresholds)
    known = table.single[:, ious.index(LOC_IOU_THRESHOLD)]
    rules = {"gt_known": known, "max_box_acc": known}
    for k in topk:
        # Where the class is wrong, no level is a hit.
        rules[metric_name("loc", k=k)] = known * _correct(table, k)[:, None]
    for iou in iou_thresholds:
        place = ious.index(iou)
        if iou != LOC_IOU_THRESHOLD:  # which is max_box_acc itself
            rules[metric_name("max_box_acc", iou=iou)] = table.single[:, place]
        rules[metric_name("max_box_acc_v2", iou=iou)] = table.multi[:, place]
    return rules


def _correct(table: BoxTable, k: int) -> NDArray[np.bool_]:
    """Whether the class of each image is among the k best."""
    return np.asarray(table.ranks) < k


def _look_again(
    records: Sequence[bytes],
    iou_thresholds: Sequence[float],
    topk: Sequence[int],
    *,
    best: dict[str, CurveMaximum],
    threshold: Optional[float],
) -> tuple[dict[str, NDArray[np.bool_]], dict[str, NDArray[np.int32]], float]:
    """What each score counts, image by image, and the threshold of coverage."""
    found = [
        _image_facts(part, _rules(part, iou_thresholds, topk), best, threshold)
        for part in read_box_parts(records)
    ]
    right = {
        name: np.concatenate([one[0][name] for one in found]) for name in found[0][0]
    }
    areas = {
        name: np.concatenate([one[1][name] for one in found]) for name in found[0][1]
    }
    return right, areas, found[0][2]


def _image_facts(
    table: BoxTable,
    rules: dict[str, NDArray[np.uint8]],
    best: dict[str, CurveMaximum],
    threshold: Optional[float],
) -> tuple[dict[str, NDArray[np.bool_]], dict[str, NDArray[np.int32]], float]:
    """The same for a part of the images."""
    nearest = int(np.abs(COVERAGE_THRESHOLDS - best["max_box_acc"].threshold).argmin())
    # Copies: a view would keep its whole table.
    areas = {"": table.areas[:, nearest].copy()}
    thresholds_of = {"": {name: point.threshold for name, point in best.items()}}
    if threshold is not None:
        areas[AT_VAL] = table.areas[:, -1].copy()
        thresholds_of[AT_VAL] = dict.fromkeys(best, threshold)
    right = {
        f"{at}{name}": hits_at(table.maxima, bits, threshold=chosen[name])
        for at, chosen in thresholds_of.items()
        for name, bits in rules.items()
    }
    return right, areas, float(COVERAGE_THRESHOLDS[nearest])


def _score(
    right: dict[str, NDArray[np.bool_]],
    areas: dict[str, NDArray[np.int32]],
    places: NDArray[np.int64],
    v2_names: Sequence[str],
) -> dict[str, float]:
    """The scores of some of the images; of none, only their number."""
    scores: dict[str, float] = {"images": len(places)}
    if len(places) == 0:
        return scores
    for name, known in right.items():
        scores[name] = int(known[places].sum()) * 100.0 / len(places)
    for at, covered in areas.items():
        parts = [scores[f"{at}{name}"] for name in v2_names]
        scores[f"{at}max_box_acc_v2"] = float(np.mean(parts))
        names = ("box_area_ratio", "over_coverage", "under_coverage")
        for name, mean in zip(names, mean_coverage(covered[places])):
            scores[f"{at}{name}"] = mean
    return scores
