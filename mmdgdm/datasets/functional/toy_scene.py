"""Draw the toy's scenes: small creatures on natural-looking backgrounds.

The scenes carry the difficulty of weakly supervised localization on purpose. A
class is given away by three cues of different size and reliability:

- the **head**, 5 to 15 % of the object, in every image (colour and shape);
- the **body**, the rest of the object, in :attr:`ToySpec.body_cue` of the images
  (colour, texture, outline, tail); otherwise it is plain grey-brown or, for a
  smaller :attr:`ToySpec.neutral_share`, that of another class;
- the **background**, in :attr:`ToySpec.background_cue` of the images; otherwise it
  is that of a class drawn at random.

A classifier can therefore live on the head alone, and its activation map then
covers a fraction of the object: the under-coverage that erasing layers cure.

All functions are pure (numpy and OpenCV, no file access): the same generator state
gives the same scene. Scenes are drawn :attr:`ToySpec.supersampling` times larger
and averaged, so that edges are smooth.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.random import Generator

from mmdgdm.datasets.functional.toy_paint import (
    BANDS,
    HEADS,
    HUES,
    MAX_CLASSES,
    Body,
    Figure,
    body_style,
    fill,
    paint_body,
    paint_clutter,
    paint_ground,
    paint_head,
    transform,
)
from mmdgdm.errors import ConfigError

#: Stands for the body of no class.
NEUTRAL = -1
#: Tails in the body's frame.
TAILS = {
    "fan": np.array([(-0.8, 0), (-1.45, -0.4), (-1.35, 0), (-1.45, 0.4)]),
    "rod": np.array([(-0.8, -0.1), (-1.6, -0.42), (-1.65, -0.28), (-0.8, 0.1)]),
    "fork": np.array([(-0.8, 0), (-1.5, -0.5), (-1.1, 0), (-1.5, 0.5)]),
    "stub": np.array([(-0.85, -0.18), (-1.2, -0.12), (-1.2, 0.12), (-0.85, 0.18)]),
}
#: Scenes outside the ranges of the dials are drawn again, at most this often.
MAX_DRAWS = 200


#: Smallest and largest value of each dial.
_LIMITS: dict[str, tuple[float, float]] = {
    "num_classes": (2, MAX_CLASSES),
    "image_size": (32, 4096),
    "body_cue": (0, 1),
    "neutral_share": (0, 1),
    "background_cue": (0, 1),
    "area_range": (0.05, 0.8),
    "part_range": (0.03, 0.3),
    "max_rotation": (0, 180),
    "max_articulation": (0, 60),
    "brightness": (0.3, 2),
    "noise": (0, 64),
    "clutter": (0, 50),
    "supersampling": (1, 8),
}


@dataclass(frozen=True)
class ToySpec:
    """The dials of the toy.

    Args:
        num_classes: Number of classes, 2 to 16.
        image_size: Side of the square image in pixels, at least 32.
        body_cue: Share of the images whose body shows the class.
        neutral_share: Of the other bodies, the share that belongs to no class;
            the rest belong to another class.
        background_cue: Share of the images whose background shows the class; the
            others have that of a class drawn at random (the right one included).
        area_range: Smallest and largest share of the image that the object's box
            covers, both within [0.05, 0.8].
        part_range: Smallest and largest share of the object that its head covers,
            both within [0.03, 0.3].
        max_rotation: Largest rotation of the object to either side, in degrees.
        max_articulation: Largest angle between head and body, in degrees.
        brightness: Smallest and largest factor on the grey levels.
        noise: Standard deviation of the Gaussian noise, in grey levels.
        clutter: Smallest and largest number of small things of no class.
        supersampling: How many times larger scenes are drawn before averaging.

    Raises:
        ConfigError: If a value is out of its range.
    """

    num_classes: int = 8
    image_size: int = 64
    body_cue: float = 0.75
    neutral_share: float = 1.0
    background_cue: float = 0.3
    area_range: tuple[float, float] = (0.1, 0.6)
    part_range: tuple[float, float] = (0.05, 0.15)
    max_rotation: float = 50.0
    max_articulation: float = 45.0
    brightness: tuple[float, float] = (0.7, 1.15)
    noise: float = 6.0
    clutter: tuple[int, int] = (2, 6)
    supersampling: int = 4

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, list):
                value = tuple(value)
                object.__setattr__(self, name, value)
            default = getattr(type(self), name)
            if isinstance(default, tuple):
                fits = isinstance(value, tuple) and len(value) == 2
                fits = fits and low <= value[0] <= value[1] <= high
                form = "an ascending pair of numbers"
            else:
                kinds = (int,) if isinstance(default, int) else (int, float)
                fits = isinstance(value, kinds) and low <= value <= high
                form = " or ".join(kind.__name__ for kind in kinds)
            if not fits:
                raise ConfigError(
                    f"Expected `{name}` to be {form} within [{low}, {high}], but got "
                    f"{value!r}."
                )


@dataclass(frozen=True)
class Scene:
    """One drawn image with everything that is known of it.

    Args:
        image: (H, W, 3) uint8, BGR.
        mask: (H, W) uint8, 1 on the object, head included.
        part_mask: (H, W) uint8, 1 on the head.
        box: ``(x0, y0, x1, y1)`` in pixels, tight around ``mask`` in the WSOL
            benchmark's convention, see :func:`mask_box`.
        body_label: The class that the body shows, or :data:`NEUTRAL`.
        background_label: The class that the background shows.
    """

    image: np.ndarray
    mask: np.ndarray
    part_mask: np.ndarray
    box: tuple[int, int, int, int]
    body_label: int
    background_label: int


def class_names(num_classes: int) -> tuple[str, ...]:
    """Name the classes after their heads, for example ``'red_head'``."""
    names = [
        f"{band} {head.name} head".strip().replace(" ", "_")
        for band, _ in BANDS
        for head in HEADS[:HUES]
    ]
    return tuple(names[:num_classes])


def mask_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Box a (H, W) uint8 mask in the WSOL benchmark's convention.

    Returns:
        ``(x, y, min(x + w, W - 1), min(y + h, H - 1))``, where w and h count the
        columns and rows from the first to the last object pixel. x1 and y1 thus
        name the pixel after the last one, except at the image's border.
    """
    height, width = mask.shape
    x, y, w, h = cv2.boundingRect(mask)
    return x, y, min(x + w, width - 1), min(y + h, height - 1)


def draw_scene(rng: Generator, label: int, *, spec: ToySpec) -> Scene:
    """Draw one image of a class.

    Args:
        rng: The only source of randomness.
        label: The class, 0-based.
        spec: The dials.

    Returns:
        The scene. Box and head lie within ``spec.area_range`` and
        ``spec.part_range``; figures that miss them are drawn again.

    Raises:
        ConfigError: If ``label`` is no class, or the ranges cannot be met.

    Example:
        >>> scene = draw_scene(np.random.default_rng(0), 3, spec=ToySpec())
        >>> scene.image.shape, scene.mask.max()
        ((64, 64, 3), np.uint8(1))
    """
    if not 0 <= label < spec.num_classes:
        raise ConfigError(
            f"Expected `label` to be within [0, {spec.num_classes - 1}], but got "
            f"{label!r}."
        )
    body_label = background_label = label
    if rng.random() >= spec.body_cue:
        body_label = NEUTRAL
        if rng.random() >= spec.neutral_share:
            body_label = int(label + rng.integers(1, spec.num_classes))
            body_label %= spec.num_classes
    if rng.random() >= spec.background_cue:
        background_label = int(rng.integers(spec.num_classes))
    body = body_style(body_label)
    figure, mask, part_mask = _draw_masked_figure(rng, label, body, spec)

    canvas = paint_ground(
        rng, background_label, side=spec.image_size * spec.supersampling
    )
    low, high = spec.clutter
    paint_clutter(rng, canvas, count=int(rng.integers(low, high + 1)))
    paint_body(rng, canvas, figure=figure, body=body)
    paint_head(rng, canvas, figure=figure, label=label)
    image = _expose(rng, _reduce(canvas, spec), spec)
    return Scene(image, mask, part_mask, mask_box(mask), body_label, background_label)


def _draw_masked_figure(
    rng: Generator, label: int, body: Body, spec: ToySpec
) -> tuple[Figure, np.ndarray, np.ndarray]:
    pixels = spec.image_size**2
    for _ in range(MAX_DRAWS):
        figure = _draw_figure(rng, label, body, spec)
        mask = _rasterize([*figure.limbs, figure.body, figure.head], spec)
        part_mask = _rasterize([figure.head], spec)
        # Both ways to count the box must fit: with and without its last row and column.
        x0, y0, x1, y1 = mask_box(mask)
        least = (x1 - x0) * (y1 - y0) / pixels
        most = (x1 - x0 + 1) * (y1 - y0 + 1) / pixels
        small, large = spec.area_range
        share = cv2.countNonZero(part_mask) / cv2.countNonZero(mask)
        low, high = spec.part_range
        if small <= least <= most <= large and low <= share <= high:
            return figure, mask, part_mask
    raise ConfigError(
        "Expected `area_range` and `part_range` to be wide enough to be met in "
        f"{MAX_DRAWS} draws, but got {spec.area_range} and {spec.part_range}."
    )


def _rasterize(polygons: Iterable[np.ndarray], spec: ToySpec) -> np.ndarray:
    """Return the (H, W) uint8 mask of the pixels that are covered by half."""
    side = spec.image_size * spec.supersampling
    canvas = np.zeros((side, side), np.uint8)
    for polygon in polygons:
        fill(canvas, polygon, colour=(255, 255, 255))
    return (_reduce(canvas, spec) >= 128).astype(np.uint8)


def _reduce(canvas: np.ndarray, spec: ToySpec) -> np.ndarray:
    size = (spec.image_size, spec.image_size)
    return cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)


@lru_cache(maxsize=64)
def _outline(body: Body) -> np.ndarray:
    """Return the body's polygon (48, 2) in its own frame, within [-1, 1]."""
    turn = np.arange(48) * (2 * np.pi / 48)
    x, y = (
        np.sign(wave) * np.abs(wave) ** body.power
        for wave in (np.cos(turn), np.sin(turn))
    )
    y *= (1 - body.taper * x) * (1 - body.pinch * (1 - x * x))
    return np.stack([x, y], axis=1)


@lru_cache(maxsize=64)
def _head_outline(corners: int) -> np.ndarray:
    """Return a regular polygon with the unit circle's area and a corner at +x.

    Squares lie flat, which looks more like a muzzle.
    """
    turn = np.arange(corners) * (2 * np.pi / corners)
    turn += np.pi / 4 if corners == 4 else 0
    area = 0.5 * corners * np.sin(2 * np.pi / corners)
    return np.sqrt(np.pi / area) * np.stack([np.cos(turn), np.sin(turn)], axis=1)


def _legs(rng: Generator, height: float) -> list[np.ndarray]:
    """Return two legs as polygons in the body's frame, where y points downwards."""
    legs = []
    for x, lean in zip((-0.42, 0.42), rng.uniform(-0.15, 0.15, 2).tolist()):
        top, foot = 0.5 * height, height + 0.3
        upper, lower = [(x - 0.09, top), (x + 0.09, top)], x + lean
        legs.append(np.array([*upper, (lower + 0.08, foot), (lower - 0.08, foot)]))
    return legs


def _head_to_body(rng: Generator, area: float, spec: ToySpec) -> np.ndarray:
    """Return the (2, 3) map that gives a head its size and turns it at the neck."""
    radius = math.sqrt(area / math.pi)
    angle = math.radians(rng.uniform(-1, 1) * spec.max_articulation)
    x, y = radius * math.cos(angle), radius * math.sin(angle)
    return np.array([[x, -y, 0.93 + 0.6 * x], [y, x, 0.6 * y]])


def _draw_figure(rng: Generator, label: int, body: Body, spec: ToySpec) -> Figure:
    """Draw shape and pose, and place the figure inside the image."""
    height = rng.uniform(0.42, 0.68)
    limbs = [TAILS[body.tail], *_legs(rng, height)]
    shapes = [*limbs, _outline(body) * (1, height)]
    rest = sum(cv2.contourArea(shape.astype(np.float32)) for shape in shapes)
    low, high = spec.part_range
    share = rng.uniform(0.75 * low + 0.25 * high, 0.25 * low + 0.75 * high)
    # About half of the head lies on the body, whose pixels it takes.
    to_body = _head_to_body(rng, share / (1 - 0.6 * share) * rest, spec)
    head = _head_outline(HEADS[label % len(HEADS)].corners)
    shapes.append(transform(head, to_body))

    frame = _place(rng, np.concatenate(shapes), spec)
    *limbs, outline, head = (transform(shape, frame) for shape in shapes)
    head_frame = frame[:, :2] @ to_body
    head_frame[:, 2] += frame[:, 2]
    return Figure(limbs, outline, head, frame, head_frame)


def _place(rng: Generator, points: np.ndarray, spec: ToySpec) -> np.ndarray:
    """Draw a (2, 3) map from the body's frame to a canvas that holds all points."""
    angle = math.radians(rng.uniform(-1, 1) * spec.max_rotation)
    side = -1 if rng.random() < 0.5 else 1
    cos, sin = math.cos(angle), math.sin(angle)
    linear = np.array([[side * cos, -sin], [side * sin, cos]])
    points = points @ linear.T
    start = points.min(axis=0)
    span = points.max(axis=0) - start
    low, high = spec.area_range
    # Small objects are more frequent than large ones, as in photographs.
    covered = low + (high - low) * rng.beta(1.2, 1.6)
    canvas = spec.image_size * spec.supersampling
    scale = min(canvas * math.sqrt(covered / span.prod()), (canvas - 1) / span.max())
    shift = rng.random(2) * (canvas - 1 - scale * span) - scale * start
    return np.column_stack([scale * linear, shift])


def _expose(rng: Generator, image: np.ndarray, spec: ToySpec) -> np.ndarray:
    """Apply brightness, a slight fall of light and noise; back to uint8."""
    size = spec.image_size
    ramp = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    gain = rng.uniform(*spec.brightness)
    down, right = (gain * rng.uniform(-0.2, 0.2, 2)).tolist()
    # Rows of size * 3 values: numpy is slow where the last axis has three.
    light = (gain + down * ramp)[:, None] + np.repeat(right * ramp, 3)
    noise = rng.standard_normal((size, 3 * size), dtype=np.float32)
    exposed = image.reshape(size, -1) * light + noise * np.float32(spec.noise)
    return np.clip(exposed, 0, 255).astype(np.uint8).reshape(image.shape)
