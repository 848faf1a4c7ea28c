"""Rules that choose the threshold for test: by hand, as properties, slowly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.calibration import (
    OverlapSums,
    check_rule,
    overlap_sums,
    plausible_median,
)
from mmdgdm.evaluation.functional.scoremaps import make_thresholds

CUTS = make_thresholds(0.1)


def sums_of(numbers):
    """Sums of numbers of overlaps (N, T)."""
    array = np.asarray(numbers, dtype=np.int64)
    return OverlapSums(array.sum(axis=0), (array**2).sum(axis=0))


def choose(numbers, cuts=CUTS):
    found = sums_of(numbers)
    return plausible_median(found, num_images=len(numbers), thresholds=cuts)


def slow_median(numbers, cuts):
    """The rule as its definition reads, image by image and threshold by threshold."""
    shares = np.asarray(numbers) / 3
    means = [math.fsum(column) / len(column) for column in shares.T]
    best = max(range(len(cuts)), key=lambda t: (round(means[t], 9), -t))
    variance = math.fsum((y - means[best]) ** 2 for y in shares[:, best]) / len(shares)
    error = math.sqrt(variance / len(shares))
    weights = [math.exp(-(((means[best] - m) / error) ** 2) / 2) for m in means]
    up_to = 0.0
    for cut, weight in zip(cuts, weights):
        up_to += weight
        if up_to >= sum(weights) / 2:
            return cut
    raise AssertionError


# By hand


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        # One image tells nothing of its spread: the middle of its best thresholds.
        ([[0, 0, 3, 3, 3, 3, 3, 0, 0, 0]], 0.4),
        ([[0, 1, 2, 3, 2, 1, 0, 0, 0, 0]], 0.3),
        # Two plateaus weigh as long as they are: five of eight in the second.
        ([[3, 3, 3, 0, 0, 3, 3, 3, 3, 3]], 0.5),
        # Nothing is ever right, or always: the middle of all.
        ([[0] * 10], 0.4),
        ([[3] * 10, [3] * 10], 0.4),
        # All agree at one place.
        ([[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]] * 5, 0.9),
    ],
)
def test_without_spread_the_middle_of_the_best_is_taken(numbers, expected):
    assert choose(numbers) == pytest.approx(expected)


def test_weights_by_hand():
    # Means of 4 images: 1/2, 3/4, 1/2, 1/4 of three overlaps; at the best one the
    # variance is 3/16, so that s^2 is 3/64, and z^2 is 4/3, 0, 4/3, 16/3.
    hits = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]])
    weights = [math.exp(-2 / 3), 1, math.exp(-2 / 3), math.exp(-8 / 3)]
    assert weights[0] < sum(weights) / 2 < weights[0] + 1
    assert choose(3 * hits, CUTS[:4]) == CUTS[1]


def test_more_images_draw_it_to_the_highest_place():
    few = np.zeros((6, 100), dtype=np.int64)  # the last one is never right
    few[:2] = 3
    few[2:4, 10:] = 3
    few[4, 10:15] = 3
    cuts = make_thresholds(0.01)
    assert choose(few, cuts) > 0.3
    assert choose(np.tile(few, (1000, 1)), cuts) == pytest.approx(0.12)


# Properties


@pytest.fixture
def numbers():
    rng = np.random.default_rng(0)
    low = rng.integers(0, 50, size=(30, 3))
    high = low + rng.integers(0, 50, size=(30, 3))
    places = np.arange(100)
    return ((places >= low[..., None]) & (places < high[..., None])).sum(axis=1)


def test_as_the_definition_reads(numbers):
    cuts = make_thresholds(0.01)
    for size in (6, 12, 30):
        assert choose(numbers[:size], cuts) == slow_median(numbers[:size], cuts)


def test_the_order_of_images_and_a_common_factor_do_not_count(numbers):
    cuts = make_thresholds(0.01)
    found = choose(numbers, cuts)
    assert choose(numbers[::-1], cuts) == found
    assert choose(7 * numbers, cuts) == found


def test_thresholds_of_one_level_count_one_by_one(numbers):
    # A finer grid of the same curve gives the same place.
    found = choose(numbers, make_thresholds(0.01))
    fine = choose(np.repeat(numbers, 10, axis=1), make_thresholds(0.001))
    assert fine == pytest.approx(found, abs=0.01)


def test_sums_of_parts_add_up_whatever_the_maxima():
    rng = np.random.default_rng(1)
    hits = rng.random((1500, 3, 256)) < 0.5
    maxima = rng.integers(0, 256, size=1500)
    bits = np.packbits(hits, axis=2)
    found = overlap_sums(maxima, bits, thresholds=CUTS)
    images = np.arange(1500)
    for place, cut in enumerate(CUTS):
        reached = hits[images, :, (cut * maxima).astype(int)].sum(axis=1)
        assert found.first[place] == reached.sum()
        assert found.second[place] == (reached**2).sum()
    parts = [
        overlap_sums(maxima[part], bits[part], thresholds=CUTS)
        for part in (slice(0, 100), slice(100, None))
    ]
    assert (parts[0].first + parts[1].first == found.first).all()
    assert (parts[0].second + parts[1].second == found.second).all()


# Wrong input


def test_malformed_input():
    with pytest.raises(DataError, match=r"got \(10,\), \(10,\) and \(4,\)"):
        choose([[0] * 10], CUTS[:4])
    with pytest.raises(DataError, match="of 0 images"):
        plausible_median(sums_of([[0] * 10]), num_images=0, thresholds=CUTS)
    with pytest.raises(ConfigError, match="`calibration` to be one of"):
        check_rule("best")
