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

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from methods import DATA, ROOT, Records

from mmdgdm.visualization.colors import BLUE, METHOD_STYLES, Style
from mmdgdm.visualization.plots.files import new_axes, run_handle

#: Label of the abscissa: metric of CAM on val.
ABSCISSAE = {
    "CAM's under-coverage on val, % of the object": "under_coverage",
    "CAM's best threshold on val": "threshold/max_box_acc",
}
#: How the points of each group are drawn.
GROUP_STYLES = {
    "the toy's dials, DGDM": Style(BLUE, "o"),
    "data sets, DGDM": METHOD_STYLES["dgdm"],
    "data sets, DGDM-BGLOSS": METHOD_STYLES["dgdm-bgloss"],
}


@dataclass(frozen=True)
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
            yield from compare(folder, {"dgdm": "the toy's dials, DGDM"})
    groups = {
        "dgdm": "data sets, DGDM",
        "dgdm-bgloss": "data sets, DGDM-BGLOSS",
    }
    for data in ("toy", "stamps", "raccoon"):
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
    figure, panels = new_axes(1, 2, size=(10.5, 5.4), sharey=True)
    numbers = {
        name: i + 1 for i, name in enumerate(dict.fromkeys(c.name for c in found))
    }
    for axes, (label, metric) in zip(panels, ABSCISSAE.items()):
        axes.axhline(0, color="0.5", linewidth=1)
        for case in found:
            gains = case.gains()
            place = case.seen(metric), statistics.fmean(gains)
            style = GROUP_STYLES[case.group]
            look = dict(color=style.color, marker=style.marker, capsize=3)
            spread = statistics.stdev(gains) if len(gains) > 1 else None
            axes.errorbar(*place, yerr=spread, linestyle="none", **look)
            offset = dict(xytext=(7, 5), textcoords="offset points")
            axes.annotate(f"{numbers[case.name]}", place, fontsize=9, **offset)
        axes.margins(x=0.08)
        axes.set_xlabel(label)
    panels[0].set_ylabel("DGDM over CAM, points of GT-known")
    groups = dict.fromkeys(case.group for case in found)
    handles = [run_handle(group, GROUP_STYLES[group]) for group in groups]
    handles += [
        Line2D([], [], linestyle="none", label=f"{number}  {name}")
        for name, number in numbers.items()
    ]
    for handle in handles:
        handle.set_linestyle("none")
    figure.legend(
        handles=handles,
        loc="outside right center",
        frameon=False,
        fontsize=9,
        title="what, and which data",
        alignment="left",
    )
    return figure


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
