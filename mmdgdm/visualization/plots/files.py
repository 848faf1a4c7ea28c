"""Figures as files, and what all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.stored.results import StoredResult
from mmdgdm.utils.faults import PathLike
from mmdgdm.visualization.colors import BLACK, Style

#: Endings of the files that a plot can be written to.
PLOT_ENDINGS = frozenset(FigureCanvasBase.filetypes)


def check_some(results: Sequence[StoredResult]) -> None:
    """Check that there is a result.

    Raises:
        ConfigError: If there is none.
    """
    if not results:
        raise ConfigError("Expected at least one result to plot, but got none.")


def new_axes(
    rows: int, columns: int, *, size: tuple[float, float], **kwargs: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of panels with a light grid and no frame above and to the right.

    Args:
        rows: Of panels.
        columns: Likewise.
        size: Width and height of the figure in inches.
        **kwargs: As for matplotlib's ``Figure.subplots``.

    Returns:
        The figure and its panels, row by row.
    """
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, **kwargs)
    panels = list(grid.ravel())
    for axes in panels:
        axes.grid(color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, panels


def run_handle(name: str, style: Style) -> Line2D:
    """An entry of a legend: a run's line with its marker."""
    return Line2D([], [], color=style.color, marker=style.marker, label=name)


def add_legend(figure: Figure, handles: Sequence[Any], *, columns: int = 4) -> None:
    """Put a legend above all panels."""
    names = [str(handle.get_label()) for handle in handles]
    wide = max(map(len, names), default=0) > 24
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=max(1, min(len(handles), columns // (2 if wide else 1))),
        frameon=False,
        fontsize=9,
    )


def threshold_handles() -> list[Line2D]:
    """Entries of a legend: the best threshold and the one that val chose."""
    style: Any = dict(color=BLACK, linestyle="none", markersize=9)
    best = Line2D([], [], marker="*", label="best threshold", **style)
    chosen = Line2D(
        [], [], marker="o", fillstyle="none", label="threshold that val chose", **style
    )
    return [best, chosen]


def save_figure(figure: Figure, path: PathLike) -> None:
    """Write a figure.

    Args:
        figure: The figure.
        path: The file; its ending chooses the format. Missing folders are made.

    Raises:
        ConfigError: If the file cannot be written.
    """
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise ConfigError(f"The plot cannot be written to {path} ({error}).") from error
