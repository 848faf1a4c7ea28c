"""Compare results that lie in files; needs neither torch nor mmengine."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmdgdm.comparison.paired import bootstrap_interval, image_scores
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.names import (
    AT_VAL,
    PREFIX,
    THRESHOLD,
    VAL_CHOSE,
    split_name,
)
from mmdgdm.evaluation.functional.records import BoxTable, read_box_records
from mmdgdm.evaluation.functional.summary import class_groups, size_groups
from mmdgdm.evaluation.stored.record_files import (
    read_record_classes,
    read_records,
    record_path,
)
from mmdgdm.utils.argument_checks import check_positive_int
from mmdgdm.utils.faults import PathLike, parse_numbers
from mmdgdm.utils.json_files import read_json

#: How often images are drawn unless said otherwise.
NUM_RESAMPLES = 2000
_V2 = "max_box_acc_v2_"
#: How far a score may be from what its records say: that of sums in another order.
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Difference:
    """One score of two results, on the same images.

    Attributes:
        first: File of the first result.
        second: File of the other one.
        group: ``"all"``, ``"size"`` or ``"class"``.
        name: Of a size ``"small"``, ``"medium"`` or ``"large"``, of a class its
            name, or its label if no result tells names; ``"all"`` for all.
        images: Their number.
        score: Name of the score.
        first_value: In percent.
        second_value: Likewise.
        difference: The second minus the first, in points.
        low: Lower end of the interval of 95 % of the difference.
        high: Upper end.
    """

    first: str
    second: str
    group: str
    name: str
    images: int
    score: str
    first_value: float
    second_value: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """What comparing results gave.

    Attributes:
        at_val: Whether scores stand at the thresholds that val chose, or else each at
            its best one, which is optimistic.
        thresholds: The threshold of GT-known of each result, by file.
        differences: Of all scores and groups.
        left_out: Scores that not all results know.
        classes: Names of the classes by label; none if no result tells them.
    """

    at_val: bool
    thresholds: dict[str, float]
    differences: list[Difference]
    left_out: list[str]
    classes: tuple[str, ...]


class _Result(NamedTuple):
    """A result file: scores without prefix, and records by image."""

    path: str
    metrics: dict[str, float]
    records: dict[str, bytes]
    classes: tuple[str, ...]


class _Scored(NamedTuple):
    """A result's images, in the order of the first one's."""

    path: str
    table: BoxTable
    threshold: float
    scores: dict[str, NDArray[np.float64]]


def compare_results(
    paths: Sequence[PathLike], *, num_resamples: int = NUM_RESAMPLES, seed: int = 0
) -> Comparison:
    """Compare results with the first of them, image by image.

    Each is the file that ``tools/test.py --out`` or ``tools/eval_scoremaps.py --json``
    wrote, with its ``.records.npz`` beside it. Scores stand at the threshold that val
    chose if all results know one; otherwise all stand at their best thresholds. Those
    are not chosen anew for each resample or group.

    Args:
        paths: Two or more ``.json`` files of results on the same images.
        num_resamples: How often images are drawn for an interval.
        seed: The same one draws the same images.

    Returns:
        The differences: of all images, of each object size and of each class.

    Raises:
        ConfigError: If there are fewer than two files or an argument is malformed.
        DataError: If a file or its records cannot be read, do not belong together, or
            images differ.
    """
    if len(paths) < 2:
        raise ConfigError(
            f"Expected two results or more to compare, but got {len(paths)}."
        )
    check_positive_int("num_resamples", num_resamples)
    results = [_read_result(path) for path in paths]
    _check_same_overlaps(results)
    at_val = all(f"{VAL_CHOSE}max_box_acc" in result.metrics for result in results)
    image_ids = list(results[0].records)
    scored = [_score(result, image_ids, at_val=at_val) for result in results]
    known = [name for name in scored[0].scores if all(name in s.scores for s in scored)]
    classes = next((result.classes for result in results if result.classes), ())
    every = dict.fromkeys(name for one in scored for name in one.scores)
    differences = []
    for other in scored[1:]:
        _check_same_objects(scored[0], other, image_ids)
        differences += _differences(
            scored[0],
            other,
            names=known,
            classes=classes,
            num_resamples=num_resamples,
            seed=seed,
        )
    return Comparison(
        at_val=at_val,
        thresholds={one.path: one.threshold for one in scored},
        differences=differences,
        left_out=[name for name in every if name not in known],
        classes=classes,
    )


def write_differences(path: PathLike, differences: Sequence[Difference]) -> None:
    """Write differences as CSV, one a line, the fields of :class:`Difference` its head.

    Args:
        path: The file; missing folders are made.
        differences: From :func:`compare_results`.

    Raises:
        ConfigError: If it cannot be written.
    """
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", encoding="utf-8", newline="") as file:
            names = [field.name for field in fields(Difference)]
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(row) for row in differences)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error}).") from error


def _read_result(path: PathLike) -> _Result:
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"Expected {path} to be the .json result of an evaluation, but got: "
            f"{error}."
        ) from error
    metrics = content.get("metrics", content) if isinstance(content, dict) else {}
    entries = metrics.items() if isinstance(metrics, dict) else ()
    numbers = {k: v for k, v in entries if isinstance(v, (int, float))}
    records = record_path(path)
    if not records.is_file():
        raise DataError(
            f"Expected the images' records of {path} in {records}, but there is no "
            "such file: `tools/test.py --out` and `tools/eval_scoremaps.py --json` "
            "write both."
        )
    own = _own_metrics(numbers, path)
    classes = read_record_classes(records)
    return _Result(str(path), own, read_records(records), classes)


def _own_metrics(metrics: Mapping[str, float], path: PathLike) -> dict[str, float]:
    """The box scores of a result, without their prefix."""
    parts = {name: split_name(name) for name in metrics}
    found = [part.prefix for part in parts.values() if part[1:] == ("", "gt_known")]
    prefix = f"{PREFIX}/" if f"{PREFIX}/" in found else (found or [""])[0]
    own = {
        part.kind + part.score: metrics[name]
        for name, part in parts.items()
        if part.prefix == prefix
    }
    overlaps = [name for name in own if name.startswith(_V2)]
    needed = ["gt_known", "max_box_acc_v2", *overlaps]
    needed += [f"{THRESHOLD}{name}" for name in ("gt_known", *overlaps)]
    is_clear = len(found) == 1 or f"{PREFIX}/" in found
    if not is_clear or any(name not in own for name in needed):
        raise DataError(
            f"Expected {path} to hold '{PREFIX}/gt_known', '{PREFIX}/max_box_acc_v2', "
            "the scores of boxes of the true class's maps, and their thresholds, but "
            f"got {', '.join(map(repr, metrics)) or 'nothing'}."
        )
    return own


def _overlaps(result: _Result) -> list[float]:
    """The overlaps of MaxBoxAccV2 in percent."""
    texts = [name[len(_V2) :] for name in result.metrics if name.startswith(_V2)]
    try:
        return list(parse_numbers(texts, " ".join(texts))) if texts else []
    except DataError as error:
        raise DataError(f"{result.path}: names overlaps {texts} percent.") from error


def _check_same_overlaps(results: Sequence[_Result]) -> None:
    first = results[0]
    for other in results[1:]:
        if set(_overlaps(other)) != set(_overlaps(first)):
            raise DataError(
                f"Expected {other.path} to be scored at the overlaps of {first.path}, "
                f"{_overlaps(first)} percent, but got {_overlaps(other)}."
            )


def _score(result: _Result, image_ids: Sequence[str], *, at_val: bool) -> _Scored:
    if result.records.keys() != set(image_ids):
        missing = sorted(set(image_ids) - result.records.keys())
        added = sorted(result.records.keys() - set(image_ids))
        first = (missing or added)[0]
        raise DataError(
            f"Expected {result.path} to be of the same images as the first result, but "
            f"{len(missing)} are missing and {len(added)} are new, such as {first!r}."
        )
    table = read_box_records([result.records[name] for name in image_ids])
    thresholds = _thresholds(result.metrics, at_val=at_val)
    ious = [percent / 100 for percent in _overlaps(result)]
    scores = image_scores(table, thresholds, iou_thresholds=ious)
    for name, values in scores.items():
        at = AT_VAL if at_val and f"{AT_VAL}{name}" in result.metrics else ""
        said, found = result.metrics.get(f"{at}{name}"), 100 * float(values.mean())
        if said is None or not abs(said - found) <= _TOLERANCE:
            raise DataError(
                f"Expected {record_path(result.path)} to hold the records of "
                f"{result.path}, whose {at}{name} is {said}, but they give "
                f"{found:g}: both must be of one evaluation."
            )
    return _Scored(result.path, table, thresholds["gt_known"], scores)


def _thresholds(metrics: Mapping[str, float], *, at_val: bool) -> dict[str, float]:
    """Where each localization score is taken."""
    found = {
        name[len(THRESHOLD) :]: value
        for name, value in metrics.items()
        if name.startswith(THRESHOLD) and not name.startswith(VAL_CHOSE)
    }
    if at_val:
        found = dict.fromkeys(found, metrics[f"{VAL_CHOSE}max_box_acc"])
    return found


def _check_same_objects(
    first: _Scored, other: _Scored, image_ids: Sequence[str]
) -> None:
    for what, ours, theirs in (
        ("classes", first.table.labels, other.table.labels),
        ("objects", first.table.object_areas, other.table.object_areas),
    ):
        places = np.flatnonzero(ours != theirs)
        if len(places):
            raise DataError(
                f"Expected {first.path} and {other.path} to be of the same {what}, but "
                f"those of {len(places)} images differ, such as "
                f"{image_ids[places[0]]!r}."
            )


def _differences(
    first: _Scored,
    other: _Scored,
    *,
    names: Sequence[str],
    classes: Sequence[str],
    num_resamples: int,
    seed: int,
) -> list[Difference]:
    ours, theirs = (
        np.stack([one.scores[name] for name in names], axis=1) * 100
        for one in (first, other)
    )
    groups: list[tuple[str, str, Any]] = [("all", "all", np.arange(len(ours)))]
    groups += [("size", *group) for group in size_groups(first.table).items()]
    groups += [
        ("class", classes[label] if label < len(classes) else str(label), places)
        for label, places in class_groups(first.table).items()
    ]
    rows = []
    for group, name, places in groups:
        if len(places) == 0:
            continue
        a, b = ours[places], theirs[places]
        low, high = bootstrap_interval(b - a, num_resamples=num_resamples, seed=seed)
        columns = (a.mean(axis=0), b.mean(axis=0), (b - a).mean(axis=0), low, high)
        for score, *values in zip(names, *(column.tolist() for column in columns)):
            facts = (first.path, other.path, group, name, len(places), score)
            rows.append(Difference(*facts, *values))
    return rows
