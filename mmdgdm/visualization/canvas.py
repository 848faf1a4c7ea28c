"""A picture that is laid out in pixels: images are pasted, boxes and text drawn on top.

Boxes and text are matplotlib's, without its state: nothing here opens a window or
leaves a figure behind. Images are uint8 arrays (H, W, 3) in RGB order.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from mmdgdm.visualization.colors import (
    BLACK,
    DEFAULT_COLORMAP,
    PRED_COLOR,
    TRUE_COLOR,
    get_colormap,
)

Pixels = NDArray[np.uint8]
#: Height of text and width of lines in pixels.
TEXT = 12.0
LINE = 2.0
#: Dashes and gaps of predicted boxes, in widths of the line.
PRED_DASHES = (3.0, 2.0)
_DPI = 100
#: How much of the blend is map; the rest is grey image.
_MAP_SHARE = 0.55
#: Level of what an image leaves free of its place.
_PAD = 237


class View(NamedTuple):
    """Where an image is seen on a canvas.

    Attributes:
        left: Of the image, in pixels of the canvas.
        top: Likewise.
        width: Likewise.
        height: Likewise.
    """

    left: int
    top: int
    width: int
    height: int


class Canvas:
    """A white picture to draw on; places are pixels from its upper left corner.

    Args:
        width: Of the picture in pixels.
        height: Likewise.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._pixels = np.full((height, width, 3), 255, dtype=np.uint8)
        self._figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
        self._agg: Any = FigureCanvasAgg(self._figure)

    def paste(self, image: Pixels, left: int, *, top: int) -> None:
        """Put an image on the canvas as it is; what does not fit is cut off."""
        part = self._pixels[top : top + len(image), left : left + image.shape[1]]
        part[:] = image[: part.shape[0], : part.shape[1]]

    def show(self, image: Pixels, place: Sequence[int]) -> View:
        """Show an image as large as it fits into a place, on light grey.

        Args:
            image: The image, of any size.
            place: Left, top, width and height.

        Returns:
            Where it is seen.
        """
        left, top, width, height = place
        self._pixels[top : top + height, left : left + width] = _PAD
        factor = min(width / image.shape[1], height / image.shape[0])
        columns = min(width, max(1, round(image.shape[1] * factor)))
        rows = min(height, max(1, round(image.shape[0] * factor)))
        way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        scaled = np.asarray(cv2.resize(image, (columns, rows), interpolation=way))
        left, top = left + (width - columns) // 2, top + (height - rows) // 2
        self.paste(scaled.astype(np.uint8), left, top=top)
        return View(left, top, columns, rows)

    def box(
        self,
        box: Sequence[float],
        color: str,
        *,
        dashes: Sequence[float] = (),
        line: float = LINE,
    ) -> None:
        """Draw a box with a dark rim, which shows it on bright ground.

        Args:
            box: x0, y0, x1, y1; half a line of it stands outside.
            color: Of the line.
            dashes: Lengths of dashes and gaps, in widths of the line; none for a solid
                one. The rim shows in the gaps.
            line: Width of the line in pixels.
        """
        x0, y0, x1, y1 = box
        width = _points(line)
        styles = [(BLACK, 2 * width, "-"), (color, width, _line_style(dashes))]
        for shade, thickness, style in styles:
            patch = Rectangle(
                (x0 / self.width, 1 - y1 / self.height),
                (x1 - x0) / self.width,
                (y1 - y0) / self.height,
                fill=False,
                edgecolor=shade,
                linewidth=thickness,
                linestyle=style,
                joinstyle="miter",
                transform=self._figure.transFigure,
            )
            self._figure.add_artist(patch)

    def plate(self, box: Sequence[float], color: str) -> None:
        """Fill a box."""
        x0, y0, x1, y1 = box
        patch = Rectangle(
            (x0 / self.width, 1 - y1 / self.height),
            (x1 - x0) / self.width,
            (y1 - y0) / self.height,
            facecolor=color,
            edgecolor="none",
            transform=self._figure.transFigure,
        )
        self._figure.add_artist(patch)

    def sample(
        self,
        ends: Sequence[float],
        middle: float,
        *,
        color: str,
        dashes: Sequence[float] = (),
    ) -> None:
        """Draw a line from left to right as :meth:`box` draws its sides: for legends.

        Args:
            ends: Left and right end.
            middle: Its distance from the top.
            color: Of the line.
            dashes: As of a box.
        """
        across = [end / self.width for end in ends]
        down = [1 - middle / self.height] * 2
        width = _points(LINE)
        rim = Line2D(across, down, color=BLACK, linewidth=2 * width)
        style = dict(color=color, linewidth=width, linestyle=_line_style(dashes))
        self._figure.add_artist(rim)
        self._figure.add_artist(Line2D(across, down, **style))

    def write(
        self,
        text: str,
        place: Sequence[float],
        *,
        width: float,
        size: float = TEXT,
        color: str = BLACK,
        bold: bool = False,
    ) -> float:
        """Write one line, with its middle left out where it would be too wide.

        Args:
            text: The line; nothing in it is read as a formula.
            place: Left and top.
            width: Most pixels that it may take.
            size: Height of the text in pixels.
            color: Of the text.
            bold: Whether it is bold.

        Returns:
            The pixels that it takes.
        """
        font = FontProperties(size=_points(size), weight="bold" if bold else "normal")
        shown = self._shorten(text, width, font=font)
        self._figure.text(
            place[0] / self.width,
            1 - place[1] / self.height,
            shown,
            fontproperties=font,
            color=color,
            verticalalignment="top",
            parse_math=False,
        )
        return self._measure(shown, font)

    def measure(self, text: str, size: float = TEXT) -> float:
        """The pixels that a line takes."""
        return self._measure(text, FontProperties(size=_points(size)))

    def _measure(self, text: str, font: FontProperties) -> float:
        size = self._agg.get_renderer().get_text_width_height_descent(text, font, False)
        return float(size[0])

    def _shorten(self, text: str, width: float, *, font: FontProperties) -> str:
        if self._measure(text, font) <= width:
            return text
        # Of the lines with 0, 1, 2, ... letters kept, the longest that fits.
        low, high = 0, len(text)
        while low + 1 < high:
            kept = (low + high) // 2
            fits = self._measure(_cut(text, kept), font) <= width
            low, high = (kept, high) if fits else (low, kept)
        return _cut(text, low) if low else ""

    def pixels(self) -> Pixels:
        """The picture, (H, W, 3) uint8, RGB."""
        self._figure.figimage(self._pixels)
        self._agg.draw()
        return np.ascontiguousarray(np.asarray(self._agg.buffer_rgba())[..., :3])


def _points(pixels: float) -> float:
    return pixels * 72 / _DPI


def _line_style(dashes: Sequence[float]) -> Any:
    return (0, tuple(dashes)) if dashes else "-"


def _cut(text: str, kept: int) -> str:
    """The first and last letters of a text."""
    return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"


def draw_true_box(canvas: Canvas, box: Sequence[float], *, line: float = LINE) -> None:
    """Draw a ground-truth box: solid."""
    canvas.box(box, TRUE_COLOR, line=line)


def draw_predicted_box(
    canvas: Canvas, box: Sequence[float], *, line: float = LINE
) -> None:
    """Draw a predicted box: dashed."""
    canvas.box(box, PRED_COLOR, dashes=PRED_DASHES, line=line)


def blend_map(
    image: Pixels, scoremap: NDArray[Any], *, colormap: str = DEFAULT_COLORMAP
) -> Pixels:
    """Blend a colour-coded map into the grey version of an image.

    The image loses its colours, so that all colours are the map's.

    Args:
        image: The image, (H, W, 3).
        scoremap: Map in [0, 1] of any size; stretched over the image.
        colormap: Name of a colour map of matplotlib.

    Returns:
        The blend, (H, W, 3).

    Raises:
        ConfigError: If there is no such colour map.
    """
    height, width = image.shape[:2]
    stretched = cv2.resize(np.asarray(scoremap, np.float32), (width, height))
    colors = get_colormap(colormap)(np.clip(stretched, 0, 1), bytes=True)[..., :3]
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    shade = np.ascontiguousarray(colors)
    blended = cv2.addWeighted(grey, 1 - _MAP_SHARE, shade, _MAP_SHARE, 0)
    return np.asarray(blended, dtype=np.uint8)


def save_image(image: Pixels, path: Path, *, quality: int = 92) -> None:
    """Write an image to a file, whose folder is made.

    Args:
        image: Image, (H, W, 3) in RGB order, or grey (H, W).
        path: The file, ``.jpg`` or ``.png``.
        quality: Of JPEG, in [0, 100].

    Raises:
        OSError: If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    colors = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    is_jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    options = (cv2.IMWRITE_JPEG_QUALITY, quality) if is_jpeg else ()
    if not cv2.imwrite(str(path), colors, options):
        raise OSError(f"Cannot write the image {path}.")
