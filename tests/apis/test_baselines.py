"""Trivial baselines on the data of a config, against the evaluator of files."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from mmdgdm.apis import evaluate_scoremaps, score_baselines
from mmdgdm.datasets import write_toy
from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.baselines import BASELINES


@pytest.fixture(scope="module")
def cfg(repo_root):
    found = Config.fromfile(repo_root / "configs/cam/cam_resnet18_1xb32-12e_toy.py")
    found.val_dataloader.dataset.num_images = 24
    found.test_dataloader.dataset.num_images = 40
    return found


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        ("argmax", "wsol/threshold/max_box_acc"),
        ("median", "wsol/threshold_by_median/max_box_acc"),
    ],
)
def test_scores_are_those_of_the_written_set(cfg, tmp_path, rule, key):
    write_toy(tmp_path, {"val": 24, "test": 40})
    found = score_baselines(cfg, calibration=rule)
    assert tuple(found) == BASELINES
    for name in BASELINES:
        val = evaluate_scoremaps(None, tmp_path / "metadata/val", baseline=name)
        chosen = str(val["metrics"][key])
        test = evaluate_scoremaps(
            None, tmp_path / "metadata/test", baseline=name, threshold=chosen
        )
        assert found[name] == test["metrics"]


def test_some_images_keep_the_threshold_of_all_of_val(cfg):
    every = score_baselines(cfg, prefix="a/")["center"]
    some = [score_baselines(cfg, indices=part) for part in ([0, 1, 2], range(3, 40))]
    name = "val_threshold/gt_known"
    first, rest = (scores["center"][f"wsol/{name}"] for scores in some)
    assert (3 * first + 37 * rest) / 40 == pytest.approx(every[f"a/{name}"])


def test_data_without_boxes_are_refused(cfg):
    without = Config(cfg.to_dict())
    without.test_dataloader.dataset.with_boxes = False
    with pytest.raises(ConfigError, match=r"`test_dataloader.dataset` to have boxes"):
        score_baselines(without)
