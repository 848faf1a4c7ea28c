"""tools/test.py --tta on the toy set, with an untrained net."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from mmdgdm.evaluation.stored.evaluate import EvaluationSettings, evaluate_scoremaps

WINDOWS = [(0, 0, 0.5, 1), (0.25, 0, 0.75, 1), (0.5, 0, 1, 1)]
VIEWS = f"""
_base_ = [{{toy!r}}]
test_dataloader = dict(dataset=dict(num_images=12), batch_size=5)
val_dataloader = dict(dataset=dict(num_images=12))
model = dict(head=dict(cam_targets=("gt", "top5")))
test_evaluator = dict(type="mmdgdm.WSOLMetric", interval=0.01)
tta_pipeline = [dict(type="TestTimeAug", transforms=[
    [dict(type="mmdgdm.CropWindow", window=w) for w in {WINDOWS}],
    [dict(type="Resize", scale=(64, 64))],
    [dict(type="RandomFlip", prob=0.0), dict(type="RandomFlip", prob=1.0)],
    [dict(type="mmdgdm.PackWSOLInputs", as_view=True)],
])]
"""


@pytest.fixture(scope="module")
def net(tmp_path_factory, repo_root):
    """A config with views of its own, and a checkpoint with a threshold."""
    folder = tmp_path_factory.mktemp("tta")
    toy = repo_root / "configs/cam/cam_resnet18_1xb32-12e_toy.py"
    (folder / "views.py").write_text(VIEWS.format(toy=str(toy)))
    init_default_scope("mmpretrain")
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(toy).model)
    meta = dict(wsol_thresholds={"wsol/threshold/max_box_acc": 0.4})
    path = folder / "net.pth"
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return SimpleNamespace(config=str(folder / "views.py"), checkpoint=str(path))


@pytest.fixture
def evaluate(net, run_test, tmp_path):
    def evaluate(*argv):
        out = tmp_path / "metrics.json"
        own = ["--work-dir", str(tmp_path / "work"), "--out", str(out)]
        assert run_test([net.config, net.checkpoint, *own, *argv]) == 0
        return json.loads(out.read_text())

    return evaluate


def test_views_change_the_maps_and_the_stored_maps_give_the_same_scores(
    evaluate, tmp_path
):
    maps = {}
    for name, option in dict(plain=[], views=["--tta"]).items():
        folder = tmp_path / name
        metrics = evaluate(*option, "--dump-scoremaps", str(folder))
        assert metrics["wsol/threshold/val_max_box_acc"] == 0.4
        settings = EvaluationSettings(interval=0.01, threshold=0.4)
        stored = evaluate_scoremaps(folder, folder / "metadata", settings=settings)[
            "metrics"
        ]
        for key in (
            "wsol/max_box_acc",
            "wsol/max_box_acc_v2",
            "wsol/val_threshold/max_box_acc",
        ):
            assert stored[key] == metrics[key]
        files = sorted(Path(folder).rglob("*.npy"))
        maps[name] = np.stack([np.load(path) for path in files])
    assert maps["plain"].shape == maps["views"].shape == (12, 224, 224)
    assert np.abs(maps["plain"] - maps["views"]).mean() > 0.01


@pytest.mark.parametrize("target", ["top1", "mean_top5", "weighted_top5"])
def test_with_another_map(evaluate, target, tmp_path):
    argv = ["--tta", "--dump-scoremaps", str(tmp_path / "maps"), "--cfg-options"]
    metrics = evaluate(*argv, f"test_evaluator.cam_target={target}")
    assert {name.partition("/")[0] for name in metrics} == {f"wsol_{target}"}
    # The checkpoint's threshold is of the ground truth's maps.
    assert not any("/val_" in name for name in metrics)
    folder = tmp_path / "maps"
    settings = EvaluationSettings(interval=0.01)
    stored = evaluate_scoremaps(folder, folder / "metadata", settings=settings)
    assert (
        stored["metrics"]["wsol/max_box_acc"] == metrics[f"wsol_{target}/max_box_acc"]
    )


def test_val_can_choose_the_threshold_of_views(evaluate):
    metrics = evaluate("--split", "val", "--tta")
    assert 0 <= metrics["wsol/threshold/max_box_acc"] < 1
    assert "wsol/val_threshold/max_box_acc" not in metrics


def test_pixels_are_scored_too(evaluate):
    options = ["test_evaluator.type=mmdgdm.PxAP", "test_evaluator.threshold=0.5"]
    metrics = evaluate("--tta", "--cfg-options", *options)
    assert 0 < metrics["wsol/pxap"] <= 100
    assert metrics["wsol/threshold/val_pixel_iou"] == 0.5


def test_pictures_need_files_behind_the_views(net, run_test, tmp_path, capsys):
    argv = [net.config, net.checkpoint, "--work-dir", str(tmp_path), "--tta"]
    assert run_test([*argv, "--show-dir", str(tmp_path / "pictures")]) != 0
    assert "test of several views" in capsys.readouterr().err
