"""Choices at test time, with made-up tests."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
#: GT-known of val by power, for each method.
VAL = {"cam": {0.0: 70, 0.5: 78, 1.0: 78, 2.0: 60}, "dgdm": {0.0: 80}}


@pytest.fixture
def power(monkeypatch, tmp_path):
    """The script, whose tests are made up; what is tested is kept."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    module = importlib.reload(importlib.import_module("at_test_time"))
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "image_hits", lambda file, prefix: {})
    monkeypatch.setattr(module, "differences", lambda *runs: "differences")
    module.calls = []

    def retest(data, method, folder, name, options, split):
        module.calls.append((method, split, options))
        chosen = float(options[0].split("=")[1])
        score = VAL[method].get(chosen, 0.0)
        names = module.DATA[data].columns.values()
        return {
            **{name: float(score) for name in names},
            "wsol/gt_known": float(score),
            "wsol/threshold/max_box_acc": 0.3 + chosen / 10,
        }

    def main(*arguments):
        monkeypatch.setattr(sys, "argv", ["at_test_time.py", *arguments])
        module.main()

    monkeypatch.setattr(module, "retest", retest)
    module.run_script = main
    return module


def test_power_and_threshold_are_chosen_on_val(power, tmp_path, capsys):
    power.run_script("attention", "toy", "--seeds", "0", "1")
    tests = [options for _, split, options in power.calls if split == "test"]
    first = ["model.head.attention_power=0.5", "test_evaluator.threshold=0.35"]
    plain = ["model.head.attention_power=0.0", "test_evaluator.threshold=0.3"]
    assert tests == [first, first, plain, plain]
    shown = capsys.readouterr().out
    assert "cam: power 0.5 (2 runs)" in shown
    assert "| DGDM | 80.0 ± 0.0 |" in shown
    stored = tmp_path / "experiments/results/toy_attention/cam.json"
    assert json.loads(stored.read_text())["runs"]["1"]["val"]["2.0"] == 60
    power.run_script("attention", "toy", "--seeds", "0", "1")
    assert len(power.calls) == 2 * 2 * 5


def test_the_side_of_images_is_set_for_the_split_that_is_scored():
    sys.path.insert(0, str(EXPERIMENTS))
    try:
        module = importlib.import_module("at_test_time")
    finally:
        sys.path.pop(0)
    settings = module.OPTIONS["size"].settings
    assert settings(320, "val") == ["val_dataloader.dataset.pipeline.1.scale=(320,320)"]
    config = module.ROOT / "configs/cam/cam_efficientnet-lite0_1xb32-4e_cub10.py"
    pipeline = Config.fromfile(config).val_dataloader.dataset.pipeline
    assert pipeline[1] == dict(type="Resize", scale=(224, 224))


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    retest = importlib.import_module("retest").retest
    with pytest.raises(SystemExit, match="cam_seed0 holds no checkpoint"):
        retest("toy", "cam", tmp_path / "cam_seed0", "large", [], "test")
