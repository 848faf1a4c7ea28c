"""Metrics as a table and as JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mmdgdm.cli.report import format_classes, format_metrics, save_metrics
from mmdgdm.errors import ConfigError


def test_table_shows_values_and_thresholds_beside_each_other():
    table = format_metrics(
        {"wsol/gt_known": 61.5, "wsol/threshold/gt_known": 0.25, "n": 7}
    )
    assert table.splitlines() == [
        "| metric   | value | threshold |",
        "|----------|-------|-----------|",
        "| GT-known | 61.50 |     0.250 |",
        "| n        |     7 |           |",
    ]


def test_table_without_thresholds_has_two_columns():
    table = format_metrics({"accuracy/top1": np.float64(50)})
    assert table.splitlines()[0] == "| metric        | value |"


def rows(metrics):
    lines = format_metrics(metrics).splitlines()[2:]
    return [line.split("|")[1].strip() for line in lines]


def test_known_metrics_come_first_and_others_keep_their_order():
    names = ["max_box_acc_v2", "max_box_acc_30", "top1_loc", "gt_known", "top1_cls"]
    keys = ["z", *(f"wsol/{name}" for name in names), "b"]
    expected = ["Top-1 Cls", "GT-known", "Top-1 Loc", "MaxBoxAccV2", "z"]
    assert rows(dict.fromkeys(keys, 1.0)) == [*expected, "MaxBoxAcc@0.3", "b"]


def test_each_number_stands_once():
    kinds = ("", "threshold/", "val_threshold/")
    scores = ("gt_known", "max_box_acc", "gt_known_small")
    names = [f"wsol/{kind}{score}" for kind in kinds for score in scores]
    metrics = {**dict.fromkeys(names, 0.5), "wsol/threshold/val_max_box_acc": 0.25}
    assert rows(metrics) == ["GT-known", "GT-known (small)"]
    assert "| metric           | value | threshold | at 0.25 |" in format_metrics(
        metrics
    )
    assert rows({"wsol_top1/max_box_acc": 0.5}) == ["wsol_top1/MaxBoxAcc"]


def test_threshold_without_its_metric_is_a_row_of_its_own():
    table = format_metrics({"wsol/threshold/max_box_acc": 0.2})
    assert table.splitlines()[-1] == "| MaxBoxAcc |     0.200 |"


def test_the_threshold_for_test_tells_its_rule():
    metrics = {"wsol/gt_known": 1.0, "wsol/threshold_by_median/max_box_acc": 0.2}
    table = format_metrics({**metrics, "wsol/threshold_by_median/val_max_box_acc": 0.3})
    line = "| MaxBoxAcc, for test by median |       |     0.200 |"
    assert table.splitlines()[-1] == line


def test_table_is_never_cut_and_stays_plain(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("FORCE_COLOR", "1")
    name = "a [bold]name[/bold] " + "x" * 150
    table = format_metrics({name: 1.0})
    assert name in table
    assert table.isascii()
    assert "\x1b" not in table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (torch.tensor(1.0), "1.00"),
        (np.arange(3), "3 values"),
        (float("nan"), "nan"),
        ("text", "text"),
    ],
)
def test_values_of_other_types_are_shown(value, text):
    assert format_metrics({"m": value}).splitlines()[-1].split("|")[2].strip() == text


def test_classes_stand_by_name_in_a_table_of_their_own():
    names = {"wsol/gt_known_classes": ["jay", "owl"]}
    lists = {**names, "wsol/gt_known_classwise": [50.0, 100.0]}
    said = format_metrics({"wsol/gt_known": 75.0, **lists})
    assert said.split("\n\n")[0].count("\n") == 2
    assert said.split("\n\n")[1].splitlines() == [
        "| class | GT-known |",
        "|-------|----------|",
        "| jay   |    50.00 |",
        "| owl   |   100.00 |",
    ]


def test_scores_of_classes_are_those_at_the_threshold_of_val():
    scores = {"images": 2, "gt_known": 50.0, "max_box_acc": 50.0, "top1_cls": 0.0}
    at_val = {"val_threshold/gt_known": 25.0, "val_threshold/max_box_acc": 25.0}
    assert format_classes({7: {**scores, **at_val}}).splitlines()[::2] == [
        "| class   | images | Top-1 Cls | GT-known |",
        "| label 7 |      2 |      0.00 |    25.00 |",
    ]


def test_empty_metrics_are_an_empty_table():
    assert len(format_metrics({}).splitlines()) == 2


def test_file_holds_numbers_and_lists(tmp_path):
    path = tmp_path / "new" / "metrics.json"
    metrics = {
        "a": np.float32(0.5),
        "b": torch.tensor([1, 2]),
        "c": float("inf"),
        "d": {"e": (np.int64(3), "x")},
    }
    save_metrics(metrics, path)
    expected = {"a": 0.5, "b": [1, 2], "c": None, "d": {"e": [3, "x"]}}
    assert json.loads(path.read_text()) == expected


def test_file_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be written to .*metrics\.json"):
        save_metrics({}, tmp_path / "file" / "metrics.json")
