"""Scores of objects of different sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.names import AT_VAL, human_name
from mmdgdm.evaluation.functional.summary import SIZE_LIMITS
from mmdgdm.evaluation.stored.results import StoredResult, size_counts, size_score
from mmdgdm.visualization.colors import Style, method_styles
from mmdgdm.visualization.plots.files import (
    add_legend,
    check_some,
    new_axes,
    run_handle,
)

#: Share of the way from one size to the next that its bars take.
_WIDTH = 0.8


def plot_sizes(results: Sequence[StoredResult]) -> Figure:
    """Draw the accuracy of small, medium and large objects: a bar a run, side by side.

    It is GT-known, or MaxBoxAcc where maps are not those of the true class. The size of
    an image's object is that of its largest true box; below it stands how many images
    have it. The scores stand at val's threshold where all runs know one, else at the
    best one of all images.

    Args:
        results: One or several runs on the same images, with their records of boxes.

    Returns:
        A matplotlib figure that no window shows.

    Raises:
        ConfigError: If there is no result, results are of different images, or share
            no score by size.
        DataError: If a result has no records of boxes.
    """
    counts = _same_counts(results)
    score = size_score(results)
    if score is None:
        raise ConfigError(
            "Expected results that share 'gt_known' or 'max_box_acc' by size of the "
            f"object, but got {', '.join(one.name for one in results)}."
        )
    at_val = all(one.val_threshold is not None for one in results)
    names = [f"{AT_VAL if at_val else ''}{score}_{size}" for size in counts]
    figure, (axes,) = new_axes(1, 1, size=(6.6, 4.2))
    styles = method_styles([one.name for one in results])
    width = _WIDTH / len(results)
    for i, one in enumerate(results):
        offset = width * (i - (len(results) - 1) / 2)
        # A size that no object has, has no score.
        known = {
            place + offset: one.metrics[name]
            for place, name in enumerate(names)
            if name in one.metrics
        }
        _draw(axes, known, style=styles[one.name], width=width)
    texts = [
        f"{size}: {share}\n{count} image{'' if count == 1 else 's'}"
        for (size, count), share in zip(counts.items(), _shares())
    ]
    axes.set_xticks(range(len(texts)), texts)
    axes.set_xlabel("size of the object, share of the image")
    axes.set(xlim=(-0.5, len(texts) - 0.5), ylim=(0, 105), yticks=range(0, 101, 20))
    axes.grid(visible=False, axis="x")
    place = "val's threshold" if at_val else "the best threshold of all images"
    axes.set_ylabel(f"{human_name(score)} in percent, at {place}")
    add_legend(figure, [run_handle(*pair) for pair in styles.items()])
    return figure


def _draw(
    axes: Axes, values: dict[float, float], *, style: Style, width: float
) -> None:
    """Bars of one run, each with its marker and its number on top."""
    places = list(values)
    heights = list(values.values())
    axes.bar(places, heights, 0.9 * width, color=style.color, alpha=0.75)
    look: dict[str, Any] = dict(color=style.color, marker=style.marker, markersize=6.5)
    axes.plot(places, heights, linestyle="none", **look)
    for place, height in values.items():
        above: dict[str, Any] = dict(xytext=(0, 6), textcoords="offset points")
        axes.annotate(
            f"{height:.0f}", (place, height), ha="center", fontsize=9, **above
        )


def _same_counts(results: Sequence[StoredResult]) -> dict[str, int]:
    """How many images there are of each size, which all runs must agree on."""
    check_some(results)
    counts = {one.name: size_counts(one) for one in results}
    first = counts[results[0].name]
    other = next((name for name, found in counts.items() if found != first), None)
    if other is not None:
        raise ConfigError(
            "Expected results on the same images, but the sizes of their objects "
            f"differ: {results[0].name} {first}, {other} {counts[other]}."
        )
    return first


def _shares() -> list[str]:
    """In words the shares of the image that each size takes."""
    low, high = (f"{100 * limit:g}" for limit in SIZE_LIMITS)
    return [f"below {low} %", f"{low} to {high} %", f"above {high} %"]
