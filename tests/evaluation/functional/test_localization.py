"""Ranks, and classification combined with localization, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.localization import (
    label_rank,
    localization_counts,
    top_k_correct,
)


def test_ranks_by_hand():
    scores = [0.1, 0.6, 0.05, 0.25]
    assert [label_rank(scores, label) for label in range(4)] == [2, 0, 3, 1]


def test_ties_go_to_the_lower_index():
    scores = [0.2, 0.4, 0.4, 0.2]
    assert [label_rank(scores, label) for label in range(4)] == [2, 0, 1, 3]


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_rank_is_the_place_in_a_stable_sort(scores):
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    assert [label_rank(scores, label) for label in order] == list(range(len(scores)))


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_rank_zero_is_argmax(scores):
    assert label_rank(scores, int(np.argmax(scores))) == 0


def test_top_k_by_hand():
    scores = [0.1, 0.6, 0.05, 0.25]
    assert [top_k_correct(scores, 0, k) for k in (1, 2, 3, 4)] == [False, False, 1, 1]


@pytest.mark.parametrize("k", [0, -1, 5])
def test_k_out_of_range(k):
    with pytest.raises(ConfigError, match=r"`k` to be in \[1, 4\]"):
        top_k_correct([0.1, 0.2, 0.3, 0.4], 0, k)


@pytest.mark.parametrize("label", [-1, 3])
def test_label_out_of_range(label):
    with pytest.raises(DataError, match=r"`label` to be in \[0, 2\]"):
        label_rank([0.1, 0.2, 0.3], label)


@pytest.mark.parametrize(
    ("scores", "match"),
    [([[0.1]], r"\(1, 1\)"), ([], r"\(0,\)"), ([0.1, float("nan")], "1 NaN")],
)
def test_malformed_scores(scores, match):
    with pytest.raises(DataError, match=match):
        label_rank(scores, 0)


def four_images():
    """Hits: always, never, below level 100, from level 100 on."""
    hits = np.zeros((4, 256), dtype=bool)
    hits[0] = True
    hits[2, :100] = True
    hits[3, 100:] = True
    return hits


def test_gt_known_counts_hits_alone():
    counts = localization_counts([255] * 4, four_images(), [0.0, 0.5])
    assert counts.tolist() == [2, 2]


def test_top_k_loc_needs_both():
    right = np.array([True, True, False, True])
    counts = localization_counts([255] * 4, four_images(), [0.0, 0.5], right)
    assert counts.tolist() == [1, 2]


def test_top_k_loc_of_no_right_class():
    counts = localization_counts([255] * 4, four_images(), [0.0], np.zeros(4, bool))
    assert counts.tolist() == [0]


def test_hits_are_not_changed():
    hits = four_images()
    localization_counts([255] * 4, hits, [0.0], np.zeros(4, bool))
    assert np.array_equal(hits, four_images())


@pytest.mark.parametrize("correct", [[1, 0, 1, 1], [True] * 3, [[True]] * 4])
def test_malformed_correct(correct):
    with pytest.raises(DataError, match="`correct` to be bool"):
        localization_counts([255] * 4, four_images(), [0.0], correct)


def test_hits_of_several_overlaps_are_refused():
    with pytest.raises(DataError, match=r"\(N, 256\), but got \(4, 3, 256\)"):
        localization_counts([255] * 4, np.zeros((4, 3, 256), bool), [0.0])
