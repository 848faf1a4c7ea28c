"""Plot what an evaluation of stored maps found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.names import PREFIX, THRESHOLD, human_name

#: Endings of the files that a plot can be written to.
PLOT_ENDINGS = frozenset(FigureCanvasBase.filetypes)
#: What is drawn of all curves.
_BOX_CURVES = ("gt_known", "top1_loc", "max_box_acc_v2_30", "max_box_acc_v2_70")
_PIXEL_CURVES = ("pixel_precision", "pixel_recall", "pixel_iou")


def plot_curves(result: Mapping[str, Any]) -> Figure:
    """Draw scores over the threshold, with their best points and the fixed one.

    Args:
        result: From :func:`mmdgdm.evaluation.stored.evaluate.evaluate_scoremaps`.

    Returns:
        A matplotlib figure that no window shows.
    """
    curves, metrics = result["curves"], result["metrics"]
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    for name in (*_BOX_CURVES, *_PIXEL_CURVES):
        if name not in curves:
            continue
        (line,) = axes.plot(curves["thresholds"], curves[name], label=human_name(name))
        best = f"{PREFIX}/{THRESHOLD}{name}"
        if best in metrics:
            point = metrics[best], metrics[f"{PREFIX}/{name}"]
            axes.plot(*point, "o", color=line.get_color())
    fixed = result["evaluated"]["threshold"]
    if fixed is not None:
        axes.axvline(fixed, color="0.5", linestyle="--", label=f"fixed at {fixed:g}")
    axes.set(xlim=(0, 1), ylim=(0, 101), xlabel="threshold", ylabel="percent")
    axes.set_title(f"{result['evaluated']['images']} images; dots are the best points")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def save_curves(result: Mapping[str, Any], path: Union[str, Path]) -> None:
    """Write :func:`plot_curves` as an image.

    Args:
        result: From :func:`mmdgdm.evaluation.stored.evaluate.evaluate_scoremaps`.
        path: The file; its ending chooses the format. Missing folders are made.

    Raises:
        ConfigError: If the file cannot be written.
    """
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        plot_curves(result).savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise ConfigError(f"The plot cannot be written to {path} ({error}).") from error
