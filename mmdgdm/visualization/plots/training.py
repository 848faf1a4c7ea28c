"""Losses and scores over the epochs of a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.names import human_name, split_name
from mmdgdm.utils.training_logs import TrainingLog
from mmdgdm.visualization.colors import method_styles
from mmdgdm.visualization.plots.files import add_legend, new_axes, run_handle

#: What is drawn of val, where a run has it.
SCORES = ("top1_cls", "gt_known", "max_box_acc_v2", "pxap", "accuracy/top1")


def plot_training(
    logs: Sequence[TrainingLog], scores: Sequence[str] = SCORES
) -> Figure:
    """Draw the losses of training and the scores of val over the epochs.

    Args:
        logs: One or several trainings.
        scores: Names of scores, with their prefix or without; those that a run does
            not have are left out.

    Returns:
        A matplotlib figure that no window shows: a panel for each loss and score.

    Raises:
        ConfigError: If there is nothing to draw.
    """
    losses = list(dict.fromkeys(n for log in logs for n in log.train if "loss" in n))
    found = list(dict.fromkeys(n for log in logs for n in log.val))
    shown = [
        name
        for score in scores
        for name in found
        if name == score or split_name(name)[1:] == ("", score)
    ]
    names = [*losses, *shown]
    if not names:
        raise ConfigError("Expected trainings with a loss or a score, but got none.")
    columns = 2 if len(names) == 4 else min(3, len(names))
    rows = -(-len(names) // columns)
    size = (3.8 * columns + 0.6, 2.9 * rows + 0.5)
    figure, panels = new_axes(rows, columns, size=size)
    styles = method_styles([log.name for log in logs])
    for axes, name in zip(panels, names):
        for log in logs:
            part = log.train if name in losses else log.val
            if name not in part:
                continue
            style = styles[log.name]
            every = max(1, len(part[name][0]) // 10)
            look: dict[str, Any] = dict(
                marker=style.marker, markersize=4.5, markevery=every
            )
            axes.plot(*part[name], color=style.color, **look)
        is_loss = name in losses
        axes.set_title(f"{name}, train" if is_loss else f"{human_name(name)}, val, %")
        axes.title.set_fontsize(10)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        if is_loss:
            axes.set_ylim(bottom=0)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel(logs[0].unit, fontsize=10)
    add_legend(figure, [run_handle(*pair) for pair in styles.items()])
    return figure
