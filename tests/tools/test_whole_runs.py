"""Train, validate, test, resume and draw, as a user would, on the toy set."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdgdm.evaluation.stored.evaluate import EvaluationSettings, evaluate_scoremaps
from mmdgdm.utils.checkpoint import load_checkpoint_file

REPO_ROOT = Path(__file__).resolve().parents[2]
CONFIG = REPO_ROOT / "configs/dgdm/dgdm_resnet18_1xb32-12e_toy.py"
#: 37 images do not divide by two processes, nor by the batch.
OPTIONS = [
    "train_dataloader.dataset.num_images=64",
    "val_dataloader.dataset.num_images=37",
    "test_dataloader.dataset.num_images=37",
    "train_cfg.max_epochs=2",
    "train_cfg.val_interval=1",
    "model.backbone.base_channels=8",
    "model.backbone.stem_channels=8",
    "model.head.in_channels=64",
]
#: Boxes, masks and classes are scored.
MASKS = """
_base_ = {base!r}
test_evaluator = [
    dict(type="mmdgdm.WSOLMetric"), dict(type="mmdgdm.PxAP"), dict(type="Accuracy")]
"""
pytestmark = pytest.mark.slow


def launch(script, *arguments):
    env = dict(os.environ, CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
    env["PYTHON"] = sys.executable
    command = ["bash", str(REPO_ROOT / "tools" / script), *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, run_train):
    folder = tmp_path_factory.mktemp("run")
    code = run_train(
        [
            str(CONFIG),
            "--work-dir",
            str(folder),
            "--seed",
            "1",
            "--cfg-options",
            *OPTIONS,
        ]
    )
    assert code == 0
    return folder


def last_validation(folder):
    (log,) = folder.glob("*/vis_data/scalars.json")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line for line in lines if "wsol/max_box_acc" in line][-1]


def evaluate(run_test, trained, out, *more, options=(), config=CONFIG):
    arguments = [str(config), str(trained / "epoch_2.pth"), "--out", str(out)]
    arguments += ["--work-dir", str(out.parent), *more]
    assert run_test([*arguments, "--cfg-options", *OPTIONS, *options]) == 0
    return json.loads(out.read_text())


def test_testing_val_repeats_the_last_validation(run_test, trained, tmp_path):
    metrics = evaluate(run_test, trained, tmp_path / "val.json", "--split", "val")
    logged = last_validation(trained)
    assert len(metrics) > 10
    assert {key: logged[key] for key in metrics} == metrics


def test_the_best_checkpoint_is_kept_with_its_threshold(trained):
    (log,) = trained.glob("*/vis_data/scalars.json")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    scores = [line for line in lines if "wsol/gt_known" in line]
    best = max(scores, key=lambda line: line["wsol/gt_known"])  # the first of equals
    (path,) = trained.glob("best_wsol_gt_known_epoch_*.pth")
    meta = load_checkpoint_file(str(path))["meta"]
    assert scores[meta["epoch"] - 1] == best
    keys = {f"wsol/threshold{kind}/max_box_acc" for kind in ("", "_by_median")}
    assert meta["wsol_thresholds"] == {key: best[key] for key in keys}
    assert (trained / "last_checkpoint").read_text().endswith("epoch_2.pth")


def test_the_log_shows_the_main_scores_of_a_validation(trained):
    (log,) = trained.glob("*/*.log")
    lines = [line for line in log.read_text().splitlines() if "wsol/" in line]
    shown = [part for part in lines[0].split("  ") if part.startswith("wsol/")]
    names = ["gt_known", "top1_loc", "top1_cls", "max_box_acc_v2", "threshold/gt_known"]
    names.append("threshold_by_median/max_box_acc")
    assert {part.partition(": ")[0] for part in shown} == {f"wsol/{n}" for n in names}
    assert "Epoch(val) [1]" in lines[0]
    assert "  time: " in lines[0]
    assert len(last_validation(trained)) > 25


def test_a_test_takes_the_threshold_that_val_chose(run_test, trained, tmp_path):
    metrics = evaluate(run_test, trained, tmp_path / "m.json")
    validated = last_validation(trained)
    chosen = validated["wsol/threshold_by_median/max_box_acc"]
    assert metrics["wsol/threshold/val_max_box_acc"] == chosen
    assert metrics["wsol/threshold_by_median/val_max_box_acc"] == chosen
    for name in ("epoch_1.pth", "epoch_2.pth", "best_wsol_gt_known_epoch_2.pth"):
        if (trained / name).is_file():
            meta = load_checkpoint_file(str(trained / name))["meta"]
            assert set(meta["wsol_thresholds"]) == {
                "wsol/threshold/max_box_acc",
                "wsol/threshold_by_median/max_box_acc",
            }
    plain = ["test_evaluator.calibration=argmax"]
    metrics = evaluate(run_test, trained, tmp_path / "m.json", options=plain)
    chosen = validated["wsol/threshold/max_box_acc"]
    assert metrics["wsol/threshold_by_argmax/val_max_box_acc"] == chosen
    given = ["test_evaluator.threshold=0.123"]
    metrics = evaluate(run_test, trained, tmp_path / "m.json", options=given)
    assert metrics["wsol/threshold/val_max_box_acc"] == 0.123


def arrays(folder, name):
    """All arrays of the two files of records of a test, by name."""
    files = (folder / f"{name}.records.npz", folder / f"{name}.records_2.npz")
    return [{k: v.tobytes() for k, v in np.load(file).items()} for file in files]


@pytest.mark.parametrize(("number", "pads"), [(2, True), (3, False)])
def test_several_processes_give_the_numbers_of_one(
    run_test, trained, tmp_path, number, pads
):
    maps, out = tmp_path / "maps", tmp_path / "several.json"
    masks = tmp_path / "masks.py"
    masks.write_text(MASKS.format(base=str(CONFIG)))
    by_pixels = evaluate(run_test, trained, tmp_path / "masks.json", config=masks)
    one = evaluate(run_test, trained, tmp_path / "one.json")
    assert by_pixels["wsol/pxap"] > 0
    assert by_pixels["accuracy/top1"] > 0
    assert {name: by_pixels[name] for name in one} == one
    done = launch(
        "dist_test.sh",
        masks,
        trained / "epoch_2.pth",
        number,
        *("--out", out, "--work-dir", tmp_path / "several", "--dump-scoremaps", maps),
        *("--cfg-options", *OPTIONS, f"test_dataloader.sampler.round_up={pads}"),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(out.read_text()) == by_pixels
    assert arrays(tmp_path, "several") == arrays(tmp_path, "masks")
    # The maps that the processes wrote give the same numbers once more.
    assert len(list(maps.rglob("*.npy"))) == 37
    threshold = one["wsol/threshold/val_max_box_acc"]
    again = evaluate_scoremaps(
        maps,
        maps / "metadata",
        scores=maps / "scores.npz",
        settings=EvaluationSettings(threshold=threshold, threshold_rule="median"),
    )
    assert again["metrics"] == one
    assert again["evaluated"]["resized"] == 0


def test_two_processes_train(tmp_path):
    done = launch(
        "dist_train.sh",
        CONFIG,
        2,
        *("--work-dir", tmp_path, "--cfg-options", *OPTIONS, "train_cfg.max_epochs=1"),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "epoch_1.pth").is_file()
    assert last_validation(tmp_path)["wsol/max_box_acc"] > 0


def test_resuming_goes_on_where_it_stopped(run_train, trained, tmp_path):
    straight = last_validation(trained)
    common = [str(CONFIG), "--work-dir", str(tmp_path), "--seed", "1"]
    options = ["--cfg-options", *OPTIONS]
    checkpoint = str(trained / "epoch_1.pth")
    assert run_train([*common, "--resume", checkpoint, *options]) == 0
    assert [p.name for p in tmp_path.glob("epoch_*.pth")] == ["epoch_2.pth"]
    assert last_validation(tmp_path)["step"] == straight["step"]


def test_pictures_and_a_fixed_threshold(run_test, trained, tmp_path):
    shown = ("--show-dir", str(tmp_path / "pictures"), "--show-num", "5")
    fixed = ["test_evaluator.threshold=0.35"]
    metrics = evaluate(run_test, trained, tmp_path / "m.json", *shown, options=fixed)
    # Five for all models, and up to five others of the sheet.
    assert 5 <= len(list((tmp_path / "pictures").glob("0*.jpg"))) <= 10
    assert (tmp_path / "pictures" / "overview.jpg").is_file()
    assert metrics["wsol/val_threshold/gt_known"] <= metrics["wsol/gt_known"]


NECK_ALONE = """
from mmengine.config import Config
from mmengine.runner import Runner

images = dict(
    batch_size=4,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CustomDataset',
        data_prefix={images!r},
        pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')],
    ),
)
config = Config(dict(
    default_scope='mmpretrain',
    work_dir={work_dir!r},
    model=dict(
        type='ImageClassifier',
        backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8),
        neck=[dict(type='mmdgdm.DGDM'), dict(type='GlobalAveragePooling')],
        head=dict(type='LinearClsHead', num_classes=2, in_channels=64),
    ),
    train_dataloader=images,
    train_cfg=dict(by_epoch=True, max_epochs=1),
    optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
))
Runner.from_cfg(config).train()
"""


def test_the_neck_alone_trains_in_a_plain_mmpretrain_config(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(4):
            # The last map is 4 x 4: blocks of 3 x 3 do not cover it.
            image = rng.integers(0, 256, (128, 128, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / "images" / name / f"{i}.png"), image)
    script = NECK_ALONE.format(
        images=str(tmp_path / "images"), work_dir=str(tmp_path / "out")
    )
    # A process of its own, in which nothing has imported mmdgdm before.
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "out" / "epoch_1.pth").is_file()
