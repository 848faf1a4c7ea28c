"""Thresholds that go from val to test, as numbers and as result files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.stored.thresholds import (
    MASK_THRESHOLDS,
    box_thresholds,
    calibrated_thresholds,
    read_threshold,
)

BOX_THRESHOLDS = box_thresholds()


def test_only_the_calibrating_entries_count():
    metrics = {
        "wsol/threshold/gt_known": 0.1,
        "wsol/threshold/max_box_acc": np.float32(0.25),
        "wsol/threshold/val_max_box_acc": 0.3,
        "wsol/threshold_by_median/max_box_acc": 0.35,
        "wsol/threshold_by_median/val_max_box_acc": 0.3,
        "wsol/threshold_by_median/gt_known": 0.3,
        "wsol/threshold/pixel_iou": 0.5,
        "wsol/threshold/max_box_acc_v2_50": 0.2,
        "wsol/max_box_acc": 70.0,
    }
    found = calibrated_thresholds(metrics)
    assert found == {
        "wsol/threshold/max_box_acc": 0.25,
        "wsol/threshold_by_median/max_box_acc": 0.35,
        "wsol/threshold/pixel_iou": 0.5,
    }
    assert all(type(value) is float for value in found.values())


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("0.25", 0.25), ("3e-1", 0.3)])
def test_numbers(text, value):
    assert read_threshold(text, BOX_THRESHOLDS) == (value, None)


@pytest.mark.parametrize("text", ["1", "-0.1", "25", "nan", "inf"])
def test_numbers_out_of_range(text):
    with pytest.raises(ConfigError, match=rf"\[0, 1\), but got {text}"):
        read_threshold(text, BOX_THRESHOLDS)


@pytest.fixture
def write(tmp_path):
    """Write what is no text as JSON; return the path as a string."""

    def write(content):
        path = tmp_path / "val.json"
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize(
    "content",
    [
        {"wsol/threshold/max_box_acc": 0.25, "wsol/max_box_acc": 70.0},
        {
            "metrics": {"wsol/threshold/max_box_acc": 0.25},
            "wsol/threshold/max_box_acc": 0.9,
        },
        {"val/threshold/max_box_acc": 0.25, "wsol/threshold/gt_known": 0.9},
        {"wsol/threshold/pixel_iou": 0.9, "wsol/threshold/max_box_acc": 0.25},
        {"wsol/threshold/max_box_acc_v2": 0.9, "wsol/threshold/max_box_acc": 0.25},
        {"wsol/threshold/max_box_acc_v2": 0.25},
        {"wsol/threshold/max_box_acc": 0.25, "other/threshold/max_box_acc": 0.9},
        {
            "wsol/threshold/max_box_acc": 0.25,
            "note": "text",
            "wsol/gt_known_classes": [1, 2],
        },
    ],
)
def test_results_of_val_without_a_rule_are_those_of_argmax(write, content):
    assert read_threshold(write(content), BOX_THRESHOLDS) == (0.25, "argmax")


def test_of_several_rules_the_one_asked_for_is_taken(write):
    plain = {"wsol/threshold/max_box_acc": 0.25, "wsol/threshold/max_box_acc_v2": 0.6}
    both = write({**plain, "wsol/threshold_by_median/max_box_acc": 0.5})
    assert read_threshold(both, box_thresholds("median")) == (0.5, "median")
    assert read_threshold(both, box_thresholds("argmax")) == (0.25, "argmax")
    other = write({**plain, "wsol/threshold_by_median/max_box_acc_v2": 0.5})
    # The score counts before the rule.
    assert read_threshold(other, box_thresholds("median")) == (0.25, "argmax")


@pytest.mark.parametrize(
    "content",
    [
        {"wsol/threshold/max_box_acc": 0.25, "wsol/threshold/val_max_box_acc": 0.625},
        {"metrics": {"wsol/threshold/val_max_box_acc": 0.625}},
        {
            "metrics": {
                "wsol/threshold/pixel_iou": 0.5,
                "wsol/threshold/val_pixel_iou": 0.625,
            }
        },
    ],
)
def test_results_at_a_fixed_threshold_are_no_val(write, content):
    with pytest.raises(ConfigError, match=r"val.json.*at a fixed threshold, 0.625"):
        read_threshold(write(content), BOX_THRESHOLDS)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "val.json"),
        ("{", "val.json"),
        ("[1, 2]", "got no such entry"),
        ("3", "got no such entry"),
        ("null", "got no such entry"),
        ({}, "got no such entry"),
        ({"metrics": [0.2]}, "got no such entry"),
        ({"wsol/max_box_acc": 70.0}, "got no such entry"),
        ({"wsol/threshold/max_box_acc": None}, "got no such entry"),
        ({"wsol/threshold/max_box_acc": "high"}, "got no such entry"),
        ({"wsol/threshold/val_max_box_acc": [0.2]}, "got no such entry"),
        (
            {"a/threshold/max_box_acc": 0.1, "b/threshold/max_box_acc": 0.2},
            "got 'a/threshold/max_box_acc', 'b/threshold/max_box_acc'",
        ),
        ({"wsol/threshold/max_box_acc": 25}, r"\[0, 1\), but got .*val.json"),
    ],
)
def test_files_that_hold_no_threshold(write, content, match):
    with pytest.raises(ConfigError, match=match):
        read_threshold(write(content), BOX_THRESHOLDS)


@pytest.mark.parametrize("prefix", ["val/", "wsol/"])
def test_boxes_and_masks_have_thresholds_of_their_own(write, prefix):
    both = {
        prefix + BOX_THRESHOLDS[0]: 0.25,
        prefix + MASK_THRESHOLDS[0]: 0.5,
        "wsol/pxap": None,
    }
    path = write({"metrics": both})
    assert read_threshold(path, BOX_THRESHOLDS) == (0.25, "median")
    assert read_threshold(path, MASK_THRESHOLDS) == (0.5, "argmax")
    path = write({prefix + MASK_THRESHOLDS[0]: 0.5})
    with pytest.raises(
        ConfigError, match=rf"{BOX_THRESHOLDS[0]}.*'{prefix}{MASK_THRESHOLDS[0]}'"
    ):
        read_threshold(path, BOX_THRESHOLDS)


def test_files_that_are_not_readable(tmp_path):
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    for name in ("nowhere.json", "", "binary.json"):
        with pytest.raises(ConfigError, match=r"to be a number or the .json result"):
            read_threshold(str(tmp_path / name), BOX_THRESHOLDS)
