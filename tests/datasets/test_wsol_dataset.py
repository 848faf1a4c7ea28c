from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, DefaultScope
from torch.utils.data import DataLoader

from mmdgdm.datasets import WSOLDataset
from mmdgdm.errors import ConfigError, DataError

IDS = ("a/1.png", "a/2.png", "b/3.png")
TEXTS = {
    "image_ids.txt": "a/1.png\na/2.png\nb/3.png",
    "class_labels.txt": "a/1.png,0\na/2.png,0\nb/3.png,1",
    "image_sizes.txt": "a/1.png,20,10\na/2.png,20,10\nb/3.png,20,10",
    "localization.txt": "a/1.png,2,1,19,9\na/2.png,0,0,5,5\nb/3.png,1,1,4,4\n"
    "b/3.png,6,2,9,8",
}
MASKS = (
    "a/1.png,m/1.png,m/i.png\na/2.png,m/2.png,\nb/3.png,m/3a.png,\nb/3.png,m/3b.png,"
)
PIPELINE = [
    {"type": "mmdgdm.LoadWSOLImage"},
    {"type": "Resize", "scale": (8, 8)},
    {"type": "mmdgdm.PackWSOLInputs"},
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set of three 20 x 10 images, the n-th one of grey level 10 n."""
    write_metadata(tmp_path, TEXTS)
    for level, image_id in enumerate(IDS, start=1):
        (tmp_path / "images" / image_id).parent.mkdir(parents=True, exist_ok=True)
        image = np.full((10, 20, 3), 10 * level, np.uint8)
        cv2.imwrite(str(tmp_path / "images" / image_id), image)
    return tmp_path


def write_metadata(root: Path, texts: dict[str, str], split: str = "test") -> None:
    folder = root / "metadata" / split
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text)


def build(root: Path, **kwargs) -> WSOLDataset:
    arguments = {
        "data_root": str(root),
        "ann_file": "metadata/test",
        "data_prefix": "images",
        "classes": ("first", "second"),
        "test_mode": True,
        **kwargs,
    }
    return WSOLDataset(**arguments)


class DropSample:
    def __call__(self, results: dict) -> None:
        return None


def test_data_info_holds_labels_and_boxes(root):
    info = build(root).get_data_info(2)

    assert info["img_path"] == str(root / "images" / "b/3.png")
    assert info["image_id"] == "b/3.png"
    assert info["gt_label"] == 1
    assert info["image_size"] == (20, 10)
    assert info["ori_gt_bboxes"].dtype == np.float32
    assert info["ori_gt_bboxes"].tolist() == [[1, 1, 4, 4], [6, 2, 9, 8]]


def test_class_names_reach_the_metainfo(root):
    dataset = build(root)

    assert dataset.metainfo["classes"] == ("first", "second")
    assert dataset.num_classes == 2
    assert dataset.get_gt_labels().tolist() == [0, 0, 1]
    assert dataset.get_cat_ids(2) == [1]


def test_class_names_are_read_from_a_file(root):
    (root / "names.txt").write_text("n01 European  jay\n\nn02 owl, bird of night\n")
    dataset = build(root, classes=None, class_file="names.txt")
    assert dataset.metainfo["classes"] == ("European  jay", "owl, bird of night")
    assert dataset.num_classes == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n01 jay\nn02\n", r"names\.txt, line 2: Expected '<id> <class name>'"),
        ("", r"names\.txt: names no class"),
        (None, r"names\.txt: there is no such file"),
    ],
)
def test_a_malformed_file_of_class_names_is_named(root, text, message):
    if text is not None:
        (root / "names.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        build(root, classes=None, class_file="names.txt")


def test_the_file_of_class_names_must_fit_the_number_of_classes(root):
    (root / "names.txt").write_text("n01 jay\nn02 owl\n")
    with pytest.raises(ConfigError, match="`num_classes` to be 2"):
        build(root, classes=None, class_file="names.txt", num_classes=3)


@pytest.mark.parametrize(
    ("test_mode", "with_boxes", "expected"),
    [
        (True, None, True),
        (False, None, False),
        (False, True, True),
        (True, False, False),
    ],
)
def test_boxes_are_loaded_for_testing_unless_told_otherwise(
    root, test_mode, with_boxes, expected
):
    dataset = build(root, test_mode=test_mode, with_boxes=with_boxes)

    assert dataset.with_boxes is expected
    assert ("ori_gt_bboxes" in dataset.get_data_info(0)) is expected
    assert ("image_size" in dataset.get_data_info(0)) is expected


def test_training_needs_no_box_files(root):
    for name in ("image_sizes.txt", "localization.txt"):
        (root / "metadata" / "test" / name).unlink()

    assert len(build(root, test_mode=False)) == 3


def test_sample_after_the_pipeline(root):
    sample = build(root, pipeline=PIPELINE)[1]
    data_sample = sample["data_samples"]

    assert sample["inputs"].shape == (3, 8, 8)
    assert sample["inputs"].unique().tolist() == [20]
    assert data_sample.gt_label.tolist() == [0]
    assert data_sample.gt_bboxes.tolist() == [[0, 0, 5, 5]]
    assert data_sample.image_id == "a/2.png"
    assert data_sample.img_path == str(root / "images" / "a/2.png")
    assert (data_sample.ori_shape, data_sample.img_shape) == ((10, 20), (8, 8))


@pytest.mark.parametrize("scope", ["mmpretrain", "mmdet", None])
def test_is_built_from_a_config_in_any_scope(root, scope):
    config = {
        "type": "mmdgdm.WSOLDataset",
        "data_root": str(root),
        "ann_file": "metadata/test",
        "data_prefix": "images",
        "num_classes": 2,
        "test_mode": True,
        "pipeline": [
            {"type": "mmdgdm.LoadWSOLImage"},
            {"type": "mmpretrain.Resize", "scale": (8, 8)},
            {"type": "mmdgdm.PackWSOLInputs"},
        ],
    }
    with DefaultScope.overwrite_default_scope(scope):
        dataset = DATASETS.build(config)

    assert dataset[0]["data_samples"].gt_bboxes.tolist() == [[2, 1, 19, 9]]


@pytest.mark.parametrize("serialize_data", [True, False])
def test_indices_choose_images(root, serialize_data):
    dataset = build(root, indices=[2, 0], serialize_data=serialize_data)

    assert [dataset.get_data_info(i)["image_id"] for i in range(2)] == [
        "b/3.png",
        "a/1.png",
    ]
    assert len(dataset.get_subset([1])) == 1


def test_shared_buffer_is_that_of_mmengine(root):
    dataset = build(root)
    plain = build(root, serialize_data=False)
    data_bytes, data_address = BaseDataset._serialize_data(plain)

    assert dataset.data_list == []
    assert np.array_equal(dataset.data_bytes, data_bytes)
    assert np.array_equal(dataset.data_address, data_address)
    assert dataset.data_bytes.dtype == data_bytes.dtype
    assert dataset.data_address.dtype == data_address.dtype


def test_lazy_init_postpones_reading(root, tmp_path):
    dataset = build(root, ann_file="metadata/missing", lazy_init=True)

    assert dataset.metainfo["classes"] == ("first", "second")
    with pytest.raises(DataError, match=r"metadata/missing/image_ids\.txt"):
        dataset.full_init()


def test_workers_deliver_the_same_samples(root):
    dataset = build(root, pipeline=PIPELINE)
    loader = DataLoader(dataset, batch_size=None, num_workers=1)

    for fetched, direct in zip(loader, dataset):
        assert torch.equal(fetched["inputs"], direct["inputs"])
        assert fetched["data_samples"].image_id == direct["data_samples"].image_id


def test_dataset_can_be_pickled(root):
    copy = pickle.loads(pickle.dumps(build(root, pipeline=PIPELINE)))

    assert copy[0]["data_samples"].image_id == "a/1.png"


def test_repr_tells_what_is_loaded(root):
    text = repr(build(root))

    assert "Number of samples: \t3" in text
    assert "Number of categories: \t2" in text
    assert "With boxes or masks: \tTrue" in text


def test_absolute_annotation_folder(root, tmp_path):
    assert len(build(root, ann_file=str(root / "metadata" / "test"))) == 3


@pytest.mark.parametrize("test_mode", [True, False])
def test_lost_sample_is_an_error_not_another_sample(root, test_mode):
    dataset = build(root, test_mode=test_mode, pipeline=[DropSample()])

    with pytest.raises(DataError, match=r"image 'a/2\.png', but got None"):
        dataset[1]


@pytest.mark.parametrize("test_mode", [True, False])
def test_broken_image_is_an_error_that_names_it(root, test_mode):
    (root / "images" / "a/2.png").write_bytes(b"")
    dataset = build(root, test_mode=test_mode, pipeline=PIPELINE)

    with pytest.raises(DataError, match=r"a/2\.png .*empty file"):
        dataset[1]


def test_image_of_another_size_than_annotated(root):
    path = root / "images" / "a/1.png"
    cv2.imwrite(str(path), np.zeros((20, 10, 3), np.uint8))

    with pytest.raises(
        DataError, match=r"image 'a/1\.png' to be 20 x 10 .* got 10 x 20"
    ):
        build(root, pipeline=PIPELINE)[0]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("image_ids.txt", "a/1.png\na/1.png\nb/3.png", r"image_ids\.txt, line 2"),
        (
            "class_labels.txt",
            "a/1.png,0\na/2.png,2\nb/3.png,1",
            r"class_labels\.txt, line 2.*\[0, 1\]",
        ),
        ("class_labels.txt", "a/1.png,0\na/2.png\n", r"class_labels\.txt, line 2"),
        (
            "image_sizes.txt",
            "a/1.png,20,10\na/2.png,20,x\nb/3.png,20,10",
            r"image_sizes\.txt, line 2",
        ),
        (
            "localization.txt",
            "a/1.png,2,1,19,9\na/2.png,0,0,5,5\nb/3.png,1,1,50,4",
            r"localization\.txt, line 3.*20 x 10",
        ),
    ],
)
def test_malformed_metadata_name_file_and_line(root, file, text, message):
    write_metadata(root, {file: text})

    with pytest.raises(DataError, match=message):
        build(root)


def test_class_names_or_their_number_are_required(root):
    with pytest.raises(ConfigError, match="`num_classes`, `classes` or metainfo"):
        build(root, classes=None)


def test_class_count_must_fit_the_names(root):
    with pytest.raises(ConfigError, match=r"`num_classes` to be 2, .* but got 3"):
        build(root, num_classes=3)


@pytest.mark.parametrize(
    ("names", "transform"),
    [
        ("RandomFlip", {"type": "RandomFlip", "prob": 0.5}),
        ("CenterCrop", {"type": "CenterCrop", "crop_size": 8}),
        ("RandomResizedCrop", {"type": "RandomResizedCrop", "scale": 20}),
        ("Rotate", {"type": "Rotate", "angle": 10.0}),
        (
            "RandomFlip",
            {
                "type": "RandomApply",
                "transforms": [{"type": "RandomFlip", "prob": 0.5}],
            },
        ),
        (
            "CenterCrop",
            {
                "type": "RandomChoice",
                "transforms": [[{"type": "CenterCrop", "crop_size": 8}]],
            },
        ),
        ("RandomAffine", {"type": "torchvision/RandomAffine", "degrees": 5}),
    ],
)
def test_pipelines_that_move_pixels_are_refused_with_boxes_only(root, names, transform):
    pipeline = [PIPELINE[0], transform, PIPELINE[2]]
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        with pytest.raises(ConfigError, match=f"hold no {names}.*with_boxes=False"):
            build(root, pipeline=pipeline)
        build(root, pipeline=pipeline, with_boxes=False)


def test_training_pipeline_crops_and_flips(root):
    pipeline = [
        PIPELINE[0],
        {"type": "RandomResizedCrop", "scale": 8},
        {"type": "RandomFlip", "prob": 1.0},
        PIPELINE[2],
    ]
    sample = build(root, test_mode=False, pipeline=pipeline)[0]

    assert sample["inputs"].shape == (3, 8, 8)
    assert sample["data_samples"].img_shape == (8, 8)
    assert "gt_bboxes" not in sample["data_samples"]


class TestMaskForm:
    @pytest.fixture
    def mask_root(self, root: Path) -> Path:
        write_metadata(root, {"localization.txt": MASKS, "image_sizes.txt": ""})
        return root

    @pytest.mark.parametrize(
        ("given", "folder"), [("", "images"), ("somewhere", "somewhere")]
    )
    def test_mask_paths_start_from_the_mask_root(self, mask_root, given, folder):
        dataset = build(mask_root, mask_root=given)
        base = mask_root / folder

        assert dataset.get_data_info(0)["ori_gt_mask_paths"] == [
            (str(base / "m/1.png"), str(base / "m/i.png"))
        ]
        assert dataset.get_data_info(2)["ori_gt_mask_paths"] == [
            (str(base / "m/3a.png"), ""),
            (str(base / "m/3b.png"), ""),
        ]
        assert "ori_gt_bboxes" not in dataset.get_data_info(0)

    def test_masks_reach_the_data_sample(self, mask_root):
        (mask_root / "masks/m").mkdir(parents=True)
        for name, column in (("3a", 0), ("3b", 19)):
            mask = np.zeros((10, 20), np.uint8)
            mask[:, column] = 255
            cv2.imwrite(str(mask_root / f"masks/m/{name}.png"), mask)
        pipeline = [PIPELINE[0], {"type": "mmdgdm.LoadWSOLMask"}, *PIPELINE[1:]]
        dataset = build(mask_root, mask_root="masks", pipeline=pipeline)
        mask = dataset[2]["data_samples"].gt_mask

        assert (mask.dtype, mask.shape) == (torch.uint8, (10, 20))
        assert mask.any(dim=0).nonzero().flatten().tolist() == [0, 19]


class TestRealData:
    @pytest.mark.parametrize("split", ["val", "test"])
    def test_stamps_boxes_lie_in_their_images(self, shared_data, split):
        dataset = WSOLDataset(
            shared_data / "stamps", f"metadata/{split}", num_classes=12, test_mode=True
        )
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]

        assert len(infos) == {"val": 240, "test": 480}[split]
        assert np.bincount([info["gt_label"] for info in infos]).tolist() == (
            [len(infos) // 12] * 12
        )
        for info in infos:
            x0, y0, x1, y1 = info["ori_gt_bboxes"][0]
            width, height = info["image_size"]
            assert 0 <= x0 < x1 <= width - 1
            assert 0 <= y0 < y1 <= height - 1

    def test_stamps_samples(self, shared_data):
        dataset = WSOLDataset(
            shared_data / "stamps",
            "metadata/test",
            num_classes=12,
            test_mode=True,
            pipeline=PIPELINE,
            indices=list(range(0, 480, 60)),
        )
        for sample in dataset:
            assert sample["inputs"].shape == (3, 8, 8)
            assert sample["data_samples"].gt_bboxes.shape == (1, 4)

    def test_stamps_masks_agree_with_the_boxes(self, shared_data):
        indices = list(range(0, 480, 40))
        boxes, masks = (
            WSOLDataset(
                shared_data / "stamps",
                f"{form}/test",
                num_classes=12,
                test_mode=True,
                indices=indices,
                pipeline=[PIPELINE[0], *loading, PIPELINE[2]],
            )
            for form, loading in (
                ("metadata", []),
                ("metadata_masks", [{"type": "mmdgdm.LoadWSOLMask"}]),
            )
        )
        for with_box, with_mask in zip(boxes, masks):
            mask = with_mask["data_samples"].gt_mask.numpy()
            height, width = mask.shape
            rows, columns = np.nonzero(mask)
            tight = [
                columns.min(),
                rows.min(),
                min(columns.max() + 1, width - 1),
                min(rows.max() + 1, height - 1),
            ]
            assert with_box["data_samples"].gt_bboxes.tolist() == [tight]

    def test_benchmark_cub_metadata(self, shared_data):
        dataset = WSOLDataset(
            shared_data / "wsol_benchmark" / "CUB",
            str(shared_data / "wsol_benchmark" / "CUB" / "test"),
            num_classes=200,
            test_mode=True,
        )
        info = dataset.get_data_info(0)

        assert len(dataset) == 5794
        assert info["image_id"].endswith("Black_Footed_Albatross_0046_18.jpg")
        assert info["ori_gt_bboxes"].tolist() == [[60, 27, 385, 331]]
        assert info["image_size"] == (500, 335)
