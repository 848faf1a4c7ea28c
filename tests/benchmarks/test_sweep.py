"""The sweeps over the toy, with a made-up training."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def sweep(monkeypatch, tmp_path):
    """The script, whose runs write scores; the calls are kept."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.reload(importlib.import_module("sweep"))
    module.calls = []

    def run(args, method, seed, values, records):
        module.calls.append((args.data, method, seed, values))
        scores = {"GT-known": 40.0, "GT-known (fixed)": 45.0, "Top-1 Cls": 90.0}
        records.add_run(method, seed, {"val": scores, "test": scores})

    def main(*arguments):
        folders = ["--work-dir", tmp_path / "work", "--results", tmp_path / "results"]
        line = ["sweep.py", *arguments, *folders]
        monkeypatch.setattr(sys, "argv", [str(argument) for argument in line])
        module.main()

    monkeypatch.setattr(module, "run", run)
    module.run_script = main
    return module


@pytest.mark.parametrize("name", ["dials", "settings"])
def test_every_value_but_the_config_s_own_changes_the_config(sweep, name):
    chosen = sweep.SWEEPS[name]
    unchanged = []
    for key, value, method in sweep.points(chosen):
        leaf = f"configs/{method}/{method}_resnet18_1xb32-12e_toy.py"
        cfg = Config.fromfile(BENCHMARKS.parent / leaf)
        before = cfg.to_dict()
        cfg.merge_from_dict(chosen.options(key, value))
        after = cfg.to_dict()
        assert set(after) == set(before), key
        if after == before:
            unchanged.append((key, method))
    assert len(unchanged) == len(set(unchanged))


def test_dials_reach_all_splits_alike(sweep):
    sweep.run_script("dials", "--keys", "body_cue")
    assert [call[1] for call in sweep.calls[:3]] == ["cam", "adl", "dgdm"]
    names = {f"{s}_dataloader.dataset.spec.body_cue" for s in ("train", "val", "test")}
    assert all(set(call[3]) == names for call in sweep.calls)


def test_plot_has_a_panel_for_each_key(sweep, tmp_path):
    sweep.run_script("settings", "--seeds", 0, 1, "--plot", tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 10000
    assert len(sweep.calls) == 2 * len(list(sweep.points(sweep.SWEEPS["settings"])))


def test_an_unknown_key_is_named(sweep):
    with pytest.raises(SystemExit, match="dials has no colour"):
        sweep.run_script("dials", "--keys", "colour")
