"""How far boxes cover the object, and what is wrong with those that fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mmdgdm.evaluation.functional.error_kinds import ERROR_KINDS
from mmdgdm.evaluation.stored.results import (
    StoredResult,
    coverage_curve,
    image_rows,
)
from mmdgdm.visualization.colors import BLACK, method_styles
from mmdgdm.visualization.plots.files import (
    add_legend,
    check_some,
    new_axes,
    run_handle,
)

#: Thresholds whose points carry their number.
_NUMBERED = (0.1, 0.2, 0.3, 0.5, 0.7)
#: Where the numbers of the first and of the second run stand, off their points.
_SIDES = ((5, 6), (-5, -14))
#: Shades and hatches of the kinds of error: no colours, which stand for runs.
_SHADES = {
    "right": ("0.93", ""),
    "wrong class": ("0.80", "...."),
    "too small": ("0.66", "////"),
    "too large": ("0.52", "\\\\\\\\"),
    "wrong place": ("0.38", "xxxx"),
}


def plot_coverage(results: Sequence[StoredResult]) -> Figure:
    """Draw what boxes miss of the object against what they hold beside it.

    Each point is a threshold, some with their number; towards the lower left boxes are
    better. A ring stands at the threshold of the result: val's, else the best.

    Args:
        results: One or several runs on the same images, with their records of boxes.

    Returns:
        A matplotlib figure that no window shows.

    Raises:
        ConfigError: If there is no result.
        DataError: If a result has no records of boxes.
    """
    check_some(results)
    figure, (axes,) = new_axes(1, 1, size=(5.8, 5.0))
    styles = method_styles([one.name for one in results])
    for i, one in enumerate(results):
        style = styles[one.name]
        thresholds, over, under = coverage_curve(one).T
        axes.plot(under, over, color=style.color, marker=style.marker, markersize=4.5)
        for number in _NUMBERED if i < len(_SIDES) else ():
            place = int(np.abs(thresholds - number).argmin())
            axes.annotate(
                f"{number:g}",
                (under[place], over[place]),
                xytext=_SIDES[i],
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=style.color,
            )
        at = [float(np.interp(one.threshold, thresholds, v)) for v in (under, over)]
        ring: dict[str, Any] = dict(
            markersize=11, fillstyle="none", markeredgewidth=1.6
        )
        axes.plot(*([v] for v in at), "o", color=style.color, **ring)
    axes.set(xlim=(0, 101), ylim=(0, 101))
    axes.set_xlabel("under-coverage: percent of the object that is missed")
    axes.set_ylabel("over-coverage: percent of the box that is not object")
    shown = Line2D([], [], color=BLACK, marker="o", markersize=10, fillstyle="none")
    shown.set(linestyle="none", label="threshold in use")
    add_legend(figure, [*(run_handle(*pair) for pair in styles.items()), shown])
    return figure


def plot_kinds(results: Sequence[StoredResult]) -> Figure:
    """Draw how many images are right, and what is wrong with the others.

    Args:
        results: One or several runs on the same images, with their records of boxes.

    Returns:
        A matplotlib figure that no window shows.

    Raises:
        ConfigError: If there is no result.
        DataError: If a result has no records of boxes.
    """
    check_some(results)
    size = (7.6, 1.3 + 0.5 * len(results))
    figure, (axes,) = new_axes(1, 1, size=size)
    for row, one in enumerate(results):
        rows = image_rows(one)
        counts = Counter(image["kind"] for image in rows)
        left = 0.0
        for kind in ERROR_KINDS:
            share = 100 * counts[kind] / len(rows)
            color, hatch = _SHADES[kind]
            axes.barh(
                row,
                share,
                left=left,
                color=color,
                hatch=hatch,
                edgecolor="black",
                linewidth=0.6,
                label=kind if row == 0 else None,
            )
            if share >= 4:
                box: dict[str, Any] = dict(facecolor="white", edgecolor="none", pad=1.5)
                place: dict[str, Any] = dict(ha="center", va="center", fontsize=9)
                axes.text(left + share / 2, row, f"{share:.0f}", bbox=box, **place)
            left += share
    axes.set_yticks(range(len(results)), [one.name for one in results])
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.set_xlim(0, 100)
    axes.set_xlabel("percent of images")
    handles, _ = axes.get_legend_handles_labels()
    add_legend(figure, handles, columns=5)
    return figure
