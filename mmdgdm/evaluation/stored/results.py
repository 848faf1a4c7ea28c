"""Read a stored result for plots and reports; needs neither torch nor mmengine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.coverage import COVERAGE_THRESHOLDS, mean_coverage
from mmdgdm.evaluation.functional.error_kinds import box_ious, error_kinds
from mmdgdm.evaluation.functional.names import (
    PREFIX,
    THRESHOLD,
    VAL_CHOSE,
    split_name,
)
from mmdgdm.evaluation.functional.pixel_summary import summarize_pixels
from mmdgdm.evaluation.functional.records import BoxTable, read_box_records
from mmdgdm.evaluation.functional.scoremaps import make_thresholds
from mmdgdm.evaluation.functional.summary import (
    SIZE_NAMES,
    size_groups,
    summarize_boxes,
)
from mmdgdm.evaluation.stored.record_files import read_records, record_path
from mmdgdm.utils.faults import PathLike
from mmdgdm.utils.json_files import read_json

_V2 = re.compile(r"max_box_acc_v2_([0-9]{1,3}(?:\.[0-9]+)?)")
_TOP = re.compile(r"top([0-9]{1,6})_cls")


@dataclass(frozen=True, eq=False)
class StoredResult:
    """What an evaluation of one model on one split gave.

    Attributes:
        name: What plots call it.
        metrics: Scores and thresholds by name, without prefix
            (:mod:`mmdgdm.evaluation.functional.names`).
        curves: Percent at each threshold by name, and ``thresholds`` themselves.
        by_class: Of each class its scores; empty for masks.
        image_ids: Names of the images; empty where no records lie beside the result.
        table: The records of the images; ``None`` for masks or without records.
    """

    name: str
    metrics: Mapping[str, float]
    curves: Mapping[str, NDArray[np.float64]]
    by_class: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    image_ids: tuple[str, ...] = ()
    table: Optional[BoxTable] = None

    @property
    def val_threshold(self) -> Optional[float]:
        """The threshold that val chose, if there is one."""
        for score in ("max_box_acc", "pixel_iou"):
            if f"{VAL_CHOSE}{score}" in self.metrics:
                return self.metrics[f"{VAL_CHOSE}{score}"]
        return None

    @property
    def threshold(self) -> float:
        """Where boxes are taken: val's threshold, else the best of MaxBoxAcc."""
        if self.val_threshold is not None:
            return self.val_threshold
        for score in ("max_box_acc", "pixel_iou"):
            if f"{THRESHOLD}{score}" in self.metrics:
                return self.metrics[f"{THRESHOLD}{score}"]
        raise DataError(f"{self.name} holds no threshold of boxes or pixels.")


def make_result(content: Mapping[str, Any], name: str) -> StoredResult:
    """Take what an evaluation of stored maps returned.

    Args:
        content: From :func:`mmdgdm.evaluation.stored.evaluate.evaluate_scoremaps`, or
            the same read from its ``.json`` file.
        name: What plots shall call it.

    Returns:
        The result, without records.
    """
    curves = {
        key: np.array([np.nan if v is None else v for v in values], np.float64)
        for key, values in content["curves"].items()
    }
    by_class = {int(label): v for label, v in content.get("by_class", {}).items()}
    return StoredResult(name, _own_metrics(content["metrics"], name), curves, by_class)


def read_result(path: PathLike, name: Optional[str] = None) -> StoredResult:
    """Read a result and, where they lie beside it, the records of its images.

    Args:
        path: What ``tools/test.py --out`` or ``tools/eval_scoremaps.py --json`` wrote.
        name: What plots shall call it; ``None`` for the file's name, or its folder's
            for one of ``results.json``, ``test.json`` and ``val.json``.

    Returns:
        The result.

    Raises:
        DataError: If the file cannot be read, holds no score of localization, or has
            neither curves nor records.
    """
    path = Path(path)
    if name is None:
        is_plain = path.stem in ("results", "metrics", "test", "val")
        name = path.resolve().parent.name if is_plain else path.stem
    try:
        content = read_json(path)
        metrics = _own_metrics(content.get("metrics", content), str(path))
        records = record_path(path)
        if "curves" in content and not records.is_file():
            result = make_result(content, name)
            _check_curves(result)
            return result
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise DataError(
            f"Expected {path} to be the .json result of an evaluation, but got: "
            f"{error}."
        ) from error
    if records.is_file():
        return _from_records(name, metrics, read_records(records))
    raise DataError(
        f"Expected the images' records of {path} in {records}, but there is no such "
        "file: `tools/test.py --out` and `tools/eval_scoremaps.py --json` write both."
    )


def _check_curves(result: StoredResult) -> None:
    """Check that curves have a value for each threshold, and classes numbers."""
    length = len(result.curves["thresholds"])
    for name, values in result.curves.items():
        if values.shape != (length,):
            raise ValueError(
                f"{values.size} values of {name!r} for {length} thresholds"
            )
    for scores in result.by_class.values():
        if not all(isinstance(value, (int, float)) for value in scores.values()):
            raise TypeError("scores of a class that are no numbers")


def _own_metrics(metrics: Mapping[str, Any], source: str) -> dict[str, float]:
    """The scores of localization without their prefix; ``wsol/`` comes first."""
    numbers = {k: v for k, v in metrics.items() if isinstance(v, (int, float))}
    parts = {name: split_name(name) for name in numbers}
    found = [
        part.prefix
        for part in parts.values()
        if part[1:] in (("", "max_box_acc"), ("", "pxap"))
    ]
    if not found:
        raise DataError(
            f"Expected {source} to hold `max_box_acc` or `pxap`, the scores of boxes "
            f"or masks, but got {', '.join(map(repr, metrics)) or 'nothing'}."
        )
    prefix = f"{PREFIX}/" if f"{PREFIX}/" in found else found[0]
    return {
        part.kind + part.score: float(numbers[name])
        for name, part in parts.items()
        if part.prefix == prefix
    }


def _from_records(
    name: str, metrics: dict[str, float], records: Mapping[str, bytes]
) -> StoredResult:
    thresholds = make_thresholds()
    image_ids, data = tuple(records), list(records.values())
    if "pxap" in metrics:
        pixels = summarize_pixels(
            data, thresholds=thresholds, threshold=metrics.get(f"{VAL_CHOSE}pixel_iou")
        )
        curves = {"thresholds": thresholds, **pixels.curves}
        return StoredResult(name, metrics, curves, image_ids=image_ids)
    ious = [float(found[1]) / 100 for m in metrics if (found := _V2.fullmatch(m))]
    boxes = summarize_boxes(
        data,
        thresholds=thresholds,
        iou_thresholds=ious,
        topk=[int(found[1]) for m in metrics if (found := _TOP.fullmatch(m))],
        threshold=metrics.get(f"{VAL_CHOSE}max_box_acc"),
    )
    return StoredResult(
        name,
        metrics,
        {"thresholds": thresholds, **boxes.curves},
        boxes.by_class,
        image_ids,
        read_box_records(data),
    )


def _table(result: StoredResult) -> BoxTable:
    if result.table is None:
        raise DataError(
            f"Expected {result.name} to have records of boxes beside it, but it has "
            "none."
        )
    return result.table


def _areas(result: StoredResult) -> tuple[BoxTable, NDArray[np.int32], float]:
    """The records, the areas of boxes at the result's threshold, and which it is."""
    table = _table(result)
    if result.val_threshold is not None:
        return table, table.areas[:, -1], result.val_threshold
    nearest = int(np.abs(COVERAGE_THRESHOLDS - result.threshold).argmin())
    return table, table.areas[:, nearest], float(COVERAGE_THRESHOLDS[nearest])


def image_rows(result: StoredResult) -> list[dict[str, Any]]:
    """What localization did on each image, as far as its record tells.

    Args:
        result: With records of boxes.

    Returns:
        A row an image: ``image_id``, ``label``, ``rank`` (the place of the true class
        among all by falling score, from 0; ``None`` if not known), ``iou``, ``kind``
        (:mod:`mmdgdm.evaluation.functional.error_kinds`), ``area_ratio`` (of the box
        to the object) and ``threshold``: val's, else the one of 0, 0.05, ... next to
        the best.

    Raises:
        DataError: If there are no records of boxes.
    """
    table, areas, threshold = _areas(result)
    right = None if table.ranks is None else table.ranks == 0
    kinds, ious = error_kinds(areas, right), box_ious(areas)
    return [
        dict(
            image_id=image_id,
            label=int(table.labels[i]),
            rank=None if table.ranks is None else int(table.ranks[i]),
            iou=float(ious[i]),
            kind=kinds[i],
            area_ratio=float(areas[i, 0] / areas[i, 2]),
            threshold=threshold,
        )
        for i, image_id in enumerate(result.image_ids)
    ]


def coverage_curve(result: StoredResult) -> NDArray[np.float64]:
    """Over- and under-coverage at the thresholds of coverage.

    Args:
        result: With records of boxes.

    Returns:
        (20, 3), rows of threshold, over-coverage and under-coverage in percent.

    Raises:
        DataError: If there are no records of boxes.
    """
    table, _, _ = _areas(result)
    rows = []
    for i, threshold in enumerate(COVERAGE_THRESHOLDS.tolist()):
        _, over, under = mean_coverage(table.areas[:, i])
        rows.append((threshold, over, under))
    return np.array(rows)


def size_score(results: Sequence[StoredResult]) -> Optional[str]:
    """The score that all results know by the size of the object.

    Args:
        results: The results.

    Returns:
        ``gt_known``; ``max_box_acc`` where maps are not those of the true class;
        ``None`` if there is no such score.
    """
    for score in ("gt_known", "max_box_acc"):
        names = {f"{score}_{size}" for size in SIZE_NAMES}
        if results and all(names & set(one.metrics) for one in results):
            return score
    return None


def size_counts(result: StoredResult) -> dict[str, int]:
    """How many images have a small, a medium and a large object.

    Args:
        result: With records of boxes.

    Returns:
        Number of images by the size of their largest object.

    Raises:
        DataError: If there are no records of boxes.
    """
    groups = size_groups(_table(result))
    return {size: len(places) for size, places in groups.items()}
