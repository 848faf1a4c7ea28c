"""The comparison of methods, with made-up tools in place of training runs."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

import pytest
import yaml

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
RATE = "optim_wrapper.optimizer.lr"
DROP = "model.stage_necks.0.sagd.drop_prob"


#: Data whose searches draw the length of training too.
SEARCHED_IN_LENGTH = ("cub10", "tiny_imagenet", "tiny_imagenet_pretrained")
#: Data whose comparison has stored results.
STORED = [
    data
    for data in ("toy", "stamps", "raccoon", *SEARCHED_IN_LENGTH)
    if (EXPERIMENTS / "results" / data).is_dir()
]


@pytest.mark.parametrize("given", [{}, {"MALLOC_MMAP_MAX_": "7"}])
def test_tools_keep_memory_unless_told_otherwise(monkeypatch, tmp_path, given):
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    module = importlib.reload(importlib.import_module("methods"))
    monkeypatch.delenv("MALLOC_MMAP_MAX_", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    script = "import os; print(os.environ['MALLOC_MMAP_MAX_'])"
    module.call(["-c", script], tmp_path / "log")
    assert (tmp_path / "log").read_text().split() == [*given.values(), "0"][:1]


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
            scalars.write_text(
                '{"wsol/gt_known": 1.0, "step": 2}\n{"wsol/gt_known": 2.0, "step": 4}\n'
            )
        else:
            seed = int(folder.parent.name[-1])
            scores = dict.fromkeys(module.COLUMNS.values(), 50.0 + seed)
            out = arguments[arguments.index("--out") + 1]
            Path(out).write_text(json.dumps({**scores, "names": ["a"]}))

    def score_baselines(config, *, indices, prefix, calibration):
        assert calibration == "argmax"  # the rule of the runs of stamps
        known = ("val_threshold/gt_known", "max_box_acc", "max_box_acc_v2")
        known = {**dict.fromkeys(known, 40.0), "threshold/val_max_box_acc": 0.35}
        scores = {**known, "threshold/max_box_acc": 0.2, "box_area_ratio": 2.0}
        scores = {f"{prefix}{name}": value for name, value in scores.items()}
        better = {**scores, f"{prefix}val_threshold/gt_known": 50.5}
        return {"full": scores, "center": better}

    monkeypatch.setattr(module, "call", call)
    hits = {"gt_known": "0110", "max_box_acc_v2": "0321"}
    monkeypatch.setattr(module, "image_hits", lambda result, prefix: hits)
    monkeypatch.setattr(module, "score_baselines", score_baselines)

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
    assert found["cam"]["runs"]["1"]["val"] == {"wsol/gt_known": 2.0}
    assert found["cam"]["runs"]["1"]["validations"] == [
        {"wsol/gt_known": 1.0},
        {"wsol/gt_known": 2.0},
    ]
    assert found["cam"]["runs"]["1"]["test"]["wsol/val_threshold/gt_known"] == 51.0
    for arguments in methods.calls[1:]:
        assert arguments[-2:] == [f"{RATE}=0.5", f"{DROP}=0.25"]
    assert "| CAM | 50.5 ± 0.7 |" in capsys.readouterr().out


def test_shares_have_two_decimals_and_percentages_one(methods, capsys):
    methods.run_script("--methods", "cam", "--seeds", 0)
    (line,) = (x for x in capsys.readouterr().out.splitlines() if x.startswith("| CAM"))
    assert line == "| CAM | 50.0 | 50.0 † | 50.0 | 50.0 | 50.0 | 50.00 | 50.00 |  |  |"


def test_trivial_baselines_end_the_table_and_mark_what_they_beat(methods, capsys):
    # CAM reaches 50, 51, 52 by seed, the centred box 50.5.
    methods.run_script("--methods", "cam", "--seeds", 0, 1)
    lines = capsys.readouterr().out.rstrip().splitlines()
    start = "| 50.5 ± 0.7 | 50.5 ± 0.7 † | 50.5 ± 0.7 |"
    assert lines[-5].startswith(f"| CAM {start}")
    assert lines[-4] == (
        "| FULL (trivial) | - | 40.0 | - | 40.0 | 40.0 | 0.20 | 2.00 | "
        "-10.5 ± 0.7 (p 0.030) | -10.5 ± 0.7 (p 0.030) |"
    )
    assert lines[-3].startswith("| CENTER (trivial, side 0.65) | - | 50.5 | - |")
    sentence = (
        "does not beat the best trivial baseline (GT-known, val's threshold 50.5)"
    )
    assert lines[-1] == f"† {sentence}."
    methods.run_script("--methods", "cam", "--seeds", 1, 2)
    out = capsys.readouterr().out
    assert "Every method beats the best trivial baseline" in out
    assert "†" not in out


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


def test_a_variant_takes_the_settings_that_it_shares_with_its_origin(methods):
    weight = "model.head.background_loss.loss_weight"
    found = dict(search=None, runs={}, values={RATE: 0.5, DROP: 0.25, weight: 0.7})
    methods.run_script("--methods", "dgdm-bgloss", "--seeds", 0)
    records = methods.Records(methods.parse_args().results)
    records.write("dgdm-bgloss", {**records.read("dgdm-bgloss"), **found})
    variants = ("dgdm-sagd", "dgdm-cagd-bgloss", "cam-bgloss", "dgdm")
    found = methods.run_script("--methods", *variants, "--seeds", 0, "--trials", 1)
    assert not any(line[0] == "tools/search.py" for line in methods.calls)
    assert found["dgdm"]["values"] == {RATE: 0.5, DROP: 0.25}
    assert found["dgdm-sagd"]["values"] == {RATE: 0.5, DROP: 0.25}
    assert found["dgdm-cagd-bgloss"]["values"] == {RATE: 0.5, weight: 0.7}
    assert found["cam-bgloss"]["values"] == {RATE: 0.5, weight: 0.7}


def test_origins_come_before_their_variants(methods):
    order = methods.in_order("stamps", ["dgdm-cagd", "cam", "dgdm", "dgdm-bgloss"])
    assert order == [["cam", "dgdm-bgloss"], ["dgdm"], ["dgdm-cagd"]]
    order = methods.in_order("toy", ["dgdm-cagd", "cam", "dgdm"])
    assert order == [["cam", "dgdm"], ["dgdm-cagd"]]


def test_runs_of_other_settings_are_refused(methods, tmp_path):
    methods.run_script("--methods", "cam", "--seeds", 0)
    path = tmp_path / "results" / "cam.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "values": {RATE: 0.25}}))
    with pytest.raises(SystemExit, match="other settings"):
        methods.run_script("--methods", "cam", "--seeds", 0)


@pytest.mark.parametrize("data", ["toy", "stamps", "raccoon", *SEARCHED_IN_LENGTH])
def test_every_space_belongs_to_a_method_with_a_config(methods, data):
    root = EXPERIMENTS.parent
    spaces = sorted((root / "configs" / "_search_" / data).glob("*.yaml"))
    searched = {path.stem for path in spaces}
    compared = {"cam", "adl", "dropblock", "dgdm"} - set(methods.DATA[data].fixed)
    assert compared <= searched <= set(methods.METHODS)
    for method in searched:
        assert (root / methods.config_of(data, method)).is_file()
    # One seed draws what stands first alike for all methods.
    firsts = [yaml.safe_load(path.read_text()) for path in spaces]
    assert len({str(next(iter(space.items()))) for space in firsts}) == 1


def test_the_loss_is_searched_under_its_name_alone():
    for path in (EXPERIMENTS.parent / "configs" / "_search_").rglob("*.yaml"):
        has_loss = any("background_loss" in key for key in yaml.safe_load(path.open()))
        assert has_loss is ("bgloss" in path.stem), path


@pytest.mark.parametrize("data", ["stamps", *SEARCHED_IN_LENGTH])
def test_all_methods_are_compared(methods, data):
    spaces = (EXPERIMENTS.parent / "configs" / "_search_" / data).glob("*.yaml")
    wanted = {m for m in methods.METHODS if m not in methods.ORIGINS}
    own = methods.DATA[data].origins
    wanted |= {method for method, origin in own.items() if origin is None}
    assert {path.stem for path in spaces} == wanted


@pytest.mark.parametrize("data", SEARCHED_IN_LENGTH)
def test_all_methods_draw_the_same_rates_and_lengths(data):
    folder = EXPERIMENTS.parent / "configs" / "_search_" / data
    spaces = [yaml.safe_load(path.read_text()) for path in folder.glob("*.yaml")]
    assert len({str([*space.items()][:2]) for space in spaces}) == 1
    assert {[*space][1] for space in spaces} == {"train_cfg.max_epochs"}


def test_what_an_interrupted_run_left_is_not_read(methods, tmp_path):
    left = tmp_path / "work" / "cam_seed0" / "earlier" / "vis_data" / "scalars.json"
    left.parent.mkdir(parents=True)
    left.write_text('{"wsol/gt_known": 9.0, "step": 1}\n')
    found = methods.run_script("--methods", "cam", "--seeds", 0)
    assert len(found["cam"]["runs"]["0"]["validations"]) == 2


@pytest.mark.parametrize("data", STORED)
def test_nothing_that_is_stored_would_run_again(methods, data):
    records = methods.Records(EXPERIMENTS / "results" / data)
    stored = [path.stem for path in records.folder.glob("*.json")]
    assert stored
    args = argparse.Namespace(data=data, trials=0)
    for method in stored:
        record = records.read(method)
        if methods.origin_of(data, method) is not None:
            # Taken from the origin once more.
            records.write = lambda method, record: None
            assert methods.search(args, method, records) == record["values"]
        config = methods.config_of(data, method)
        settings = methods.settings_of(config, record["values"])
        assert {run["settings"] for run in record["runs"].values()} == {settings}
