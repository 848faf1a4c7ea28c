"""Colours that colour-blind people tell apart; each means one thing everywhere.

The palette is that of Okabe and Ito, Color Universal Design, 2008. What a colour says
is said by a line style or a marker too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.colors import Colormap

from mmdgdm.errors import ConfigError

BLACK = "#000000"
ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#999999"

#: Colour of true boxes, whose lines are solid, and of predicted ones, dashed.
TRUE_COLOR = SKY_BLUE
PRED_COLOR = ORANGE
#: Lightness rises evenly, dark where the map is low; seen over a grey image.
DEFAULT_COLORMAP = "inferno"


class Style(NamedTuple):
    """How one of several things is drawn in a plot.

    Attributes:
        color: The colour.
        marker: The marker, as matplotlib names it.
    """

    color: str
    marker: str


#: Methods, each in its own colour and with its own marker in all plots.
METHOD_STYLES = {
    "cam": Style(BLACK, "o"),
    "dgdm": Style(VERMILLION, "s"),
    "adl": Style(BLUE, "^"),
    "cam-bgloss": Style(GREY, "X"),
    "dgdm-bgloss": Style(ORANGE, "D"),
    "adl-bgloss": Style(SKY_BLUE, "v"),
    "dropblock": Style(GREEN, "P"),
    "has": Style(PURPLE, "<"),
    "cutmix": Style(YELLOW, ">"),
    "center": Style(GREY, "*"),
}
#: What others get, in this order.
_OTHERS = (
    Style(BLUE, "h"),
    Style(ORANGE, "p"),
    Style(GREEN, "d"),
    Style(PURPLE, "8"),
    Style(SKY_BLUE, "H"),
    Style(VERMILLION, "*"),
    Style(GREY, "1"),
    Style(YELLOW, "2"),
)


def method_styles(names: Sequence[str]) -> dict[str, Style]:
    """The style of each method or run.

    Args:
        names: Their names; those of :data:`METHOD_STYLES` are known in any case, also
            in front of a seed or the like, as in ``DGDM_seed0``.

    Returns:
        Style by name. Others take styles in turn that none of the known ones has.

    Example:
        >>> styles = method_styles(["CAM", "mine"])
        >>> styles["CAM"].marker, styles["mine"].marker
        ('o', 'h')
    """
    found: dict[str, Style] = {}
    for name in names:
        words = name.lower().replace("_", " ").split()
        known = METHOD_STYLES.get(words[0] if words else "")
        if known is not None and known not in found.values():
            found[name] = known
    taken = {style.color for style in found.values()}
    free = [style for style in _OTHERS if style.color not in taken] or list(_OTHERS)
    rest = [name for name in names if name not in found]
    found.update({name: free[i % len(free)] for i, name in enumerate(rest)})
    return {name: found[name] for name in names}


def get_colormap(name: str) -> Colormap:
    """A colour map of matplotlib.

    Args:
        name: Its name, such as ``"inferno"``, ``"viridis"`` or ``"cividis"``.

    Returns:
        The colour map.

    Raises:
        ConfigError: If there is none of this name.
    """
    if name not in mpl.colormaps:
        raise ConfigError(
            "Expected `colormap` to be the name of one of matplotlib's, such as "
            f"'inferno', 'viridis' or 'cividis', but got {name!r}."
        )
    return mpl.colormaps[name]
