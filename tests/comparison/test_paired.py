"""Paired comparisons: what an image adds to a score, and the bootstrap's interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from mmdgdm.comparison.paired import bootstrap_interval, image_scores
from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.records import make_box_record, read_box_records


def test_the_interval_is_that_of_scipy():
    rng = np.random.default_rng(0)
    differences = rng.integers(-1, 2, size=(150, 2)) * 100.0
    low, high = bootstrap_interval(differences, num_resamples=20_000)
    for column, ours in zip(differences.T, np.stack([low, high], axis=1)):
        settings = dict(method="percentile", n_resamples=20_000, random_state=1)
        theirs = bootstrap((column,), np.mean, **settings).confidence_interval
        assert ours == pytest.approx(list(theirs), abs=1.5)  # two draws' noise
        assert ours[0] < column.mean() < ours[1]


def test_blocks_of_resamples_leave_none_out(monkeypatch):
    differences = np.arange(40.0).reshape(20, 2)
    whole = bootstrap_interval(differences, num_resamples=33)
    monkeypatch.setattr("mmdgdm.comparison.paired._BLOCK", 7 * 20)
    parts = bootstrap_interval(differences, num_resamples=33)
    np.testing.assert_array_equal(whole, parts)


def square_table(side, ranks):
    """A square on a map whose object is as large, or twice as high."""
    records = []
    for height, rank in zip((side, 2 * side), ranks):
        scores = np.zeros((64, 64))
        scores[0:side, 0:side] = 1
        boxes = np.array([[0, 0, side, height]])
        records.append(make_box_record(scores, boxes, label=0, rank=rank))
    return read_box_records(records)


def test_image_scores_by_hand():
    # The second box covers half of its object, 11 x 11 of 11 x 21 pixels: 0.52.
    names = ("gt_known", "top1_loc", *(f"max_box_acc_v2_{p}" for p in (30, 50, 70)))
    thresholds = dict.fromkeys(names, 0.5)
    scores = image_scores(
        square_table(10, (1, 0)), thresholds, iou_thresholds=(0.3, 0.5, 0.7)
    )
    assert scores["gt_known"].tolist() == [1, 1]
    assert scores["max_box_acc_v2"] == pytest.approx([1, 2 / 3])
    assert scores["top1_cls"].tolist() == scores["top1_loc"].tolist() == [0, 1]


def test_records_of_other_overlaps_are_refused():
    with pytest.raises(DataError, match="records of 4 IoU thresholds, but got 3"):
        image_scores(square_table(10, (0, 0)), {}, iou_thresholds=(0.4, 0.5))
