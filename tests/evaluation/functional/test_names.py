"""Names of scores: allowed by experiment trackers, and told by people."""

from __future__ import annotations

import re

import numpy as np
import pytest

from mmdgdm.evaluation.functional.names import (
    human_name,
    is_main,
    metric_name,
    repeated_names,
    rule_of,
    split_name,
)
from mmdgdm.evaluation.functional.records import make_box_record
from mmdgdm.evaluation.functional.scoremaps import make_thresholds
from mmdgdm.evaluation.functional.summary import summarize_boxes

#: What MLflow takes; TensorBoard and file names take it too.
ALLOWED = re.compile(r"[a-z0-9_./-]+")


@pytest.fixture(scope="module")
def names():
    """All that a data set of one image can be told by."""
    scores = np.full((224, 224), 0.1)
    settings = dict(iou_thresholds=(0.3, 0.5, 0.125, 1.0), threshold=0.3)
    record = make_box_record(scores, [[0, 0, 99, 99]], label=3, rank=0, **settings)
    found = summarize_boxes(
        [record], thresholds=make_thresholds(0.1), topk=(1, 5), **settings
    )
    return list(found.metrics)


def test_trackers_take_every_name(names):
    assert len(names) == 47
    assert [name for name in names if not ALLOWED.fullmatch(name)] == []


def test_a_score_comes_first(names):
    assert names[0] == "gt_known"


def test_people_have_a_name_for_every_score(names):
    assert [
        name for name in names if human_name(f"wsol/{name}") == f"wsol/{name}"
    ] == []


@pytest.mark.parametrize(
    ("iou", "name"),
    [(0.3, "a_30"), (0.29, "a_29"), (0.55, "a_55"), (1.0, "a_100"), (0.125, "a_12.5")],
)
def test_overlaps_in_percent(iou, name):
    assert metric_name("a", iou=iou) == name


@pytest.mark.parametrize(
    ("name", "parts", "human"),
    [
        ("wsol/gt_known", ("wsol/", "", "gt_known"), "GT-known"),
        ("gt_known_small", ("", "", "gt_known_small"), "GT-known (small)"),
        ("threshold/top5_loc", ("", "threshold/", "top5_loc"), "Top-5 Loc"),
        ("a/b/val_threshold/pxap", ("a/b/", "val_threshold/", "pxap"), "a/b/PxAP"),
        ("wsol/max_box_acc_v2_12.5", ("wsol/", "", "max_box_acc_v2_12.5"), None),
        ("threshold/val_pixel_iou", ("", "threshold/val_", "pixel_iou"), "Pixel IoU"),
        (
            "a/threshold_by_median/max_box_acc",
            ("a/", "threshold_by_median/", "max_box_acc"),
            "a/MaxBoxAcc",
        ),
        (
            "threshold_by_argmax/val_max_box_acc",
            ("", "threshold_by_argmax/val_", "max_box_acc"),
            "MaxBoxAcc",
        ),
        ("accuracy/top1", ("accuracy/", "", "top1"), "accuracy/top1"),
        ("loss", ("", "", "loss"), "loss"),
    ],
)
def test_parts_and_what_people_say(name, parts, human):
    assert tuple(split_name(name)) == parts
    assert "".join(parts) == name
    assert human_name(name) == (human or "MaxBoxAccV2@0.125")


def test_only_thresholds_for_test_have_a_rule():
    name = "wsol/threshold_by_median/max_box_acc"
    assert rule_of(name) == rule_of(name.removeprefix("wsol/")) == "median"
    others = ("threshold_by_median/val_max_box_acc", "threshold/max_box_acc", "loss")
    assert [rule_of(other) for other in others] == [None] * 3
    assert is_main(name)
    assert not is_main(f"{name}_v2")
    assert not is_main(f"wsol/{others[0]}")


def test_lines_of_the_log_show_six_numbers_of_a_test(names):
    shown = [name for name in names if is_main(name)]
    shown = [name for name in shown if name not in repeated_names(names)]
    assert sorted(shown) == [
        "gt_known",
        "max_box_acc_v2",
        "threshold/gt_known",
        "top1_cls",
        "top1_loc",
        "val_threshold/gt_known",
    ]
    assert is_main("accuracy/top1")


def test_max_box_acc_repeats_gt_known_only_beside_it():
    alone = ["wsol/max_box_acc", "wsol/threshold/max_box_acc", "wsol/max_box_acc_v2"]
    assert repeated_names(alone) == set()
    both = [*alone, "wsol/gt_known", "wsol/threshold/gt_known", "val/gt_known"]
    assert repeated_names(both) == set(alone[:2])
