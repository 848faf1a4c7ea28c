from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS, DefaultScope
from torch.utils.data import DataLoader

from mmdgdm.datasets import Toy, WSOLDataset, write_toy
from mmdgdm.errors import ConfigError

PIPELINE = [
    {"type": "Resize", "scale": (32, 32)},
    {"type": "mmdgdm.PackWSOLInputs"},
]


class PaintBlack:
    def __call__(self, results: dict) -> dict:
        results["img"][:] = 0
        return results


def test_data_info_for_testing():
    info = Toy("test", num_images=12, test_mode=True).get_data_info(10)

    assert info["image_id"] == "toy/test/000010"
    assert info["gt_label"] == 2
    assert info["image_size"] == (64, 64)
    assert (info["ori_gt_bboxes"].shape, info["ori_gt_bboxes"].dtype) == (
        (1, 4),
        np.float32,
    )
    assert "img_path" not in info


def test_training_sees_image_labels_alone():
    toy = Toy("train", num_images=4)
    sample = toy[1]

    assert {"ori_gt_bboxes", "ori_gt_mask", "image_size"}.isdisjoint(sample)
    assert sample["img"].shape == (64, 64, 3)
    assert sample["ori_shape"] == sample["img_shape"] == (64, 64)


@pytest.mark.parametrize(
    ("split", "num_images"), [("train", 1600), ("val", 240), ("test", 480)]
)
def test_default_sizes_are_balanced(split, num_images):
    toy = Toy(split)

    assert len(toy) == num_images
    assert np.bincount(toy.get_gt_labels()).tolist() == [num_images // 8] * 8
    assert len(toy.metainfo["classes"]) == toy.num_classes == 8


def test_sample_after_the_pipeline():
    toy = Toy("test", num_images=9, test_mode=True, pipeline=PIPELINE)
    sample = toy[8]["data_samples"]

    assert toy[8]["inputs"].shape == (3, 32, 32)
    assert sample.gt_label.tolist() == [0]
    assert sample.image_id == "toy/test/000008"
    assert sample.gt_bboxes.tolist() == [list(toy.draw(8).box)]
    assert np.array_equal(sample.gt_mask.numpy(), toy.draw(8).mask)
    assert (sample.ori_shape, sample.img_shape) == ((64, 64), (32, 32))


def test_training_pipeline_crops_and_flips():
    pipeline = [
        {"type": "RandomResizedCrop", "scale": 32},
        {"type": "RandomFlip", "prob": 1.0},
        PIPELINE[1],
    ]

    assert Toy(num_images=2, pipeline=pipeline)[0]["inputs"].shape == (3, 32, 32)
    with pytest.raises(ConfigError, match="hold no RandomResizedCrop"):
        Toy(num_images=2, pipeline=pipeline, test_mode=True)


@pytest.mark.parametrize("scope", ["mmpretrain", None])
def test_is_built_from_a_config(scope):
    config = {
        "type": "mmdgdm.Toy",
        "split": "val",
        "num_images": 3,
        "image_size": 32,
        "spec": {"body_cue": 0.5, "area_range": [0.2, 0.5]},
        "test_mode": True,
        "pipeline": [{"type": "mmdgdm.PackWSOLInputs"}],
    }
    with DefaultScope.overwrite_default_scope(scope):
        toy = DATASETS.build(config)

    assert toy.spec.body_cue == 0.5
    assert toy.spec.area_range == (0.2, 0.5)
    assert toy[2]["inputs"].shape == (3, 32, 32)
    assert "Split: \tval, seed 0" in repr(toy)


def test_splits_and_seeds_give_other_images():
    images = [
        Toy(split, num_images=1, seed=seed)[0]["img"].tobytes()
        for split in ("train", "val", "test")
        for seed in (0, 1)
    ]

    assert len(set(images)) == 6


def test_number_of_images_does_not_change_them():
    short, long = Toy(num_images=3), Toy(num_images=30)

    assert np.array_equal(short[2]["img"], long[2]["img"])


@pytest.mark.parametrize("serialize_data", [True, False])
def test_indices_keep_the_images(serialize_data):
    whole = Toy("test", num_images=10, test_mode=True)
    part = Toy(
        "test",
        num_images=10,
        test_mode=True,
        indices=[7, 3],
        serialize_data=serialize_data,
    )

    for position, index in enumerate((7, 3)):
        assert part[position]["image_id"] == f"toy/test/{index:06d}"
        assert np.array_equal(part[position]["img"], whole[index]["img"])
        assert np.array_equal(
            part[position]["ori_gt_mask"], whole[index]["ori_gt_mask"]
        )


@pytest.mark.parametrize("cache", [True, False])
def test_transforms_cannot_spoil_later_samples(cache):
    spoilt = Toy(num_images=2, cache=cache, pipeline=[PaintBlack()])

    assert not spoilt[1]["img"].any()
    assert spoilt.draw(1).image.any()


def test_cache_draws_once():
    toy = Toy("test", num_images=3, cache=True, test_mode=True)

    assert toy.draw(2) is toy.draw(2)
    assert np.array_equal(toy[2]["img"], Toy("test", num_images=3)[2]["img"])


def test_workers_draw_the_same_images():
    toy = Toy("test", num_images=6, test_mode=True, pipeline=PIPELINE)
    loader = DataLoader(toy, batch_size=None, num_workers=2)

    for fetched, direct in zip(loader, toy):
        assert torch.equal(fetched["inputs"], direct["inputs"])
        assert torch.equal(
            fetched["data_samples"].gt_bboxes, direct["data_samples"].gt_bboxes
        )


def digest() -> str:
    toy = Toy("test", num_images=24)
    images = b"".join(toy.draw(index).image.tobytes() for index in range(24))
    return hashlib.sha256(images).hexdigest()


def test_another_process_draws_the_same_images(repo_root):
    code = (
        "import hashlib\n"
        "from mmdgdm.datasets import Toy\n"
        "toy = Toy('test', num_images=24)\n"
        "images = [toy.draw(i).image.tobytes() for i in reversed(range(24))]\n"
        "print(hashlib.sha256(b''.join(reversed(images))).hexdigest())\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "5", "PYTHONPATH": str(repo_root)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split()[-1] == digest()


def test_dataset_can_be_pickled():
    toy = Toy("test", num_images=3, test_mode=True, pipeline=PIPELINE)
    copy = pickle.loads(pickle.dumps(toy))

    assert torch.equal(copy[2]["inputs"], toy[2]["inputs"])


def test_lazy_init_draws_nothing():
    toy = Toy("test", cache=True, test_mode=True, lazy_init=True)

    assert toy.metainfo["classes"][0] == "red_head"
    assert not toy._scenes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "fullsup"}, r"`split` to be one of .*'fullsup'"),
        ({"num_images": 0}, "`num_images` to be >= 1, but got 0"),
        ({"seed": -1}, "`seed` to be >= 0, but got -1"),
        ({"num_classes": 40}, r"`num_classes` to be .*\[2, 16\], but got 40"),
        ({"image_size": 8}, "`image_size` to be .*but got 8"),
        ({"spec": {"colour": 1}}, r"`spec` to hold only keys of .*\['colour'\]"),
        ({"spec": {"num_classes": 4}}, r"`spec` to hold only keys .*\['num_classes'\]"),
        ({"metainfo": {"classes": ["a"]}}, "`num_classes` to be 1"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ConfigError, match=message):
        Toy(**{"num_images": 4, **arguments})[0]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("toy")
    write_toy(root, {"train": 9, "test": 10}, num_classes=4, image_size=48)
    return root


class TestWriteToy:
    @pytest.mark.parametrize(("split", "count"), [("train", 9), ("test", 10)])
    def test_files_hold_what_the_memory_holds(self, root, split, count):
        drawn = Toy(
            split, num_images=count, num_classes=4, image_size=48, with_boxes=True
        )
        written = WSOLDataset(
            root,
            f"metadata/{split}",
            classes=str(root / "classes.txt"),
            with_boxes=True,
            pipeline=[{"type": "mmdgdm.LoadWSOLImage"}],
        )

        assert len(written) == count
        assert tuple(written.metainfo["classes"]) == drawn.metainfo["classes"]
        for first, second in zip(drawn, written):
            assert f"{first['image_id']}.png" == second["image_id"]
            assert first["gt_label"] == second["gt_label"]
            assert first["image_size"] == second["image_size"]
            assert np.array_equal(first["ori_gt_bboxes"], second["ori_gt_bboxes"])
            assert np.array_equal(first["img"], second["img"])

    def test_masks_hold_what_the_memory_holds(self, root):
        drawn = Toy("test", num_images=10, num_classes=4, image_size=48, test_mode=True)
        written = WSOLDataset(
            root,
            "metadata_masks/test",
            num_classes=4,
            test_mode=True,
            pipeline=[{"type": "mmdgdm.LoadWSOLMask"}],
        )

        for first, second in zip(drawn, written):
            assert np.array_equal(first["ori_gt_mask"], second["ori_gt_mask"])

    def test_texts_end_without_a_newline(self, root):
        text = (root / "metadata/test/class_labels.txt").read_text()

        assert text.startswith("toy/test/000000.png,0\ntoy/test/000001.png,1\n")
        assert not text.endswith("\n")

    def test_unknown_split(self, tmp_path):
        with pytest.raises(ConfigError, match="'fullsup'"):
            write_toy(tmp_path, {"fullsup": 3})
