"""``--cam-method`` of tools/test.py: other maps, scored by the same rules."""

from __future__ import annotations

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

CONFIG = "configs/cam/cam_resnet18_1xb32-12e_toy.py"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, repo_root):
    """Random weights of the toy's model, with a threshold."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        model = MODELS.build(Config.fromfile(repo_root / CONFIG).model)
    meta = dict(wsol_thresholds={"wsol/threshold/max_box_acc": 0.3})
    path = tmp_path_factory.mktemp("toy") / "toy.pth"
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return str(path)


def score(run_test, repo_root, checkpoint, folder, config=CONFIG, options=()):
    out = folder / f"{len(list(folder.iterdir()))}.json"
    args = [str(repo_root / config), checkpoint, "--work-dir", str(folder / "run")]
    size = ["--cfg-options", "test_dataloader.dataset.num_images=24"]
    assert run_test([*args, "--out", str(out), *size, *options]) == 0
    return json.loads(out.read_text())


def test_maps_of_a_method_are_scored(run_test, repo_root, checkpoint, tmp_path):
    pytest.importorskip("pytorch_grad_cam", reason="needs the extra `cam`")
    plain = score(run_test, repo_root, checkpoint, tmp_path)
    options = ["--cam-method", "layercam"]
    other = score(run_test, repo_root, checkpoint, tmp_path, options=options)
    config = "configs/gradcam/gradcam-layer_resnet18_1xb32-12e_toy.py"
    by_config = score(run_test, repo_root, checkpoint, tmp_path, config=config)

    assert plain["wsol/top1_cls"] == other["wsol/top1_cls"]
    assert plain["wsol/over_coverage"] != other["wsol/over_coverage"]
    # What val chose for the config's maps is used for these alone.
    fixed = "wsol/val_threshold/gt_known"
    assert fixed in plain
    assert fixed in by_config
    assert fixed not in other
    same = ("wsol/gt_known", "wsol/max_box_acc_v2")
    assert [other[key] for key in same] == [by_config[key] for key in same]


def test_a_model_without_maps_is_one_sentence(trained, run_test, capsys):
    args = [trained.config, trained.checkpoint, "--cam-method", "gradcam"]
    assert run_test(args) == 2
    assert "got 'ImageClassifier'" in capsys.readouterr().err
