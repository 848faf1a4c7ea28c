"""The ranks of all levels of a map in one compiled pass (numba).

What a mask's contours are, in terms of the map itself:

- Outer contours belong to the 8-connected components of ``quantized > v``, holes to the
  4-connected components of ``quantized <= v`` that are not connected to the outside. A
  hole's box is its extent grown by one pixel on each side.
- The largest contour is that of a component. Twice its area is that of the polygon
  through the pixels of the outer border. Of equal ones OpenCV lists that one first
  whose first pixel comes last, row by row; holes and what lies within them never win.

As v falls, components are born at the peaks of the map, grow and merge; as it rises,
holes do, from its pits. Both are followed by a union-find over events alone, a few
hundred pixels of a usual map: peaks and pits, saddles (where components may meet), and
pixels that may extend a box. Every other pixel belongs where its steepest step leads.

Any order of the pixels serves that agrees with that of their quantised values, since
only the end of each level counts. The fewest events come of the scores themselves: they
are cut to 15 bits, of which the upper 8 are the quantised value. Equal pixels are
ordered row by row.

A component's rank is looked up when its box grew; living components are counted by
rank. Which of them is the largest matters only where their ranks differ or its box is
wanted. Then bounds decide, from the box and from the last area traced, or the border is
traced.
"""

from __future__ import annotations

from typing import Any, Callable, Optional, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from mmdgdm.evaluation.functional.level_ranks import (
    NUM_LEVELS,
    LevelRanks,
    rank_levels_by_contours,
)

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(function: _Function) -> _Function:
    """Compile a function at its first call; without the GIL, kept on disk."""
    try:
        return cast(_Function, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # no folder can be written: each process compiles anew
        return cast(_Function, numba.njit(nogil=True)(function))


def _inlined(function: _Function) -> _Function:
    """The same, as a part of those that call it: handing over arrays takes time."""
    return cast(_Function, numba.njit(inline="always")(function))


#: Bits of a pixel below those of its quantised value.
_FINE_BITS = 7
_FINE = (1 << _FINE_BITS) - 1
# Kinds of pixels.
_NOTHING, _EXTREMUM, _SADDLE, _EXTENDS = range(4)

# A component is a row of numbers in `nodes`: its parent, or itself; its place in
# `alive`; its box, both ends included; a pixel of the uppermost row; twice the area of
# its contour when it was traced last; the rank of its box. Row 0 is the outside.
_PARENT, _SPOT, _X0, _Y0, _X1, _Y1, _TOP, _AREA, _RANK = range(9)
_COLUMNS = 9
# In `counts`: how many were born, how many live, the limit at which the largest one was
# traced last, which it was, and how many live of each rank. Plain arrays, since numba
# counts references to each array of a tuple.
_BORN, _LIVING, _LIMIT, _LEAD, _OF_RANK = 0, 1, 2, 3, 4


@_compiled
def _frame(scaled, scale):
    """The pixels of a map in a frame of -1.

    The product with ``scale`` is in [0, 255]; rounded down, it is the quantised value.
    """
    height, width = scaled.shape
    row = width + 2
    flat = np.full((row * (height + 2) + 7) // 8 * 8, -1, np.int16)  # whole words
    for y in range(height):
        line = flat[(y + 1) * row + 1 : (y + 2) * row - 1]
        for x in range(width):
            line[x] = np.int16(scaled[y, x] * scale * (_FINE + 1))
    return flat


@_compiled
def _steps(flat, width, height, up, down):
    """The step of each pixel to the highest of 8 and the lowest of 4 neighbours.

    Zero where none comes before the pixel as v falls or rises. All numbers are of 16
    bits, of which the processor takes many at once.
    """
    row, none = width + 2, np.int16(0)
    east, south, southeast = np.int16(1), np.int16(row), np.int16(row + 1)
    west, north, northwest = np.int16(-1), np.int16(-row), np.int16(-row - 1)
    southwest, northeast = np.int16(row - 1), np.int16(1 - row)
    for y in range(1, height + 1):
        start = y * row
        above, here = flat[start - row : start], flat[start : start + row]
        below = flat[start + row : start + 2 * row]
        rise, fall = up[start : start + row], down[start : start + row]
        for x in range(1, width + 1):
            p = here[x]
            e, se, s, sw = here[x + 1], below[x + 1], below[x], below[x - 1]
            w, nw, n, ne = here[x - 1], above[x - 1], above[x], above[x + 1]
            # Of equal pixels those before it, row by row, are the higher ones.
            late, early = max(max(e, se), max(s, sw)), max(max(w, nw), max(n, ne))
            go = southeast if se == late else east
            go = southwest if sw == late else go
            go = south if s == late else go
            go = go if late > p else none
            back = northwest if nw == early else west
            back = northeast if ne == early else back
            back = north if n == early else back
            rise[x] = back if (early >= p) & (early >= late) else go
            late, early = min(e, s), min(w, n)
            go = north if n == early else west
            go = go if early < p else none
            back = south if s == late else east
            fall[x] = back if (late <= p) & (late <= early) else go


@_inlined
def _begins(before, here, is_one, is_several):
    """Whether at least one and at least two groups of neighbours have begun."""
    begins = here & (not before)
    return is_one | begins, is_several | (is_one & begins)


@_compiled
def _kinds(flat, width, height, peaks, pits):
    """Of what kind each pixel is as v falls and rises.

    A pixel extends no box to one side if a neighbour there comes no later than the end
    of the level, or one straight beside it comes before it, of the same component.
    """
    row, fine = width + 2, np.int16(_FINE)
    extremum, saddle = np.uint8(_EXTREMUM), np.uint8(_SADDLE)
    extends, nothing = np.uint8(_EXTENDS), np.uint8(_NOTHING)
    for y in range(1, height + 1):
        start = y * row
        above, here = flat[start - row : start], flat[start : start + row]
        below = flat[start + row : start + 2 * row]
        hi, lo = peaks[start : start + row], pits[start : start + row]
        for x in range(1, width + 1):
            p = here[x]
            least, most = np.int16(p & ~fine), np.int16(p | fine)  # of its level
            e, se, s, sw = here[x + 1], below[x + 1], below[x], below[x - 1]
            w, nw, n, ne = here[x - 1], above[x - 1], above[x], above[x + 1]
            is_level_x = min(max(w, max(nw, sw)), max(e, max(ne, se))) >= least
            is_level_y = min(max(n, max(nw, ne)), max(s, max(sw, se))) >= least
            # Whether they are higher, that is, come before it as v falls.
            he, hse, hs, hsw = e > p, se > p, s > p, sw > p
            hw, hnw, hn, hne = w >= p, nw >= p, n >= p, ne >= p
            is_peak = not (he | hse | hs | hsw | hw | hnw | hn | hne)
            is_pit = he & hs & hw & hn
            is_dull = (hn | hs | is_level_x) & (hw | he | is_level_y)
            is_hole_dull_x = (not hn) | (not hs) | (max(w, e) <= most)
            is_hole_dull_y = (not hw) | (not he) | (max(n, s) <= most)
            # Several groups of higher ones have as many of lower ones between them.
            hse, hsw = hse | he & hs, hsw | hs & hw
            hnw, hne = hnw | hw & hn, hne | hn & he
            is_one, is_several = he & (not hne), False
            is_one, is_several = _begins(he, hse, is_one, is_several)
            is_one, is_several = _begins(hse, hs, is_one, is_several)
            is_one, is_several = _begins(hs, hsw, is_one, is_several)
            is_one, is_several = _begins(hsw, hw, is_one, is_several)
            is_one, is_several = _begins(hw, hnw, is_one, is_several)
            is_one, is_several = _begins(hnw, hn, is_one, is_several)
            is_one, is_several = _begins(hn, hne, is_one, is_several)
            kind = nothing if is_dull else extends
            kind = saddle if is_several else kind
            hi[x] = extremum if is_peak else kind
            kind = nothing if is_hole_dull_x & is_hole_dull_y else extends
            kind = saddle if is_several else kind
            lo[x] = extremum if is_pit else kind


@_compiled
def _order_events(flat, kinds, is_hole):
    """Places of the events by value, of each extrema first, and where each begins."""
    found, number = np.empty(len(flat) + 8, np.int32), 0
    words = kinds.view(np.uint64)  # eight pixels at a time: most are no events
    for k in range(len(words)):
        if words[k]:
            for place in range(8 * k, 8 * k + 8):
                found[number] = place
                number += kinds[place] != _NOTHING
    keys = np.empty(number, np.int32)
    starts = np.zeros(2 * NUM_LEVELS + 1, np.int32)
    for k in range(number):
        value = flat[found[k]] >> _FINE_BITS
        turn = value if is_hole else NUM_LEVELS - 1 - value
        keys[k] = 2 * turn + (kinds[found[k]] != _EXTREMUM)
        starts[keys[k] + 1] += 1
    for key in range(2 * NUM_LEVELS):
        starts[key + 1] += starts[key]
    events, fill = np.empty(number, np.int32), starts.copy()
    for k in range(number):
        events[fill[keys[k]]] = found[k]
        fill[keys[k]] += 1
    return events, starts[::2]


@_inlined
def _find(place, steps, labels, nodes):
    """The component of a pixel: that of the extremum that its steps lead to."""
    end = place
    while labels[end] < 0:
        end += steps[end]
    root = np.int64(labels[end])
    while nodes[root, _PARENT] != root:
        nodes[root, _PARENT] = nodes[nodes[root, _PARENT], _PARENT]
        root = nodes[root, _PARENT]
    while labels[place] < 0:  # the next one that comes by finds it at once
        labels[place] = root
        place += steps[place]
    return root


@_compiled
def _rank(node, grow, limits, targets, deltas):
    """The number of IoU thresholds that a component's box reaches with any target."""
    x0, y0 = node[_X0] - grow, node[_Y0] - grow
    x1, y1 = min(node[_X1] + grow + 1, limits[0]), min(node[_Y1] + grow + 1, limits[1])
    area, best = (x1 - x0 + 1) * (y1 - y0 + 1), 0.0
    for m in range(len(targets)):
        width = min(x1, targets[m, 2]) - max(x0, targets[m, 0]) + 1
        height = min(y1, targets[m, 3]) - max(y0, targets[m, 1]) + 1
        if width > 0 and height > 0:
            other = targets[m, 2] - targets[m, 0] + 1
            other *= targets[m, 3] - targets[m, 1] + 1
            shared = width * height
            best = max(best, shared / (area + other - shared))
    rank = 0
    while rank < len(deltas) and best >= deltas[rank]:
        rank += 1
    return rank


#: How far each heading turns from east: 0, 1 or 2 steps of a column to the west.
_TURNS = np.array([0, 0, 1, 2, 2, 2, 1, 0])


@_compiled
def _trace(flat, offsets, start, limit):
    """Follow an outer border, clockwise from a pixel of the uppermost row.

    Returns twice the area of the polygon through its pixels, and the first one of them,
    row by row.
    """
    row = offsets[2]
    area, first, place, begun = 0, start, start, -1
    x = start % row
    heading = 6  # the pixel above the uppermost row is outside
    while True:
        last = heading + 8
        while heading < last and flat[place + offsets[heading & 7]] <= limit:
            heading += 1
        if heading == last:
            return 0, start
        heading &= 7
        if place == start:
            if heading == begun:
                return abs(area), first
            if begun < 0:
                begun = heading
        place += offsets[heading]
        # Southward: 1, 2, 3; northward: 5, 6, 7; eastward: 0, 1, 7; westward: 3, 4, 5.
        right = 1 - _TURNS[heading]
        down = 1 - _TURNS[(heading + 6) & 7]
        area += (2 * x + right) * down
        x += right
        first = min(first, place)
        # Go on behind the last neighbour that was outside.
        heading = heading + 7 - (heading & 1)


@_compiled
def _area_bound(node):
    """Twice the area of the polygon round all pixels of a box."""
    return 2 * (node[_X1] - node[_X0]) * (node[_Y1] - node[_Y0])


@_compiled
def _is_any_within(flat, low, high):
    """Whether any pixel is above ``low`` and not above ``high``."""
    for pixel in flat:  # noqa: SIM110  numba compiles no generators into any()
        if low < pixel <= high:
            return True
    return False


@_compiled
def _largest(flat, offsets, nodes, alive, counts, limit, is_box_wanted):
    """The component of the largest contour, or one whose box has the same rank."""
    known, lead = 0, alive[0]
    for root in alive:
        known = max(known, nodes[root, _AREA])
        if _area_bound(nodes[root]) > _area_bound(nodes[lead]):
            lead = root
    is_open = False
    for root in alive:
        if root != lead and _area_bound(nodes[root]) >= known:
            is_open |= is_box_wanted or nodes[root, _RANK] != nodes[lead, _RANK]
    if not is_open:
        return lead
    if not _is_any_within(flat, np.int16(limit), np.int16(counts[_LIMIT])):
        return counts[_LEAD]  # the mask is still the same
    area, first = _trace(flat, offsets, nodes[lead, _TOP], limit)
    nodes[lead, _AREA] = area
    for root in alive:
        if root != lead and _area_bound(nodes[root]) >= max(known, area):
            other, place = _trace(flat, offsets, nodes[root, _TOP], limit)
            nodes[root, _AREA] = other
            if (other, place) > (area, first):
                lead, area, first = root, other, place
    counts[_LIMIT], counts[_LEAD] = limit, lead
    return lead


@_compiled
def _bear(nodes, alive, counts, place, row):
    """Begin a component at an extremum; return its number."""
    counts[_BORN] += 1
    born = counts[_BORN]
    node = nodes[born]
    node[_PARENT], node[_TOP], node[_SPOT] = born, place, counts[_LIVING]
    node[_X0] = node[_X1] = place % row - 1
    node[_Y0] = node[_Y1] = place // row - 1
    alive[counts[_LIVING]] = born
    counts[_LIVING] += 1
    counts[_OF_RANK] += 1
    return born


@_compiled
def _merge(nodes, alive, counts, root, gone):
    """Let one component become part of another."""
    node, of = nodes[root], nodes[gone]
    counts[_LIVING] -= 1
    last = alive[counts[_LIVING]]
    alive[of[_SPOT]] = last
    nodes[last, _SPOT] = of[_SPOT]
    of[_PARENT] = root
    counts[_OF_RANK + of[_RANK]] -= 1
    if of[_Y0] < node[_Y0]:
        node[_TOP] = of[_TOP]
    node[_X0], node[_Y0] = min(node[_X0], of[_X0]), min(node[_Y0], of[_Y0])
    node[_X1], node[_Y1] = max(node[_X1], of[_X1]), max(node[_Y1], of[_Y1])
    node[_AREA] = max(node[_AREA], of[_AREA])


@_inlined
def _extend(nodes, root, place, row):
    """Add a pixel to a component's box; return whether it grew."""
    x, y = place % row - 1, place // row - 1
    x0, y0 = nodes[root, _X0], nodes[root, _Y0]
    x1, y1 = nodes[root, _X1], nodes[root, _Y1]
    if x0 <= x <= x1 and y0 <= y <= y1:
        return False
    if y < y0:
        nodes[root, _TOP] = place
    nodes[root, _X0], nodes[root, _Y0] = min(x0, x), min(y0, y)
    nodes[root, _X1], nodes[root, _Y1] = max(x1, x), max(y1, y)
    return True


@_compiled
def _rank_again(nodes, counts, root, grow, limits, targets, deltas):
    """Rank a box that grew; the outside, 0, has none."""
    if root > 0:
        counts[_OF_RANK + nodes[root, _RANK]] -= 1
        nodes[root, _RANK] = _rank(nodes[root], grow, limits, targets, deltas)
        counts[_OF_RANK + nodes[root, _RANK]] += 1


@_compiled
def _no_labels(flat):
    """Labels of all pixels: 0, the outside, on the frame, else unknown."""
    labels = np.empty(len(flat), np.int32)
    for place in range(len(flat)):
        labels[place] = 0 if flat[place] < 0 else -1
    return labels


@_compiled
def _join(place, is_hole, flat, offsets, steps, labels, nodes, alive, counts):
    """Let the components around a saddle meet at it; return theirs, and if any did."""
    root, has_met = _find(place, steps, labels, nodes), False
    # Holes connect over their sides alone; pixels of a component over corners too.
    for k in range(0, 8, 2 if is_hole else 1):
        other, value = place + offsets[k], flat[place]
        is_higher = flat[other] > value or (flat[other] == value and k >= 4)
        if is_higher != is_hole:  # the other one comes before it
            gone = _find(other, steps, labels, nodes)
            if gone == 0:
                root, gone = gone, root
            if gone != root:
                _merge(nodes, alive, counts, root, gone)
                has_met = True
    return root, has_met


@_compiled
def _copy(numbers, to):
    """Copy numbers; an assignment to a slice would compile for seconds."""
    for k in range(len(numbers)):
        to[k] = numbers[k]


@_compiled
def _follow(events, is_hole, image, sides, labels, nodes, alive, counts, task):
    """Let components be born, meet and grow at the events of a level."""
    (flat, offsets, limits), (kinds, steps), (targets, deltas, _) = image, sides, task
    row = offsets[2]
    for place in events:
        has_met = True
        if kinds[place] == _EXTREMUM:
            labels[place] = root = _bear(nodes, alive, counts, place, row)
        elif kinds[place] == _SADDLE:
            root, has_met = _join(
                place, is_hole, flat, offsets, steps, labels, nodes, alive, counts
            )
        else:
            root, has_met = _find(place, steps, labels, nodes), False
        if _extend(nodes, root, place, row) or has_met:
            _rank_again(nodes, counts, root, is_hole, limits, targets, deltas)


@_compiled
def _sweep(image, sides, is_hole, maximum, task, single, boxes):
    """The best rank at each level, of all components or of all holes.

    Of components, that of the largest contour goes to ``single``, and its box to
    ``boxes`` at the wanted levels.
    """
    (flat, offsets, _), (_, deltas, wanted) = image, task
    multi = np.zeros(NUM_LEVELS, np.int64)
    events, starts = _order_events(flat, sides[0], is_hole)
    labels = _no_labels(flat)
    nodes = np.zeros((len(events) + 1, _COLUMNS), np.int64)
    counts = np.zeros(_OF_RANK + len(deltas) + 1, np.int64)
    counts[_LIMIT] = np.iinfo(np.int16).max
    alive = np.empty(len(events), np.int64)
    for turn in range(maximum):
        level = turn if is_hole else maximum - turn - 1
        key = turn if is_hole else NUM_LEVELS - 1 - maximum + turn
        if starts[key] < starts[key + 1]:
            found = events[starts[key] : starts[key + 1]]
            _follow(found, is_hole, image, sides, labels, nodes, alive, counts, task)
        best = len(deltas)
        while best > 0 and counts[_OF_RANK + best] == 0:
            best -= 1
        multi[level] = best
        is_open = counts[_OF_RANK + best] < counts[_LIVING] or wanted[level]
        if is_open and not is_hole:
            living, limit = alive[: counts[_LIVING]], level << _FINE_BITS | _FINE
            lead = _largest(flat, offsets, nodes, living, counts, limit, wanted[level])
            best = nodes[lead, _RANK]
            _copy(nodes[lead, _X0 : _Y1 + 1], boxes[level])
        single[level] = best
    return multi


@_compiled
def _rank_levels(scaled, scale, maximum, targets, deltas, wanted):
    """The ranks of the largest contour and of all, and the wanted boxes."""
    height, width = scaled.shape
    flat = _frame(scaled, scale)
    size, row = len(flat), width + 2
    up, down = np.zeros(size, np.int16), np.zeros(size, np.int16)
    peaks, pits = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    _steps(flat, width, height, up, down)
    _kinds(flat, width, height, peaks, pits)
    offsets = np.empty(8, np.int64)
    offsets[0], offsets[1], offsets[2], offsets[3] = 1, row + 1, row, row - 1
    for k in range(4):
        offsets[k + 4] = -offsets[k]
    image = flat, offsets, (width - 1, height - 1)
    task = targets, deltas, wanted
    ranks = np.zeros((3, NUM_LEVELS), np.int64)
    boxes = np.zeros((NUM_LEVELS, 4), np.int64)
    # Told as a constant, the kind of a sweep would be compiled twice.
    for is_hole in (True, False):
        sides = (pits, down) if is_hole else (peaks, up)
        best = _sweep(image, sides, is_hole, maximum, task, ranks[2], boxes)
        _copy(best, ranks[int(is_hole)])
    return ranks, boxes


def rank_levels_compiled(
    quantized: NDArray[np.uint8],
    targets: NDArray[np.int64],
    *,
    deltas: NDArray[np.float64],
    box_levels: NDArray[np.int64],
    scores: Optional[NDArray[np.float64]] = None,
) -> LevelRanks:
    """Rank the boxes of a map, exactly as the definition does.

    Args:
        quantized: As for ``rank_levels_by_contours``, and so are the others.
        targets: (M, 4), ground-truth boxes.
        deltas: (K,), the IoU thresholds, rising.
        box_levels: (B,), levels whose box is wanted.
        scores: (H, W), what ``quantized`` was made of, if at hand.

    Returns:
        The ranks and boxes.
    """
    maximum = int(quantized.max())
    if maximum == 0:
        return rank_levels_by_contours(
            quantized, targets, deltas=deltas, box_levels=box_levels
        )
    wanted = np.zeros(NUM_LEVELS, dtype=np.bool_)
    wanted[box_levels] = True
    scaled, scale = (quantized, 1) if scores is None else (scores, NUM_LEVELS - 1)
    (components, holes, single), boxes = _rank_levels(
        np.ascontiguousarray(scaled, dtype=np.float64),
        float(scale),
        maximum,
        np.ascontiguousarray(targets, dtype=np.int64),
        np.ascontiguousarray(deltas, dtype=np.float64),
        wanted,
    )
    height, width = quantized.shape
    found = boxes[box_levels]
    found[:, 2:] = np.minimum(found[:, 2:] + 1, (width - 1, height - 1))
    return LevelRanks(single, np.maximum(components, holes), found)
