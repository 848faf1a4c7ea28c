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
thousand pixels of a usual map: peaks and pits, saddles (where components may meet), and
pixels that may extend a box. Every other pixel belongs where its steepest step leads.

Pixels are ordered by value and, among equals, row by row. A component's rank is looked
up when its box grew; living components are counted by rank. Which of them is the
largest matters only where their ranks differ or its box is wanted. Then bounds decide,
from the box and from the last area traced, or the border is traced.
"""

from __future__ import annotations

from typing import Any, Callable, TypeVar, cast

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


# Kinds of an event, added up.
_EXTENDS, _IS_SADDLE = 1, 2
# The events of a value in the order of their turns.
_EXTREMUM, _SADDLE, _OTHER = 0, 1, 2
_PARTS = 3


# A component is a row of numbers in `nodes`: its parent, or itself; its place in
# `alive`; its box, both ends included; a pixel of the uppermost row; twice the area of
# its contour when it was traced last; the rank of its box. Row 0 is the outside.
_PARENT, _SPOT, _X0, _Y0, _X1, _Y1, _TOP, _AREA, _RANK = range(9)
_COLUMNS = 9
# In `counts`: how many were born, how many live, and how many live of each rank. Plain
# arrays, since numba counts references to each array of a tuple.
_BORN, _LIVING, _OF_RANK = 0, 1, 2


@_compiled
def _begins(before, here):
    return np.uint8(here & (not before))


@_compiled
def _steps(flat, width, height, up, down):
    """The step of each pixel to the highest of 8 and the lowest of 4 neighbours.

    Zero where none comes before the pixel as v falls or rises.
    """
    row = np.int16(width + 2)
    one, none = np.int16(1), np.int16(0)
    for y in range(1, height + 1):
        start = y * row
        above, here = flat[start - row : start], flat[start : start + row]
        below = flat[start + row : start + 2 * row]
        rise, fall = up[start : start + row], down[start : start + row]
        for x in range(1, width + 1):
            p = here[x]
            e, se, s, sw = here[x + 1], below[x + 1], below[x], below[x - 1]
            w, nw, n, ne = here[x - 1], above[x - 1], above[x], above[x + 1]
            top = max(max(max(e, se), max(s, sw)), max(max(w, nw), max(n, ne)))
            go = one if (e > p) & (e == top) else none
            go = row + one if (se > p) & (se == top) else go
            go = row - one if (sw > p) & (sw == top) else go
            go = row if (s > p) & (s == top) else go
            go = -one if (w >= p) & (w == top) else go
            go = -row - one if (nw >= p) & (nw == top) else go
            go = one - row if (ne >= p) & (ne == top) else go
            rise[x] = -row if (n >= p) & (n == top) else go
            low = min(min(e, s), min(w, n))
            go = -one if (w < p) & (w == low) else none
            go = -row if (n < p) & (n == low) else go
            go = one if (e <= p) & (e == low) else go
            fall[x] = row if (s <= p) & (s == low) else go


@_compiled
def _kinds(flat, width, height, higher, peaks, pits):
    """Which neighbours are higher, and of what kind the event at a pixel is.

    A pixel extends no box to one side if a neighbour there, or straight beside it, is
    of the same component and comes no later than the level's end.
    """
    row = width + 2
    for y in range(1, height + 1):
        start = y * row
        above, here = flat[start - row : start], flat[start : start + row]
        below = flat[start + row : start + 2 * row]
        sets = higher[start : start + row]
        hi, lo = peaks[start : start + row], pits[start : start + row]
        for x in range(1, width + 1):
            p = here[x]
            e, se, s = here[x + 1] > p, below[x + 1] > p, below[x] > p
            sw, w, nw = below[x - 1] > p, here[x - 1] >= p, above[x - 1] >= p
            n, ne = above[x] >= p, above[x + 1] >= p
            sets[x] = np.uint8(
                e | se << 1 | s << 2 | sw << 3 | w << 4 | nw << 5 | n << 6 | ne << 7
            )
            level_e, level_s = here[x + 1] >= p, below[x] >= p
            level_se, level_sw = below[x + 1] >= p, below[x - 1] >= p
            is_dull = (
                (w | nw | level_sw | n | s)
                & (level_e | ne | level_se | n | s)
                & (n | nw | ne | w | e)
                & (level_s | level_sw | level_se | w | e)
            )
            is_dull_hole = (
                ((here[x - 1] <= p) | (not n) | (not s))
                & ((not e) | (not n) | (not s))
                & ((above[x] <= p) | (not w) | (not e))
                & ((not s) | (not w) | (not e))
            )
            # Several groups of higher ones have as many of lower ones between them.
            se, sw, nw, ne = se | e & s, sw | s & w, nw | w & n, ne | n & e
            groups = _begins(ne, e) + _begins(e, se) + _begins(se, s) + _begins(s, sw)
            groups += _begins(sw, w) + _begins(w, nw) + _begins(nw, n) + _begins(n, ne)
            saddle = (groups > 1) * _IS_SADDLE
            hi[x] = np.uint8((not is_dull) | saddle)
            lo[x] = np.uint8((not is_dull_hole) | saddle)


@_compiled
def _order_events(flat, kinds, steps, is_hole):
    """Places of the events by value and part, and where each part begins."""
    found, number = np.empty(len(flat) + 8, np.int32), 0
    words = kinds.view(np.uint64)  # eight pixels at a time: most are no events
    for k in range(len(words)):
        if words[k]:
            for place in range(8 * k, 8 * k + 8):
                found[number] = place
                number += kinds[place] != 0
    keys = np.empty(number, np.int32)
    starts = np.zeros(_PARTS * NUM_LEVELS + 1, np.int32)
    for k in range(number):
        place = found[k]
        part = _SADDLE if kinds[place] & _IS_SADDLE else _OTHER
        part = _EXTREMUM if steps[place] == 0 else part
        turn = flat[place] if is_hole else NUM_LEVELS - 1 - flat[place]
        keys[k] = _PARTS * turn + part
        starts[keys[k] + 1] += 1
    for key in range(_PARTS * NUM_LEVELS):
        starts[key + 1] += starts[key]
    events, fill = np.empty(number, np.int32), starts.copy()
    for k in range(number):
        events[fill[keys[k]]] = found[k]
        fill[keys[k]] += 1
    return events, starts


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
def _trace(flat, offsets, start, level):
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
        while heading < last and flat[place + offsets[heading & 7]] <= level:
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
def _largest(flat, offsets, nodes, alive, level, is_box_wanted):
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
    area, first = _trace(flat, offsets, nodes[lead, _TOP], level)
    nodes[lead, _AREA] = area
    for root in alive:
        if root != lead and _area_bound(nodes[root]) >= max(known, area):
            other, place = _trace(flat, offsets, nodes[root, _TOP], level)
            nodes[root, _AREA] = other
            if (other, place) > (area, first):
                lead, area, first = root, other, place
    return lead


@_compiled
def _bear(nodes, alive, counts, place, row):
    """Begin a component at an extremum; return its number."""
    counts[_BORN] += 1
    born = counts[_BORN]
    node = nodes[born]
    node[_PARENT], node[_TOP], node[_AREA], node[_RANK] = born, place, 0, 0
    node[_X0] = node[_X1] = place % row - 1
    node[_Y0] = node[_Y1] = place // row - 1
    node[_SPOT] = counts[_LIVING]
    alive[counts[_LIVING]] = born
    counts[_LIVING] += 1
    counts[_OF_RANK] += 1
    return born


@_inlined
def _box_of(nodes, root):
    return nodes[root, _X0], nodes[root, _Y0], nodes[root, _X1], nodes[root, _Y1]


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
    x0, y0, x1, y1 = _box_of(nodes, root)
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
def _label_frame(size, width, height):
    """Labels of all pixels: 0, the outside, on the frame, else unknown."""
    labels = np.full(size, -1, np.int32)
    row, rows = width + 2, height + 2
    labels[:row] = labels[(rows - 1) * row : rows * row] = 0
    labels[0 : rows * row : row] = labels[row - 1 : rows * row : row] = 0
    return labels


@_compiled
def _join(place, before, stride, offsets, steps, labels, nodes, alive, counts):
    """Let the components around a saddle meet at it; return theirs, and if any did.

    ``before`` has the bits of the neighbours that come before it.
    """
    root, has_met = _find(place, steps, labels, nodes), False
    for k in range(0, 8, stride):
        if before >> k & 1:
            gone = _find(place + offsets[k], steps, labels, nodes)
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
def _count_extrema(starts):
    number = 0
    for key in range(0, len(starts) - 1, _PARTS):
        number += starts[key + 1] - starts[key]
    return number


@_compiled
def _sweep(image, sides, is_hole, task, single, boxes):
    """The best rank at each level, of all components or of all holes.

    Of components, that of the largest contour goes to ``single``, and its box to
    ``boxes`` at the wanted levels.
    """
    flat, higher, offsets, limits, maximum = image
    (kinds, steps), (targets, deltas, wanted) = sides, task
    multi, row = np.zeros(NUM_LEVELS, np.int64), offsets[2]
    events, starts = _order_events(flat, kinds, steps, is_hole)
    labels = _label_frame(len(flat), limits[0] + 1, limits[1] + 1)
    # Holes connect over their sides alone; pixels of a component over corners too.
    stride = 2 if is_hole else 1
    size = 1 + _count_extrema(starts)
    nodes = np.zeros((size, _COLUMNS), np.int64)
    counts = np.zeros(_OF_RANK + len(deltas) + 1, np.int64)
    alive = np.empty(size, np.int64)
    for turn in range(maximum):
        level = turn if is_hole else maximum - turn - 1
        key = _PARTS * (turn if is_hole else NUM_LEVELS - 1 - maximum + turn)
        for place in events[starts[key] : starts[key + 1]]:
            labels[place] = root = _bear(nodes, alive, counts, place, row)
            _rank_again(nodes, counts, root, is_hole, limits, targets, deltas)
        if counts[_LIVING]:
            for place in events[starts[key + _SADDLE] : starts[key + _OTHER]]:
                before = 255 - higher[place] if is_hole else higher[place]
                root, has_met = _join(
                    place, before, stride, offsets, steps, labels, nodes, alive, counts
                )
                if _extend(nodes, root, place, row) or has_met:
                    _rank_again(nodes, counts, root, is_hole, limits, targets, deltas)
            for place in events[starts[key + _OTHER] : starts[key + _PARTS]]:
                root = _find(place, steps, labels, nodes)
                if _extend(nodes, root, place, row):
                    _rank_again(nodes, counts, root, is_hole, limits, targets, deltas)
        best = len(deltas)
        while best > 0 and counts[_OF_RANK + best] == 0:
            best -= 1
        multi[level] = best
        is_open = counts[_OF_RANK + best] < counts[_LIVING] or wanted[level]
        if is_open and not is_hole:
            living = alive[: counts[_LIVING]]
            lead = _largest(flat, offsets, nodes, living, level, wanted[level])
            best = nodes[lead, _RANK]
            _copy(nodes[lead, _X0 : _Y1 + 1], boxes[level])
        single[level] = best
    return multi


@_compiled
def _rank_levels(flat, width, height, maximum, targets, deltas, wanted):
    """The ranks of the largest contour and of all, and the wanted boxes."""
    size, row = len(flat), width + 2
    up, down = np.zeros(size, np.int16), np.zeros(size, np.int16)
    peaks, pits = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    higher = np.zeros(size, np.uint8)
    _steps(flat, width, height, up, down)
    _kinds(flat, width, height, higher, peaks, pits)
    offsets = np.empty(8, np.int64)
    offsets[0], offsets[1], offsets[2], offsets[3] = 1, row + 1, row, row - 1
    for k in range(4):
        offsets[k + 4] = -offsets[k]
    image = flat, higher, offsets, (width - 1, height - 1), maximum
    task = targets, deltas, wanted
    ranks = np.zeros((3, NUM_LEVELS), np.int64)
    boxes = np.zeros((NUM_LEVELS, 4), np.int64)
    # Told as a constant, the kind of a sweep would be compiled twice.
    for is_hole in (True, False):
        sides = (pits, down) if is_hole else (peaks, up)
        best = _sweep(image, sides, is_hole, task, ranks[2], boxes)
        _copy(best, ranks[int(is_hole)])
    return ranks, boxes


def _frame(quantized: NDArray[np.uint8]) -> NDArray[np.int16]:
    """A map's pixels, row by row, in a frame of -1, and some more to fill 8 bytes."""
    height, width = quantized.shape
    number = (height + 2) * (width + 2)
    flat = np.full((number + 7) // 8 * 8, -1, dtype=np.int16)
    flat[:number].reshape(height + 2, width + 2)[1:-1, 1:-1] = quantized
    return flat


def rank_levels_compiled(
    quantized: NDArray[np.uint8],
    targets: NDArray[np.int64],
    *,
    deltas: NDArray[np.float64],
    box_levels: NDArray[np.int64],
) -> LevelRanks:
    """Rank the boxes of a map, exactly as the definition does.

    Args:
        quantized: As for ``rank_levels_by_contours``, and so are the others.
        targets: (M, 4), ground-truth boxes.
        deltas: (K,), the IoU thresholds, rising.
        box_levels: (B,), levels whose box is wanted.

    Returns:
        The ranks and boxes.
    """
    if not quantized.any():
        return rank_levels_by_contours(
            quantized, targets, deltas=deltas, box_levels=box_levels
        )
    wanted = np.zeros(NUM_LEVELS, dtype=np.bool_)
    wanted[box_levels] = True
    height, width = quantized.shape
    (components, holes, single), boxes = _rank_levels(
        _frame(quantized),
        width,
        height,
        int(quantized.max()),
        np.ascontiguousarray(targets, dtype=np.int64),
        np.ascontiguousarray(deltas, dtype=np.float64),
        wanted,
    )
    found = boxes[box_levels]
    found[:, 2:] = np.minimum(found[:, 2:] + 1, (width - 1, height - 1))
    return LevelRanks(single, np.maximum(components, holes), found)
