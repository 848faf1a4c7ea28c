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
    sample.set_field(torch.tensor([0.75, 0.25]), "pred_score")
    sample.set_metainfo(
        dict(sample_idx=index, image_id=f"a/b {index}.jpg", ori_shape=(100, 100))
    )
    return sample


class Sized(list):
    """A data set that has a length and meta information."""

    metainfo = dict(classes=["cat", "dog"])


class Runner(SimpleNamespace):
    """What of a runner the hook asks for; it keeps what is given to backends."""

    iter, epoch, _train_loop = 7, 2, None

    def __init__(self, **kwargs):
        super().__init__(logger=logging.getLogger("test"), shown={}, **kwargs)
        self.visualizer = SimpleNamespace(add_image=self.add_image)

    def add_image(self, name, image, *, step):
        self.shown[name] = (image.shape, step)


def run(hook, length=4, metrics=None, dataset=None):
    metric = SimpleNamespace(calibrated_by=("threshold/max_box_acc",))
    evaluator = SimpleNamespace(metrics=[metric] if metrics else [])
    dataset = Sized([0] * length) if dataset is None else dataset
    runner = Runner(
        test_dataloader=SimpleNamespace(dataset=dataset), test_evaluator=evaluator
    )
    hook.before_test_epoch(runner)
    for index in range(length):
        batch = dict(inputs=[torch.full((3, 32, 32), 200, dtype=torch.uint8)])
        # Even images: the map's peak lies on the object; odd ones: it does not.
        sample = make_sample(index, 1 if index % 2 == 0 else 5)
        hook.after_test_iter(runner, index, batch, [sample])
    hook.after_test_epoch(runner, metrics)
    return runner


def test_files_are_named_after_place_and_id_and_listed_with_their_iou(tmp_path):
    folder = tmp_path / "new"
    for _ in range(2):  # a second run leaves nothing stale behind
        run(WSOLVisualizationHook(str(folder), threshold=0.3), length=2)
    names = ["00000_a-b-0.jpg", "00001_a-b-1.jpg"]
    written = sorted(p.name for p in folder.iterdir())
    assert written == [*names, "images", "maps", "overview.jpg", "pictures.json"]
    listed = json.loads((folder / "pictures.json").read_text())
    assert [entry["file"] for entry in listed] == names
    assert [entry["image_id"] for entry in listed] == ["a/b 0.jpg", "a/b 1.jpg"]
    assert listed[0]["iou"] > 0.5 > listed[1]["iou"]
    assert listed[0]["threshold"] == 0.3


def places_in(folder):
    return [int(path.name[:5]) for path in sorted(folder.glob("0*.jpg"))]


def test_drawn_are_images_spread_over_the_set_and_all_kinds_of_error(tmp_path):
    hook = WSOLVisualizationHook(str(tmp_path), 2, threshold=0.3, sheet_images=9)
    run(hook, length=61)
    # 0 and 30 are spread over the set; of the 20 that were looked at, all even ones
    # but 0 are of the kind of 0, and 3 is the first odd one.
    assert places_in(tmp_path) == [0, 3, 30]


def test_images_are_spread_over_the_classes(tmp_path):
    labels = [0, 0, 0, 0, 1, 2]
    hook = WSOLVisualizationHook(str(tmp_path), 3, threshold=0.3, sheet_images=1)
    dataset = Sized(labels)
    dataset.get_gt_labels = lambda: np.array(labels)
    run(hook, length=6, dataset=dataset)
    assert places_in(tmp_path) == [0, 4, 5]


def test_entries_say_what_localization_did(tmp_path):
    runner = run(WSOLVisualizationHook(str(tmp_path), threshold=0.3))
    first = json.loads((tmp_path / "pictures.json").read_text())[0]
    assert (first["true_class"], first["predicted_class"]) == ("dog", "cat")
    assert (first["confidence"], first["kind"]) == (0.75, "wrong class")
    assert first["gt_boxes"] == [[10.0, 10.0, 50.0, 50.0]]
    assert (first["width"], first["height"]) == (100, 100)
    shape, step = runner.shown["test_overview"]
    assert (shape, step) == (cv2.imread(str(tmp_path / "overview.jpg")).shape, 7)


def test_the_same_val_images_are_drawn_after_each_validation(tmp_path):
    dataset = Sized([0] * 9)
    evaluator = SimpleNamespace(metrics=[SimpleNamespace(calibrated_by=())])
    loader = SimpleNamespace(dataset=dataset)
    hook = WSOLVisualizationHook(on_val=True, val_images=3)
    runner = Runner(val_dataloader=loader, val_evaluator=evaluator, work_dir=tmp_path)
    for peak, threshold in ((5, 0.3), (1, 0.4)):
        runner.iter += 1
        hook.before_val_epoch(runner)
        for index in range(9):
            batch = dict(inputs=[torch.full((3, 32, 32), 200, dtype=torch.uint8)])
            hook.after_val_iter(runner, index, batch, [make_sample(index, peak)])
        hook.after_val_epoch(runner, {"wsol/threshold/max_box_acc": threshold})
    folder = tmp_path / "pictures" / "val"
    names = ["growth.jpg", "iter_000008", "iter_000009"]
    assert sorted(path.name for path in folder.iterdir()) == names
    first, second = (
        json.loads((folder / name / "pictures.json").read_text()) for name in names[1:]
    )
    assert [entry["image_id"] for entry in first] == [f"a/b {i}.jpg" for i in (0, 3, 6)]
    assert [entry["image_id"] for entry in second] == [e["image_id"] for e in first]
    assert {entry["threshold"] for entry in second} == {0.4}
    assert all(new["iou"] > old["iou"] for new, old in zip(second, first))
    assert runner.shown.keys() == {"val_overview", "val_growth"}
    silent = WSOLVisualizationHook(tmp_path / "silent")
    silent.before_val_epoch(runner)
    silent.after_val_iter(runner, 0, None, [make_sample(0, 1)])
    silent.after_val_epoch(runner, {})
    assert not (tmp_path / "silent").exists()


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
    run_on = Runner(test_dataloader=SimpleNamespace(dataset=Sized([0])))
    with pytest.raises(ConfigError, match="`sample_idx`"):
        hook.after_test_iter(run_on, 0, batch, [DataSample()])


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
        hook.before_test_epoch(Runner())


@pytest.mark.parametrize("shape", [(3000, 2), (2, 3000), (1, 1)])
def test_images_of_any_shape_are_drawn(tmp_path, shape):
    path = tmp_path / "strip.png"
    cv2.imwrite(str(path), np.full((*shape, 3), 200, np.uint8))
    hook = WSOLVisualizationHook(str(tmp_path / "out"), threshold=0.3)
    runner = Runner(test_dataloader=SimpleNamespace(dataset=Sized([0])))
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
    runner = Runner(test_dataloader=SimpleNamespace(dataset=Sized([0])))
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
    runner = Runner(test_dataloader=SimpleNamespace(dataset=Sized([0])))
    hook.before_test_epoch(runner)
    sample = make_sample(0, 1)
    sample.set_metainfo(dict(img_path=str(path), ori_shape=(300, 240)))
    batch = dict(inputs=[torch.zeros(3, 32, 32, dtype=torch.uint8)])
    hook.after_test_iter(runner, 0, batch, [sample])
    hook.after_test_epoch(runner)
    (name,) = (tmp_path / "out").glob("0*.jpg")
    picture = cv2.imread(str(name))
    # A view is 340 pixels wide, and as tall as the image needs.
    assert picture.shape[1] == 710
    assert picture[440, 200].tolist()[2] > 200


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (dict(num_images=0), "`num_images`.*0"),
        (dict(sheet_images=0), "`sheet_images`.*0"),
        (dict(val_images=0), "`val_images`.*0"),
        (dict(threshold=1.0), "`threshold`.*1.0"),
        (dict(threshold=-0.1), "`threshold`.*-0.1"),
    ],
)
def test_impossible_arguments(arguments, match):
    with pytest.raises(ConfigError, match=match):
        WSOLVisualizationHook("pictures", **arguments)
