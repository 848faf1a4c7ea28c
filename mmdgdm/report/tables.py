"""The numbers of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

from mmdgdm.comparison.results import Comparison, Difference
from mmdgdm.evaluation.functional.names import (
    AT_VAL,
    THRESHOLD,
    human_name,
    repeated_names,
    split_name,
)
from mmdgdm.evaluation.functional.summary import SIZE_NAMES
from mmdgdm.evaluation.stored.results import StoredResult

#: Scores in the order of the page; others are not shown.
SCORES = (
    *("top1_cls", "top5_cls", "gt_known", "top1_loc", "top5_loc"),
    *("max_box_acc_v2", "max_box_acc_v2_30", "max_box_acc_v2_50", "max_box_acc_v2_70"),
    *("over_coverage", "under_coverage", "pxap", "pixel_iou"),
)
#: Those that do not depend on a threshold.
_WITHOUT = ("top1_cls", "top5_cls", "pxap")
#: Those of which less is better.
_LESS = ("over_coverage", "under_coverage")


class Cell(NamedTuple):
    """What one run has in a row.

    Attributes:
        value: Its score, in percent.
        best: The threshold at which the score is highest, in words.
        difference: Minus that of the first run, in points, with its interval.
        verdict: ``better`` or ``worse`` than the first where the interval leaves out
            zero, else nothing.
    """

    value: str
    best: str = ""
    difference: str = ""
    verdict: str = ""


class Row(NamedTuple):
    """A score, with a cell a run."""

    name: str
    cells: list[Cell]


class Table(NamedTuple):
    """A table of the page: its heading, what it says and its rows."""

    title: str
    text: str
    rows: list[Row]


def make_tables(
    results: Sequence[StoredResult], comparison: Optional[Comparison]
) -> list[Table]:
    """Scores of runs side by side.

    Args:
        results: The runs.
        comparison: Of the same runs, in the same order; ``None`` if there is but one.

    Returns:
        The scores at val's threshold if all runs know one, then those at their best,
        then those by size of the object.
    """
    tables = []
    at_val = all(one.val_threshold is not None for one in results)
    if at_val:
        text = "Boxes are taken at the threshold that val chose: the honest numbers."
        rows = _rows(results, comparison, kind=AT_VAL)
        tables.append(Table("At val's threshold", text, rows))
    text = (
        "Each score at the threshold at which it is highest on these images, which is "
        "optimistic."
    )
    rows = _rows(results, None if at_val else comparison, kind="")
    tables.append(Table("At the best threshold", text, rows))
    kind = AT_VAL if at_val else ""
    sizes = [f"gt_known_{size}" for size in SIZE_NAMES]
    rows = [
        Row(name.rpartition("_")[2], [_cell(one, kind + name) for one in results])
        for name in sizes
        if all(kind + name in one.metrics for one in results)
    ]
    if comparison is not None:
        rows = [_size_row(row, comparison) for row in rows]
    if rows:
        place = "val's threshold" if at_val else "the best threshold of all images"
        text = f"GT-known of images by the size of their largest object, at {place}."
        tables.append(Table("By size of the object", text, rows))
    return tables


def _rows(
    results: Sequence[StoredResult], comparison: Optional[Comparison], *, kind: str
) -> list[Row]:
    names = repeated_names(results[0].metrics)
    rows = []
    for score in SCORES:
        name = score if score in _WITHOUT else kind + score
        if name in names or not all(name in one.metrics for one in results):
            continue
        cells = [_cell(one, name) for one in results]
        found = _differences(comparison, "all", name="all", score=score)
        rows.append(Row(human_name(score), _compared(cells, found, score=score)))
    return rows


def _size_row(row: Row, comparison: Comparison) -> Row:
    found = _differences(comparison, "size", name=row.name, score="gt_known")
    return Row(row.name, _compared(row.cells, found, score="gt_known"))


def _differences(
    comparison: Optional[Comparison], group: str, *, name: str, score: str
) -> list[Difference]:
    rows = [] if comparison is None else comparison.differences
    return [r for r in rows if (r.group, r.name, r.score) == (group, name, score)]


def _compared(
    cells: Sequence[Cell], differences: Sequence[Difference], *, score: str
) -> list[Cell]:
    """Cells with their differences, of which there is one a run after the first."""
    compared = list(cells)
    for place, one in enumerate(differences, start=1):
        text = f"{one.difference:+.1f} ({one.low:+.1f} to {one.high:+.1f})"
        verdict = ""
        if one.low > 0 or one.high < 0:
            verdict = "better" if (one.low > 0) != (score in _LESS) else "worse"
        compared[place] = cells[place]._replace(difference=text, verdict=verdict)
    return compared


def _cell(result: StoredResult, name: str) -> Cell:
    best = result.metrics.get(f"{THRESHOLD}{name}")
    is_best = split_name(name).kind == "" and best is not None
    return Cell(f"{result.metrics[name]:.1f}", f"at {best:.3f}" if is_best else "")
