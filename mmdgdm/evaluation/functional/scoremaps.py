"""From a score map to boxes: normalise, quantise, threshold, find contours.

Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods
Right, CVPR 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdgdm.errors import ConfigError, DataError

#: (width, height) at which maps and boxes are compared.
EVAL_SIZE: tuple[int, int] = (224, 224)
#: Distance between the thresholds of a curve.
DEFAULT_INTERVAL = 0.001


class ContourBoxes(NamedTuple):
    """Boxes of all contours of a mask.

    Attributes:
        boxes: (n, 4) int64, x0, y0, x1, y1, in OpenCV's order; n >= 1.
        largest: Index of the contour of largest area, the first one on a tie.
    """

    boxes: NDArray[np.int64]
    largest: int


def make_thresholds(interval: float = DEFAULT_INTERVAL) -> NDArray[np.float64]:
    """Thresholds of a curve: 0, interval, 2 * interval, ... below 1.

    Args:
        interval: Distance between two thresholds, in (0, 1).

    Returns:
        (T,) float64, ``np.arange(0, 1, interval)``.

    Raises:
        ConfigError: If ``interval`` is not in (0, 1).

    Example:
        >>> make_thresholds(0.25).tolist()
        [0.0, 0.25, 0.5, 0.75]
    """
    if not 0 < interval < 1:
        raise ConfigError(
            f"Expected `interval` to be between 0 and 1, but got {interval!r}."
        )
    return np.arange(0, 1, interval)


def check_fixed_threshold(threshold: Optional[float]) -> None:
    """Check a threshold fixed elsewhere: ``None``, or in [0, 1).

    Raises:
        ConfigError: If it is neither.
    """
    if threshold is not None and not 0 <= threshold < 1:
        raise ConfigError(
            f"Expected `threshold` to be None or in [0, 1), but got {threshold!r}."
        )


def describe(array: Any) -> str:
    """The shape and type of what came in place of an array, for messages."""
    return f"shape {np.shape(array)} of {getattr(array, 'dtype', type(array))}"


def check_scoremap(scoremap: ArrayLike) -> NDArray[np.float64]:
    """Check that a map is not empty and (h, w) of floating point; widen it to float64.

    Raises:
        DataError: If it is not.
    """
    array = np.asarray(scoremap)
    if array.ndim != 2 or array.size == 0 or array.dtype.kind != "f":
        raise DataError(
            "Expected `scoremap` to be a non-empty floating point map (h, w), but "
            f"got {describe(array)}."
        )
    return np.asarray(array, dtype=np.float64)


def check_unit_range(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Check that the scores of a map are in [0, 1]; return them.

    Raises:
        DataError: If one is not, or is NaN.
    """
    lowest, highest = scores.min(), scores.max()
    if not (lowest >= 0 and highest <= 1):
        num_nan = int(np.isnan(scores).sum())
        what = f"{num_nan} NaN" if num_nan else f"values from {lowest} to {highest}"
        raise DataError(f"Expected `scoremap` to be in [0, 1], but got {what}.")
    return scores


def normalize_scoremap(
    scoremap: ArrayLike, size: tuple[int, int] = EVAL_SIZE
) -> NDArray[np.float64]:
    r"""Resize a score map and stretch it to [0, 1].

    The map is widened to float64, resized by OpenCV's bicubic interpolation, and
    mapped by :math:`(s - \min s) / (\max s - \min s)`. A constant map says nothing
    about the place of an object and becomes all zeros; any other map attains both
    0 and 1.

    Args:
        scoremap: (h, w), floating point.
        size: (width, height) of the result.

    Returns:
        (height, width) float64 in [0, 1].

    Raises:
        DataError: If the map is not two-dimensional, is empty, is not of a
            floating point type, or holds NaN or infinite values.

    Example:
        >>> normalize_scoremap([[2.0, 3.0, 6.0]], size=(3, 1)).tolist()
        [[0.0, 0.25, 1.0]]
    """
    wide = np.ascontiguousarray(check_scoremap(scoremap))
    if not np.isfinite(wide).all():
        raise DataError(
            "Expected `scoremap` to hold finite values, but got "
            f"{int((~np.isfinite(wide)).sum())} NaN or infinite ones of {wide.size}."
        )
    if wide.min() == wide.max():
        # Resizing leaves rounding noise, which would be stretched to the full range.
        return np.zeros(size[::-1], dtype=np.float64)
    normalized = cv2.resize(wide, size, interpolation=cv2.INTER_CUBIC)
    normalized -= normalized.min()
    span = normalized.max()
    if not np.isfinite(span):
        raise DataError(
            "Expected the range of `scoremap` to be finite, but got values from "
            f"{wide.min()} to {wide.max()}."
        )
    if span > 0:
        normalized /= span
    return np.asarray(normalized, dtype=np.float64)


def quantize_scoremap(scoremap: ArrayLike) -> NDArray[np.uint8]:
    r"""Quantise a normalised map to :math:`\lfloor 255 s \rfloor`.

    Args:
        scoremap: (H, W) in [0, 1], floating point; widened to float64 first.

    Returns:
        (H, W) uint8.

    Raises:
        DataError: If the map is not two-dimensional, is empty, is not of a floating
            point type, or leaves [0, 1].

    Example:
        >>> quantize_scoremap([[0.0, 0.5, 0.999, 1.0]]).tolist()
        [[0, 127, 254, 255]]
    """
    return (check_unit_range(check_scoremap(scoremap)) * 255).astype(np.uint8)


def threshold_levels(thresholds: ArrayLike, maximum: int) -> NDArray[np.int64]:
    r"""Integer levels :math:`\lfloor t \cdot maximum \rfloor` of thresholds.

    A threshold t selects the pixels of a quantised map above its level, so that
    all thresholds of one level select the same pixels.

    Args:
        thresholds: (T,), each in [0, 1).
        maximum: Largest value of the quantised map, 0 to 255.

    Returns:
        (T,) int64; each is less than ``maximum``, or 0 if that is 0.

    Raises:
        ConfigError: If a threshold is not in [0, 1).

    Example:
        >>> threshold_levels([0.0, 0.1, 0.999], 255).tolist()
        [0, 25, 254]
    """
    array = np.asarray(thresholds, dtype=np.float64)
    if not ((array >= 0) & (array < 1)).all():
        raise ConfigError(
            "Expected thresholds to be in [0, 1), but got values from "
            f"{array.min()} to {array.max()}."
        )
    return (array * maximum).astype(np.int64)


def contour_boxes(quantized: NDArray[np.uint8], level: int) -> ContourBoxes:
    """Boxes of the contours of ``quantized > level``.

    Contours are OpenCV's (tree mode, simple approximation): the outer ones of
    8-connected regions and those around holes. A box is x, y, min(x + w, W - 1),
    min(y + h, H - 1) of the bounding rectangle: one pixel further than the region
    reaches, unless the frame stops it. The area of a contour is that of the
    polygon through its pixels' centres, so that a line has none.

    Args:
        quantized: (H, W) uint8.
        level: Pixels above it are foreground, 0 to 255.

    Returns:
        The boxes; without any contour, one box 0, 0, 0, 0.

    Raises:
        DataError: If ``quantized`` is no non-empty uint8 map.

    Example:
        >>> contour_boxes(np.array([[0, 9, 0, 0]], dtype=np.uint8), 8).boxes.tolist()
        [[1, 0, 2, 0]]
    """
    check_quantized(quantized)
    rectangles, largest = contour_rectangles(quantized, level)
    return ContourBoxes(rectangle_boxes(rectangles, quantized.shape), largest)


def contour_rectangles(
    quantized: NDArray[np.uint8], level: int
) -> tuple[list[Sequence[int]], int]:
    """What :func:`contour_boxes` makes boxes of, without a check of the map.

    Returns:
        x, y, width, height of the bounding rectangle of each contour, and the index of
        the largest. Without any contour, one rectangle 0, 0, 0, 0.
    """
    mask = (quantized > level).view(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return [(0, 0, 0, 0)], 0
    areas = [cv2.contourArea(contour) for contour in contours]
    return [cv2.boundingRect(c) for c in contours], areas.index(max(areas))


def rectangle_boxes(
    rectangles: Sequence[Sequence[int]], shape: Sequence[int]
) -> NDArray[np.int64]:
    """The boxes of :func:`contour_boxes`, (n, 4), of rectangles on a map (H, W)."""
    boxes = np.array(rectangles, dtype=np.int64)
    limits = np.array(shape[::-1]) - 1
    boxes[:, 2:] = np.minimum(boxes[:, :2] + boxes[:, 2:], limits)
    return boxes


def check_quantized(quantized: NDArray[Any]) -> None:
    """Check that an array is a quantised map.

    Raises:
        DataError: If it is not a non-empty uint8 array (H, W).
    """
    known = isinstance(quantized, np.ndarray) and quantized.dtype == np.uint8
    if not known or quantized.ndim != 2 or quantized.size == 0:
        raise DataError(
            "Expected `quantized` to be a non-empty uint8 map (H, W), but got "
            f"{describe(quantized)}."
        )


def predict_box(
    scoremap: ArrayLike, threshold: float, *, size: tuple[int, int] = EVAL_SIZE
) -> NDArray[np.int64]:
    """Localize an object: the box of the largest contour at one threshold.

    Args:
        scoremap: As for :func:`predict_boxes`, and so are the others.
        threshold: In [0, 1), a share of the map's range.
        size: (width, height) at which the map is thresholded.

    Returns:
        (4,) int64, x0, y0, x1, y1 in pixels of an image of ``size``; an inclusive
        width of x1 - x0 + 1. Of the map below, pixels 1 to 6 and 2 to 4 are ones.

    Raises:
        ConfigError: If ``threshold`` is not in [0, 1).
        DataError: If the map is malformed.

    Example:
        >>> cam = np.zeros((8, 8), dtype=np.float32)
        >>> cam[2:5, 1:7] = 1.0
        >>> predict_box(cam, 0.5, size=(8, 8)).tolist()
        [1, 2, 7, 5]
    """
    found = predict_boxes(scoremap, threshold, size=size)
    box: NDArray[np.int64] = found.boxes[found.largest]
    return box


def predict_boxes(
    scoremap: ArrayLike, threshold: float, *, size: tuple[int, int] = EVAL_SIZE
) -> ContourBoxes:
    """Localize objects: the boxes of all contours at one threshold.

    They are the benchmark's: to the right and below a box reaches one pixel further
    than the contour, unless the frame stops it.

    Args:
        scoremap: (h, w), floating point, not normalised.
        threshold: In [0, 1), a share of the map's range.
        size: (width, height) at which the map is thresholded.

    Returns:
        The boxes as :func:`contour_boxes` makes them, in pixels of an image of
        ``size``; that of the largest contour is :func:`predict_box`'s.

    Raises:
        ConfigError: If ``threshold`` is not in [0, 1).
        DataError: If the map is malformed.

    Example:
        >>> cam = np.zeros((8, 8), dtype=np.float32)
        >>> cam[0, 0] = cam[2:5, 1:7] = 1.0
        >>> predict_boxes(cam, 0.5, size=(8, 8)).boxes.tolist()
        [[1, 2, 7, 5], [0, 0, 1, 1]]
    """
    quantized = quantize_scoremap(normalize_scoremap(scoremap, size))
    (level,) = threshold_levels([threshold], int(quantized.max()))
    return contour_boxes(quantized, int(level))
