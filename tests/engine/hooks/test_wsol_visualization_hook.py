"""Pictures of a test run: which images, at which threshold, in which files."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample

from mmdgdm.engine.hooks import WSOLVisualizationHook
from mmdgdm.errors import ConfigError


def make_sample(index, peak):
    cam = torch.zeros(1, 8, 8)
    cam[0, peak : peak + 3, peak : peak + 3] = 5.0
    sample = DataSample().set_gt_label(1).set_pred_label(0)
    sample.set_field(cam, "cam")
    sample.set_field(torch.tensor([1]), "cam_labels")
    sample.set_field(torch.tensor([[10.0, 10.0, 50.0, 50.0]]), "gt_bboxes")
    sample.set_metainfo(
        dict(sample_idx=index, image_id=f"a/b {index}.jpg", ori_shape=(100, 100))
    )
    return sample


class Sized(list):
    """A data set that has a length and meta information."""

    metainfo = dict(classes=["cat", "dog"])


def run(hook, length=4, metrics=None):
    metric = SimpleNamespace(calibrated_by=("threshold/max_box_acc",))
    evaluator = SimpleNamespace(metrics=[metric] if metrics else [])
    runner = SimpleNamespace(
        test_dataloader=SimpleNamespace(dataset=Sized([0] * length)),
        test_evaluator=evaluator,
        logger=logging.getLogger("test"),
    )
    hook.before_test_epoch(runner)
    for index in range(length):
        batch = dict(inputs=[torch.full((3, 32, 32), 200, dtype=torch.uint8)])
        # Even images: the map's peak lies on the object; odd ones: it does not.
        sample = make_sample(index, 1 if index % 2 == 0 else 5)
        hook.after_test_iter(runner, index, batch, [sample])
    hook.after_test_epoch(runner, metrics)


def test_files_are_named_after_place_and_id_and_listed_with_their_iou(tmp_path):
    folder = tmp_path / "new"
    for _ in range(2):  # a second run leaves nothing stale behind
        run(WSOLVisualizationHook(str(folder), threshold=0.3), length=2)
    names = ["00000_a-b-0.jpg", "00001_a-b-1.jpg"]
    written = sorted(p.name for p in folder.iterdir())
    assert written == [*names, "overview.jpg", "pictures.json"]
    listed = json.loads((folder / "pictures.json").read_text())
    assert [entry["file"] for entry in listed] == names
    assert [entry["image_id"] for entry in listed] == ["a/b 0.jpg", "a/b 1.jpg"]
    assert listed[0]["iou"] > 0.5 > listed[1]["iou"]
    assert listed[0]["threshold"] == 0.3


def test_chosen_images_are_spread_over_the_set(tmp_path):
    run(WSOLVisualizationHook(str(tmp_path), num_images=3, threshold=0.3), length=9)
    places = [int(p.name[:5]) for p in tmp_path.glob("0*.jpg")]
    assert sorted(places) == [0, 4, 8]


def test_pictures_show_the_true_box_in_green(tmp_path):
    run(WSOLVisualizationHook(str(tmp_path), threshold=0.3))
    picture = cv2.imread(str(tmp_path / "00001_a-b-1.jpg"))
    # The left view is 224 pixels: the box's left edge lies at 10 % of it.
    blue, green, red = picture[60, 22].astype(int)
    assert green > blue + 60
    assert green > red + 60


@pytest.mark.parametrize("key", ["wsol/threshold/max_box_acc", "threshold/max_box_acc"])
def test_the_evaluations_threshold_is_the_default(tmp_path, key, caplog):
    caplog.set_level(logging.INFO)
    run(WSOLVisualizationHook(str(tmp_path)), metrics={key: 0.25})
    assert "threshold 0.250" in caplog.text


def test_a_fixed_threshold_of_the_metric_comes_first(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    both = {"wsol/threshold/max_box_acc": 0.25, "wsol/threshold/val_max_box_acc": 0.4}
    run(WSOLVisualizationHook(str(tmp_path)), metrics=both)
    assert "threshold 0.400" in caplog.text


def test_samples_without_a_place_are_refused(tmp_path):
    hook = WSOLVisualizationHook(str(tmp_path), threshold=0.3)
    batch = dict(inputs=[torch.zeros(3, 8, 8)])
    with pytest.raises(ConfigError, match="`sample_idx`"):
        hook.after_test_iter(None, 0, batch, [DataSample()])


def test_pixels_have_a_threshold_too(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    metrics = {"wsol/threshold/pixel_iou": 0.25, "accuracy/top1": 1.0}
    run(WSOLVisualizationHook(str(tmp_path)), metrics=metrics)
    assert "threshold 0.250" in caplog.text
    run(
        WSOLVisualizationHook(str(tmp_path)),
        metrics={"wsol/threshold/val_pixel_iou": 0.4},
    )
    assert "threshold 0.400" in caplog.text


def test_what_cannot_be_drawn_is_said_before_the_test(tmp_path):
    with pytest.raises(ConfigError, match=r"`test_evaluator` has none.*`threshold`"):
        run(WSOLVisualizationHook(str(tmp_path)))
    (tmp_path / "file").touch()
    hook = WSOLVisualizationHook(str(tmp_path / "file"), threshold=0.3)
    with pytest.raises(ConfigError, match=r"`out_dir`.*file cannot: File exists"):
        hook.before_test_epoch(None)


@pytest.mark.parametrize("shape", [(3000, 2), (2, 3000), (1, 1)])
def test_images_of_any_shape_are_drawn(tmp_path, shape):
    path = tmp_path / "strip.png"
    cv2.imwrite(str(path), np.full((*shape, 3), 200, np.uint8))
    hook = WSOLVisualizationHook(str(tmp_path / "out"), threshold=0.3)
    runner = SimpleNamespace(
        test_dataloader=SimpleNamespace(dataset=Sized([0])),
        logger=logging.getLogger("test"),
    )
    hook.before_test_epoch(runner)
    sample = make_sample(0, 1)
    del sample.gt_bboxes
    sample.set_metainfo(dict(img_path=str(path), ori_shape=shape))
    hook.after_test_iter(runner, 0, dict(inputs=[torch.zeros(3, 8, 8)]), [sample])
    hook.after_test_epoch(runner)
    for name in ("00000_a-b-0.jpg", "overview.jpg"):
        assert cv2.imread(str(tmp_path / "out" / name)) is not None


def test_samples_without_ground_truth_are_drawn(tmp_path):
    hook = WSOLVisualizationHook(str(tmp_path), threshold=0.3)
    runner = SimpleNamespace(
        test_dataloader=SimpleNamespace(dataset=Sized([0])),
        logger=logging.getLogger("test"),
    )
    hook.before_test_epoch(runner)
    sample = make_sample(0, 1)
    del sample.gt_bboxes
    batch = dict(inputs=[torch.zeros(3, 32, 32, dtype=torch.uint8)])
    hook.after_test_iter(runner, 0, batch, [sample])
    hook.after_test_epoch(runner)
    assert (tmp_path / "00000_a-b-0.jpg").is_file()


def test_the_original_file_is_shown_where_there_is_one(tmp_path):
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.full((300, 240, 3), (0, 0, 255), np.uint8))
    hook = WSOLVisualizationHook(str(tmp_path / "out"), threshold=0.3)
    runner = SimpleNamespace(
        test_dataloader=SimpleNamespace(dataset=Sized([0])),
        logger=logging.getLogger("test"),
    )
    hook.before_test_epoch(runner)
    sample = make_sample(0, 1)
    sample.set_metainfo(dict(img_path=str(path), ori_shape=(300, 240)))
    batch = dict(inputs=[torch.zeros(3, 32, 32, dtype=torch.uint8)])
    hook.after_test_iter(runner, 0, batch, [sample])
    hook.after_test_epoch(runner)
    (name,) = (tmp_path / "out").glob("0*.jpg")
    picture = cv2.imread(str(name))
    assert picture.shape[:2] == (322, 484)
    assert picture[280, 200].tolist()[2] > 200


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (dict(num_images=0), "`num_images`.*0"),
        (dict(sheet_images=0), "`sheet_images`.*0"),
        (dict(threshold=1.0), "`threshold`.*1.0"),
        (dict(threshold=-0.1), "`threshold`.*-0.1"),
    ],
)
def test_impossible_arguments(arguments, match):
    with pytest.raises(ConfigError, match=match):
        WSOLVisualizationHook("pictures", **arguments)
