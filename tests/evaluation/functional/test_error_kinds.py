"""Kinds of error: each by hand, none twice, and as the evaluation counts."""

from __future__ import annotations

import numpy as np
import pytest

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.boxes import box_iou
from mmdgdm.evaluation.functional.coverage import cover_areas
from mmdgdm.evaluation.functional.error_kinds import (
    ERROR_KINDS,
    box_ious,
    error_kinds,
)


def kind_of(box, truth, **kwargs):
    (kind,) = error_kinds(cover_areas([box], truth), **kwargs)
    return kind


@pytest.mark.parametrize(
    ("box", "right", "kind"),
    [
        ((10, 10, 19, 19), [True], "right"),
        ((10, 10, 19, 14), [True], "right"),  # half of the object: IoU 0.5
        ((10, 10, 19, 14), None, "right"),
        ((10, 10, 19, 14), [False], "wrong class"),
        ((10, 10, 19, 13), [True], "too small"),  # 40 of 100 pixels
        ((10, 10, 19, 13), [False], "too small"),
        ((8, 8, 23, 21), [True], "too large"),  # 224 pixels around 100
        ((14, 10, 23, 19), [True], "wrong place"),  # 60 of 100 are shared
        ((50, 50, 59, 59), [True], "wrong place"),
        ((12, 10, 23, 12), [True], "too small"),  # 24 of its 36 pixels: 2/3
        ((12, 10, 24, 12), [True], "wrong place"),  # 24 of its 39
    ],
)
def test_each_kind(box, right, kind):
    truth = [(10, 10, 19, 19), (90, 90, 91, 91)]
    assert kind_of(box, truth, class_is_right=right) == kind


def test_a_stricter_overlap_needs_a_larger_share():
    box, truth = (10, 10, 19, 15), [(10, 10, 19, 19)]  # IoU 0.6
    assert kind_of(box, truth) == "right"
    assert kind_of(box, truth, iou_threshold=0.7) == "too small"


@pytest.mark.parametrize("delta", [0.3, 0.5, 0.7])
def test_no_box_is_too_small_and_too_large(delta):
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 40, (4000, 2, 2))
    boxes = np.concatenate([corners.min(1), corners.max(1)], axis=1)
    truth = np.array([[10, 12, 27, 25]])
    areas = cover_areas(boxes, truth)
    ious = box_iou(boxes, truth)[:, 0]
    assert np.allclose(box_ious(areas), ious)
    kinds = np.array(error_kinds(areas, iou_threshold=delta))
    assert ((kinds == "right") == (ious >= delta)).all()
    shares = areas[:, 1, None] / areas[:, [0, 2]] >= 2 * delta / (1 + delta)
    assert not (shares.all(axis=1) & (ious < delta)).any()
    assert {*kinds} == {*ERROR_KINDS} - {"wrong class"}


def test_impossible_arguments():
    with pytest.raises(ConfigError, match=r"`iou_threshold`.*\(0, 1\].*0"):
        error_kinds([[1, 1, 1]], iou_threshold=0)
    with pytest.raises(DataError, match=r"\(N, 3\), but got shape \(3,\)"):
        error_kinds([1, 1, 1])
    with pytest.raises(DataError, match=r"`class_is_right` of shape \(1,\)"):
        error_kinds([[1, 1, 1]], [True, False])
