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
from methods import DATA, ROOT, Records

#: Label of the abscissa: metric of CAM on val.
ABSCISSAE = {
    "CAM's under-coverage on val, % of the object": "under_coverage",
    "CAM's best threshold on val": "threshold/max_box_acc",
}


@dataclass(frozen=True)
class Case:
    """One kind of data.

    Args:
        name: What it is called in the plot.
        group: Points of one group share a colour.
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
            yield from compare(folder, {"dgdm": "the toy's dials"})
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
    """Draw a panel for each abscissa."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    groups = sorted({case.group for case in found})
    dots: dict[str, Any] = {}
    for axes, (label, metric) in zip(
        figure.subplots(1, 2, sharey=True), ABSCISSAE.items()
    ):
        axes.axhline(0, color="0.7", linewidth=1)
        for case in found:
            gains = case.gains()
            place = case.seen(metric), statistics.fmean(gains)
            spread = statistics.stdev(gains) if len(gains) > 1 else None
            color = f"C{groups.index(case.group)}"
            dot = axes.errorbar(*place, yerr=spread, fmt="o", color=color, capsize=2)
            dots[case.group] = dot
            offset = dict(xytext=(5, 4), textcoords="offset points")
            axes.annotate(case.name, place, fontsize=7, **offset)
        axes.set_xlabel(label)
    figure.legend(dots.values(), dots, loc="outside upper center", ncols=len(dots))
    figure.axes[0].set_ylabel("DGDM over CAM, points of GT-known")
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
