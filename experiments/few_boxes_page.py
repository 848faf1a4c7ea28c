"""The table and the picture of ``experiments/few_boxes.py``."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any, Optional

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from mmdgdm.visualization.colors import GREEN, PURPLE
from mmdgdm.visualization.plots.files import add_legend, new_axes

#: Runs by data set, each with what ``few_boxes.study`` found.
Found = Mapping[str, Mapping[str, Any]]
#: Panels in a row of the picture.
_COLUMNS = 3
ARGMAX, DEFAULT = "argmax", "IoUs, weighted median"
#: The rules that are drawn, with their markers. Colour and line tell what counts: an
#: IoU of 0.5 alone, or those of 0.3 and 0.7 too. They are not those of any method here.
LINES = {
    ARGMAX: "o",
    "plateau": "v",
    "smooth 0.05": "^",
    "bootstrap mean": "s",
    "IoUs, argmax": "o",
    "IoUs, smooth 0.05": "^",
    "IoUs, bootstrap mean": "s",
    DEFAULT: "*",
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
    panels: dict[str, Found] = {"mean over data sets": found}
    panels |= {name.replace("_", " "): {name: runs} for name, runs in found.items()}
    rows = -(-len(panels) // _COLUMNS)
    size = (8.0, 2.9 * rows + 0.9)
    figure, grid = new_axes(rows, _COLUMNS, size=size, sharex=True, sharey=True)
    # Where some data sets have too few images, the mean would be of others.
    shared = [s for s in sizes_of(found) if len(losses(found, ARGMAX, s)) == len(found)]
    for axes, (title, part) in zip(grid, panels.items()):
        sizes = shared if part is found else sizes_of(part)
        for rule in LINES:
            numbers = [statistics.fmean(losses(part, rule, size)) for size in sizes]
            axes.plot(list(map(int, sizes)), numbers, **_look(rule))
        axes.set_title(title, fontsize=10)
    grid[0].set_xscale("log")
    grid[0].set_xticks(list(map(int, sizes_of(found))), sizes_of(found))
    grid[0].minorticks_off()
    grid[0].set_ylim(bottom=0)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    figure.supxlabel("number of boxes", fontsize=10)
    figure.supylabel("points of GT-known below the best threshold's", fontsize=10)
    add_legend(figure, [Line2D([], [], **_look(rule)) for rule in LINES])
    return figure


def _look(rule: str) -> dict[str, Any]:
    """How the line of a rule is drawn; those that are compared in the text are bold."""
    over_ious = rule.startswith("IoUs")
    bold = rule in (ARGMAX, DEFAULT)
    return dict(
        label=rule,
        color=PURPLE if over_ious else GREEN,
        linestyle="--" if over_ious else "-",
        marker=LINES[rule],
        markersize=9 if rule == DEFAULT else 5,
        linewidth=2.6 if bold else 1.2,
    )
