"""Precision and recall of the pixels of masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.stored.results import StoredResult
from mmdgdm.visualization.colors import method_styles
from mmdgdm.visualization.plots.files import (
    add_legend,
    new_axes,
    run_handle,
    threshold_handles,
)


def plot_precision_recall(results: Sequence[StoredResult]) -> Figure:
    """Draw precision over recall of all pixels at once, and where IoU is best.

    A star stands at the threshold of the best IoU, a ring at the one that val chose.

    Args:
        results: One or several runs on the same images with masks.

    Returns:
        A matplotlib figure that no window shows.

    Raises:
        ConfigError: If there is no result, or one is not of masks.
    """
    without = [one.name for one in results if "pixel_precision" not in one.curves]
    if not results or without:
        raise ConfigError(
            "Expected results of masks for precision and recall, but got "
            f"{', '.join(without) or 'none'}."
        )
    figure, (axes,) = new_axes(1, 1, size=(5.6, 5.0))
    styles = method_styles([one.name for one in results])
    for one in results:
        style = styles[one.name]
        precision = one.curves["pixel_precision"]
        recall = one.curves["pixel_recall"]
        every = max(1, len(recall) // 12)
        line: dict[str, Any] = dict(
            marker=style.marker, markersize=4.5, markevery=every
        )
        axes.plot(recall, precision, color=style.color, **line)
        places = [(int(np.nanargmax(one.curves["pixel_iou"])), "*", "full", 12.0)]
        if one.val_threshold is not None:
            gaps = np.abs(one.curves["thresholds"] - one.val_threshold)
            places.append((int(gaps.argmin()), "o", "none", 9.0))
        for place, marker, fill, size in places:
            axes.plot(
                [recall[place]],
                [precision[place]],
                color=style.color,
                marker=marker,
                fillstyle=fill,
                markersize=size,
                zorder=5,
            )
    axes.set(xlim=(0, 101), ylim=(0, 101))
    axes.set_xlabel("recall: percent of the object's pixels that are found")
    axes.set_ylabel("precision: percent of found pixels that are object")
    handles = [
        run_handle(f"{one.name}, PxAP {one.metrics['pxap']:.1f}", styles[one.name])
        for one in results
    ]
    marks = threshold_handles()
    if all(one.val_threshold is None for one in results):
        marks = marks[:1]
    add_legend(figure, [*handles, *marks], columns=2)
    return figure
