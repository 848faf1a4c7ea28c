"""Scores of single classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from matplotlib.figure import Figure

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.names import AT_VAL, human_name
from mmdgdm.evaluation.stored.results import StoredResult
from mmdgdm.visualization.colors import method_styles
from mmdgdm.visualization.plots.files import add_legend, new_axes, run_handle

#: Classes that are shown, at most.
_MOST = 40


def plot_classes(
    results: Sequence[StoredResult],
    *,
    score: str = "gt_known",
    classes: Optional[Sequence[str]] = None,
    most: int = _MOST,
) -> Figure:
    """Draw a score of each class: a bar for one run, else a marker for each.

    Classes are sorted by the first run's score. Of many, the lowest and the highest are
    shown.

    Args:
        results: One or several runs on the same images with boxes.
        score: Name of the score; it stands at val's threshold where all know it.
        classes: Names of the classes.
        most: How many classes are shown.

    Returns:
        A matplotlib figure that no window shows.

    Raises:
        ConfigError: If there is no result, or one does not know the score of classes.
    """
    at_val = all(_knows(one, f"{AT_VAL}{score}") for one in results)
    name = f"{AT_VAL}{score}" if at_val else score
    without = [one.name for one in results if not _knows(one, name)]
    if not results or without:
        raise ConfigError(
            f"Expected results with {score!r} of each class, but got "
            f"{', '.join(without) or 'none'}."
        )
    first = results[0].by_class
    labels = sorted(first, key=lambda label: (first[label][name], label))
    title = "val's threshold" if at_val else "the best threshold of all classes"
    if len(labels) > most:
        title += f"; {most} of {len(labels)} classes, the lowest and the highest"
        labels = [*labels[: most - most // 2], *labels[-(most // 2) :]]
    figure, (axes,) = new_axes(1, 1, size=(7.0, 1.4 + 0.24 * len(labels)))
    styles = method_styles([one.name for one in results])
    rows = list(range(len(labels)))
    for one in results:
        style = styles[one.name]
        values = [one.by_class[label][name] for label in labels]
        if len(results) == 1:
            axes.barh(rows, values, color=style.color, height=0.6, alpha=0.75)
        else:
            look: dict[str, Any] = dict(
                color=style.color, marker=style.marker, markersize=6.5
            )
            axes.plot(values, rows, linestyle="none", fillstyle="none", **look)
    texts = [
        f"{classes[label] if classes else label} ({first[label]['images']:g})"
        for label in labels
    ]
    axes.set_yticks(rows, texts, fontsize=8, parse_math=False)
    axes.set(xlim=(-1, 101), ylim=(-0.7, len(labels) - 0.3))
    axes.set_xlabel(f"{human_name(score)} in percent, at {title}", fontsize=9)
    axes.set_ylabel("class (images)")
    handles = [run_handle(*pair) for pair in styles.items()]
    if len(results) > 1:
        for handle in handles:
            handle.set(linestyle="none", fillstyle="none")
    add_legend(figure, handles)
    return figure


def _knows(result: StoredResult, name: str) -> bool:
    return bool(result.by_class) and all(name in v for v in result.by_class.values())
