"""Metrics as a table for people and as a file for programs."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmdgdm.comparison.results import Comparison, Difference
from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.names import (
    AT_VAL,
    THRESHOLD,
    VAL_CHOSE,
    human_name,
    repeated_names,
    rule_of,
    split_name,
)
from mmdgdm.utils.whole_files import whole_file

#: The scores that a localization result is known by, in the order shown.
FIRST_METRICS = ("top1_cls", "gt_known", "top1_loc", "max_box_acc", "max_box_acc_v2")
#: Endings of the lists that hold classes and their scores.
_CLASS_LISTS = ("_classes", "_classwise")


def _plain(value: Any) -> Any:
    """Numbers, text and lists in place of arrays and tensors; NaN becomes null."""
    if hasattr(value, "tolist"):  # an array, a tensor, or a number of theirs
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _cell(value: Any, digits: int) -> str:
    value = _plain(value)
    if isinstance(value, float):
        return f"{value:.{digits}f}"
    if isinstance(value, (list, dict)):
        return f"{len(value)} values"
    return "nan" if value is None else str(value)


def format_metrics(metrics: Mapping[str, Any]) -> str:
    """A Markdown table of metrics in plain ASCII, never cut to a terminal's width.

    Scores stand under the names that people use, the best known first, each with its
    threshold and with what it is at the threshold that val chose. MaxBoxAcc is left out
    beside GT-known, whose number it repeats. A threshold that a rule chose for test has
    a row of its own. Scores of each class stand in a table below.

    Args:
        metrics: Values by name.

    Returns:
        The lines of the table.

    Example:
        >>> scores = {"wsol/gt_known": 61.5, "wsol/threshold/gt_known": 0.2}
        >>> print(format_metrics(scores))
        | metric   | value | threshold |
        |----------|-------|-----------|
        | GT-known | 61.50 |     0.200 |
    """
    chosen = {v for name, v in metrics.items() if split_name(name).kind == VAL_CHOSE}
    title = f"at {chosen.pop():g}" if len(chosen) == 1 else "at val's threshold"
    columns = {"": ("value", 2), THRESHOLD: ("threshold", 3), AT_VAL: (title, 2)}
    rows: dict[str, dict[str, Any]] = {}
    by_class = _classwise(metrics)
    left_out = repeated_names(metrics) | {
        f"{name}{ending}" for name in by_class for ending in _CLASS_LISTS
    }
    for name in [n for n in metrics if n not in left_out]:
        prefix, kind, score = split_name(name)
        if rule_of(name) is not None:
            rows[name] = {THRESHOLD: metrics[name]}
        elif kind in columns:
            rows.setdefault(prefix + score, {})[kind] = metrics[name]
    kinds = [kind for kind in columns if any(kind in row for row in rows.values())]
    table = Table(box=box.MARKDOWN)
    table.add_column("metric", no_wrap=True)
    for kind in kinds:
        table.add_column(columns[kind][0], justify="right", no_wrap=True)
    order = {score: place for place, score in enumerate(FIRST_METRICS)}
    for name in sorted(rows, key=lambda n: order.get(split_name(n).score, len(order))):
        cells = [
            _cell(rows[name][kind], columns[kind][1]) if kind in rows[name] else ""
            for kind in kinds
        ]
        rule = rule_of(name)
        ending = "" if rule is None else f", for test by {rule}"
        table.add_row(*map(Text, [human_name(name) + ending, *cells]))
    parts = [_table_text(table), *map(format_classes, by_class.values())]
    return "\n\n".join(parts)


def _classwise(metrics: Mapping[str, Any]) -> dict[str, dict[int, dict[str, Any]]]:
    """What :func:`format_classes` takes, by the score that lists of metrics are of."""
    labels, values = _CLASS_LISTS
    scores = [n.removesuffix(values) for n in metrics if n.endswith(values)]
    return {
        score: {
            place: {"name": str(name), score: value}
            for place, (name, value) in enumerate(
                zip(metrics[f"{score}{labels}"], metrics[f"{score}{values}"])
            )
        }
        for score in scores
        if f"{score}{labels}" in metrics
    }


def format_comparison(comparison: Comparison, *, with_classes: bool = False) -> str:
    """Markdown tables of differences: a table for each result beside the first.

    Args:
        comparison: What comparing gave.
        with_classes: Whether to show each class too.

    Returns:
        Text that ends with the threshold of each result. A ``*`` stands where the
        interval leaves out zero.
    """
    parts = []
    for second in dict.fromkeys(row.second for row in comparison.differences):
        rows = [row for row in comparison.differences if row.second == second]
        table = Table(box=box.MARKDOWN)
        table.add_column("images", no_wrap=True)
        table.add_column("score", no_wrap=True)
        for title in ("A", "B", "B - A", "95 % interval", ""):
            table.add_column(title, justify="right", no_wrap=True)
        for row in rows:
            if row.group == "class" and not with_classes:
                continue
            values = (row.first_value, row.second_value)
            cells = [
                f"{_group_name(row, comparison)} ({row.images})",
                human_name(row.score),
                *(f"{value:.2f}" for value in values),
                f"{row.difference:+.2f}",
                f"{row.low:+.2f} to {row.high:+.2f}",
                "" if row.low <= 0 <= row.high else "*",
            ]
            table.add_row(*map(Text, cells))
        parts.append(f"A: {rows[0].first}\nB: {second}\n\n{_table_text(table)}\n")
    which = "val's threshold" if comparison.at_val else "each score's best threshold"
    places = ", ".join(f"{v:g} of {k}" for k, v in comparison.thresholds.items())
    parts.append(f"At {which}; that of GT-known is {places}.")
    if comparison.left_out:
        names = ", ".join(map(human_name, comparison.left_out))
        parts.append(f"Left out, since not all results know it: {names}.")
    return "\n".join(parts)


def _group_name(row: Difference, comparison: Comparison) -> str:
    is_label = row.group == "class" and not comparison.classes
    return f"label {row.name}" if is_label else row.name


def format_classes(by_class: Mapping[Any, Mapping[str, Any]]) -> str:
    """A Markdown table of the scores of each class, in the order given.

    Args:
        by_class: Scores by label, with ``images``, their number, and ``name``, that of
            the class, where these are known.

    Returns:
        The lines of the table: the scores that people know best, at the threshold that
        val chose where there is one.

    Example:
        >>> print(format_classes({3: {"name": "jay", "images": 9, "gt_known": 50.0}}))
        | class | images | GT-known |
        |-------|--------|----------|
        | jay   |      9 |    50.00 |
    """
    known = dict.fromkeys(name for scores in by_class.values() for name in scores)
    names = [n for n in known if split_name(n).score in FIRST_METRICS]
    at_val = {name.replace(AT_VAL, "") for name in names if AT_VAL in name}
    names = [n for n in names if n not in at_val | repeated_names(known)]
    names.sort(key=lambda name: FIRST_METRICS.index(split_name(name).score))
    titles = {"images": "images"} if "images" in known else {}
    titles.update({name: human_name(name) for name in names})
    table = Table(box=box.MARKDOWN)
    table.add_column("class", no_wrap=True)
    for title in titles.values():
        table.add_column(title, justify="right", no_wrap=True)
    for label, scores in by_class.items():
        cells = [_cell(scores.get(name), 2) for name in titles]
        table.add_row(*map(Text, [scores.get("name", f"label {label}"), *cells]))
    return _table_text(table)


def _table_text(table: Table) -> str:
    """The lines of a table, never cut to a terminal's width."""
    stream = io.StringIO()
    Console(file=stream, width=10_000, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().strip().splitlines())


def save_metrics(metrics: Mapping[str, Any], path: Union[str, Path]) -> None:
    """Write metrics as one JSON object; what is not a number becomes ``null``.

    Args:
        metrics: Values by name: numbers, text, lists, arrays or tensors.
        path: The file; missing folders are made.

    Raises:
        ConfigError: If the file cannot be written.
    """
    path = Path(path)
    text = json.dumps(_plain(metrics), indent=2, allow_nan=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"Metrics cannot be written to {path} ({error}).") from error
