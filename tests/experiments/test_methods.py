"""The comparison of methods, with made-up tools in place of training runs."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest
import yaml

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
RATE = "optim_wrapper.optimizer.lr"
DROP = "model.stage_necks.0.sagd.drop_prob"


@pytest.fixture
def methods(monkeypatch, tmp_path):
    """The script, whose tools write what real ones would; the calls are kept."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    module = importlib.reload(importlib.import_module("methods"))
    module.calls = []

    def call(arguments, log):
        arguments = [str(argument) for argument in arguments]
        module.calls.append(arguments)
        folder = Path(arguments[arguments.index("--work-dir") + 1])
        folder.mkdir(parents=True, exist_ok=True)
        if arguments[0] == "tools/search.py":
            (folder / "trials.csv").write_text(
                f"trial,{RATE},seconds,val/x\n0,0.5,9,1\n"
            )
            values = {RATE: 0.5, DROP: 0.25}
            (folder / "best.json").write_text(json.dumps({"values": values}))
        elif arguments[0] == "tools/train.py":
            (folder / "last_checkpoint").write_text("epoch_4.pth\n")
            scalars = folder / "time" / "vis_data" / "scalars.json"
            scalars.parent.mkdir(parents=True)
            scalars.write_text('{"wsol/gt_known": 1.0, "step": 4}\n')
        else:
            seed = int(folder.parent.name[-1])
            scores = dict.fromkeys(module.COLUMNS.values(), 50.0 + seed)
            out = arguments[arguments.index("--out") + 1]
            Path(out).write_text(json.dumps({**scores, "names": ["a"]}))

    monkeypatch.setattr(module, "call", call)

    def run(*arguments):
        folders = ["--work-dir", tmp_path / "work", "--results", tmp_path / "results"]
        line = ["methods.py", "stamps", *arguments, *folders]
        monkeypatch.setattr(sys, "argv", [str(argument) for argument in line])
        module.calls.clear()
        module.main()
        return {path.stem: json.loads(path.read_text()) for path in results.iterdir()}

    results = tmp_path / "results"
    module.run_script = run
    return module


def test_searched_settings_reach_every_run_and_the_record(methods, capsys):
    found = methods.run_script("--methods", "cam", "--seeds", 0, 1, "--trials", 1)
    assert found["cam"]["values"] == {RATE: 0.5, DROP: 0.25}
    assert found["cam"]["search"]["trials"] == [{"trial": "0", RATE: "0.5"}]
    assert found["cam"]["runs"]["1"]["val"] == {"wsol/gt_known": 1.0}
    assert found["cam"]["runs"]["1"]["test"]["wsol/val_threshold/gt_known"] == 51.0
    for arguments in methods.calls[1:]:
        assert arguments[-2:] == [f"{RATE}=0.5", f"{DROP}=0.25"]
    assert "| CAM | 50.5 ± 0.7 |" in capsys.readouterr().out


def test_gains_over_cam_are_paired_by_seed(methods, tmp_path, capsys):
    methods.run_script("--methods", "cam", "adl", "--seeds", 0, 1)
    path = tmp_path / "results" / "adl.json"
    record = json.loads(path.read_text())
    for seed, gain in (("0", 1.0), ("1", 3.0)):
        record["runs"][seed]["test"]["wsol/val_threshold/gt_known"] += gain
    path.write_text(json.dumps(record))
    capsys.readouterr()
    methods.run_script("--methods", "cam", "adl", "--seeds", 0, 1)
    printed = capsys.readouterr().out.splitlines()
    # The gains are 1 and 3: their mean is 2, their standard deviation 1.41.
    assert next(x for x in printed if x.startswith("| ADL")).endswith(
        "| 2.0 ± 1.4 (p 0.295) | 0.0 ± 0.0 |"
    )
    assert next(x for x in printed if x.startswith("| CAM")).endswith("|  |  |")


def test_what_is_there_is_not_run_again(methods):
    arguments = ("--methods", "cam", "--trials", 1)
    first = methods.run_script(*arguments, "--seeds", 0)
    second = methods.run_script(*arguments, "--seeds", 0, 3)
    assert [line[0] for line in methods.calls] == ["tools/train.py", "tools/test.py"]
    assert second["cam"]["runs"]["0"] == first["cam"]["runs"]["0"]


def test_a_variant_takes_the_settings_of_its_origin_without_its_part(methods):
    chosen = ("dgdm-sagd", "dgdm-cagd", "dgdm")
    found = methods.run_script("--methods", *chosen, "--seeds", 0, "--trials", 1)
    searches = [line for line in methods.calls if line[0] == "tools/search.py"]
    assert len(searches) == 1
    assert found["dgdm-cagd"]["values"] == {RATE: 0.5, "model.stage_necks.0.sagd": None}
    expected = {RATE: 0.5, DROP: 0.25, "model.stage_necks.0.cagd": None}
    assert found["dgdm-sagd"]["values"] == expected


def test_runs_of_other_settings_are_refused(methods, tmp_path):
    methods.run_script("--methods", "cam", "--seeds", 0)
    path = tmp_path / "results" / "cam.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "values": {RATE: 0.25}}))
    with pytest.raises(SystemExit, match="other settings"):
        methods.run_script("--methods", "cam", "--seeds", 0)


@pytest.mark.parametrize("data", ["toy", "stamps", "raccoon"])
def test_every_space_belongs_to_a_method_with_a_config(methods, data):
    root = EXPERIMENTS.parent
    spaces = sorted((root / "configs" / "_search_" / data).glob("*.yaml"))
    searched = {path.stem for path in spaces}
    compared = {"cam", "adl", "dropblock", "dgdm"} - set(methods.DATA[data].fixed)
    assert compared <= searched
    assert searched <= set(methods.METHODS) - set(methods.VARIANTS)
    for method in searched:
        assert (root / methods.config_of(data, method)).is_file()
    # One seed draws what stands first alike for all methods.
    firsts = [yaml.safe_load(path.read_text()) for path in spaces]
    assert len({str(next(iter(space.items()))) for space in firsts}) == 1


def test_all_methods_are_compared_on_stamps(methods):
    spaces = (EXPERIMENTS.parent / "configs" / "_search_" / "stamps").glob("*.yaml")
    assert {path.stem for path in spaces} == set(methods.METHODS) - set(
        methods.VARIANTS
    )
