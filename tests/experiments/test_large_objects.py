"""Tests of runs on large objects, with made-up tests."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.fixture
def large(monkeypatch, tmp_path):
    """The script, writing below a temporary folder; what is tested is kept."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    module = importlib.reload(importlib.import_module("large_objects"))
    config = module.ROOT / module.config_of("toy", "cam")
    monkeypatch.setattr(module, "config_of", lambda data, method: str(config))
    monkeypatch.setattr(module, "ROOT", tmp_path)
    module.calls = []

    def test(args, method, seed, places):
        module.calls.append((method, seed, len(places)))
        names = module.DATA["toy"].columns.values()
        return {name: 50.0 + seed + len(method) for name in names}

    def main(*arguments):
        monkeypatch.setattr(sys, "argv", ["large_objects.py", *map(str, arguments)])
        module.main()

    module.real_test = module.test
    monkeypatch.setattr(module, "test", test)
    module.run_script = main
    return module


def test_images_are_chosen_by_their_box(large):
    cfg = Config.fromfile(large.config_of("toy", "cam"))
    init_default_scope(cfg.default_scope)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    expected = []
    for index in range(len(dataset)):
        x0, y0, x1, y1 = dataset.draw(index).box
        if (x1 - x0 + 1) * (y1 - y0 + 1) / 64**2 > 0.3:
            expected.append(index)
    assert large.large_images(large.config_of("toy", "cam"), 0.3) == expected
    assert 0 < len(expected) < len(dataset)


def test_results_are_kept_and_compared_with_cam(large, tmp_path, capsys):
    large.run_script("toy", "--seeds", 0, 1)
    assert [call[:2] for call in large.calls] == [
        ("cam", 0),
        ("cam", 1),
        ("dgdm", 0),
        ("dgdm", 1),
    ]
    assert "| DGDM | 54.5 ± 0.7 |" in capsys.readouterr().out
    stored = tmp_path / "experiments/results/toy_large/dgdm.json"
    assert json.loads(stored.read_text())["runs"]["1"]["share"] == 0.3
    large.run_script("toy", "--seeds", 0, 1)
    assert len(large.calls) == 4
    with pytest.raises(SystemExit, match=r"with the share 0.3: remove it"):
        large.run_script("toy", "--seeds", 0, 1, "--share", 0.5)


def test_what_is_missing_is_named(large, monkeypatch, tmp_path):
    monkeypatch.setattr(large, "test", large.real_test)
    with pytest.raises(SystemExit, match="cam_seed0 holds no checkpoint"):
        large.run_script("toy", "--work-dir", tmp_path)
    with pytest.raises(SystemExit, match="unknown methods magic"):
        large.run_script("toy", "--methods", "magic")
