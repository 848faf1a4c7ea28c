"""Area ratios and the two coverages, by hand and as properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.coverage import (
    COVERAGE_THRESHOLDS,
    cover_areas,
    mean_coverage,
)


def test_thresholds_are_exact_twentieths():
    assert COVERAGE_THRESHOLDS.tolist() == [k / 20 for k in range(20)]


def test_a_box_inside_the_object():
    # P is 2 x 3 = 6 pixels, G is 4 x 6 = 24, all of P is shared.
    areas = cover_areas([[1, 1, 2, 3]], [[0, 0, 3, 5]])
    assert areas.tolist() == [[6, 6, 24]]
    assert mean_coverage(areas) == (0.25, 0.0, 75.0)


def test_a_box_around_the_object():
    areas = cover_areas([[0, 0, 3, 5]], [[1, 1, 2, 3]])
    assert areas.tolist() == [[24, 6, 6]]
    assert mean_coverage(areas) == (4.0, 75.0, 0.0)


def test_a_box_beside_the_object():
    # They would touch if a box did not hold its last pixel.
    areas = cover_areas([[0, 0, 1, 1]], [[2, 0, 3, 1]])
    assert areas.tolist() == [[4, 0, 4]]
    assert mean_coverage(areas) == (1.0, 100.0, 100.0)


def test_boxes_apart_in_both_directions_share_nothing():
    # Two negative lengths must not make a positive area.
    assert cover_areas([[0, 0, 1, 1]], [[7, 8, 9, 9]])[0, 1] == 0


def test_the_best_overlap_chooses_the_object():
    # IoU with the first is 8 / 100, with the second 8 / 16, the third is apart.
    targets = [[0, 0, 9, 9], [0, 0, 3, 3], [8, 8, 9, 9]]
    assert cover_areas([[0, 0, 3, 1]], targets).tolist() == [[8, 8, 16]]


def test_each_box_has_an_object_of_its_own():
    targets = [[0, 0, 1, 1], [5, 5, 7, 7]]
    areas = cover_areas([[5, 5, 7, 7], [0, 0, 1, 1]], targets)
    assert areas.tolist() == [[9, 9, 9], [4, 4, 4]]


def test_the_first_object_wins_a_tie():
    targets = [[4, 4, 5, 5], [6, 6, 9, 9]]
    assert cover_areas([[0, 0, 0, 0]], targets).tolist() == [[1, 0, 4]]
    assert cover_areas([[0, 0, 0, 0]], targets[::-1]).tolist() == [[1, 0, 16]]


def test_means_are_over_images_and_not_over_pixels():
    # Ratios 8 / 8 and 2 / 4; over 1 - 4 / 8 and 0; under 1 - 4 / 8 and 1 - 2 / 4.
    assert mean_coverage([[8, 4, 8], [2, 2, 4]]) == (0.75, 25.0, 50.0)


@pytest.mark.parametrize("areas", [np.zeros((0, 3)), np.ones(3), np.ones((2, 4))])
def test_malformed_areas(areas):
    with pytest.raises(DataError, match=r"\(N, 3\)"):
        mean_coverage(areas)


def test_no_object_is_an_error():
    with pytest.raises(DataError, match="at least one box"):
        cover_areas([[0, 0, 1, 1]], np.zeros((0, 4), dtype=int))


@st.composite
def boxes(draw):
    xs, ys = (sorted(draw(st.tuples(*[st.integers(0, 15)] * 2))) for _ in "xy")
    return [xs[0], ys[0], xs[1], ys[1]]


def pixels(box):
    """The pixels of a box as a set."""
    x0, y0, x1, y1 = box
    return {(x, y) for x in range(x0, x1 + 1) for y in range(y0, y1 + 1)}


@given(boxes(), boxes())
def test_areas_are_those_of_sets_of_pixels(box, target):
    p, g = pixels(box), pixels(target)
    assert cover_areas([box], [target]).tolist() == [[len(p), len(p & g), len(g)]]


@given(boxes())
def test_a_perfect_box(box):
    assert mean_coverage(cover_areas([box], [box])) == (1.0, 0.0, 0.0)


@given(st.lists(st.tuples(boxes(), boxes()), min_size=1, max_size=20), st.randoms())
def test_means_stay_in_range_in_any_order(pairs, random):
    areas = [cover_areas([box], [target])[0] for box, target in pairs]
    ratio, over, under = found = mean_coverage(areas)
    assert ratio > 0
    assert 0 <= over <= 100
    assert 0 <= under <= 100
    random.shuffle(areas)
    assert mean_coverage(areas) == found
