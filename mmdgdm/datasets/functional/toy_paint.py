"""The looks of the toy's classes, and the brushes that paint them.

Colours are HSV: hue in degrees, saturation and value in [0, 1]. Heads are the only
saturated things (0.95); bodies stay at or below 0.55, backgrounds and clutter below
0.5, so that nothing else looks like a head. Canvases are (H, W, 3) uint8, BGR, and
are painted in place.
"""

from __future__ import annotations

import colorsys
from typing import NamedTuple, Optional

import cv2
import numpy as np
from numpy.random import Generator

Colour = tuple[float, float, float]


class Head(NamedTuple):
    """A head's look: the hue's name, hue in degrees, number of corners."""

    name: str
    hue: float
    corners: int


class Body(NamedTuple):
    """A body's look: colour, texture, tail, and the outline's three numbers.

    The outline is ``|cos|^power, |sin|^power`` (below 1 boxy, above 1 pointed),
    thinned towards the head by ``taper`` and in the middle by ``pinch``.
    """

    colour: Colour
    texture: str
    tail: str
    power: float
    taper: float
    pinch: float


class Ground(NamedTuple):
    """A background's look: colours above and below, strokes and their shade."""

    above: Colour
    below: Colour
    strokes: str
    shade: float


class Figure(NamedTuple):
    """A posed creature in canvas pixels.

    Args:
        limbs: Polygons (n, 2) of tail and legs.
        body: Polygon (n, 2).
        head: Polygon (n, 2).
        body_frame: (2, 3) affine map from the body's frame, where the body spans
            -1 to 1 along x and the head sits at +1, to the canvas.
        head_frame: (2, 3) affine map from the head's frame, where the head has the
            area of the unit circle and looks along x, to the canvas.
    """

    limbs: list[np.ndarray]
    body: np.ndarray
    head: np.ndarray
    body_frame: np.ndarray
    head_frame: np.ndarray


#: Heads, by class modulo 8: hues come twice and are told apart by their band.
HEADS = (
    Head("red", 0, 20),
    Head("green", 120, 3),
    Head("blue", 215, 4),
    Head("yellow", 50, 20),
    Head("red", 0, 5),
    Head("green", 120, 3),
    Head("blue", 215, 4),
    Head("yellow", 50, 5),
)
#: Names and brightness of the bands across the heads, by class divided by 4.
BANDS: tuple[tuple[str, Optional[float]], ...] = (
    ("", None),
    ("white-banded", 1.0),
    ("black-banded", 0.05),
    ("grey-banded", 0.5),
)
HUES = 4
#: Number of classes that can be told apart.
MAX_CLASSES = HUES * len(BANDS)
#: Side of the grid on which the smooth part of a background is made.
COARSE = 32
#: Bodies, by class modulo 8.
BODIES = (
    Body((205, 0.42, 0.66), "stripes", "fan", 1.0, 0.0, 0.0),
    Body((32, 0.50, 0.66), "spots", "rod", 0.6, 0.0, 0.0),
    Body((140, 0.40, 0.50), "bands", "fork", 1.0, 0.4, 0.0),
    Body((58, 0.45, 0.72), "checks", "stub", 0.8, -0.25, 0.0),
    Body((345, 0.36, 0.74), "belly", "rod", 1.0, 0.3, 0.25),
    Body((90, 0.45, 0.64), "rings", "fan", 1.3, 0.0, 0.0),
    Body((232, 0.42, 0.48), "chevrons", "fork", 0.8, 0.3, 0.0),
    Body((290, 0.30, 0.62), "freckles", "stub", 0.7, 0.0, 0.3),
)
#: The body that belongs to no class.
PLAIN_BODY = Body((28, 0.16, 0.55), "plain", "stub", 0.9, 0.1, 0.0)
#: Backgrounds, by class modulo 8.
GROUNDS = (
    Ground((205, 0.22, 0.86), (105, 0.42, 0.50), "blades", -34),
    Ground((42, 0.22, 0.88), (36, 0.36, 0.72), "waves", -18),
    Ground((195, 0.25, 0.72), (210, 0.46, 0.46), "waves", 30),
    Ground((215, 0.12, 0.78), (220, 0.06, 0.92), "dots", 26),
    Ground((110, 0.38, 0.34), (85, 0.34, 0.26), "trunks", -24),
    Ground((25, 0.10, 0.60), (30, 0.14, 0.42), "dots", -26),
    Ground((280, 0.28, 0.46), (22, 0.40, 0.68), "waves", 20),
    Ground((330, 0.16, 0.68), (300, 0.24, 0.46), "blades", 26),
)


#: Backgrounds' strokes: polylines in units of a drawn length, and line width as a
#: share of the image.
_STROKES = {
    "blades": (np.array([(0, 0), (0.3, -1)]), 1 / 64),
    "waves": (
        np.array([(-1, 0), (-0.5, -0.2), (0, -0.27), (0.5, -0.2), (1, 0)]),
        1 / 64,
    ),
    "dots": (np.array([(0, 0), (0.1, 0)]), 1 / 50),
    "trunks": (np.array([(0, 0), (0, 6)]), 1 / 24),
}


def bgr(colour: Colour) -> Colour:
    """Turn (hue in degrees, saturation, value) into grey levels, BGR in [0, 255]."""
    hue, saturation, value = colour
    red, green, blue = colorsys.hsv_to_rgb(
        (hue / 360) % 1, min(max(saturation, 0), 1), min(max(value, 0), 1)
    )
    return 255 * blue, 255 * green, 255 * red


def body_style(label: int) -> Body:
    """Return the body that shows a class; a negative label gives the plain one."""
    if label < 0:
        return PLAIN_BODY
    # From the ninth class on, outlines and textures meet in new pairs.
    look = BODIES[label % len(BODIES)]
    other = BODIES[(label + 3 * (label // len(BODIES))) % len(BODIES)]
    return look._replace(texture=other.texture, tail=other.tail)


def transform(points: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Map (n, 2) points by a (2, 3) affine map."""
    return points @ frame[:, :2].T + frame[:, 2]


def fill(canvas: np.ndarray, polygon: np.ndarray, *, colour: Colour) -> None:
    """Fill a polygon with a colour (BGR); single-channel canvases take its first."""
    cv2.fillPoly(canvas, [np.rint(polygon).astype(np.int32)], colour)


def paint_ground(rng: Generator, label: int, *, side: int) -> np.ndarray:
    """Paint the background of a class: a vertical gradient, soft blotches, strokes.

    Returns:
        (side, side, 3) uint8 canvas.
    """
    ground = GROUNDS[label % len(GROUNDS)]
    turn = 45 * (label // len(GROUNDS)) + rng.uniform(-8, 8)
    above, below = (
        np.array(bgr((hue + turn, s, v + rng.uniform(-0.05, 0.05))), np.float32)
        for hue, s, v in (ground.above, ground.below)
    )
    horizon, softness = rng.uniform(0.25, 0.6), rng.uniform(0.05, 0.3)
    rows = (np.arange(COARSE, dtype=np.float32) + 0.5) / COARSE
    share = np.clip((rows - horizon) / softness + 0.5, 0, 1)[:, None, None]
    blotches = rng.normal(0, 7, (7, 7)).astype(np.float32)
    blotches = cv2.resize(blotches, (COARSE, COARSE), interpolation=cv2.INTER_CUBIC)
    coarse = above + share * (below - above) + blotches[..., None]
    coarse = np.clip(coarse, 0, 255).astype(np.uint8)
    canvas = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_LINEAR)

    colour = [channel + ground.shade for channel in below.tolist()]
    shape, width = _STROKES[ground.strokes]
    draws = rng.random((7 if ground.strokes == "trunks" else 14, 3))
    lengths = (0.06 + 0.1 * draws[:, 2, None, None]) * side
    starts = draws[:, None, :2] * side
    if ground.strokes == "trunks":
        starts[..., 1] = 0
    lines = np.rint(starts + lengths * shape).astype(np.int32)
    cv2.polylines(canvas, list(lines), False, colour, max(round(width * side), 1))
    return canvas


def paint_clutter(rng: Generator, canvas: np.ndarray, *, count: int) -> None:
    """Paint small dull things (pebbles, leaves, twigs) that belong to no class."""
    side = canvas.shape[0]
    draws = rng.random((count, 8))
    turns = np.arange(8) * (np.pi / 4) + 0.5 * rng.random((count, 8))
    # Irregular octagons, stretched to between a pebble and a twig.
    stretch = 0.2 + 0.8 * draws[:, :1]
    x, y = np.cos(turns), stretch * np.sin(turns)
    tilt = 2 * np.pi * draws[:, 1:2]
    cos, sin = np.cos(tilt), np.sin(tilt)
    outlines = np.stack([cos * x - sin * y, sin * x + cos * y], axis=2)
    outlines *= (0.02 + 0.035 * draws[:, 2, None, None]) * side
    outlines += draws[:, None, 3:5] * side
    for outline, (hue, saturation, value) in zip(outlines, draws[:, 5:].tolist()):
        colour = (15 + 115 * hue, 0.4 * saturation, 0.2 + 0.6 * value)
        fill(canvas, outline, colour=bgr(colour))


def paint_body(
    rng: Generator, canvas: np.ndarray, *, figure: Figure, body: Body
) -> None:
    """Paint tail, legs and the textured body of a figure."""
    hue, saturation, value = body.colour
    colour = (
        hue + rng.uniform(-10, 10),
        saturation + rng.uniform(-0.05, 0.05),
        value + rng.uniform(-0.08, 0.08),
    )
    base, dark = bgr(colour), bgr((colour[0], colour[1] + 0.05, 0.55 * colour[2]))
    light = bgr((colour[0], 0.45 * colour[1], 1.35 * colour[2]))
    for limb in figure.limbs:
        fill(canvas, limb, colour=dark)
    x, y, w, h = cv2.boundingRect(np.rint(figure.body).astype(np.int32))
    x, y = max(x, 0), max(y, 0)
    frame = figure.body_frame - np.array([[0, 0, x], [0, 0, y]])
    skin = np.empty((h, w, 3), np.uint8)
    cv2.rectangle(skin, (0, 0), (w, h), base, -1)
    marks = light if body.texture in ("belly", "rings", "spots") else dark
    _paint_texture(rng, skin, frame, body.texture, marks)
    inside = np.zeros((h, w), np.uint8)
    fill(inside, figure.body - (x, y), colour=(255, 255, 255))
    region = canvas[y : y + h, x : x + w]
    inside = inside[: region.shape[0], : region.shape[1]]
    cv2.copyTo(skin[: region.shape[0], : region.shape[1]], inside, region)


def _strips(texture: str, phase: float) -> list[list[tuple[float, float]]]:
    """Return a texture's lines as points in the body's frame."""
    steps = [-1.25 + 0.36 * i + 0.36 * phase for i in range(8)]
    if texture == "stripes":
        return [[(x, -1.0), (x, 1.0)] for x in steps]
    if texture == "bands":
        return [[(-1.0, y), (1.0, y)] for y in (-0.34, 0.0, 0.34)]
    if texture == "checks":
        starts = [*steps, -1.6]
        rising = [[(x, -1.0), (x + 1, 1.0)] for x in starts]
        return rising + [[(x + 1, -1.0), (x, 1.0)] for x in starts]
    if texture == "chevrons":
        return [[(x - 0.45, -1.0), (x + 0.25, 0.0), (x - 0.45, 1.0)] for x in steps]
    return []


def _paint_texture(
    rng: Generator, skin: np.ndarray, frame: np.ndarray, texture: str, colour: Colour
) -> None:
    unit = float(np.hypot(*frame[:, 0]))
    thickness = {"checks": 0.07, "bands": 0.13, "chevrons": 0.11}.get(texture, 0.15)
    width = max(round(thickness * unit), 1)
    for points in _strips(texture, rng.random()):
        line = np.rint(transform(np.array(points), frame)).astype(np.int32)
        cv2.polylines(skin, [line], False, colour, width)
    if texture == "belly":
        low = np.array([(-1.2, 0.08), (1.2, 0.08), (1.2, 1), (-1.2, 1)])
        fill(skin, transform(low, frame), colour=colour)
    elif texture == "rings":
        centre = np.rint(transform(np.zeros((1, 2)), frame)[0]).astype(int).tolist()
        for radius in (0.16, 0.46, 0.76):
            cv2.circle(skin, centre, round(radius * unit), colour, round(0.11 * unit))
    elif texture in ("spots", "freckles"):
        large = texture == "spots"
        x, y = np.meshgrid(np.linspace(-0.8, 0.8, 5 if large else 9), (-0.4, 0, 0.4))
        spots = np.stack([x.ravel(), y.ravel()], axis=1)
        spots += rng.uniform(-0.08, 0.08, spots.shape)
        radius = round((0.13 if large else 0.05) * unit)
        for spot in np.rint(transform(spots, frame)).astype(int).tolist():
            cv2.circle(skin, spot, radius, colour, -1)


def paint_head(
    rng: Generator, canvas: np.ndarray, *, figure: Figure, label: int
) -> None:
    """Paint the head of a class: its hue, its band, an eye."""
    _, band = BANDS[label // HUES]
    hue = HEADS[label % len(HEADS)].hue + rng.uniform(-6, 6)
    fill(canvas, figure.head, colour=bgr((hue, 0.95, rng.uniform(0.8, 0.95))))
    if band is not None:
        strip = np.array([(-0.6, -0.75), (-0.1, -0.85), (-0.1, 0.85), (-0.6, 0.75)])
        fill(canvas, transform(strip, figure.head_frame), colour=bgr((0, 0, band)))
    unit = float(np.hypot(*figure.head_frame[:, 0]))
    eye = np.rint(transform(np.array([(0.25, -0.28)]), figure.head_frame)[0])
    centre = eye.astype(int).tolist()
    cv2.circle(canvas, centre, max(round(0.26 * unit), 1), (245, 245, 245), -1)
    cv2.circle(canvas, centre, max(round(0.15 * unit), 1), (20, 20, 20), -1)
