r"""Which levels of a quantised map localize an object, from few evaluated levels.

Looking at each of 255 levels by itself is exact and slow. Here many levels are
known from the map's peaks and pits alone, and others from evaluated levels.

- Each component has its highest pixel at a peak, each hole its lowest at a pit, and
  both count at some levels only: see ``level_extrema``. Where only one peak and no
  pit counts, there is one contour. Its box is that of all foreground, which is known
  for all levels.
- Let :math:`lo < v < hi`. The component at :math:`v` around a peak lies within that
  at :math:`lo` and contains that at :math:`hi`, if the peak is higher. A hole lies
  within an outer contour at :math:`lo`, and, if its pit is within a hole at
  :math:`hi`, in that one.
- A box between two nested boxes :math:`a \subseteq b` has an IoU in
  :math:`[I_a / U_b, I_b / U_a]`, with :math:`I` the intersection with a target and
  :math:`U` the union; a box of which only :math:`b` is known, up to :math:`I_b / T`
  with :math:`T` the target's area. Division rounds monotonically, so these bounds
  hold for rounded quotients too.
- So a level between two evaluated ones has the least rank of the components that
  exist at both, unless a peak or a pit that may be better counts there. Only such
  levels are looked at further. A peak whose box at :math:`lo` does not matter is
  dropped for all higher levels, a pit whose hole at :math:`hi` does not, for all
  lower ones.
- The box of the largest contour is nested in the same way if the largest area at
  :math:`hi` exceeds the second largest at :math:`lo`, and twice it exceeds the
  largest at :math:`lo`: no other part of that component can then be larger.

Sets of levels are integers, bit v for level v.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdgdm.evaluation.functional.level_contours import (
    Box,
    LevelContours,
    MultiLevel,
    Overlap,
    SingleLevel,
    common_box,
    hole_reach,
    outer_around,
)
from mmdgdm.evaluation.functional.level_extrema import (
    Extremum,
    find_peaks,
    find_pits,
    hole_levels,
    ordered_heights,
)

#: Up to so many levels with holes it is cheaper to look at each than to find pits.
_FEW_HOLES = 4
#: In no hole.
_NOWHERE = -1, -1


class _Interval(NamedTuple):
    """Two evaluated levels, and what is open between them."""

    low: int
    below: MultiLevel
    high: int
    above: MultiLevel
    levels: int
    peaks: list[Extremum]
    pits: list[Extremum]


class _Open(NamedTuple):
    """What may be better than the least rank between two levels."""

    peak_levels: int
    pit_levels: int
    splits: int  # levels at which it pays to look
    peaks: list[Extremum]
    pits: list[Extremum]


class LevelSearch:
    """The search in one map; see the module. Each level is evaluated once at most.

    Args:
        quantized: (H, W) uint8, not all zero.
        targets: (M, 4) int64, x0 <= x1 and y0 <= y1, M >= 1.
        deltas: Ascending overlaps, each in (0, 1].
        levels: The levels whose ranks are asked for, all by default. The ranks of
            others mean nothing.
    """

    def __init__(
        self,
        quantized: NDArray[np.uint8],
        targets: NDArray[np.int64],
        deltas: Sequence[float],
        levels: Optional[ArrayLike] = None,
    ) -> None:
        self._contours = LevelContours(quantized, targets, deltas)
        reach = self._contours.foreground_reach
        self.num_levels = len(reach)
        self._reached = [
            (1 << int(np.count_nonzero(reach > rank))) - 1
            for rank in range(len(self._contours.deltas) + 1)
        ]
        self.end = self._reached[0].bit_length()
        self._asked = self._reached[0]
        if levels is not None:
            self._asked &= _pack(levels)
        self._singles: dict[int, SingleLevel] = {}
        self._multis: dict[int, MultiLevel] = {}
        self._holes = 0  # levels at which a hole may matter
        self._heights = ordered_heights(quantized) if self.end else None
        self._peaks: list[Extremum] = []
        self._several = 0  # levels at which several peaks count
        if self._heights is not None:
            self._peaks = find_peaks(quantized, self._heights)
        one = 0
        for peak in self._peaks:
            self._several |= one & peak.levels
            one |= peak.levels

    @property
    def num_evaluated(self) -> tuple[int, int]:
        """How many levels were evaluated for the largest and for all contours."""
        return len(self._singles), len(self._multis)

    def _known_ranks(self, unknown: int) -> NDArray[np.int64]:
        """The ranks at levels with one contour, and 0 at unknown levels."""
        ranks = self._contours.foreground_ranks.copy()
        ranks[self.end :] = 0
        ranks[_mask(unknown, self.num_levels)] = 0
        return ranks

    # The largest contour

    def single_box(self, level: int) -> Box:
        """The box of the largest contour at a level, the first one on a tie.

        Args:
            level: 0 to maximum - 1.

        Returns:
            x0, y0, x1, y1, as ``contour_boxes`` gives it.
        """
        return self._single(level).winner.box

    def _single(self, level: int) -> SingleLevel:
        found = self._singles.get(level)
        if found is None:
            found = self._singles[level] = self._contours.single(level)
        return found

    def rank_single(self) -> list[int]:
        """Rank the box of the largest contour at all levels.

        Returns:
            The rank at each level, 0 to maximum - 1.
        """
        levels = self._several & self._asked
        ranks = self._known_ranks(levels)
        if not levels:
            return _listed(ranks)
        found = [0] * len(self._reached)
        low, high = _ends(levels)
        for end in (low, high):
            found[self._single(end).rank] |= 1 << end
        intervals = [(low, high)]
        while intervals:
            low, high = intervals.pop()
            inner = _between(levels, low, high)
            if not inner:
                continue
            rank = self._rank_between(self._single(low), self._single(high))
            if rank is not None:
                found[rank] |= inner
                continue
            middle = _nearest(inner, (low + high) // 2)
            found[self._single(middle).rank] |= 1 << middle
            intervals += [(low, middle), (middle, high)]
        return _listed(np.maximum(ranks, self._best_ranks(found)))

    def _best_ranks(self, found: list[int]) -> NDArray[np.int64]:
        """The highest rank of each level, from the levels of each rank."""
        ranks = np.zeros(self.num_levels, dtype=np.int64)
        for rank, levels in enumerate(found):
            if levels:
                ranks[_mask(levels, self.num_levels)] = rank
        return ranks

    def _rank_between(self, below: SingleLevel, above: SingleLevel) -> Optional[int]:
        """The rank between two levels, where their bounds on the IoU decide it."""
        if above.area <= below.second_area or 2 * above.area <= below.area:
            return None
        least, most = self._bounds(below.winner, above.winner)
        return least if least == most else None

    def _bounds(self, outer: Overlap, inner: Overlap) -> tuple[int, int]:
        """The least and the best rank of a box between two."""
        least = self._contours.rank(inner.intersections, outer.unions)
        return least, self._contours.rank(outer.intersections, inner.unions)

    # All contours

    def _multi(self, level: int, within: Optional[Box]) -> MultiLevel:
        found = self._multis.get(level)
        if found is None:
            has_holes = bool(self._holes >> level & 1)
            found = self._contours.multi(level, within, has_holes)
            self._multis[level] = found
        return found

    def rank_multi(self) -> list[int]:
        """Rank the best of the boxes of all contours at all levels.

        Returns:
            The rank at each level, 0 to maximum - 1.
        """
        ranks = self._known_ranks(self._several)
        if self._heights is None:
            return _listed(ranks)
        quantized = self._contours.quantized
        holes = hole_levels(quantized, *self._contours.hole_lines()) & self._asked
        pits = []
        if bin(holes).count("1") > _FEW_HOLES:
            box = self._contours.foreground[_ends(holes)[0]].tolist()
            pits = find_pits(quantized, self._heights, holes, box)
        elif holes:
            low, high = _ends(holes)
            pits = [Extremum(holes, low, high + 1, *_NOWHERE)]
        self._holes = 0
        for pit in pits:
            self._holes |= pit.levels
        levels = (self._several | self._holes) & self._asked
        # At levels with one outer contour, a hole can only be better.
        found = [0] * len(self._reached)
        if levels:
            low, high = _ends(levels)
            # Nothing is asked above the highest of these levels, so that it needs no
            # upper end.
            below = self._multi(low, None)
            above = self._multi(high, None)
            found[below.rank] |= 1 << low
            found[above.rank] |= 1 << high
            inner = _between(levels, low, high)
            self._search_multi(
                found, _Interval(low, below, high, above, inner, self._peaks, pits)
            )
        return _listed(np.maximum(ranks, self._best_ranks(found)))

    def _search_multi(self, found: list[int], whole: _Interval) -> None:
        """Add an interval's levels to those that reach each rank."""
        intervals = [whole]
        while intervals:
            each = intervals.pop()
            if not each.below.outer:
                continue
            least, open_ = self._look_between(each)
            found[least] |= each.levels
            levels = open_.peak_levels & self._several | open_.pit_levels
            levels &= self._reached[least]
            if not levels:
                continue
            low, high = _ends(levels)
            middle = _nearest(open_.splits & levels or levels, (low + high) // 2)
            here = self._multi(middle, common_box(each.below.outer))
            found[here.rank] |= 1 << middle
            lower, upper = _between(levels, -1, middle), levels >> middle + 1
            upper <<= middle + 1
            rest = open_.peaks, open_.pits
            if lower:
                intervals.append(
                    _Interval(each.low, each.below, middle, here, lower, *rest)
                )
            if upper:
                intervals.append(
                    _Interval(middle, here, each.high, each.above, upper, *rest)
                )

    def _look_between(self, each: _Interval) -> tuple[int, _Open]:
        """Find the least rank between two levels, and what may be better."""
        least, bests = 0, {}
        for inner in each.above.outer:
            x, y = inner.contour.ravel()[:2].tolist()
            outer = outer_around(each.below, x, y)
            if outer is not None:
                worst, bests[inner.box] = self._bounds(outer, inner)
                least = max(least, worst)
        top = max([outer.reach for outer in each.below.outer])
        if top <= least:
            return least, _Open(0, 0, 0, [], [])
        peaks = _open_peaks(each, bests)
        pits = _open_pits(each, top)
        peak_levels = pit_levels = splits = 0
        for peak, best in peaks:
            if best > least:
                peak_levels |= peak.levels & each.levels
                # There a component that does not matter shows that it does not.
                splits |= 1 << peak.first
        for pit, best in pits:
            if best > least:
                pit_levels |= pit.levels & each.levels
                splits |= 1 << pit.stop - 1
        return least, _Open(
            peak_levels,
            pit_levels,
            splits,
            [peak for peak, _ in peaks],
            [pit for pit, _ in pits],
        )


def _open_peaks(each: _Interval, bests: dict[Box, int]) -> list[tuple[Extremum, int]]:
    """The peaks that matter between two levels, with their best ranks."""
    found = []
    levels = each.levels
    for peak in each.peaks:
        if peak.levels & levels:
            best = _best_around(each, peak, bests)
            if best is not None:
                found.append((peak, best))
    return found


def _open_pits(each: _Interval, top: int) -> list[tuple[Extremum, int]]:
    """The pits that matter between two levels, with their best ranks."""
    found = []
    for pit in each.pits:
        if pit.levels & each.levels:
            best = top
            if pit.stop > each.high:
                reach = hole_reach(each.above, pit.x, pit.y)
                best = top if reach is None else min(top, reach)
            if best:
                found.append((pit, best))
    return found


def _best_around(
    each: _Interval, peak: Extremum, bests: dict[Box, int]
) -> Optional[int]:
    """The best rank of the components around a peak, between two levels.

    None if they do not matter at any level from the lower one on.
    """
    if peak.stop > each.high:
        inner = outer_around(each.above, peak.x, peak.y)
        if inner is not None and inner.box in bests:
            return bests[inner.box]
    outer = outer_around(each.below, peak.x, peak.y)
    return outer.reach if outer is not None else None


def _ends(levels: int) -> tuple[int, int]:
    """The lowest and the highest of some levels."""
    return (levels & -levels).bit_length() - 1, levels.bit_length() - 1


def _between(levels: int, low: int, high: int) -> int:
    """The levels above one and below another."""
    return levels & (1 << high) - (1 << low + 1) if high > low + 1 else 0


def _mask(levels: int, size: int) -> NDArray[np.bool_]:
    """Whether each level from 0 on is among some levels."""
    packed = np.frombuffer(levels.to_bytes(32, "little"), dtype=np.uint8)
    return np.unpackbits(packed, count=size, bitorder="little").view(np.bool_)


def _listed(ranks: NDArray[np.int64]) -> list[int]:
    out: list[int] = ranks.tolist()
    return out


def _pack(levels: ArrayLike) -> int:
    """The bits of some levels."""
    mask = np.zeros(256, dtype=np.bool_)
    mask[np.asarray(levels, dtype=np.intp)] = True
    return int.from_bytes(np.packbits(mask, bitorder="little").tobytes(), "little")


def _nearest(levels: int, middle: int) -> int:
    """The level nearest to a middle, the lower one on a tie."""
    low = (levels & (2 << middle) - 1).bit_length() - 1
    above = levels >> middle
    if not above:
        return low
    high = middle + (above & -above).bit_length() - 1
    return high if low < 0 or high - middle < middle - low else low
