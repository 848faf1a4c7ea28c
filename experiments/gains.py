"""Plot what DGDM gains over CAM against what a plain CAM run shows on val.

A point for each way to draw the toy's images (``experiments/sweep.py dials``) and for
each data set (``experiments/methods.py``), from their stored results: to the right how
much CAM leaves uncovered, or the threshold at which its maps are best, on val; upwards
the difference in GT-known on test at the threshold chosen on val, paired by seed.

    python experiments/gains.py docs/pictures/gains.png
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox, ScaledTranslation
from methods import DATA, ROOT, Records
from numpy.typing import NDArray

from mmdgdm.visualization.colors import METHOD_STYLES
from mmdgdm.visualization.plots.files import add_legend, new_axes, run_handle

#: Label of the abscissa: metric of CAM on val.
ABSCISSAE = {
    "CAM's under-coverage on val, % of the object": "under_coverage",
    "CAM's best threshold on val": "threshold/max_box_acc",
}
DIALS, BGLOSS = "DGDM, the toy's dials", "DGDM-BGLOSS, data sets"
#: How the points of each group are drawn; those of the dials are hollow.
GROUP_STYLES = {
    DIALS: METHOD_STYLES["dgdm"],
    "DGDM, data sets": METHOD_STYLES["dgdm"],
    BGLOSS: METHOD_STYLES["dgdm-bgloss"],
}
#: Where a number may stand beside its point, in points: the first that is free.
SIDES = ((10, 6), (-10, 6), (10, -7), (-10, -7), (14, 0), (-14, 0), (0, 11), (0, -12))


@dataclass(frozen=True, eq=False)
class Case:
    """One kind of data.

    Args:
        name: What it is called in the plot.
        group: Points of one group share a colour and a marker.
        cam: CAM's runs by seed.
        ours: DGDM's runs by seed.
        prefix: What the names of metrics begin with.
    """

    name: str
    group: str
    cam: dict[str, Any]
    ours: dict[str, Any]
    prefix: str = "wsol/"

    def gains(self) -> list[float]:
        """Differences in localization on test, in points, a seed each."""
        name = f"{self.prefix}val_threshold/max_box_acc"  # which is GT-known too
        seeds = sorted(set(self.cam) & set(self.ours))
        return [
            self.ours[seed]["test"][name] - self.cam[seed]["test"][name]
            for seed in seeds
        ]

    def seen(self, metric: str) -> float:
        """What CAM shows on val, the mean over seeds."""
        name = f"{self.prefix}{metric}"
        return statistics.fmean(run["val"][name] for run in self.cam.values())


def cases(results: Path) -> Iterator[Case]:
    """All kinds of data of which both methods have results."""
    for folder in sorted((results / "toy_dials").glob("*")):
        # Of the dials the config's own are the toy itself, with fewer seeds.
        if folder.name != "default":
            yield from compare(folder, {"dgdm": DIALS})
    groups = {
        "dgdm": "DGDM, data sets",
        "dgdm-bgloss": BGLOSS,
    }
    for data in ("toy", "cub10", "stamps", "raccoon"):
        yield from compare(results / data, groups)


def compare(folder: Path, groups: dict[str, str]) -> Iterator[Case]:
    """Points of some methods on one kind of data; what has no results has none."""
    cam = Records(folder).read("cam")["runs"]
    for method, group in groups.items():
        ours = Records(folder).read(method)["runs"]
        if set(cam) & set(ours):
            prefix = DATA[folder.name if folder.name in DATA else "toy"].prefix
            yield Case(folder.name, group, cam, ours, prefix)


def plot(found: list[Case]) -> Figure:
    """Draw a panel for each abscissa; numbers beside points stand for their data."""
    figure, panels = new_axes(1, 2, size=(8.8, 5.2), sharey=True)
    numbers = {
        name: i + 1 for i, name in enumerate(dict.fromkeys(c.name for c in found))
    }
    for axes, (label, metric) in zip(panels, ABSCISSAE.items()):
        axes.axhline(0, color="0.5", linewidth=1)
        for case in found:
            _draw(axes, case, metric)
        axes.margins(x=0.08)
        axes.set_xlabel(label)
    panels[0].set_ylabel("gain over CAM, points of GT-known")
    groups = dict.fromkeys(case.group for case in found)
    handles = [run_handle(group, GROUP_STYLES[group]) for group in groups]
    for handle in handles:
        handle.set(linestyle="none", fillstyle=_fill(str(handle.get_label())))
    add_legend(figure, handles)
    named = [
        Line2D([], [], linestyle="none", label=f"{number}  {name}")
        for name, number in numbers.items()
    ]
    key: dict[str, Any] = dict(frameon=False, fontsize=9, handlelength=0)
    figure.legend(handles=named, loc="outside lower center", ncols=4, **key)
    # Numbers are placed by where points have come to be.
    figure.draw_without_rendering()
    for axes, metric in zip(panels, ABSCISSAE.values()):
        _number(axes, {case: numbers[case.name] for case in found}, metric)
    return figure


def _fill(group: str) -> str:
    return "none" if group == DIALS else "full"


def _draw(axes: Axes, case: Case, metric: str) -> None:
    """A point with its spread over seeds."""
    style, gains = GROUP_STYLES[case.group], case.gains()
    drawn = axes.errorbar(
        case.seen(metric),
        statistics.fmean(gains),
        yerr=statistics.stdev(gains) if len(gains) > 1 else None,
        color=style.color,
        marker=style.marker,
        fillstyle=_fill(case.group),
        linestyle="none",
        capsize=3,
    )
    inches = axes.figure.dpi_scale_trans
    for artist in drawn.get_children():
        right = ScaledTranslation(_shift(case) / 72, 0, inches)
        artist.set_transform(artist.get_transform() + right)


def _shift(case: Case) -> float:
    """Points (1/72 inch) that a case is drawn to the right: beside its like."""
    return 5.0 if case.group == BGLOSS else 0.0


def _number(axes: Axes, numbers: dict[Case, int], metric: str) -> None:
    """Write a number beside each point, where neither points, bars nor numbers are."""
    taken: list[Bbox] = []
    places = {}
    for case in numbers:
        gains, x = case.gains(), case.seen(metric)
        spread = statistics.stdev(gains) if len(gains) > 1 else 0.0
        mean = statistics.fmean(gains)
        ends = [(x, mean - spread), (x, mean + spread), (x, mean)]
        shown = axes.transData + axes.figure.dpi_scale_trans.inverted()
        low, high, places[case] = 72 * shown.transform(ends) + (_shift(case), 0)
        taken += [Bbox([low - 2, high + 2]), _around(places[case], 8, height=8)]
    for case, number in numbers.items():
        boxes = [
            _around(places[case] + side, 6 * len(str(number)), height=8)
            for side in SIDES
        ]
        hits = [sum(box.overlaps(other) for other in taken) for box in boxes]
        best = hits.index(min(hits))
        taken.append(boxes[best])
        axes.annotate(
            f"{number}",
            (case.seen(metric), statistics.fmean(case.gains())),
            xytext=(SIDES[best][0] + _shift(case), SIDES[best][1]),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=9,
        )


def _around(center: NDArray[np.float64], width: float, *, height: float) -> Bbox:
    half = np.array([width, height]) / 2
    return Bbox([center - half, center + half])


def main() -> None:
    """Read the results, print the points and draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plot", type=Path, help="picture to write")
    default = ROOT / "experiments" / "results"
    parser.add_argument("--results", type=Path, default=default)
    args = parser.parse_args()
    found = list(cases(args.results))
    if not found:
        raise SystemExit(f"error: {args.results} holds no results of CAM and DGDM")
    for case in found:
        gain = statistics.fmean(case.gains())
        shown = ", ".join(f"{m} {case.seen(m):.2f}" for m in ABSCISSAE.values())
        seeds = len(case.gains())
        print(f"{case.name} ({case.group}): {shown}; gain {gain:.1f} ({seeds} seeds)")
    plot(found).savefig(args.plot, dpi=110)


if __name__ == "__main__":
    main()
