"""The contours of a quantised map at one level, and how well they overlap targets.

A box *matters* if its intersection with some target is at least the least overlap
asked for times the target's area. No other box can be right, and none within it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]

#: Neighbourhoods of components and of holes.
EIGHT = np.ones((3, 3), dtype=np.uint8)
FOUR = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=np.uint8)


class Overlap(NamedTuple):
    """A box that matters, and its contour.

    Attributes:
        box: x0, y0, x1, y1.
        contour: OpenCV's.
        intersections: Pixels shared with each target.
        unions: Pixels of the box or each target.
        reach: The best rank that any box within it may have.
    """

    box: Box
    contour: Any
    intersections: list[int]
    unions: list[int]
    reach: int


class SingleLevel(NamedTuple):
    """The largest contour at a level.

    Attributes:
        rank: Number of overlaps reached by its box.
        area: Its area.
        second_area: Area of the contour next in size; -1 without one.
        winner: Its box.
    """

    rank: int
    area: float
    second_area: float
    winner: Overlap


class MultiLevel(NamedTuple):
    """All contours at a level.

    Attributes:
        rank: Number of overlaps reached by the best box.
        outer: Outer contours that matter.
        holes: Holes that matter.
        slight_holes: Other holes, each x0, y0, x1, y1 and its contour.
        owners: What :func:`outer_around` found, since it is asked again and again.
        reaches: Likewise of :func:`hole_reach`.
    """

    rank: int
    outer: list[Overlap]
    holes: list[Overlap]
    slight_holes: list[Any]
    owners: dict[tuple[int, int], Optional[Overlap]]
    reaches: dict[tuple[int, int], Optional[int]]


class LevelContours:
    """Evaluates levels of one map.

    Args:
        quantized: (H, W) uint8, not all zero.
        targets: (M, 4) int64, x0 <= x1 and y0 <= y1, M >= 1.
        deltas: Ascending overlaps, each in (0, 1].
    """

    def __init__(
        self,
        quantized: NDArray[np.uint8],
        targets: NDArray[np.int64],
        deltas: Sequence[float],
    ) -> None:
        self.quantized = quantized
        self.limits = (quantized.shape[1] - 1, quantized.shape[0] - 1)
        self.deltas = list(deltas)
        areas = (targets[:, 2:] - targets[:, :2] + 1).prod(axis=1).tolist()
        self.targets = [(*box, area) for box, area in zip(targets.tolist(), areas)]
        # With room for the rounding of the product.
        self.slight_area = min(areas) * self.deltas[0] * (1 - 1e-9)
        self._read_foreground()

    def _read_foreground(self) -> None:
        """Find the box of all foreground at each level, and what it reaches."""
        x0, x1 = _extents(self.quantized.max(axis=0))
        y0, y1 = _extents(self.quantized.max(axis=1))
        self.foreground = np.stack((x0, y0, x1, y1), axis=1)
        x1 = np.minimum(x1 + 1, self.limits[0])
        y1 = np.minimum(y1 + 1, self.limits[1])
        areas = (x1 - x0 + 1) * (y1 - y0 + 1)
        ious, reaches = np.zeros(len(areas)), np.zeros(len(areas))
        for tx0, ty0, tx1, ty1, target_area in self.targets:
            width = np.minimum(x1, tx1) - np.maximum(x0, tx0) + 1
            height = np.minimum(y1, ty1) - np.maximum(y0, ty0) + 1
            shared = np.maximum(width, 0) * np.maximum(height, 0)
            np.maximum(ious, shared / (areas + target_area - shared), out=ious)
            np.maximum(reaches, shared / target_area, out=reaches)
        self.foreground_ranks = np.searchsorted(self.deltas, ious, side="right")
        # The box shrinks, so that no box at a level can be better than these.
        self.foreground_reach = np.searchsorted(self.deltas, reaches, side="right")

    def hole_lines(self) -> tuple[list[int], list[int]]:
        """Rows and columns of which each hole that matters crosses one.

        A box that matters shares a part of some target's rows with it. OpenCV's box
        of a hole begins a row before the hole, and boxes end two rows after it; in
        the same way for columns.

        Returns:
            Some rows and some columns, ascending.
        """
        rows: set[int] = set()
        columns: set[int] = set()
        for x0, y0, x1, y1, _ in self.targets:
            for lines, low, high in ((columns, x0, x1), (rows, y0, y1)):
                step = int((high - low + 1) * self.deltas[0] * (1 - 1e-9)) - 3
                if step > 0:
                    lines.update(range(low + step - 1, high + 1, step))
                else:
                    lines.update(range(low - 2, high + 2))
        right, bottom = self.limits
        return (
            sorted(row for row in rows if 0 <= row <= bottom),
            sorted(column for column in columns if 0 <= column <= right),
        )

    def rank(self, intersections: list[int], unions: list[int]) -> int:
        """Number of overlaps that the best of some quotients reaches.

        Args:
            intersections: One per target.
            unions: One per target.

        Returns:
            0 to the number of overlaps.
        """
        if len(unions) == 1:
            return bisect_right(self.deltas, intersections[0] / unions[0])
        best = max([i / u for i, u in zip(intersections, unions)])
        return bisect_right(self.deltas, best)

    def _contours(self, level: int, within: Optional[Box], mode: int) -> Any:
        """Find the contours within the foreground's box and another one."""
        x0, y0, x1, y1 = self.foreground[level].tolist()
        if within is not None:
            x0, y0 = max(x0, within[0]), max(y0, within[1])
            x1, y1 = min(x1, within[2]), min(y1, within[3])
            if x0 > x1 or y0 > y1:
                return (), None
        window = self.quantized[y0 : y1 + 1, x0 : x1 + 1]
        mask = cv2.threshold(window, level, 1, cv2.THRESH_BINARY)[1]
        return cv2.findContours(mask, mode, cv2.CHAIN_APPROX_SIMPLE, offset=(x0, y0))

    def _overlap(
        self, contour: Any, x0: int, y0: int, width: int, height: int
    ) -> Overlap:
        right, bottom = self.limits
        x1, y1 = min(x0 + width, right), min(y0 + height, bottom)
        area = (x1 - x0 + 1) * (y1 - y0 + 1)
        intersections, unions, reach = [], [], 0.0
        for tx0, ty0, tx1, ty1, target_area in self.targets:
            width = (x1 if x1 < tx1 else tx1) - (x0 if x0 > tx0 else tx0) + 1
            height = (y1 if y1 < ty1 else ty1) - (y0 if y0 > ty0 else ty0) + 1
            shared = width * height if width > 0 and height > 0 else 0
            intersections.append(shared)
            unions.append(area + target_area - shared)
            reach = max(reach, shared / target_area)
        reach_rank = bisect_right(self.deltas, reach)
        return Overlap((x0, y0, x1, y1), contour, intersections, unions, reach_rank)

    def single(self, level: int) -> SingleLevel:
        """Evaluate the largest contour at a level.

        Args:
            level: 0 to maximum - 1.

        Returns:
            The contour's place and rank.
        """
        contours, _ = self._contours(level, None, cv2.RETR_EXTERNAL)
        areas = [cv2.contourArea(contour) for contour in contours]
        area = max(areas)
        place = areas.index(area)
        areas[place] = -1.0
        winner = self._overlap(contours[place], *cv2.boundingRect(contours[place]))
        rank = self.rank(winner.intersections, winner.unions)
        return SingleLevel(rank, area, max(areas), winner)

    def multi(
        self, level: int, within: Optional[Box], has_holes: bool = True
    ) -> MultiLevel:
        """Evaluate all contours at a level.

        Args:
            level: 0 to maximum - 1.
            within: A box that holds all outer contours that matter. Others are cut
                by it, which neither makes them matter nor makes holes.
            has_holes: Whether holes may matter. Without them, what lies in a hole is
                not looked at either: it matters less than what lies around it.

        Returns:
            The contours and the best one's rank.
        """
        outer: list[Overlap] = []
        holes: list[Overlap] = []
        slight_holes: list[Any] = []
        best, slight_area, bounds = 0, self.slight_area, cv2.boundingRect
        mode = cv2.RETR_CCOMP if has_holes else cv2.RETR_EXTERNAL
        contours, hierarchy = self._contours(level, within, mode)
        parents = hierarchy[0, :, 3].tolist() if len(contours) else ()
        for contour, parent in zip(contours, parents):
            x, y, width, height = bounds(contour)
            if (width + 1) * (height + 1) >= slight_area:
                found = self._overlap(contour, x, y, width, height)
                if found.reach:
                    (outer if parent < 0 else holes).append(found)
                    best = max(best, self.rank(found.intersections, found.unions))
                    continue
            if parent >= 0:
                slight_holes.append((x, y, x + width, y + height, contour))
        return MultiLevel(best, outer, holes, slight_holes, {}, {})


def common_box(overlaps: Sequence[Overlap]) -> Box:
    """The box around some boxes.

    Args:
        overlaps: At least one.

    Returns:
        x0, y0, x1, y1.
    """
    if len(overlaps) == 1:
        return overlaps[0].box
    x0, y0, x1, y1 = zip(*[each.box for each in overlaps])
    return min(x0), min(y0), max(x1), max(y1)


def outer_around(found: MultiLevel, x: int, y: int) -> Optional[Overlap]:
    """The innermost outer contour that matters around a pixel.

    It is that of the pixel's own component, unless this one does not matter and lies
    in a hole of the other: see :func:`is_in_hole`.

    Args:
        found: Contours at a level.
        x: Column of a pixel above the level.
        y: Row of the pixel.

    Returns:
        The contour, or None without one: the pixel's component does not matter then.
    """
    place = x, y
    if place not in found.owners:
        around = [each for each in found.outer if _holds(each, x, y) >= 0]
        if len(around) > 1:
            around.sort(key=lambda each: cv2.contourArea(each.contour))
        found.owners[place] = around[0] if around else None
    return found.owners[place]


def is_in_hole(found: MultiLevel, x: int, y: int) -> bool:
    """Whether a pixel may lie in a hole.

    Args:
        found: Contours at a level.
        x: Column of a pixel above the level.
        y: Row of the pixel.

    Returns:
        False only if its component is top-level.
    """
    return bool(found.holes or found.slight_holes) and (
        hole_reach(found, x, y) is not None
    )


def hole_reach(found: MultiLevel, x: int, y: int) -> Optional[int]:
    """The best rank of any hole within the hole that holds a pixel.

    Args:
        found: Contours at a level.
        x: Column of a pixel not above the level.
        y: Row of the pixel.

    Returns:
        The rank, or None if the pixel is in no hole.
    """
    place = x, y
    if place not in found.reaches:
        found.reaches[place] = _find_hole_reach(found, x, y)
    return found.reaches[place]


def _find_hole_reach(found: MultiLevel, x: int, y: int) -> Optional[int]:
    for x0, y0, x1, y1, contour in found.slight_holes:
        if (
            x0 <= x <= x1
            and y0 <= y <= y1
            and cv2.pointPolygonTest(contour, (x, y), False) > 0
        ):
            return 0
    reaches = [hole.reach for hole in found.holes if _holds(hole, x, y) > 0]
    return min(reaches, default=None)


def _holds(found: Overlap, x: int, y: int) -> float:
    """Positive if a pixel lies within a contour, 0 on it, negative outside."""
    x0, y0, x1, y1 = found.box
    if x0 <= x <= x1 and y0 <= y <= y1:
        return cv2.pointPolygonTest(found.contour, (x, y), False)
    return -1.0


def _extents(
    profile: NDArray[np.uint8],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last place at which a profile exceeds each level below its maximum."""
    ends = []
    for line in (profile, profile[::-1]):
        rising = np.maximum.accumulate(line)
        # The first place above a level comes after all those that are not.
        ends.append(np.bincount(rising, minlength=1)[:-1].cumsum())
    return ends[0], len(profile) - 1 - ends[1]
