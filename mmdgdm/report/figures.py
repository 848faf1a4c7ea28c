"""The plots of a report, as SVG within the page."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from mmdgdm.evaluation.stored.results import StoredResult, size_score
from mmdgdm.visualization import plots

#: Colours that follow light and dark, in place of matplotlib's.
_THEMED = {
    "#000000": "currentColor",
    "#ffffff": "var(--paper)",
    "#e6e6e6": "var(--line)",
}


class Plot(NamedTuple):
    """A plot of the page.

    Attributes:
        title: Its heading.
        text: What it shows, in a sentence.
        svg: The plot.
    """

    title: str
    text: str
    svg: Markup


def make_plots(results: Sequence[StoredResult], classes: Sequence[str]) -> list[Plot]:
    """The plots that results allow.

    Args:
        results: One or several runs on the same images.
        classes: Names of the classes by label; empty if they are not known.

    Returns:
        The plots in the order of the page.
    """
    found = [
        (
            "Accuracy over the threshold",
            "Percent of images whose box is right, over the threshold that boxes are "
            "taken at. A star marks the best threshold, a ring the one that val chose.",
            plots.plot_thresholds(results),
        )
    ]
    if all("pixel_precision" in one.curves for one in results):
        text = "Precision over recall of the pixels of all masks."
        figure = plots.plot_precision_recall(results)
        found.append(("Precision and recall", text, figure))
    if all(one.table is not None for one in results):
        text = "Percent of boxes that are right, and what is wrong with the others."
        found.append(("Kinds of error", text, plots.plot_kinds(results)))
        text = (
            "What boxes hold beside the object, over what they miss of it, from "
            "threshold to threshold. Lower left is better."
        )
        found.append(("Coverage", text, plots.plot_coverage(results)))
        if size_score(results) is not None:
            text = (
                "Percent of boxes that are right by the size of the image's largest "
                "object, with the number of images of each size."
            )
            found.append(("Accuracy by size", text, plots.plot_sizes(results)))
    if all(one.by_class for one in results):
        text = "GT-known of each class in percent, the lowest first."
        figure = plots.plot_classes(results, classes=classes or None)
        found.append(("By class", text, figure))
    return [
        Plot(title, text, to_svg(figure, f"plot{i}"))
        for i, (title, text, figure) in enumerate(found)
    ]


def to_svg(figure: Figure, prefix: str) -> Markup:
    """A figure as SVG that stands in a page beside others, in light and dark.

    Args:
        figure: The figure.
        prefix: What the names within it begin with: those of a page must differ.

    Returns:
        The element ``svg``. Text stays text, black and white follow the page.
    """
    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}):
        figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'( id="|href="#|url\(#)', rf"\1{prefix}-", text)
    for plain, themed in _THEMED.items():
        text = re.sub(rf"(?<=: ){plain}(?=[;\"])", themed, text)
    return Markup(text)
