"""Maps of a test as files: which, where, and what stands beside them."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample

from mmdgdm.engine.hooks import ScoremapDumpHook
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.scoremaps import normalize_scoremap
from mmdgdm.evaluation.stored.class_scores import read_class_scores
from mmdgdm.evaluation.stored.evaluate import evaluate_scoremaps
from mmdgdm.evaluation.stored.metadata import find_class_names, read_split

RUNNER = SimpleNamespace(logger=logging.getLogger("dump"))


def make_sample(image_id="a/1.jpg", label=1, boxes=((1.5, 2.0, 30.25, 40.0),)):
    cams = torch.arange(32, dtype=torch.float32).reshape(2, 4, 4) ** 2 - 50
    sample = DataSample().set_gt_label(label).set_pred_score(torch.tensor([0.2, 0.7]))
    sample.set_field(cams, "cam")
    sample.set_field(torch.tensor([0, 1]), "cam_labels")
    if boxes is not None:
        sample.set_field(torch.tensor(boxes), "gt_bboxes")
    sample.set_metainfo(dict(image_id=image_id, ori_shape=(60, 80)))
    return sample


def dump(folder, *samples):
    hook = ScoremapDumpHook(folder)
    hook.before_test_epoch(RUNNER)
    for i, sample in enumerate(samples):
        hook.after_test_iter(RUNNER, i, None, [sample])
    hook.after_test_epoch(RUNNER)


def test_the_map_of_the_true_class_is_stored_as_it_is_evaluated(tmp_path):
    samples = [make_sample("a/1.jpg", label=1), make_sample("b.png", label=0)]
    dump(tmp_path / "new", *samples)
    for sample, place in zip(samples, (1, 0)):
        stored = np.load(tmp_path / "new" / f"{sample.get('image_id')}.npy")
        assert stored.dtype == np.float64
        expected = normalize_scoremap(sample.get("cam")[place].numpy())
        assert np.array_equal(stored, expected)


def test_scores_and_metadata_stand_beside_the_maps(tmp_path):
    dump(tmp_path, make_sample("a/1.jpg"), make_sample("b.png", label=0))
    scores = read_class_scores(tmp_path / "scores.npz")
    assert scores["b.png"].tolist() == pytest.approx([0.2, 0.7])
    split = read_split(tmp_path / "metadata")
    assert split.image_ids == ["a/1.jpg", "b.png"]
    assert split.labels == {"a/1.jpg": 1, "b.png": 0}
    assert split.image_sizes["b.png"] == (80, 60)
    assert split.boxes["a/1.jpg"] == [(1.5, 2.0, 30.25, 40.0)]


def test_images_that_the_sampler_repeats_count_once(tmp_path):
    dump(tmp_path, make_sample("a.jpg"), make_sample("b.jpg"), make_sample("a.jpg"))
    assert read_split(tmp_path / "metadata").image_ids == ["a.jpg", "b.jpg"]


def test_without_boxes_there_is_no_metadata(tmp_path):
    dump(tmp_path, make_sample(boxes=None))
    assert not (tmp_path / "metadata").exists()
    assert (tmp_path / "scores.npz").is_file()


def test_a_second_run_replaces_the_first(tmp_path):
    dump(tmp_path, make_sample(label=0))
    dump(tmp_path, make_sample(label=1))
    expected = normalize_scoremap(make_sample().get("cam")[1].numpy())
    assert np.array_equal(np.load(tmp_path / "a/1.jpg.npy"), expected)
    assert read_split(tmp_path / "metadata").labels == {"a/1.jpg": 1}


def test_a_map_of_the_true_class_is_needed(tmp_path):
    sample = make_sample()
    sample.set_field(torch.tensor([0, 7]), "cam_labels")
    with pytest.raises(DataError, match=r"class 1, .*`cam_targets`"):
        dump(tmp_path, sample)


@pytest.mark.parametrize("name", ["cam", "pred_score", "gt_label"])
def test_a_missing_field_is_named(tmp_path, name):
    sample = make_sample()
    sample.pop(name)
    with pytest.raises(DataError, match=f"to carry `{name}`"):
        dump(tmp_path, sample)


@pytest.mark.parametrize("image_id", ["../out.jpg", "/out.jpg"])
def test_no_file_outside_the_folder(tmp_path, image_id):
    with pytest.raises(DataError, match="below the root"):
        dump(tmp_path / "maps", make_sample(image_id))
    assert list(tmp_path.glob("out*")) == []


def test_names_of_classes_stand_beside_the_metadata(tmp_path):
    dataset = SimpleNamespace(metainfo=dict(classes=("jay", "owl")))
    runner = SimpleNamespace(
        logger=RUNNER.logger, test_dataloader=SimpleNamespace(dataset=dataset)
    )
    for one, wanted in ((runner, ("jay", "owl")), (RUNNER, ())):
        hook = ScoremapDumpHook(tmp_path)
        hook.before_test_epoch(one)
        hook.after_test_iter(one, 0, None, [make_sample()])
        hook.after_test_epoch(one)
        assert find_class_names(tmp_path / "metadata") == wanted


def runner_with(*targets):
    metrics = [SimpleNamespace(cam_target=target) for target in targets]
    evaluator = SimpleNamespace(metrics=[*metrics, object()])
    return SimpleNamespace(logger=RUNNER.logger, test_evaluator=evaluator)


def test_the_map_that_the_metrics_score_is_stored(tmp_path, caplog):
    sample = make_sample(label=0)  # class 1 has the highest score
    hook = ScoremapDumpHook(tmp_path)
    for targets, place in ((("top1", "top1"), 1), (("gt",), 0), ((), 0)):
        hook.before_test_epoch(runner_with(*targets))
        hook.after_test_iter(RUNNER, 0, None, [sample])
        expected = normalize_scoremap(sample.get("cam")[place].numpy())
        assert np.array_equal(np.load(tmp_path / "a/1.jpg.npy"), expected)
    assert caplog.text.count("is not GT-known") == 1


def test_metrics_of_different_maps_cannot_be_stored_together(tmp_path):
    hook = ScoremapDumpHook(tmp_path)
    with pytest.raises(ConfigError, match=r"\['gt', 'top1'\]"):
        hook.before_test_epoch(runner_with("gt", "top1"))


def test_a_folder_that_cannot_be_written_is_named_before_the_test(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"`out_dir`.*maps cannot: Not a directory"):
        ScoremapDumpHook(tmp_path / "file" / "maps").before_test_epoch(RUNNER)


def test_a_map_that_cannot_be_written_fails_after_the_test(tmp_path, caplog):
    hook = ScoremapDumpHook(tmp_path)
    hook.before_test_epoch(RUNNER)
    (tmp_path / "a").touch()  # in the place of a folder
    for image_id in ("a/1.jpg", "b.jpg"):
        hook.after_test_iter(RUNNER, 0, None, [make_sample(image_id)])
    assert caplog.text.count("No further score maps are stored") == 1
    with pytest.raises(DataError, match="cannot be written"):
        hook.after_test_epoch(RUNNER)


class Named:
    """A data set of images with some ids."""

    def __init__(self, *image_ids):
        self.image_ids = image_ids

    def __len__(self):
        return len(self.image_ids)

    def get_data_info(self, index):
        return {"image_id": self.image_ids[index]}


def runner_over(*image_ids):
    loader = SimpleNamespace(dataset=Named(*image_ids))
    return SimpleNamespace(logger=RUNNER.logger, test_dataloader=loader)


@pytest.mark.parametrize(
    "image_id", ["a\n1.jpg", "1.jpg\r", " ", "../out.jpg", "/1.jpg"]
)
def test_names_that_cannot_be_written_are_refused_before_the_test(tmp_path, image_id):
    hook = ScoremapDumpHook(tmp_path / "maps")
    with pytest.raises(DataError, match=r"Expected image ids .*but got '"):
        hook.before_test_epoch(runner_over("a.jpg", image_id))
    assert not (tmp_path / "maps").exists()


def test_names_with_commas_lose_nothing(tmp_path):
    name = "a,b/1,2,3,4.jpg"
    ScoremapDumpHook(tmp_path).before_test_epoch(runner_over("b.jpg", name))
    dump(tmp_path, make_sample("b.jpg"), make_sample(name, label=0))
    split = read_split(tmp_path / "metadata")
    assert split.labels == {"b.jpg": 1, name: 0}
    assert split.boxes[name] == [(1.5, 2.0, 30.25, 40.0)]
    assert set(read_class_scores(tmp_path / "scores.npz")) == {"b.jpg", name}
    assert (
        evaluate_scoremaps(tmp_path, tmp_path / "metadata")["evaluated"]["images"] == 2
    )
