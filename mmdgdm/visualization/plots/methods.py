"""Methods side by side, with the spread of their runs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from mmdgdm.errors import ConfigError
from mmdgdm.visualization.colors import method_styles
from mmdgdm.visualization.plots.files import new_axes


def plot_methods(
    scores: Mapping[str, Mapping[str, Sequence[float]]], *, unit: str = "percent"
) -> Figure:
    """Draw the runs of each method as markers, and their mean and spread.

    A panel a score, a row a method. The bar is the mean, the line one standard
    deviation to both sides.

    Args:
        scores: By the name of a score and of a method, a value of each run.
        unit: Of all scores.

    Returns:
        A matplotlib figure that no window shows.

    Raises:
        ConfigError: If there is no score, or no run of a method.

    Example:
        >>> figure = plot_methods({"GT-known": {"cam": [50.0, 52.0], "dgdm": [60.0]}})
        >>> len(figure.axes)
        1
    """
    methods = list(dict.fromkeys(m for found in scores.values() for m in found))
    if not methods or not all(v for found in scores.values() for v in found.values()):
        raise ConfigError("Expected a score of a run of each method, but got none.")
    columns = min(3, len(scores))
    rows = -(-len(scores) // columns)
    size = (3.4 * columns + 1.2, rows * (1.1 + 0.34 * len(methods)))
    figure, panels = new_axes(rows, columns, size=size, sharey=True)
    styles = method_styles(methods)
    for axes, (name, found) in zip(panels, scores.items()):
        for row, method in enumerate(methods):
            values = list(found.get(method, ()))
            if not values:
                continue
            style = styles[method]
            mean = statistics.fmean(values)
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            look: dict[str, Any] = dict(
                color=style.color, linestyle="none", marker=style.marker
            )
            rows_of = [row - 0.16] * len(values)
            axes.plot(values, rows_of, markersize=5, fillstyle="none", **look)
            bar: dict[str, Any] = dict(
                marker="|", markersize=14, markeredgewidth=2.5, capsize=3
            )
            axes.errorbar(mean, row + 0.14, xerr=spread, color=style.color, **bar)
        axes.set_xlabel(f"{name}, {unit}", fontsize=9)
        axes.margins(x=0.08)
    panels[0].set_yticks(range(len(methods)), [method.upper() for method in methods])
    panels[0].set_ylim(len(methods) - 0.5, -0.5)
    for axes in panels[len(scores) :]:
        axes.set_visible(False)
    return figure
