"""PxAP by hand and against a slow version."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional import pxap as module
from mmdgdm.evaluation.functional.pxap import (
    ScoreHistograms,
    merge_masks,
    pixel_curves,
    pxap,
    score_histograms,
)
from mmdgdm.evaluation.functional.scoremaps import make_thresholds


def load_slow():
    path = Path(__file__).parents[1] / "slow_pxap.py"
    spec = importlib.util.spec_from_file_location("slow_pxap", path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


slow = load_slow()


def mask_of(text):
    """Draw a mask: '#' is the object, '?' is ignored."""
    values = {"#": 1, "?": 255, ".": 0}
    return np.array([[values[c] for c in row] for row in text.split()], dtype=np.uint8)


def score(scores, mask, thresholds=None):
    cuts = make_thresholds() if thresholds is None else thresholds
    return pxap(
        score_histograms(np.asarray(scores, dtype=float), mask, thresholds=cuts)
    )


def by_numpy(scores, mask, thresholds):
    """The two histograms as numpy counts them."""
    edges = np.append(thresholds, [1.0, 2.0, 3.0])
    wide = np.asarray(scores, dtype=np.float64)
    return [np.histogram(wide[mask == value], edges)[0] for value in (1, 0)]


def assert_counts(found, expected):
    assert [part.tolist() for part in found] == [list(part) for part in expected]
    assert [part.dtype for part in found] == [np.int64, np.int64]


def random_image(rng, thresholds):
    """A small map of a random kind with a random mask."""
    shape = tuple(rng.integers(1, 7, size=2))
    edges = np.append(thresholds, 1.0)
    near = np.concatenate([edges, np.nextafter(edges, 0), np.nextafter(edges, 1)])
    scores = {
        0: lambda: rng.random(shape),
        1: lambda: rng.choice(np.unique(near.clip(0, 1)), shape),
        2: lambda: rng.integers(0, 3, shape) / 2,
        3: lambda: np.full(shape, rng.choice([0.0, 0.5, 1.0])),
    }[int(rng.integers(4))]()
    dtype = (np.float16, np.float32, np.float64)[rng.integers(3)]
    kinds = [0, 1] if rng.integers(2) else [0, 1, 255]
    mask = rng.choice(kinds, shape).astype(np.uint8)
    mask[tuple(rng.integers(0, shape))] = 1
    return scores.astype(dtype), mask


# Histograms


def test_histograms_by_hand():
    scores, mask = [[1.0, 0.75], [0.5, 0.0]], mask_of("#. #.")
    found = score_histograms(scores, mask, thresholds=[0.0, 0.25, 0.5, 0.75])
    assert_counts(found, [[0, 0, 1, 0, 1, 0], [1, 0, 0, 1, 0, 0]])
    found = score_histograms(scores, mask_of("?. #?"), thresholds=[0.0, 0.5])
    assert_counts(found, [[0, 1, 0, 0], [0, 1, 0, 0]])


def test_one_threshold():
    found = score_histograms([[0.0, 0.999, 1.0]], mask_of("###"), thresholds=[0.0])
    assert_counts(found, [[2, 1, 0], [0, 0, 0]])


INTERVALS = [0.001, 0.01, 0.013, 0.05, 0.1, 0.25, 0.3, 1 / 3, 0.4, 0.5, 0.7, 0.999]
#: With an interval of 1 / 49, arange ends with a threshold just below 1.
INTERVALS += [1 / 49, 1 / 98, 1 / 103, 1 / 7]


@pytest.mark.parametrize("interval", INTERVALS)
def test_scores_at_and_beside_every_edge(interval):
    cuts = make_thresholds(interval)
    edges = np.append(cuts, 1.0)
    values = [edges, np.nextafter(edges, 0), np.nextafter(edges, 1), -edges[:1]]
    scores = np.concatenate(values).clip(0, 1)[None]
    for mask in (mask_of("#"), mask_of(".")):
        mask = np.repeat(mask, scores.size, axis=1)
        expected = by_numpy(scores, mask, cuts)
        assert_counts(score_histograms(scores, mask, thresholds=cuts), expected)


def test_even_thresholds_take_the_fast_way():
    for interval in INTERVALS[:12]:
        assert module._bin_edges(make_thresholds(interval))[1] > 0
    for uneven in ([0, 0.1, 0.9], [0, 0.5, 0.6], make_thresholds(1 / 49), [0, 5e-324]):
        assert module._bin_edges(np.array(uneven))[1] == 0


def test_large_maps_are_counted_whole():
    rng = np.random.default_rng(0)
    cuts = make_thresholds()
    for shape in ((224, 224), (1, 8192), (8193, 1), (91, 97)):
        scores, mask = rng.random(shape), rng.choice([0, 1, 255], shape)
        mask = mask.astype(np.uint8)
        expected = by_numpy(scores, mask, cuts)
        assert_counts(score_histograms(scores, mask, thresholds=cuts), expected)


@pytest.mark.parametrize("seed", range(12))
def test_varied_small_maps_match_the_slow_version(seed):
    rng = np.random.default_rng(seed)
    for _ in range(100):
        interval = rng.choice([0.05, 0.07, 0.1, 0.25, 1 / 49, rng.uniform(0.05, 0.95)])
        cuts = make_thresholds(interval)
        images = [random_image(rng, cuts) for _ in range(rng.integers(1, 3))]
        each = [score_histograms(*image, thresholds=cuts) for image in images]
        total = ScoreHistograms(*np.sum(each, axis=0))
        tables = [(scores.tolist(), mask.tolist()) for scores, mask in images]
        expected = slow.histograms(tables, cuts)
        assert_counts(total, expected)
        assert pxap(total) == slow.pxap_in_floats(*expected)
        exact = slow.pxap(tables, cuts)
        assert pxap(total) == pytest.approx(float(exact), rel=1e-13, abs=0)
        check_curves(total, tables, cuts)


def check_curves(total, tables, cuts):
    precision, recall, iou = pixel_curves(total, cuts).values()
    for place, cut in enumerate(cuts.tolist()):
        true, false, missed = slow.predicted(tables, cut)
        assert recall[place] == true * 100 / (true + missed)
        assert iou[place] == true * 100 / (true + false + missed)
        if true + false:
            assert precision[place] == true * 100 / (true + false)
        else:
            assert np.isnan(precision[place])


fractions = st.floats(0, 1, exclude_min=True, exclude_max=True)


@given(st.lists(fractions, max_size=12, unique=True), st.data())
@settings(max_examples=300, deadline=None)
def test_any_rising_thresholds(inner, data):
    cuts = np.array([0.0, *sorted(inner)])
    edges = np.append(cuts, 1.0)
    near = np.concatenate([edges, np.nextafter(edges, 0), np.nextafter(edges, 1)])
    values = st.sampled_from(near.clip(0, 1).tolist()) | st.floats(0, 1)
    scores = data.draw(st.lists(values, min_size=1, max_size=30))
    mask = data.draw(
        st.lists(
            st.sampled_from([0, 1, 255]), min_size=len(scores), max_size=len(scores)
        )
    )
    expected = slow.histograms([([scores], [mask])], cuts)
    found = score_histograms(
        [scores], np.array([mask], dtype=np.uint8), thresholds=cuts
    )
    assert_counts(found, expected)


@given(st.floats(0.0005, 0.9999), st.sampled_from(["e", "f", "d"]), st.data())
@settings(max_examples=300, deadline=None)
def test_any_interval_and_type(interval, kind, data):
    cuts = make_thresholds(interval)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    edges = np.append(cuts, 1.0)
    scores = np.concatenate([rng.random(50), rng.choice(edges, 50)]).astype(kind)
    scores = scores.reshape(4, 25)
    mask = rng.choice([0, 1, 255], (4, 25)).astype(np.uint8)
    assert_counts(
        score_histograms(scores, mask, thresholds=cuts), by_numpy(scores, mask, cuts)
    )


def test_scores_are_widened_before_they_are_counted():
    # float32(0.1) lies above the threshold 0.1, float32(0.7) below 0.7.
    scores = np.array([[0.1, 0.7]], dtype=np.float32)
    found = score_histograms(scores, mask_of("##"), thresholds=[0.0, 0.1, 0.7])
    assert found.positive.tolist() == [0, 2, 0, 0, 0]


def test_maps_need_not_be_contiguous():
    rng = np.random.default_rng(0)
    scores, mask = rng.random((9, 14)), rng.choice([0, 1], (9, 14)).astype(np.uint8)
    cuts = make_thresholds(0.1)
    found = score_histograms(scores[::2, ::-3].T, mask[::2, ::-3].T, thresholds=cuts)
    expected = score_histograms(
        scores[::2, ::-3].copy(), mask[::2, ::-3].copy(), thresholds=cuts
    )
    assert_counts(found, [part.tolist() for part in expected])


def test_arguments_are_not_changed():
    scores, mask = np.array([[0.2, 1.0]]), mask_of("#?")
    score_histograms(scores, mask, thresholds=[0.0, 0.5])
    assert (scores.tolist(), mask.tolist()) == ([[0.2, 1.0]], [[1, 255]])


# PxAP


def test_a_perfect_map_scores_100():
    mask = mask_of("..##. .?##. ?????")
    assert score(mask == 1, mask) == 100
    assert score((mask == 1) * 0.2 + 0.5, mask) == 100


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("text", ["#...", "###.", "#.#.?", "####"])
def test_a_constant_map_scores_the_share_of_the_object(value, text):
    mask = mask_of(text)
    share = 100 * (mask == 1).sum() / (mask != 255).sum()
    assert score(np.full(mask.shape, value), mask) == share


@pytest.mark.parametrize(
    ("scores", "text", "expected"),
    [
        # Half of the object at precision 1, the other half at 2 of 3.
        ([[1.0, 0.75], [0.5, 0.0]], "#. #.", 100 * (1 / 2 + 1 / 2 * 2 / 3)),
        # The wrong way round: precision 1 of 2, then 2 of 4.
        ([[0.75, 1.0], [0.0, 0.5]], "#. #.", 50),
        ([[0.0, 1.0], [0.0, 1.0]], "#. #.", 50),
        # One object pixel, found third.
        ([[0.2, 0.9], [0.8, 0.1]], "#. ..", 100 / 3),
        # The same, but one of the better pixels is ignored.
        ([[0.2, 0.9], [0.8, 0.1]], "#? ..", 50),
        ([[0.2, 0.9], [0.8, 0.1]], "#? ?.", 100),
    ],
)
def test_four_pixels_by_hand(scores, text, expected):
    assert score(scores, mask_of(text)) == pytest.approx(expected, rel=1e-15)


def test_the_object_wins_where_the_ignored_region_meets_it():
    # The ignored region covers the second object pixel, which still counts, and the
    # third pixel, which does not.
    mask = merge_masks([mask_of("##..")], mask_of(".##."), size=(4, 1))
    scores = [[1.0, 0.2, 0.9, 0.5]]
    assert score(scores, mask) == pytest.approx(100 * (1 / 2 + 1 / 2 * 2 / 3))
    # With that pixel ignored as well, the map would be perfect.
    assert score(scores, mask_of("#??.")) == 100


def test_pixels_between_two_thresholds_are_not_told_apart():
    scores, mask = [[0.52, 0.51]], mask_of("#.")
    assert score(scores, mask) == 100
    assert score(scores, mask, make_thresholds(0.1)) == 50


def test_histograms_of_several_images_add_up():
    cuts = [0.0, 0.5]
    first = score_histograms([[1.0, 0.0]], mask_of("#."), thresholds=cuts)
    second = score_histograms([[0.0, 1.0]], mask_of("#."), thresholds=cuts)
    # Two pixels of score 1, one of them right, then all four.
    total = ScoreHistograms(*np.add(first, second))
    assert pxap(total) == 50
    # Larger images weigh more.
    large = score_histograms(
        [[1.0] * 9 + [0.0]], mask_of("#########."), thresholds=cuts
    )
    total = ScoreHistograms(*np.add(large, second))
    assert pxap(total) == pytest.approx(100 * (0.9 * 0.9 + 0.1 * 10 / 12))


def test_no_warning_where_nothing_is_predicted(recwarn):
    total = score_histograms(
        [[0.1, 0.2]], mask_of("#."), thresholds=make_thresholds(0.01)
    )
    pxap(total)
    pixel_curves(total, make_thresholds(0.01))
    assert len(recwarn) == 0


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)), min_size=1))
@settings(deadline=None)
def test_pxap_of_any_counts(pairs):
    positive = np.array([pair[0] for pair in pairs] + [1, 0])
    negative = np.array([pair[1] for pair in pairs] + [0, 0])
    value = pxap(ScoreHistograms(positive, negative))
    assert value == slow.pxap_in_floats(positive.tolist(), negative.tolist())
    assert 0 < value <= 100 * (1 + 1e-12)


# Curves


def test_curves_by_hand():
    cuts = [0.0, 0.25, 0.5, 0.75]
    found = score_histograms(
        [[0.5, 0.6], [0.3, 0.0]], mask_of("#. #."), thresholds=cuts
    )
    curves = pixel_curves(found, cuts)
    assert list(curves) == ["pixel_precision", "pixel_recall", "pixel_iou"]
    precision, recall, iou = curves.values()
    assert precision[:3].tolist() == [50, 200 / 3, 50]
    assert np.isnan(precision[3])
    assert recall.tolist() == [100, 100, 50, 0]
    assert iou.tolist() == [50, 200 / 3, 100 / 3, 0]


# Errors

MASK = mask_of("#.")
PAIR = ScoreHistograms(np.array([1, 2, 0]), np.array([3, 0, 0]))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: score([[0.5, 0.1]], MASK * 7), r"`mask` to hold.*\[7\]"),
        (lambda: score([[0.5, 0.1]], MASK.T), r"same shape.*\(1, 2\) and \(2, 1\)"),
        (lambda: score([[0.5, 1.1]], MASK), r"`scoremap`.*\[0, 1\].*0.5 to 1.1"),
        (lambda: score([[-0.5, 1.0]], MASK), r"`scoremap`.*\[0, 1\].*-0.5 to 1"),
        (lambda: score([[np.nan, 1.0]], MASK), r"`scoremap`.*\[0, 1\].*NaN"),
        (lambda: score([0.5, 1.0], MASK), r"`scoremap`.*shape \(2,\)"),
        (lambda: score(np.ones((0, 2)), MASK), r"`scoremap`.*shape \(0, 2\)"),
        (
            lambda: score_histograms(MASK, MASK, thresholds=[0.0]),
            "`scoremap`.*of uint8",
        ),
        (lambda: score([[0.5, 1.0]], MASK * 0), "one object pixel.*none beside 2"),
        (lambda: pxap(PAIR + PAIR), "a pair of them, but got 4"),
        (lambda: pxap((PAIR[0], PAIR[1][:2])), r"counts.*\(3,\).*\(2,\)"),
        (lambda: pxap((PAIR[0][:2], PAIR[1][:2])), r"counts.*\(2,\)"),
        (lambda: pxap((PAIR[0] / 1, PAIR[1])), "counts.*float64"),
        (lambda: pxap((PAIR[0], -PAIR[1])), "none below 0"),
        (lambda: pxap(np.ones((2, 3, 3), int)), r"counts.*\(3, 3\)"),
        (lambda: pixel_curves(PAIR, [0.0, 0.5]), "4 bins for 2 thresh.*got 3"),
        (lambda: pixel_curves((0 * PAIR[0], PAIR[1]), [0.0]), "one object pixel"),
    ],
)
def test_malformed_data(call, match):
    with pytest.raises(DataError, match=match):
        call()


@pytest.mark.parametrize(
    "thresholds",
    [[], [0.1, 0.5], [0.0, 0.5, 0.5], [0.0, 0.5, 0.4], [0.0, 1.0], [0.0, np.nan], 0.0],
)
def test_malformed_thresholds(thresholds):
    for call in (
        lambda: score_histograms([[0.5, 1.0]], MASK, thresholds=thresholds),
        lambda: pixel_curves(PAIR, thresholds),
    ):
        with pytest.raises(ConfigError, match="`thresholds` to rise from 0 to below 1"):
            call()
