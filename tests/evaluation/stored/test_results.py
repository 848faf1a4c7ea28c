"""Stored results, read for plots and reports: what their records say of each image."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.records import make_box_record
from mmdgdm.evaluation.functional.scoremaps import make_thresholds
from mmdgdm.evaluation.functional.summary import summarize_boxes
from mmdgdm.evaluation.stored.record_files import write_records
from mmdgdm.evaluation.stored.results import (
    coverage_curve,
    image_rows,
    make_result,
    read_result,
)

#: Boxes of maps that are 255 inside and 0 elsewhere, beside an object of 100 x 100.
OBJECT = np.array([[50, 50, 149, 149]])
SQUARES = {
    "right.jpg": (50, 50, 149, 149),
    "class.jpg": (50, 50, 149, 149),
    "small.jpg": (50, 50, 99, 99),
    "large.jpg": (0, 0, 199, 199),
    "place.jpg": (140, 140, 219, 219),
}


def store(folder, threshold=0.35, name="test.json"):
    records = []
    for i, (image_id, (x0, y0, x1, y1)) in enumerate(SQUARES.items()):
        scoremap = np.zeros((224, 224))
        scoremap[y0:y1, x0:x1] = 1
        rank = 1 if image_id == "class.jpg" else 0
        records.append(
            make_box_record(
                scoremap, OBJECT, label=i % 2, rank=rank, threshold=threshold
            )
        )
    summary = summarize_boxes(
        records, thresholds=make_thresholds(), topk=(1,), threshold=threshold
    )
    metrics = {f"wsol/{name}": value for name, value in summary.metrics.items()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(metrics))
    path = (folder / name).with_suffix(".records.npz")
    write_records(path, list(SQUARES), records=records)
    return folder / name, summary


@pytest.mark.parametrize("threshold", [0.35, None])
def test_a_result_is_what_its_records_say(tmp_path, threshold):
    path, summary = store(tmp_path / "cam", threshold)
    result = read_result(path)
    assert result.name == "cam"
    assert result.metrics == summary.metrics
    assert result.by_class == summary.by_class
    assert result.val_threshold == threshold
    for name, curve in summary.curves.items():
        assert np.array_equal(result.curves[name], curve)
    rows = image_rows(result)
    assert {row["image_id"]: row["kind"] for row in rows} == {
        "right.jpg": "right",
        "class.jpg": "wrong class",
        "small.jpg": "too small",
        "large.jpg": "too large",
        "place.jpg": "wrong place",
    }
    assert [row["rank"] for row in rows] == [0, 1, 0, 0, 0]
    assert [row["label"] for row in rows] == [0, 1, 0, 1, 0]
    assert rows[0]["iou"] == 1.0
    assert rows[2]["area_ratio"] == 0.25
    assert {row["threshold"] for row in rows} == {threshold or 0.0}
    curve = coverage_curve(result)
    assert curve.shape == (20, 3)
    # (0 + 0 + 0 + 75 + 98) / 5 and (0 + 0 + 75 + 0 + 99) / 5, roughly.
    assert curve[10] == pytest.approx([0.5, 34.7, 34.8], abs=0.5)


def test_curves_of_stored_maps_need_no_records(tmp_path):
    content = {
        "metrics": {"wsol/max_box_acc": 40.0, "wsol/threshold/max_box_acc": 0.25},
        "curves": {"thresholds": [0.0, 0.5], "max_box_acc": [1.0, None]},
        "by_class": {"3": {"images": 2, "gt_known": 50.0}},
    }
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(content))
    result = read_result(path)
    assert (result.name, result.threshold) == ("mine", 0.25)
    assert np.array_equal(result.curves["max_box_acc"], [1, np.nan], equal_nan=True)
    assert list(result.by_class) == [3]
    with pytest.raises(DataError, match="mine to have records of boxes"):
        image_rows(result)
    assert make_result(content, "other").name == "other"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[", r"x\.json to be the \.json result"),
        ("[1]", r"x\.json to be the \.json result"),
        ('{"accuracy/top1": 5}', "`max_box_acc` or `pxap`.*'accuracy/top1'"),
        ('{"wsol/max_box_acc": 5}', r"records of .*x\.json in .*x\.records\.npz"),
    ],
)
def test_what_is_no_result(tmp_path, text, match):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError, match=match):
        read_result(tmp_path / "x.json")
