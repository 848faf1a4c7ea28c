"""Plot the trials of a search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmdgdm.search.space import Dimension
from mmdgdm.search.study import SearchSettings, TrialRecord

#: Panels in a row.
_COLUMNS = 3


def plot_search(records: Sequence[TrialRecord], settings: SearchSettings) -> Figure:
    """Draw the score over the trials, and over each key that varied.

    Failed trials are red crosses at the foot of the first panel, where a line
    follows the best score so far.

    Args:
        records: From :meth:`mmdgdm.search.study.Search.records`.
        settings: Of the same search.

    Returns:
        A matplotlib figure that no window shows.
    """
    rows = math.ceil((len(settings.space) + 1) / _COLUMNS)
    figure = Figure(figsize=(4 * _COLUMNS, 3 * rows), layout="constrained")
    panels = list(figure.subplots(rows, _COLUMNS, squeeze=False).ravel())
    _plot_trials(panels.pop(0), records, settings)
    done = [record for record in records if record.score is not None]
    for dimension in settings.space.values():
        _plot_key(panels.pop(0), done, dimension)
    for axes in panels:
        axes.set_visible(False)
    figure.supylabel(f"{settings.metric} on val")
    return figure


def _plot_trials(
    axes: Axes, records: Sequence[TrialRecord], settings: SearchSettings
) -> None:
    better = max if settings.direction == "maximize" else min
    numbers: list[int] = []
    scores: list[float] = []
    best: list[float] = []
    for record in records:
        if record.score is not None:
            numbers.append(record.number)
            scores.append(record.score)
            best.append(better([record.score, *best[-1:]]))
    axes.plot(numbers, scores, "o")
    axes.step(numbers, best, where="post", color="0.5", label="best so far")
    failed = [record.number for record in records if record.score is None]
    if failed:
        # The foot of the axes, whatever the scale of the scores.
        foot = [0.0] * len(failed)
        place = axes.get_xaxis_transform()
        axes.plot(failed, foot, "rx", transform=place, clip_on=False, label="failed")
    axes.set(xlabel="trial")
    axes.legend()


def _plot_key(axes: Axes, done: Sequence[TrialRecord], dimension: Dimension) -> None:
    values: list[Any] = [record.values[dimension.key] for record in done]
    if dimension.kind == "choice":
        known = [repr(value) for value in dimension.values]
        values = [known.index(repr(value)) for value in values]
        axes.set_xticks(range(len(known)), [str(value) for value in dimension.values])
    if dimension.kind == "log_uniform":
        axes.set_xscale("log")
    scores = [record.score for record in done if record.score is not None]
    axes.plot(values, scores, "o")
    axes.set(xlabel=dimension.key)
