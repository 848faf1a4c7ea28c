"""The plot of gains, from made-up results."""

from __future__ import annotations

import importlib
import itertools
import json
import sys
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.fixture
def gains(monkeypatch):
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    return importlib.import_module("gains")


def store(path, prefix, under, scores):
    runs = {}
    for seed, score in scores.items():
        names = ("val_threshold/max_box_acc", "val_threshold/gt_known")
        runs[seed] = {
            "val": {
                f"{prefix}under_coverage": under,
                f"{prefix}threshold/max_box_acc": 0.2,
            },
            "test": {f"{prefix}{name}": score for name in names},
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"search": None, "values": {}, "runs": runs}))


def test_gains_are_paired_by_seed(gains, monkeypatch, tmp_path, capsys):
    store(tmp_path / "toy/cam.json", "wsol/", 25.0, {"0": 50.0, "1": 60.0, "2": 0.0})
    store(tmp_path / "toy/dgdm.json", "wsol/", 5.0, {"0": 55.0, "1": 71.0})
    store(tmp_path / "raccoon/cam.json", "wsol_top1/", 7.0, {"0": 80.0})
    store(tmp_path / "raccoon/dgdm-bgloss.json", "wsol_top1/", 7.0, {"0": 78.5})
    store(tmp_path / "toy_dials/body_cue=0.5/cam.json", "wsol/", 30.0, {"0": 40.0})
    store(tmp_path / "toy_dials/default/cam.json", "wsol/", 30.0, {"0": 40.0})
    store(tmp_path / "toy_dials/default/dgdm.json", "wsol/", 30.0, {"0": 40.0})
    store(tmp_path / "raccoon/dgdm.json", "wsol_top1/", 7.0, {"0": 81.0})
    points = [(case.name, case.group, case.gains()) for case in gains.cases(tmp_path)]
    # Without DGDM, or as the toy is anyway, there is no point.
    assert points == [
        ("toy", "DGDM, data sets", [5.0, 11.0]),
        ("raccoon", "DGDM, data sets", [1.0]),
        ("raccoon", "DGDM-BGLOSS, data sets", [-1.5]),
    ]
    found = {case.name: case for case in gains.cases(tmp_path)}
    assert found["toy"].seen("under_coverage") == 25.0
    arguments = ["gains.py", str(tmp_path / "p.png"), "--results", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    gains.main()
    assert "raccoon (DGDM, data sets): under_coverage 7.00" in capsys.readouterr().out
    assert (tmp_path / "p.png").stat().st_size > 10000


def test_numbers_stand_clear_of_each_other(gains, tmp_path):
    for data, score in (("toy", 55.0), ("cub10", 55.5), ("raccoon", 99.0)):
        prefix = "wsol_top1/" if data == "raccoon" else "wsol/"
        store(tmp_path / data / "cam.json", prefix, 25.0, {"0": 50.0})
        store(tmp_path / data / "dgdm.json", prefix, 25.0, {"0": score})
    figure = gains.plot(list(gains.cases(tmp_path)))
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in axes.texts]
        assert len(boxes) == 3
        pairs = itertools.combinations(boxes, 2)
        assert not any(one.overlaps(other) for one, other in pairs)


def test_no_results_are_an_error(gains, monkeypatch, tmp_path):
    arguments = ["gains.py", str(tmp_path / "p.png"), "--results", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit, match="no results of CAM and DGDM"):
        gains.main()
