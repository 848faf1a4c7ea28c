"""The plot of val over the epochs."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import cv2
import pytest

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    return importlib.import_module("over_epochs")


def test_scores_are_means_over_runs_in_the_order_of_epochs(script):
    runs = [
        [{"wsol/gt_known": 10.0, "wsol/x": 1.0}, {"wsol/gt_known": 30.0}],
        [{"wsol/gt_known": 20.0, "wsol/x": 1.0}, {"wsol/gt_known": 50.0}],
    ]
    log = script.mean_log("cam", runs, "wsol/")
    assert log.name == "CAM"
    assert log.val == {"wsol/gt_known": ([1.0, 2.0], [15.0, 40.0])}


def test_a_picture_of_stored_runs(script, tmp_path, monkeypatch):
    runs = {"0": {"validations": [{"wsol/gt_known": 10.0}, {"wsol/gt_known": 30.0}]}}
    record = {"search": None, "values": {}, "runs": runs}
    (tmp_path / "cam.json").write_text(json.dumps(record))
    line = ["x", "cub10", tmp_path / "a.png", "--results", tmp_path]
    monkeypatch.setattr(sys, "argv", [str(word) for word in line])
    script.main()
    assert cv2.imread(str(tmp_path / "a.png")) is not None
    (tmp_path / "cam.json").unlink()
    with pytest.raises(SystemExit, match=r"no run in .* kept its validations"):
        script.main()
