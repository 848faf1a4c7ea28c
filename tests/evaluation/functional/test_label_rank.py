"""Ranks of classes, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.records import label_rank


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
