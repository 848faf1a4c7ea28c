"""The sweeps, with a made-up training."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope

from mmdgdm.engine.hooks import DropRampHook
from mmdgdm.models import DGDM, BackgroundLoss

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.fixture
def sweep(monkeypatch, tmp_path):
    """The script, whose runs write scores; the calls are kept."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    module = importlib.reload(importlib.import_module("sweep"))
    module.calls = []

    def run(args, method, seed, values, records):
        module.calls.append((args.data, method, seed, values))
        scores = {
            "wsol/gt_known": 40.0 + seed,
            "wsol/val_threshold/gt_known": 45.0,
            "wsol/top1_cls": 90.0,
        }
        scores["wsol/max_box_acc_v2"] = 35.0
        records.add_run(method, seed, {"val": scores, "test": scores})

    def main(*arguments):
        folders = ["--work-dir", tmp_path / "work", "--results", tmp_path / "results"]
        line = ["sweep.py", *arguments, *folders]
        monkeypatch.setattr(sys, "argv", [str(argument) for argument in line])
        module.main()

    monkeypatch.setattr(module, "run", run)
    module.run_script = main
    return module


def own_values(sweep, name):
    """How many points are the config as it is."""
    chosen = sweep.SWEEPS[name]
    places = [sweep.folder_of(Path(), chosen, p).name for p in sweep.points(chosen)]
    return places.count("default")


def test_what_is_said_of_the_classes_defaults_is_true(sweep):
    layer, loss, ramp = DGDM(), BackgroundLoss(), DropRampHook()
    for name, value in sweep.CLASS_DEFAULTS.items():
        owners = {"sagd": layer.sagd, "cagd": layer.cagd, "scale": layer.sagd}
        owner = owners.get(name.split(".")[0], loss)
        owner = ramp if name == "ramp end" else owner
        assert getattr(owner, name.split(".")[-1].split(" ")[-1]) == value, name


@pytest.mark.parametrize("name", ["dials", "settings", "frame", "loss"])
def test_every_value_but_the_config_s_own_changes_the_config(sweep, name):
    chosen = sweep.SWEEPS[name]
    found = {}
    for point in sweep.points(chosen):
        place = sweep.folder_of(Path(), chosen, point)
        found.setdefault((place, point[2]), []).append(point[0])
    for (place, _), keys in found.items():
        # Each key has one value at most that is the config's own.
        assert len(keys) == len(set(keys))
        assert place.name == "default" or len(keys) == 1


def test_dials_reach_all_splits_alike(sweep):
    sweep.run_script("dials", "--keys", "body_cue")
    assert [call[1] for call in sweep.calls[:3]] == ["cam", "adl", "dgdm"]
    names = {f"{s}_dataloader.dataset.spec.body_cue" for s in ("train", "val", "test")}
    changed = [set(call[3]) for call in sweep.calls if call[3]]
    # Of the four values one is the toy's own.
    assert changed == [names] * 9
    assert len(sweep.calls) == 12


def test_no_stored_point_would_run_again(sweep):
    found = 0
    for name, chosen in sweep.SWEEPS.items():
        root = EXPERIMENTS / "results" / f"{chosen.data}_{name}"
        for point in sweep.points(chosen):
            records = sweep.Records(sweep.folder_of(root, chosen, point))
            config = sweep.config_of(chosen.data_of(point), point[2])
            settings = sweep.settings_of(config, chosen.settings(point))
            runs = records.read(point[2])["runs"].values()
            assert {run["settings"] for run in runs} <= {settings}, point
            found += len(runs)
    assert found > 80


def test_plot_has_a_panel_for_each_key(sweep, tmp_path):
    sweep.run_script("settings", "--seeds", 0, 1, "--plot", tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 10000
    # The config's own value of each key is trained once for all of them.
    points = list(sweep.points(sweep.SWEEPS["settings"]))
    options = [call[3] for call in sweep.calls]
    assert len(options) == 2 * (len(points) - own_values(sweep, "settings") + 1)


def test_frames_change_backbone_and_map(sweep):
    sweep.run_script("frame", "--keys", "backbone", "map size")
    data = [call[0] for call in sweep.calls]
    assert sorted(set(data)) == ["toy", "toy_efficientnet-lite0", "toy_repvgg"]
    # The ResNet-18 with its own map, two other backbones and two other maps.
    assert [call[1] for call in sweep.calls] == ["cam", "dgdm"] * 5
    blocks = "model.stage_necks.0.sagd.block_size"
    large = [c[3] for c in sweep.calls if c[1] == "dgdm" and blocks in c[3]]
    assert [options[blocks] for options in large] == [2, 4]
    for options in large:
        cfg = Config.fromfile(sweep.ROOT / sweep.config_of("toy", "dgdm"))
        cfg.merge_from_dict(options)
        init_default_scope("mmpretrain")
        sets = [cfg[f"{split}_dataloader"].dataset for split in ("train", "val")]
        side, other = (DATASETS.build(one).spec.image_size for one in sets)
        assert other == side
        # The stem divides by four and no stage by more.
        assert cfg.model.backbone.strides == [1, 1, 1, 1]
        assert side / 4 == {2: 14, 4: 28}[options[blocks]]


def test_the_loss_is_varied_with_the_layer_and_without(sweep, tmp_path):
    sweep.run_script("loss", "--keys", "loss_weight")
    assert {call[0] for call in sweep.calls} == {"stamps"}
    weights = {
        method: [
            call[3]["model.head.background_loss.loss_weight"]
            for call in sweep.calls
            if call[1] == method
        ]
        for method in ("dgdm-bgloss", "cam-bgloss")
    }
    assert set(map(tuple, weights.values())) == {(0.0, 0.3, 0.88, 3.0)}
    # The config's own weight stands in one place for all keys.
    assert own_values(sweep, "loss") == 6


def test_table_has_a_line_for_each_value(sweep, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("<!-- table: toy_settings -->\n<!-- end: toy_settings -->\n")
    sweep.run_script("settings", "--keys", "scale", "--seeds", 0, 1, "--page", page)
    sweep.run_script("settings", "--keys", "scale", "--plot", tmp_path / "p.png")
    lines = page.read_text().splitlines()[3:-1]
    values = sweep.SWEEPS["settings"].values
    assert len(lines) == sum(map(len, values.values()))
    # What is not trained yet says so.
    assert "| scale = plain | 2 | 40.5 ± 0.7 | 35.0 ± 0.0 | 90.0 ± 0.0 |" in lines
    assert "| sagd.detach = False | 0 | - | - | - |" in lines


def test_methods_can_be_left_out(sweep, capsys):
    sweep.run_script("dials", "--keys", "body_cue", "--methods", "cam", "dgdm")
    assert [call[1] for call in sweep.calls] == ["cam", "dgdm"] * 4
    assert "ADL" not in capsys.readouterr().out


def test_an_unknown_key_is_named(sweep):
    with pytest.raises(SystemExit, match="dials has no magic"):
        sweep.run_script("dials", "--methods", "magic")
    with pytest.raises(SystemExit, match="dials has no colour"):
        sweep.run_script("dials", "--keys", "colour")
