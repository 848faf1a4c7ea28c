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

from typing import NamedTuple

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
_FAR = 1 << 30
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


class _Paths(NamedTuple):
    """Straight paths between pixels, one per row, each at its own pace."""

    rows: NDArray[np.float64]  # of the row's first pixel in the flattened map
    columns: NDArray[np.float64]

    def straight(self) -> NDArray[np.int32]:
        """Pixels of eight-connected paths."""
        return (self.rows + self.columns).astype(np.int32)

    def corners(self) -> NDArray[np.int32]:
        """Pixels that make these paths four-connected."""
        return (self.rows[:, 1:] + self.columns[:, :-1]).astype(np.int32)


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
    order = np.lexsort((places, heights.ravel()[places]))
    x, y, nearest, steps = _nearest_next(places, order, quantized.shape[1])
    values = quantized.ravel()
    paths = _paths(x, y, x[nearest], y[nearest], steps, quantized.shape)
    saddles = values[paths.straight()].min(axis=1)
    saddles[order[-1]] = 0
    return _extrema(saddles, values[places], x, y)


def hole_levels(quantized: NDArray[np.uint8], width: int, height: int) -> int:
    """Find the levels at which there may be a hole of some size.

    A hole that spans so many rows crosses one of those that lie so far apart, and
    there it has higher pixels on both sides; in the same way for columns.

    Args:
        quantized: (H, W) uint8.
        width: Least number of columns, at least 1.
        height: Least number of rows, at least 1.

    Returns:
        The levels, as bits.
    """
    rows = quantized[height - 1 :: height]
    columns = np.ascontiguousarray(quantized[:, width - 1 :: width].T)
    return _valley_levels(rows) & _valley_levels(columns)


def _valley_levels(lines: NDArray[np.uint8]) -> int:
    """The levels at which some pixel has a higher one on both sides of its line."""
    left = np.maximum.accumulate(lines, axis=1)
    right = np.maximum.accumulate(lines[:, ::-1], axis=1)[:, ::-1]
    rims = np.minimum(left, right)
    inside = rims > lines
    if not inside.any():
        return 0
    changes = np.bincount(lines[inside], minlength=256)
    changes -= np.bincount(rims[inside], minlength=256)
    bits = np.packbits(changes.cumsum() > 0, bitorder="little")
    return int.from_bytes(bits.tobytes(), "little")


def find_pits(
    quantized: NDArray[np.uint8], heights: NDArray[np.float32], levels: int
) -> list[Extremum]:
    """Find the pits that may be the lowest pixel of a hole.

    Args:
        quantized: (H, W) uint8.
        heights: (H, W), of :func:`ordered_heights`.
        levels: The levels that are asked for, as bits.

    Returns:
        The pits that count at some of them.
    """
    if not levels:
        return []
    end = levels.bit_length()
    shape = quantized.shape
    pits = (heights == cv2.erode(heights, FOUR)).view(np.uint8)
    # Background that touches the frame is no hole.
    pits[[0, -1]] = 0
    pits[:, [0, -1]] = 0
    places = np.flatnonzero(pits > cv2.dilate(pits, _LATER_FOUR))
    values = quantized.ravel()
    places = places[values[places] < end]
    barriers = _frame_barriers(values, places, shape)
    kept = values[places] < barriers
    places, barriers = places[kept], barriers[kept]
    if not len(places):
        return []
    order = np.lexsort((places, -heights.ravel()[places]))
    x, y, nearest, steps = _nearest_next(places, order, shape[1])
    paths = _paths(x, y, x[nearest], y[nearest], steps, shape)
    found = _path_maxima(values, paths)
    found[order[-1]] = _HIGHEST
    pits = _extrema(values[places], np.minimum(found, barriers), x, y)
    return [
        pit._replace(levels=pit.levels & levels) for pit in pits if pit.levels & levels
    ]


def _extrema(
    firsts: NDArray[np.uint8],
    stops: NDArray[np.uint8],
    x: NDArray[np.int32],
    y: NDArray[np.int32],
) -> list[Extremum]:
    table = np.stack((firsts, stops, x, y), axis=1)[firsts < stops]
    return [
        Extremum((1 << stop) - (1 << first), first, stop, column, row)
        for first, stop, column, row in table.tolist()
    ]


def _nearest_next(
    places: NDArray[np.intp], order: NDArray[np.intp], width: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.intp], NDArray[np.int32]]:
    """For each place, the nearest one that comes later in the order, and how far.

    The last one is nearest to itself.
    """
    y, x = (part.astype(np.int32) for part in np.divmod(places, width))
    ranks = np.empty(len(order), dtype=np.int32)
    ranks[order] = np.arange(len(order))
    distances = np.maximum(abs(x[:, None] - x), abs(y[:, None] - y))
    distances[ranks <= ranks[:, None]] = _FAR
    last = order[-1]
    distances[last, last] = 0
    nearest = distances.argmin(axis=1)
    return x, y, nearest, distances[np.arange(len(order)), nearest]


def _paths(
    x: NDArray[np.int32],
    y: NDArray[np.int32],
    to_x: NDArray[np.int32],
    to_y: NDArray[np.int32],
    steps: NDArray[np.int32],
    shape: tuple[int, ...],
) -> _Paths:
    """Straight paths, one pixel a step; those that are there wait for the others."""
    pace = np.arange(int(steps.max()) + 1, dtype=np.float64)
    parts = np.minimum(pace / np.maximum(steps, 1)[:, None], 1)
    rows = (np.rint((to_y - y)[:, None] * parts) + y[:, None]) * shape[1]
    columns = np.rint((to_x - x)[:, None] * parts) + x[:, None]
    return _Paths(rows, columns)


def _path_maxima(values: NDArray[np.uint8], paths: _Paths) -> NDArray[np.uint8]:
    maxima: NDArray[np.uint8] = values[paths.straight()].max(axis=1)
    corners = values[paths.corners()].max(axis=1, initial=0)
    np.maximum(maxima, corners, out=maxima)
    return maxima


def _frame_barriers(
    values: NDArray[np.uint8], places: NDArray[np.intp], shape: tuple[int, ...]
) -> NDArray[np.uint8]:
    """The highest value on the shortest way from each place to the frame."""
    if not len(places):
        return np.zeros(0, dtype=np.uint8)
    y, x = (part.astype(np.int32) for part in np.divmod(places, shape[1]))
    right, bottom = shape[1] - 1, shape[0] - 1
    ways = np.stack((x, right - x, y, bottom - y))
    side = ways.argmin(axis=0)
    to_x = np.where(side == 0, 0, np.where(side == 1, right, x))
    to_y = np.where(side == 2, 0, np.where(side == 3, bottom, y))
    paths = _paths(x, y, to_x, to_y, ways.min(axis=0), shape)
    return _path_maxima(values, paths)
