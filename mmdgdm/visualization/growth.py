"""How maps grow: the same images after several validations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mmdgdm.visualization.canvas import Canvas, Pixels, blend_map
from mmdgdm.visualization.colors import DEFAULT_COLORMAP
from mmdgdm.visualization.sheets import (
    Shot,
    draw_box_legend,
    draw_boxes,
    draw_color_bar,
)

#: Validations that are shown, at most.
MOST_COLUMNS = 6
_GAP, _MARGIN, _ROW = 6, 12, 17


def draw_growth(
    steps: Mapping[str, Sequence[Shot]],
    *,
    view: int = 130,
    colormap: str = DEFAULT_COLORMAP,
) -> Pixels:
    """Draw a row for each image: what it shows, and its map after each validation.

    Of many validations some are shown, in even steps, the last one among them.

    Args:
        steps: By the name of each validation, in their order, shots of the same images
            in the same order.
        view: Width of a view in pixels.
        colormap: Name of a colour map of matplotlib.

    Returns:
        The sheet, (H, W, 3) uint8, RGB.
    """
    names = list(steps)
    places = np.linspace(0, len(names) - 1, min(len(names), MOST_COLUMNS)).round()
    shown = [names[int(place)] for place in places]
    rows = list(zip(*(steps[name] for name in shown)))
    aspect = float(
        np.median([row[0].image.shape[0] / row[0].image.shape[1] for row in rows])
    )
    height = round(view * np.clip(aspect, 0.6, 1.4))
    top = _MARGIN + 3 * (_ROW + _GAP)
    canvas = Canvas(
        2 * _MARGIN + (len(shown) + 1) * (view + _GAP) - _GAP,
        top + len(rows) * (height + 2 * _ROW + _GAP),
    )
    draw_box_legend(canvas, (_MARGIN, _MARGIN))
    line = _MARGIN + _ROW + _GAP
    ends = ("map: low", "high")
    draw_color_bar(canvas, (_MARGIN, line), names=ends, colormap=colormap)
    line += _ROW + _GAP
    for i, name in enumerate(shown):
        left = _MARGIN + (i + 1) * (view + _GAP)
        canvas.write(name, (left, line), width=view, bold=True)
    for row in rows:
        _draw_row(canvas, row, top=top, size=(view, height), colormap=colormap)
        top += height + 2 * _ROW + _GAP
    return canvas.pixels()


def _draw_row(
    canvas: Canvas,
    row: Sequence[Shot],
    *,
    top: int,
    size: tuple[int, int],
    colormap: str,
) -> None:
    """One image, and its map after each validation with what came of it below."""
    width, height = size
    facts = row[0].facts
    views = [(row[0].image, facts, [facts.true_class or "", facts.image_id])]
    for shot in row:
        facts = shot.facts
        blend = blend_map(shot.image, shot.quantized / 255, colormap=colormap)
        lines = [] if facts.iou is None else [f"IoU {facts.iou:.2f}", facts.kind or ""]
        views.append((blend, facts, lines))
    for i, (pixels, facts, lines) in enumerate(views):
        left = _MARGIN + i * (width + _GAP)
        view = canvas.show(pixels, (left, top, width, height))
        draw_boxes(canvas, view, facts=facts, predicted=i > 0)
        for j, text in enumerate(lines):
            canvas.write(text, (left, top + height + 2 + j * _ROW), width=width)
