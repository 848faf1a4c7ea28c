"""The table and the picture of ``experiments/few_boxes.py``."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any, Optional

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

#: Runs by data set, each with what ``few_boxes.study`` found.
Found = Mapping[str, Mapping[str, Any]]
ARGMAX, DEFAULT = "argmax", "IoUs, weighted median"
#: The rules that are drawn, with colours that the colour-blind can part, and markers.
LINES = {
    ARGMAX: ("#000000", "o"),
    "plateau": ("#999999", "v"),
    "smooth 0.05": ("#56B4E9", "^"),
    "bootstrap mean": ("#0072B2", "s"),
    "IoUs, argmax": ("#E69F00", "D"),
    "IoUs, smooth 0.05": ("#CC79A7", "P"),
    "IoUs, bootstrap mean": ("#009E73", "X"),
    DEFAULT: ("#D55E00", "*"),
}


def loss(runs: Mapping[str, Any], rule: str, size: str) -> Optional[float]:
    """What a rule loses on one data set, the mean over its runs, if they were asked."""
    found = [run["losses"][rule].get(size) for run in runs.values()]
    known = [numbers["mean"] for numbers in found if numbers is not None]
    return statistics.fmean(known) if len(known) == len(found) else None


def losses(found: Found, rule: str, size: str) -> list[float]:
    """The same, for all data sets that have so many images."""
    known = (loss(runs, rule, size) for runs in found.values())
    return [value for value in known if value is not None]


def sizes_of(found: Found) -> list[str]:
    """The numbers of boxes that were tried, rising."""
    every = {
        size
        for runs in found.values()
        for run in runs.values()
        for size in run["losses"][ARGMAX]
    }
    return sorted(every, key=int)


def mean_loss(found: Found, rule: str) -> float:
    """The mean over numbers of boxes of the mean over data sets."""
    every = [losses(found, rule, size) for size in sizes_of(found)]
    return statistics.fmean(statistics.fmean(values) for values in every if values)


def rules_of(found: Found) -> list[str]:
    """All rules, the best one first."""
    some = next(iter(next(iter(found.values())).values()))["losses"]
    return sorted(some, key=lambda rule: mean_loss(found, rule))


def table(found: Found, thresholds: NDArray[np.float64]) -> str:
    """Two tables: a row for each rule, and a row for each data set."""
    return f"{_rules(found)}\n{_data_sets(found, thresholds)}"


def _rows(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _rules(found: Found) -> str:
    sizes = sizes_of(found)
    rows = []
    for rule in rules_of(found):
        by_size = [losses(found, rule, size) for size in sizes]
        numbers = [statistics.fmean(values) for values in by_size]
        worst = max(max(values) for values in by_size)
        numbers += [mean_loss(found, rule), worst]
        rows.append([rule, *(f"{number:.1f}" for number in numbers)])
    heads = [f"{size} boxes" for size in sizes]
    return _rows(["rule", *heads, "mean", "worst"], rows)


def _data_sets(found: Found, thresholds: NDArray[np.float64]) -> str:
    sizes = sizes_of(found)
    rows = []
    for name, runs in found.items():
        rest = {other: r for other, r in found.items() if other != name}
        numbers = [
            f"{_cell(loss(runs, ARGMAX, size))} / {_cell(loss(runs, DEFAULT, size))}"
            for size in sizes
        ]
        best = [run["threshold"] for run in runs.values()]
        row = [name.replace("_", " "), str(len(runs))]
        row += [str(next(iter(runs.values()))["images"])]
        row += [f"{min(best):.2f} to {max(best):.2f}", *numbers]
        if rest:
            chosen = rules_of(rest)[0]
            row += [chosen, f"{mean_loss({name: runs}, chosen):.1f}"]
            row += [f"{mean_loss({name: runs}, DEFAULT):.1f}"]
            row += [f"{guess_loss(runs, rest, thresholds):.1f}"]
        rows.append(row)
    heads = ["data", "runs", "images", "best thresholds"]
    heads += [f"{size} boxes" for size in sizes]
    if len(found) > 1:
        heads += ["rule that the others choose", "its loss", f"loss of {DEFAULT!r}"]
        heads += ["loss without boxes"]
    return _rows(heads, rows)


def _cell(number: Optional[float]) -> str:
    return "" if number is None else f"{number:.1f}"


def guess_loss(
    runs: Mapping[str, Any], rest: Found, thresholds: NDArray[np.float64]
) -> float:
    """What is lost by the mean of the best thresholds on the other data sets."""
    means = [
        statistics.fmean(run["threshold"] for run in others.values())
        for others in rest.values()
    ]
    place = int(np.abs(thresholds - statistics.fmean(means)).argmin())
    return statistics.fmean(run["best"] - run["curve"][place] for run in runs.values())


def picture(found: Found) -> Figure:
    """A panel for each data set, and one of their mean."""
    columns = 3
    panels: dict[str, Found] = {"mean over data sets": found}
    panels |= {name.replace("_", " "): {name: runs} for name, runs in found.items()}
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(11, 3.4 * rows + 0.9), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    drawn: dict[str, Any] = {}
    # Where some data sets have too few images, the mean would be of others.
    shared = [s for s in sizes_of(found) if len(losses(found, ARGMAX, s)) == len(found)]
    for axes, (title, part) in zip(grid.flat, panels.items()):
        sizes = shared if part is found else sizes_of(part)
        for rule, (color, marker) in LINES.items():
            numbers = [statistics.fmean(losses(part, rule, size)) for size in sizes]
            style = dict(color=color, marker=marker, markersize=5, linewidth=1.2)
            if rule in (ARGMAX, DEFAULT):
                style |= dict(linewidth=2.4, markersize=9 if rule == DEFAULT else 6)
            (drawn[rule],) = axes.plot(list(map(int, sizes)), numbers, **style)
        axes.set_title(title, fontsize=10)
        axes.set_xscale("log")
        axes.set_xticks(list(map(int, sizes_of(found))), sizes_of(found))
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.grid(color="0.9")
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    figure.supxlabel("number of boxes", fontsize=10)
    figure.supylabel("points of GT-known below the best threshold's", fontsize=10)
    figure.legend(drawn.values(), drawn, loc="outside upper center", ncols=4)
    return figure
