r"""Peaks and pits of a quantised map, and the levels at which they count.

Pixels are ordered by value, among equals by the mean around them, then by place.
The highest pixel of a component of :math:`q > v` then has no higher neighbour: it
is a *peak*. The lowest pixel of a hole is a *pit* among its four neighbours.

A peak of value :math:`b` heads a component only at levels below :math:`b`, and only
at those where no path above the level leads to a higher pixel. One path is looked
at, the straight one to the nearest higher peak: with :math:`s` its lowest value,
the peak may head a component at :math:`s \le v < b` only. In the same way a pit of
value :math:`b` may be the lowest pixel of a hole at :math:`b \le v < s` only, with
:math:`s` the highest value on a path of four-connected steps to a lower pit or to
the frame. Most peaks and pits count nowhere or at a few levels.

Sets of levels are integers here, bit v for level v.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdgdm.evaluation.functional.level_contours import EIGHT, FOUR

#: Neighbours that come later in the order of rows and columns.
_LATER_EIGHT = np.array([[0, 0, 0], [0, 0, 1], [1, 1, 1]], dtype=np.uint8)
_LATER_FOUR = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0]], dtype=np.uint8)
#: Width of the mean that breaks ties. Any width is right; this one leaves few peaks
#: on the plateaus of maps that were enlarged to 224 pixels.
_MEAN_WIDTH = 15
_HIGHEST = 255


class Extremum(NamedTuple):
    """A peak or a pit.

    Attributes:
        levels: The levels at which it may head a component or a hole, as bits.
        first: The lowest of these levels.
        stop: The highest of these levels plus 1.
        x: Its column.
        y: Its row.
    """

    levels: int
    first: int
    stop: int
    x: int
    y: int


def ordered_heights(quantized: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Values with their ties broken by the mean around them.

    Args:
        quantized: (H, W) uint8.

    Returns:
        (H, W) float32, ordered as the values are where these differ.
    """
    means = cv2.boxFilter(quantized, cv2.CV_32F, (_MEAN_WIDTH, _MEAN_WIDTH))
    heights = cv2.scaleAdd(means, 1 / 512, quantized.astype(np.float32))
    return np.asarray(heights, dtype=np.float32)


def find_peaks(
    quantized: NDArray[np.uint8], heights: NDArray[np.float32]
) -> list[Extremum]:
    """Find the peaks that may head a component.

    Args:
        quantized: (H, W) uint8, not all zero.
        heights: (H, W), of :func:`ordered_heights`.

    Returns:
        The peaks; the highest one counts at all levels.
    """
    peaks = (heights == cv2.dilate(heights, EIGHT)).view(np.uint8)
    peaks &= quantized > 0
    places = np.flatnonzero(peaks > cv2.dilate(peaks, _LATER_EIGHT))
    # The sort is stable: places decide ties.
    places = places[heights.ravel()[places].argsort(kind="stable")]
    values = quantized.ravel()
    x, y, paths = _paths_to_next(places, quantized.shape[1])
    straight = _places(paths.imag, paths.real, quantized.shape[1])
    saddles = values[straight].min(axis=1)
    saddles[-1] = 0
    return _extrema(saddles, values[places], x, y)


def hole_levels(
    quantized: NDArray[np.uint8], rows: Sequence[int], columns: Sequence[int]
) -> int:
    """Find the levels at which a hole may cross some row and some column.

    Where it crosses one, there are higher pixels on both sides in that line.

    Args:
        quantized: (H, W) uint8.
        rows: Each at most H - 1.
        columns: Each at most W - 1.

    Returns:
        The levels, as bits.
    """
    height, width = quantized.shape
    lines = np.zeros((len(rows) + len(columns), max(height, width)), dtype=np.uint8)
    # Zeros at the end of a line have nothing higher behind them.
    lines[: len(rows), :width] = quantized[rows]
    lines[len(rows) :, :height] = quantized[:, columns].T
    before = np.maximum.accumulate(lines, axis=1)
    after = np.maximum.accumulate(lines[:, ::-1], axis=1)[:, ::-1]
    rims = np.minimum(before, after)
    inside = rims > lines
    kinds = np.arange(len(lines)) >= len(rows)
    shift = kinds[:, None] * 256
    changes = np.bincount((lines + shift)[inside], minlength=512)
    changes -= np.bincount((rims + shift)[inside], minlength=512)
    found = changes.cumsum().reshape(2, 256) > 0
    bits = np.packbits(found[0] & found[1], bitorder="little")
    return int.from_bytes(bits.tobytes(), "little")


def find_pits(
    quantized: NDArray[np.uint8],
    heights: NDArray[np.float32],
    levels: int,
    box: Sequence[int],
) -> list[Extremum]:
    """Find the pits that may be the lowest pixel of a hole.

    Args:
        quantized: (H, W) uint8.
        heights: (H, W), of :func:`ordered_heights`.
        levels: The levels that are asked for, as bits; at least one.
        box: x0, y0, x1, y1 around all pixels above the lowest of these levels. What
            lies outside is connected to the frame.

    Returns:
        The pits that count at some of these levels.
    """
    x0, y0, x1, y1 = box
    inner = np.ascontiguousarray(quantized[y0 : y1 + 1, x0 : x1 + 1])
    ordered = np.ascontiguousarray(heights[y0 : y1 + 1, x0 : x1 + 1])
    pits = (ordered == cv2.erode(ordered, FOUR)).view(np.uint8)
    # Background that touches the frame is no hole.
    pits[[0, -1]] = 0
    pits[:, [0, -1]] = 0
    places = np.flatnonzero(pits > cv2.dilate(pits, _LATER_FOUR))
    values = inner.ravel()
    places = places[values[places] < levels.bit_length()]
    barriers = _frame_barriers(inner, places)
    kept = values[places] < barriers
    places, barriers = places[kept], barriers[kept]
    if not len(places):
        return []
    order = (-ordered.ravel()[places]).argsort(kind="stable")
    places, barriers = places[order], barriers[order]
    width = inner.shape[1]
    x, y, paths = _paths_to_next(places, width)
    found = values[_places(paths.imag, paths.real, width)].max(axis=1)
    # These make the paths four-connected.
    corners = _places(paths.imag[:, 1:], paths.real[:, :-1], width)
    np.maximum(found, values[corners].max(axis=1), out=found)
    found[-1] = _HIGHEST
    pits = _extrema(values[places], np.minimum(found, barriers), x + x0, y + y0)
    return [
        pit._replace(levels=pit.levels & levels) for pit in pits if pit.levels & levels
    ]


def _extrema(
    firsts: NDArray[np.uint8],
    stops: NDArray[np.uint8],
    x: NDArray[np.signedinteger],
    y: NDArray[np.signedinteger],
) -> list[Extremum]:
    table = np.stack((firsts, stops, x, y), axis=1)[firsts < stops]
    return [
        Extremum((1 << stop) - (1 << first), first, stop, column, row)
        for first, stop, column, row in table.tolist()
    ]


def _paths_to_next(
    places: NDArray[np.intp], width: int
) -> tuple[
    NDArray[np.signedinteger], NDArray[np.signedinteger], NDArray[np.complex128]
]:
    """Columns and rows of places, and the path to the nearest later one of each.

    A path is a row of pixels, x + iy, at most a pixel apart each way, all of the same
    number. That of the last place stays there.
    """
    y, x = np.divmod(places, width)
    points = x + 1j * y
    distances = abs(points[:, None] - points)
    distances[np.tri(len(places), dtype=np.bool_)] = np.inf
    nearest = distances.argmin(axis=1)
    nearest[-1] = len(places) - 1
    spans = points[nearest] - points
    steps = int(abs(spans).max()) + 1
    pace = np.arange(steps + 1) / steps
    return x, y, np.rint(points[:, None] + spans[:, None] * pace)


def _places(rows: NDArray[Any], columns: NDArray[Any], width: int) -> NDArray[np.intp]:
    """Pixels of the flattened map."""
    places: NDArray[np.intp] = (rows * width + columns).astype(np.intp)
    return places


def _frame_barriers(
    quantized: NDArray[np.uint8], places: NDArray[np.intp]
) -> NDArray[np.uint8]:
    """The highest value on the way from each place to the frame's easiest side."""
    y, x = np.divmod(places, quantized.shape[1])
    each = np.arange(len(places))
    barriers = np.full(len(places), _HIGHEST, dtype=np.uint8)
    for lines, ends in ((quantized[y], x), (quantized.T[x], y)):
        before = np.maximum.accumulate(lines, axis=1)[each, ends]
        after = np.maximum.accumulate(lines[:, ::-1], axis=1)[each, -1 - ends]
        np.minimum(barriers, np.minimum(before, after), out=barriers)
    return barriers
