"""Draw heatmaps and boxes on images: arrays in, arrays out.

Images are uint8 arrays (H, W, 3) in RGB order; boxes are x0, y0, x1, y1 in
pixels of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

#: Colours of the boxes, RGB.
GT_COLOR = (40, 220, 60)
PRED_COLOR = (255, 60, 40)
_BAND = 22
_LONGEST_SIDE = 8192
#: Height of a cell of a contact sheet over its width, at most.
_TALLEST = 4


def enlarge(image: np.ndarray, min_side: int) -> tuple[np.ndarray, float]:
    """Enlarge a small image so that its shorter side reaches ``min_side``.

    Args:
        image: Image, (H, W, 3).
        min_side: Pixels wanted of the shorter side.

    Returns:
        The image and the factor it grew by. Its longer side is at most 8192 pixels,
        which image files can hold twice.
    """
    factor = max(1.0, min_side / min(image.shape[:2]))
    factor = min(factor, _LONGEST_SIDE / max(image.shape[:2]))
    if factor == 1.0:
        return image, factor
    height, width = image.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), factor


def overlay_heatmap(image: np.ndarray, scoremap: np.ndarray) -> np.ndarray:
    """Blend a colour-coded map into an image, half and half.

    Args:
        image: Image, (H, W, 3).
        scoremap: Map in [0, 1] of any size; stretched over the image.

    Returns:
        The blend, (H, W, 3) uint8, RGB.
    """
    height, width = image.shape[:2]
    stretched = cv2.resize(scoremap.astype(np.float32), (width, height))
    levels = np.clip(stretched * 255, 0, 255).astype(np.uint8)
    colors = cv2.applyColorMap(levels, cv2.COLORMAP_JET)[..., ::-1]
    return cv2.addWeighted(image, 0.5, colors, 0.5, 0)


def draw_boxes(
    image: np.ndarray, boxes: np.ndarray, *, color: Sequence[int]
) -> np.ndarray:
    """Draw the outlines of boxes, two pixels thick.

    Args:
        image: Image, (H, W, 3); not changed.
        boxes: Boxes, (K, 4).
        color: RGB.

    Returns:
        A new image.
    """
    out = image.copy()
    for x0, y0, x1, y1 in np.asarray(boxes).round().astype(int).tolist():
        cv2.rectangle(out, (x0, y0), (x1, y1), tuple(color), 2)
    return out


def add_caption(image: np.ndarray, text: str) -> np.ndarray:
    """Put a line of text in a dark band under an image.

    Args:
        image: Image, (H, W, 3).
        text: The line; cut where it would not fit.

    Returns:
        An image that is some pixels higher.
    """
    band = np.full((_BAND, image.shape[1], 3), 24, np.uint8)
    while text and cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)[0][0] > (
        image.shape[1] - 8
    ):
        text = text[:-1]
    cv2.putText(
        band,
        text,
        (4, _BAND - 7),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.42,
        (235, 235, 235),
        1,
        cv2.LINE_AA,
    )
    return np.concatenate([image, band])


def localization_panel(
    image: np.ndarray,
    scoremap: np.ndarray,
    *,
    gt_boxes: np.ndarray,
    pred_box: np.ndarray,
    caption: str = "",
    min_side: int = 224,
) -> np.ndarray:
    """Show the image with its boxes beside the heatmap with the same boxes.

    Args:
        image: Image, (H, W, 3).
        scoremap: Map in [0, 1], stretched over the image.
        gt_boxes: Ground-truth boxes (green), (K, 4); may be empty.
        pred_box: Predicted box (red), (4,).
        caption: A line of text under both.
        min_side: Small images are enlarged to this.

    Returns:
        An image, (H', W', 3) uint8, RGB.
    """
    canvas, factor = enlarge(image, min_side)
    views = []
    for view in (canvas, overlay_heatmap(canvas, scoremap)):
        boxed = draw_boxes(
            view, np.asarray(gt_boxes).reshape(-1, 4) * factor, color=GT_COLOR
        )
        predicted = np.asarray(pred_box, np.float64).reshape(1, 4) * factor
        views.append(draw_boxes(boxed, predicted, color=PRED_COLOR))
    gap = np.full((canvas.shape[0], 4, 3), 255, np.uint8)
    panel = np.concatenate([views[0], gap, views[1]], axis=1)
    return add_caption(panel, caption) if caption else panel


def contact_sheet(
    panels: Sequence[np.ndarray], columns: int = 2, *, cell_width: int = 456
) -> np.ndarray:
    """Arrange images in a grid, each scaled to the same width; long ones to less.

    Args:
        panels: Images, each (H, W, 3).
        columns: Images in a row.
        cell_width: Width of a cell in pixels.

    Returns:
        One image, (H', W', 3) uint8, on white.

    Raises:
        ValueError: If there is no image.
    """
    if not panels:
        raise ValueError("Expected `panels` to hold at least one image, but got none.")
    cells = []
    for panel in panels:
        factor = cell_width * min(1 / panel.shape[1], _TALLEST / panel.shape[0])
        size = [max(1, round(side * factor)) for side in panel.shape[1::-1]]
        cells.append(cv2.resize(panel, size, interpolation=cv2.INTER_AREA))
    rows = []
    for start in range(0, len(cells), columns):
        row = cells[start : start + columns]
        height = max(cell.shape[0] for cell in row) + 8
        canvas = np.full((height, columns * (cell_width + 8), 3), 255, np.uint8)
        for i, cell in enumerate(row):
            left = i * (cell_width + 8)
            canvas[: cell.shape[0], left : left + cell.shape[1]] = cell
        rows.append(canvas)
    return np.concatenate(rows)


def save_image(image: np.ndarray, path: Path, *, quality: int = 95) -> None:
    """Write an image to a file, whose folder is made.

    Args:
        image: Image, (H, W, 3).
        path: The file, ``.jpg`` or ``.png``.
        quality: Of JPEG, in [0, 100].

    Raises:
        OSError: If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    colors = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if not cv2.imwrite(str(path), colors, (cv2.IMWRITE_JPEG_QUALITY, quality)):
        raise OSError(f"Cannot write the image {path}.")
