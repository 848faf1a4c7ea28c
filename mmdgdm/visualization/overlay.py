"""Draw what was found on an image, in the image's own pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdgdm.evaluation.functional.scoremaps import normalize_scoremap
from mmdgdm.visualization.canvas import PRED_DASHES, TEXT, Canvas, Pixels, blend_map
from mmdgdm.visualization.colors import (
    DEFAULT_COLORMAP,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILLION,
    YELLOW,
)

#: Colours and dashes of classes; they repeat after the last. True boxes have another.
CLASS_STYLES: tuple[tuple[str, tuple[float, ...]], ...] = (
    (ORANGE, PRED_DASHES),
    (GREEN, (6.0, 2.0)),
    (YELLOW, (1.5, 1.5)),
    (PURPLE, (6.0, 2.0, 1.5, 2.0)),
    (VERMILLION, (9.0, 3.0)),
)
#: The shorter side, in pixels, at which lines and letters have their plain size.
_PLAIN_SIDE = 480
#: Height of letters there.
_TEXT = 15.0


def draw_overlay(
    image: NDArray[np.uint8],
    scoremap: NDArray[Any],
    *,
    boxes: Sequence[NDArray[Any]],
    captions: Sequence[str],
    colormap: str = DEFAULT_COLORMAP,
) -> Pixels:
    """Blend a map into an image, and draw the boxes of classes with their names.

    Args:
        image: (H, W, 3) uint8, RGB; not changed.
        scoremap: Map of the first class, (h, w), not normalised.
        boxes: For each class its boxes, (n, 4), in pixels of the image.
        captions: For each class a line of text.
        colormap: Name of a colour map of matplotlib.

    Returns:
        A drawing of the image's size, (H, W, 3) uint8, RGB.
    """
    blend = blend_map(image, normalize_scoremap(scoremap), colormap=colormap)
    height, width = image.shape[:2]
    canvas = Canvas(width, height)
    canvas.paste(blend, 0, top=0)
    scale = max(1.0, min(height, width) / _PLAIN_SIDE)
    styles = [CLASS_STYLES[i % len(CLASS_STYLES)] for i in range(len(boxes))]
    for group, (color, dashes) in reversed(list(zip(boxes, styles))):  # first on top
        for box in np.asarray(group).tolist():
            canvas.box(box, color, dashes=dashes, line=2 * scale)
    size = _TEXT * scale if min(height, width) >= _PLAIN_SIDE / 2 else TEXT
    plates: list[Sequence[float]] = []
    for group, (color, _), caption in zip(boxes, styles, captions):
        corner = np.asarray(group)[0][:2].tolist()
        _write(canvas, caption, corner, size=size, color=color, plates=plates)
    return canvas.pixels()


def _write(
    canvas: Canvas,
    text: str,
    corner: Sequence[float],
    *,
    size: float,
    color: str,
    plates: list[Sequence[float]],
) -> None:
    """Write a line on a plate at a box's corner, below the plates that are there.

    The plate stands above the box where there is room, since it would hide what is in
    the box.
    """
    margin = size / 3
    width = min(canvas.measure(text, size), canvas.width - 2 * margin) + 2 * margin
    height = 1.2 * size + 2 * margin
    left = max(0.0, min(corner[0], canvas.width - width))
    above = corner[1] - height
    top = max(0.0, above if above >= 0 else min(corner[1], canvas.height - height))
    for x0, y0, x1, y1 in sorted(plates, key=lambda plate: plate[1]):
        if x0 < left + width and left < x1 and y0 < top + height and top < y1:
            top = y1
    plate = (left, top, left + width, top + height)
    plates.append(plate)
    canvas.plate(plate, color)
    place = (left + margin, top + margin)
    canvas.write(text, place, width=canvas.width - 2 * margin, size=size)
