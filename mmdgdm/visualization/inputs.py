"""Sheets of what a network is fed, and of what layers erase in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.boxes import Box
from mmdgdm.visualization.canvas import Canvas, Pixels, blend_map, draw_true_box
from mmdgdm.visualization.colors import DEFAULT_COLORMAP
from mmdgdm.visualization.sheets import draw_box_legend, draw_color_bar

_GAP, _MARGIN, _ROW = 6, 12, 17
_VIEW = 160
#: Height of the strip of channels.
_STRIP = 12
#: Below this share of the largest multiplier a place counts as erased.
_ERASED = 1e-6


class FedImage(NamedTuple):
    """One image as a network is fed with it.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        boxes: Ground-truth boxes in its pixels.
        caption: A line of text.
    """

    image: Pixels
    boxes: Sequence[Box]
    caption: str


class LayerView(NamedTuple):
    """What a layer did to one image.

    Attributes:
        name: The layer and where it acts.
        attention: (h, w), what the layer looks at.
        spatial: (h, w) each, what each place was multiplied by in each of several
            passes; none if it masks no places.
        channel: (C,), what each channel was multiplied by, the strongest first, if it
            masks channels.
    """

    name: str
    attention: NDArray[Any]
    spatial: Sequence[NDArray[Any]]
    channel: Optional[NDArray[Any]]


def draw_inputs(images: Sequence[FedImage], *, columns: int = 5) -> Pixels:
    """Draw what a network is fed, with true boxes.

    Args:
        images: The images.
        columns: Images in a row.

    Returns:
        The sheet, (H, W, 3) uint8, RGB.

    Raises:
        ConfigError: If there is no image.
    """
    if not images:
        raise ConfigError("Expected at least one image to draw, but got none.")
    columns = min(columns, len(images))
    tall = _VIEW + _ROW + _GAP
    rows = -(-len(images) // columns)
    canvas = Canvas(columns * (_VIEW + _GAP) + 2 * _MARGIN, rows * tall + 2 * _MARGIN)
    for i, fed in enumerate(images):
        left = _MARGIN + (i % columns) * (_VIEW + _GAP)
        top = _MARGIN + (i // columns) * tall
        canvas.write(fed.caption, (left, top), width=_VIEW)
        _show(canvas, fed, fed.image, corner=(left, top + _ROW))
    return canvas.pixels()


def draw_layers(
    images: Sequence[FedImage],
    layers: Sequence[Sequence[LayerView]],
    *,
    colormap: str = DEFAULT_COLORMAP,
) -> Pixels:
    """Draw what layers erase: a row an image, beside it what each layer did to it.

    Of each layer there are its attention over the image and, where it masks places,
    what that leaves of the image in each pass: erased blocks are black with a white
    outline, and an importance map shades the image. A strip shows the channels in the
    first pass, the strongest on the left, dropped ones black.

    Args:
        images: The images.
        layers: For each image a view of each layer.
        colormap: Name of the colour map of attentions.

    Returns:
        The sheet, (H, W, 3) uint8, RGB.

    Raises:
        ConfigError: If there is no image or no layer.
    """
    if not images or not layers[0]:
        raise ConfigError("Expected images and layers that erase, but got none.")
    wide = 1 + sum(_num_views(layer) for layer in layers[0])
    tall = _VIEW + 2 * _ROW + _STRIP + 3 * _GAP
    height = len(images) * tall + 2 * _MARGIN + 2 * (_ROW + _GAP)
    canvas = Canvas(wide * (_VIEW + _GAP) + 2 * _MARGIN, height)
    top = _MARGIN
    left = draw_box_legend(canvas, (_MARGIN, top), predicted=False)
    names = ("attention: low", "high")
    draw_color_bar(canvas, (left, top), names=names, colormap=colormap)
    top += _ROW + 2 * _GAP
    canvas.write("input", (_MARGIN, top), width=_VIEW, bold=True)
    left = _MARGIN + _VIEW + _GAP
    for layer in layers[0]:
        width = _num_views(layer) * (_VIEW + _GAP)
        canvas.write(layer.name, (left, top), width=width - _GAP, bold=True)
        left += width
    top += _ROW
    for fed, views in zip(images, layers):
        canvas.write(fed.caption, (_MARGIN, top), width=_VIEW)
        _show(canvas, fed, fed.image, corner=(_MARGIN, top + _ROW))
        left = _MARGIN + _VIEW + _GAP
        for view in views:
            left = _draw_layer(canvas, fed, view, corner=(left, top), colormap=colormap)
        top += tall
    return canvas.pixels()


def _num_views(layer: LayerView) -> int:
    return 1 + len(layer.spatial)


def _draw_layer(
    canvas: Canvas,
    fed: FedImage,
    layer: LayerView,
    *,
    corner: tuple[int, int],
    colormap: str,
) -> int:
    """Draw the views of a layer; return where the next layer's begin."""
    left, top = corner
    span = np.ptp(layer.attention) or 1.0
    seen = (layer.attention - layer.attention.min()) / span
    canvas.write("attention", (left, top), width=_VIEW)
    blend = blend_map(fed.image, seen, colormap=colormap)
    _show(canvas, fed, blend, corner=(left, top + _ROW))
    if layer.channel is not None:
        _draw_strip(canvas, layer.channel, corner=(left, top + _ROW + _VIEW + _GAP))
    left += _VIEW + _GAP
    for mask in layer.spatial:
        masked, text = apply_mask(fed.image, mask)
        canvas.write(text, (left, top), width=_VIEW)
        _show(canvas, fed, masked, corner=(left, top + _ROW))
        left += _VIEW + _GAP
    return left


def _draw_strip(
    canvas: Canvas, channel: NDArray[Any], *, corner: tuple[int, int]
) -> None:
    """Draw the channels as a strip: kept ones light, dropped ones black."""
    left, top = corner
    dropped = channel <= _ERASED
    edges = np.linspace(0, len(channel), _VIEW + 1).astype(int)
    kept = [1 - dropped[a : max(b, a + 1)].mean() for a, b in zip(edges, edges[1:])]
    strip = np.repeat(np.array(kept)[None, :, None] * 215, _STRIP, axis=0)
    canvas.paste(strip.repeat(3, axis=2).astype(np.uint8), left, top=top)
    share = 100 * dropped.mean()
    text = f"channels: {share:.0f} % dropped"
    canvas.write(text, (left, top + _STRIP + 2), width=_VIEW)


def apply_mask(image: Pixels, mask: NDArray[Any]) -> tuple[Pixels, str]:
    """Show an image as a mask leaves it, and say what the mask is.

    Args:
        image: (H, W, 3) uint8, RGB.
        mask: (h, w), multipliers of places, stretched over the image without blur.

    Returns:
        The image with erased places black, others by their multiplier over the
        largest; and a line of text.
    """
    height, width = image.shape[:2]
    size = (width, height)
    top = float(mask.max())
    if top == float(mask.min()):
        return image, "left as it is"
    share = (mask / top).astype(np.float32)
    erased = share <= _ERASED
    whole = cv2.resize(share, size, interpolation=cv2.INTER_NEAREST)[..., None]
    shown = (image * whole).astype(np.uint8)
    if not erased.any():
        levels = len(np.unique(share))
        return shown, "importance map" if levels > 2 else "drop mask, weakened"
    # A white outline, since black places are hard to tell on a dark image; colours
    # stand for boxes.
    blocks = cv2.resize(erased.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(blocks, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(shown, contours, -1, (255, 255, 255), max(1, min(size) // 120))
    return shown, f"drop mask: {100 * erased.mean():.0f} % erased"


def _show(
    canvas: Canvas, fed: FedImage, pixels: Pixels, *, corner: tuple[int, int]
) -> None:
    view = canvas.show(pixels, (*corner, _VIEW, _VIEW))
    height, width = fed.image.shape[:2]
    factors = np.array([view.width / width, view.height / height] * 2)
    for box in fed.boxes:
        origin = np.array([view.left, view.top] * 2)
        draw_true_box(canvas, (np.array(box) * factors + origin).tolist())
