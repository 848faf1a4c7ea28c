"""Accuracy against the threshold that boxes or masks are taken at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.names import human_name
from mmdgdm.evaluation.stored.results import StoredResult
from mmdgdm.visualization.colors import Style, method_styles
from mmdgdm.visualization.plots.files import (
    add_legend,
    new_axes,
    run_handle,
    threshold_handles,
)

#: What is drawn, with the title of its panel: boxes by the IoU that they reach.
_PANELS = {
    "max_box_acc_30": "box with IoU of 0.3",
    "max_box_acc": "box with IoU of 0.5 (GT-known)",
    "max_box_acc_70": "box with IoU of 0.7",
    "top1_loc": "IoU of 0.5 and class right (Top-1 Loc)",
    "pixel_iou": "IoU of pixels",
}
#: Share of the thresholds between two markers of a line.
_STEP = 0.14


def plot_thresholds(results: Sequence[StoredResult]) -> Figure:
    """Draw scores over the threshold, a panel an IoU that boxes must reach.

    A star stands at the best threshold, a ring at the one that val chose.

    Args:
        results: One or several runs on the same images.

    Returns:
        A matplotlib figure that no window shows.

    Raises:
        ConfigError: If there is no result, or results share no score.
    """
    names = [n for n in _names(results) if all(n in one.curves for one in results)]
    if not names:
        raise ConfigError("Expected results that share a score to plot, but got none.")
    columns = 2 if len(names) in (2, 4) else min(3, len(names))
    rows = -(-len(names) // columns)
    size = (4.3 * columns if columns > 1 else 6.4, 3.3 * rows + 0.7)
    figure, panels = new_axes(rows, columns, size=size, sharex=True, sharey=True)
    styles = method_styles([one.name for one in results])
    for axes, name in zip(panels, names):
        axes.set_title(_PANELS.get(name, human_name(name)), fontsize=10)
        for i, one in enumerate(results):
            _draw(axes, one, name, style=styles[one.name], offset=i / len(results))
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    panels[0].set(xlim=(0, 1), ylim=(0, 101))
    figure.supxlabel("threshold, share of the map's maximum", fontsize=10)
    figure.supylabel("percent of images" if names != ["pixel_iou"] else "percent")
    handles = [run_handle(name, style) for name, style in styles.items()]
    marks = threshold_handles()
    if all(one.val_threshold is None for one in results):
        marks = marks[:1]
    add_legend(figure, [*handles, *marks], columns=len(names) + 2)
    return figure


def _names(results: Sequence[StoredResult]) -> list[str]:
    """The scores of boxes by rising IoU, or those of masks."""
    known = results[0].curves if results else {}
    return [name for name in _PANELS if name in known]


def _draw(
    axes: Axes, result: StoredResult, name: str, *, style: Style, offset: float
) -> None:
    thresholds, curve = result.curves["thresholds"], result.curves[name]
    step = max(1, round(_STEP * len(thresholds)))
    axes.plot(
        thresholds,
        curve,
        color=style.color,
        marker=style.marker,
        markersize=4.5,
        markevery=(round(offset * step), step),
        linewidth=1.6,
    )
    best = int(np.nanargmax(curve))
    mark: dict[str, Any] = dict(color=style.color, linestyle="none", zorder=5)
    point = ([thresholds[best]], [curve[best]])
    axes.plot(*point, marker="*", markersize=12, markeredgecolor="white", **mark)
    chosen = result.val_threshold
    if chosen is not None:
        height = float(np.interp(chosen, thresholds, curve))
        axes.axvline(chosen, color=style.color, linewidth=0.8, linestyle=":")
        ring: dict[str, Any] = dict(
            marker="o", markersize=9, fillstyle="none", markeredgewidth=1.6
        )
        axes.plot([chosen], [height], **ring, **mark)
