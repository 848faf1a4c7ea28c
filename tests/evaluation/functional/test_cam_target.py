"""The map that is scored: by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.cam_target import (
    check_cam_target,
    select_scoremap,
)

#: Of the classes 4, 0 and 2, by falling score 2, 0, 4.
CAM = np.array([[[9.0, 8.0, 7.0]], [[10.0, 30.0, 20.0]], [[-1.0, 0.0, 3.0]]])
LABELS = np.array([4, 0, 2])
SCORES = np.array([0.3, 0.0, 0.6, 0.0, 0.1])


def select(target, label=4, cam=CAM, labels=LABELS, scores=SCORES):
    return select_scoremap(cam, labels, cam_target=target, label=label, scores=scores)


def test_the_ground_truths_map_needs_no_scores():
    assert select("gt", scores=None).tolist() == [[9, 8, 7]]


def test_the_best_classs_map_needs_no_label():
    assert select("top1", label=None).tolist() == [[-1, 0, 3]]


def test_mean_of_stretched_maps():
    # Stretched: class 2 to 0, 1/4, 1; class 0 to 0, 1, 1/2.
    assert select("mean_top2").tolist() == [[0, 0.625, 0.75]]
    # And class 4 to 1, 1/2, 0.
    expected = [[1 / 3, 1.75 / 3, 0.5]]
    np.testing.assert_allclose(select("mean_top3"), expected, rtol=1e-12)


def test_mean_weighted_by_score():
    expected = [[0, 0.25 * 2 / 3 + 1 / 3, 2 / 3 + 0.5 / 3]]
    np.testing.assert_allclose(select("weighted_top2"), expected, rtol=1e-12)


def test_the_mean_of_one_is_its_map_stretched():
    assert select("mean_top1").tolist() == [[0, 0.25, 1]]


def test_a_constant_map_adds_nothing():
    cam = np.array([[[5.0, 5.0]], [[0.0, 2.0]]])
    got = select("mean_top2", cam=cam, labels=np.array([0, 2]))
    assert got.tolist() == [[0, 0.5]]


def test_of_equal_scores_the_lower_class_comes_first():
    assert select("top1", scores=np.full(5, 0.2), labels=np.array([1, 0, 2])).tolist()
    got = select("top1", scores=np.full(5, 0.2))
    assert got.tolist() == CAM[1].tolist()


@pytest.mark.parametrize("target", ["top1", "mean_top2", "weighted_top3"])
def test_a_better_class_without_a_map_is_an_error(target):
    scores = np.array([0.2, 0.3, 0.15, 0.35, 0.0])
    with pytest.raises(DataError, match=r"classes of highest score.*Add 'top\d'"):
        select(target, scores=scores)


def test_more_maps_than_there_are_is_an_error():
    with pytest.raises(DataError, match="hold the 4 classes"):
        select("mean_top4")


def test_a_missing_true_class_is_an_error():
    with pytest.raises(DataError, match="ground-truth class 3"):
        select("gt", label=3)


def test_shapes_that_do_not_fit_are_errors():
    with pytest.raises(DataError, match=r"\(K, h, w\)"):
        select("gt", cam=CAM[0])
    with pytest.raises(DataError, match="`pred_score`"):
        select("top1", scores=SCORES[:3])


@pytest.mark.parametrize("text", ["top5", "mean_top0", "mean", "GT", None, "top1 "])
def test_other_targets_are_errors(text):
    with pytest.raises(ConfigError, match="`cam_target`"):
        check_cam_target(text)
