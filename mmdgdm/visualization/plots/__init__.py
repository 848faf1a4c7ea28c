"""Plots of scores, each a function that returns a matplotlib figure.

A colour and a marker mean the same method or run in all of them
(:func:`mmdgdm.visualization.colors.method_styles`).
"""

from mmdgdm.visualization.plots.classes import plot_classes
from mmdgdm.visualization.plots.coverage import plot_coverage, plot_kinds
from mmdgdm.visualization.plots.files import PLOT_ENDINGS, save_figure
from mmdgdm.visualization.plots.methods import plot_methods
from mmdgdm.visualization.plots.pixels import plot_precision_recall
from mmdgdm.visualization.plots.sizes import plot_sizes
from mmdgdm.visualization.plots.thresholds import plot_thresholds
from mmdgdm.visualization.plots.training import plot_training

__all__ = [
    "PLOT_ENDINGS",
    "plot_classes",
    "plot_coverage",
    "plot_kinds",
    "plot_methods",
    "plot_precision_recall",
    "plot_sizes",
    "plot_thresholds",
    "plot_training",
    "save_figure",
]
