"""Draw what was found on an image, in the image's own pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdgdm.evaluation.functional.scoremaps import normalize_scoremap
from mmdgdm.visualization.panel import PRED_COLOR, overlay_heatmap

#: Colours of classes, RGB; they repeat after the last.
CLASS_COLORS = (
    PRED_COLOR,
    (40, 160, 255),
    (250, 210, 40),
    (190, 90, 255),
    (60, 220, 200),
)
#: The side, in pixels, at which lines and letters have their plain size.
_PLAIN_SIDE = 480


def draw_overlay(
    image: NDArray[np.uint8],
    scoremap: NDArray[Any],
    *,
    boxes: Sequence[NDArray[Any]],
    captions: Sequence[str],
) -> NDArray[np.uint8]:
    """Blend a map into an image, and draw the boxes of classes with their names.

    Args:
        image: (H, W, 3) uint8, RGB; not changed.
        scoremap: Map of the first class, (h, w), not normalised.
        boxes: For each class its boxes, (n, 4), in pixels of the image.
        captions: For each class a line of text.

    Returns:
        A drawing of the image's size, (H, W, 3) uint8, RGB.
    """
    drawn: NDArray[np.uint8] = overlay_heatmap(image, normalize_scoremap(scoremap))
    scale = max(1.0, min(image.shape[:2]) / _PLAIN_SIDE)
    colors = [CLASS_COLORS[i % len(CLASS_COLORS)] for i in range(len(boxes))]
    whole = [np.asarray(group).round().astype(int).tolist() for group in boxes]
    for group, color in reversed(list(zip(whole, colors))):  # the first on top
        for box in group:
            cv2.rectangle(drawn, box[:2], box[2:], color, round(2 * scale))
    plates: list[list[int]] = []
    for group, color, caption in zip(whole, colors, captions):
        _write(drawn, caption, group[0], color=color, scale=scale, plates=plates)
    return drawn


def _write(
    image: NDArray[np.uint8],
    text: str,
    box: Sequence[int],
    *,
    color: Sequence[int],
    scale: float,
    plates: list[list[int]],
) -> None:
    """Write a line on a plate at a box's corner, below the plates that are there."""
    style = (cv2.FONT_HERSHEY_SIMPLEX, 0.5 * scale)
    thickness, margin = max(1, round(scale)), round(4 * scale)
    widest = image.shape[1] - 2 * margin
    while text and cv2.getTextSize(text, *style, thickness)[0][0] > widest:
        text = text[:-1]
    (width, height), below = cv2.getTextSize(text, *style, thickness)
    width, height = width + 2 * margin, height + below + 2 * margin
    left = max(0, min(box[0], image.shape[1] - width))
    top = max(0, min(box[1], image.shape[0] - height))
    for x0, y0, x1, y1 in sorted(plates, key=lambda plate: plate[1]):
        if x0 < left + width and left < x1 and y0 < top + height and top < y1:
            top = y1
    plates.append([left, top, left + width, top + height])
    corner = (left + width - 1, top + height - 1)
    cv2.rectangle(image, (left, top), corner, tuple(color), cv2.FILLED)
    origin = (left + margin, top + height - margin - below)
    cv2.putText(image, text, origin, *style, (255, 255, 255), thickness, cv2.LINE_AA)
