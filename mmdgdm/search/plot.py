"""Optuna's plots of a search."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.visualization import matplotlib as plots

from mmdgdm.search.study import Search


def save_plots(search: Search) -> None:
    """Write Optuna's plots into the folder of a search.

    ``history.png`` shows the score over the trials, ``slices.png`` over each key, and
    ``importances.png`` how much each key tells the best tenth of the trials from the
    others. Without a score nothing is written, and without two different ones no
    importances.

    Args:
        search: The search.
    """
    scores = {trial.value for trial in search.finished()} - {None}
    if scores:
        _save(search, plots.plot_optimization_history, "history")
        _save(search, plots.plot_slice, "slices")
    if len(scores) > 1:
        # The default of Optuna 4 needs scikit-learn.
        evaluator = PedAnovaImportanceEvaluator()
        _save(search, plots.plot_param_importances, "importances", evaluator=evaluator)


def _save(search: Search, plot: Callable[..., Any], name: str, **options: Any) -> None:
    style: dict[Any, Any] = {"backend": "agg", "figure.constrained_layout.use": True}
    # The plots are experimental; a single trial makes a range of one point.
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drawn = plot(search.study, target_name=f"{search.metric} on val", **options)
        panels = list(np.ravel(drawn))
        figure = panels[0].figure
        if name == "slices":
            for axes in panels:
                _make_room(axes)
        elif name == "history":
            # Optuna puts the legend beside the panel, and squeezes that.
            panels[0].legend(loc="best", fontsize="small")
        else:
            panels[0].get_legend().remove()  # one kind of bars needs none
        figure.savefig(search.work_dir / f"{name}.png", dpi=120, bbox_inches="tight")
        plt.close(figure)


def _make_room(axes: Axes) -> None:
    """Break the key into lines, and turn the ticks, so that none collide."""
    axes.set_xlabel(axes.get_xlabel().replace(".", ".\n"), fontsize="small")
    axes.tick_params(axis="x", rotation=90, labelsize="small")
    shown = [np.asarray(dots.get_offsets())[:, 0] for dots in axes.collections]
    if axes.get_xscale() == "log":
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    elif np.equal(np.mod(np.concatenate(shown), 1), 0).all():
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
