"""Sheets of images with maps and boxes, of one method or of several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.image_facts import ImageFacts
from mmdgdm.visualization.canvas import (
    PRED_DASHES,
    TEXT,
    Canvas,
    Pixels,
    View,
    blend_map,
    draw_predicted_box,
    draw_true_box,
)
from mmdgdm.visualization.colors import (
    BLACK,
    DEFAULT_COLORMAP,
    PRED_COLOR,
    TRUE_COLOR,
    get_colormap,
)

#: Pixels between and around things.
_GAP, _MARGIN, _ROW = 6, 12, 17
#: Lines of text above a view.
_LINES = 3
#: Height of a view over its width, at least and at most.
_FLATTEST, _TALLEST = 0.6, 1.4
#: Width of a view on a sheet, and of a picture that stands alone.
SHEET_VIEW, SINGLE_VIEW = 214, 340
#: Length of the colour bar in pixels.
_BAR = 96


class Shot(NamedTuple):
    """One image with what a model made of it.

    Attributes:
        image: (H, W, 3) uint8, RGB; it shows the whole original image.
        quantized: (224, 224) uint8, the quantised map.
        facts: What localization did on it.
    """

    image: Pixels
    quantized: NDArray[np.uint8]
    facts: ImageFacts


def draw_sheet(
    panels: Sequence[Sequence[Shot]],
    *,
    methods: Sequence[str] = (),
    columns: int = 2,
    view: int = SHEET_VIEW,
    title: str = "",
    colormap: str = DEFAULT_COLORMAP,
) -> Pixels:
    """Draw images beside their maps, with boxes, classes and scores.

    A panel shows one image, and to its right the map of each method over it. Views of
    a sheet have one size; images fill it as far as their shape allows. The legend tells
    true boxes, solid, from predicted ones, dashed, and what the colours of maps mean.

    Args:
        panels: For each image a shot of each method; in one order of methods.
        methods: Names of the methods, for several.
        columns: Panels in a row.
        view: Width of a view in pixels.
        title: A line above all.
        colormap: Name of a colour map of matplotlib.

    Returns:
        The sheet, (H, W, 3) uint8, RGB.

    Raises:
        ConfigError: If there is no image, or a panel has another number of shots than
            there are methods.
    """
    if not panels:
        raise ConfigError("Expected at least one image to draw, but got none.")
    count = max(1, len(methods))
    if any(len(panel) != count for panel in panels):
        raise ConfigError(
            f"Expected {count} shots of each image, one a method, but got "
            f"{sorted({len(panel) for panel in panels})}."
        )
    columns = min(columns, len(panels))
    height = round(view * _aspect([panel[0] for panel in panels]))
    wide = (count + 1) * (view + _GAP) - _GAP
    tall = _LINES * _ROW + _GAP + height
    top = _header_height(title)
    rows = -(-len(panels) // columns)
    canvas = Canvas(
        columns * (wide + 2 * _MARGIN), top + rows * (tall + _MARGIN) + _GAP
    )
    threshold = _common_threshold(panels)
    _draw_header(canvas, title, threshold=threshold, colormap=colormap)
    for i, panel in enumerate(panels):
        left = _MARGIN + (i % columns) * (wide + 2 * _MARGIN)
        corner = (left, top + (i // columns) * (tall + _MARGIN))
        size = (view, height)
        _draw_panel(
            canvas, panel, corner=corner, size=size, methods=methods, colormap=colormap
        )
    return canvas.pixels()


def draw_shot(
    shot: Shot, *, view: int = SINGLE_VIEW, colormap: str = DEFAULT_COLORMAP
) -> Pixels:
    """Draw one image beside its map; a sheet of one panel.

    Args:
        shot: The image, its map and facts.
        view: Width of a view in pixels.
        colormap: Name of a colour map of matplotlib.

    Returns:
        The picture, (H, W, 3) uint8, RGB.
    """
    return draw_sheet([[shot]], view=view, colormap=colormap)


def _aspect(shots: Sequence[Shot]) -> float:
    """Height over width of the views: the median of the images, within limits."""
    shapes = [shot.image.shape[0] / shot.image.shape[1] for shot in shots]
    return float(np.clip(np.median(shapes), _FLATTEST, _TALLEST))


def _common_threshold(panels: Sequence[Sequence[Shot]]) -> Optional[float]:
    found = {shot.facts.threshold for panel in panels for shot in panel}
    return found.pop() if len(found) == 1 else None


def _header_height(title: str) -> int:
    return _MARGIN + (2 if title else 1) * (_ROW + _GAP) + _GAP


def _draw_header(
    canvas: Canvas, title: str, *, threshold: Optional[float], colormap: str
) -> None:
    """The title, and below it the legend of boxes and the colours of maps."""
    top = _MARGIN
    space = canvas.width - 2 * _MARGIN
    if title:
        canvas.write(title, (_MARGIN, top), width=space, size=TEXT + 1, bold=True)
        top += _ROW + _GAP
    left = draw_box_legend(canvas, (_MARGIN, top))
    high = "high" if threshold is None else f"high; box above {threshold:.2f}"
    names = ("map: low", high)
    left = draw_color_bar(canvas, (left, top), names=names, colormap=colormap)
    if threshold is not None:
        mark = left + threshold * _BAR
        canvas.box((mark - 1, top - 1, mark + 1, top + TEXT + 3), PRED_COLOR, line=1.5)


def draw_color_bar(
    canvas: Canvas,
    corner: tuple[int, int],
    *,
    names: tuple[str, str],
    colormap: str,
) -> int:
    """Draw the colours of a map from low to high.

    Args:
        canvas: What to draw on.
        corner: Left and top of a line of text.
        names: What stands before the bar and behind it.
        colormap: Name of the colour map.

    Returns:
        Where the bar begins.
    """
    left, top = corner
    left += round(canvas.write(names[0], corner, width=canvas.width - left)) + _GAP
    shades = np.linspace(0, 1, _BAR)[None].repeat(int(TEXT), axis=0)
    colors = get_colormap(colormap)(shades, bytes=True)[..., :3]
    canvas.paste(colors, left, top=top + 1)
    behind = left + _BAR + _GAP
    canvas.write(names[1], (behind, top), width=canvas.width - behind)
    return left


def draw_box_legend(
    canvas: Canvas, corner: tuple[int, int], *, predicted: bool = True
) -> int:
    """Say which boxes are true and which predicted.

    Args:
        canvas: What to draw on.
        corner: Left and top of a line of text.
        predicted: Whether there are predicted ones.

    Returns:
        Where the next thing in this line may begin.
    """
    left, top = corner
    boxes = [("true box", TRUE_COLOR, ()), ("predicted box", PRED_COLOR, PRED_DASHES)]
    for text, color, dashes in boxes if predicted else boxes[:1]:
        canvas.sample((left, left + 30), top + _ROW / 2, color=color, dashes=dashes)
        left += 36 + round(canvas.write(text, (left + 36, top), width=canvas.width))
        left += 2 * _MARGIN
    return left


def _draw_panel(
    canvas: Canvas,
    shots: Sequence[Shot],
    *,
    corner: tuple[int, int],
    size: tuple[int, int],
    methods: Sequence[str],
    colormap: str,
) -> None:
    """One image and the maps of all methods over it."""
    left, top = corner
    width, height = size
    image, facts = shots[0].image, shots[0].facts
    lines = [f"true: {facts.true_class or 'not known'}", facts.image_id]
    views = [(image, lines, facts, not methods)]
    for i, shot in enumerate(shots):
        scoremap = shot.quantized / 255
        blend = blend_map(shot.image, scoremap, colormap=colormap)
        lines = map_lines(shot.facts, methods[i] if methods else "")
        views.append((blend, lines, shot.facts, True))
    for pixels, lines, shown, predicted in views:
        for i, text in enumerate(lines):
            color = BLACK if i != 1 else "0.25"
            canvas.write(text, (left, top + i * _ROW), width=width, color=color)
        place = (left, top + _LINES * _ROW + _GAP // 2, width, height)
        seen = canvas.show(pixels, place)
        draw_boxes(canvas, seen, facts=shown, predicted=predicted)
        left += width + _GAP


def draw_boxes(
    canvas: Canvas, view: View, *, facts: ImageFacts, predicted: bool = True
) -> None:
    """Draw the boxes of an image on a view of it.

    Args:
        canvas: What to draw on.
        view: Where the image is seen.
        facts: With boxes in pixels of the original image.
        predicted: Whether to draw the predicted box too.
    """
    factors = np.array([view.width / facts.width, view.height / facts.height] * 2)
    corner = np.array([view.left, view.top] * 2)
    for box in facts.gt_boxes:
        draw_true_box(canvas, (np.array(box) * factors + corner).tolist())
    if predicted:
        draw_predicted_box(canvas, (np.array(facts.box) * factors + corner).tolist())


def map_lines(facts: ImageFacts, method: str = "") -> list[str]:
    """What is said above a map: whose it is, what was predicted, how good it is.

    Args:
        facts: What localization did.
        method: Name of the method.

    Returns:
        Three lines at most.

    Example:
        >>> facts = ImageFacts("a", 9, 9, 0.2, (0, 0, 1, 1), iou=0.3, kind="too small",
        ...                    label=0, predicted=1, map_label=0, confidence=0.9,
        ...                    true_class="cat", predicted_class="dog")
        >>> for line in map_lines(facts, "CAM"):
        ...     print(line)
        CAM: map of the true class
        predicted: dog, 0.90
        IoU 0.30 at 0.20, too small
    """
    lines = [f"map of {_whose(facts)}"]
    if method:
        lines[0] = f"{method}: {lines[0]}"
    if facts.predicted is not None:
        is_right = facts.predicted == facts.label
        name = "the true class" if is_right else facts.predicted_class
        score = "" if facts.confidence is None else f", {facts.confidence:.2f}"
        lines.append(f"predicted: {name}{score}")
    if facts.iou is not None:
        lines.append(f"IoU {facts.iou:.2f} at {facts.threshold:.2f}, {facts.kind}")
    return lines


def _whose(facts: ImageFacts) -> str:
    """Whose map it is, in words."""
    if facts.map_label is None:
        return "a class not known"
    if facts.map_label == facts.label:
        return "the true class"
    if facts.map_label == facts.predicted:
        return "the predicted class"
    return str(facts.map_class)
