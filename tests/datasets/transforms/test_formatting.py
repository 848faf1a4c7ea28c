from __future__ import annotations

import numpy as np
import pytest
import torch
from mmcv.transforms import CenterCrop, LoadImageFromFile, Pad, RandomFlip, Resize
from mmengine.registry import TRANSFORMS, DefaultScope
from mmpretrain.datasets.transforms import RandomResizedCrop, ResizeEdge

from mmdgdm.datasets import LoadWSOLImage, PackWSOLInputs
from mmdgdm.datasets.transforms import check_pipeline
from mmdgdm.errors import ConfigError, DataError

BOXES = np.array([[1, 2, 11, 8], [0, 0, 59, 39]], np.float32)


def make_results(**kwargs) -> dict:
    """A loaded image of 60 x 40 pixels, as it reaches the transforms."""
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return {
        "img": image,
        "img_shape": (40, 60),
        "ori_shape": (40, 60),
        "image_id": "a/1.png",
        "img_path": "/data/a/1.png",
        "gt_label": 3,
        **kwargs,
    }


def test_is_registered():
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        assert type(TRANSFORMS.build({"type": "mmdgdm.PackWSOLInputs"})) is (
            PackWSOLInputs
        )


def test_packs_what_an_unlabelled_image_has():
    results = make_results()
    del results["gt_label"], results["image_id"]
    packed = PackWSOLInputs()(results)

    assert packed["inputs"].shape == (3, 40, 60)
    assert packed["data_samples"].img_path == "/data/a/1.png"
    assert "gt_label" not in packed["data_samples"]
    assert "gt_bboxes" not in packed["data_samples"]


def test_fields_and_metainfo():
    mask = np.zeros((40, 60), np.uint8)
    mask[3, 4] = 255
    results = make_results(
        ori_gt_bboxes=BOXES, ori_gt_mask=mask, image_size=(60, 40), extra=1
    )
    sample = PackWSOLInputs(algorithm_keys=("extra",))(results)["data_samples"]

    assert sample.gt_label.tolist() == [3]
    assert sample.gt_bboxes.dtype == torch.float32
    assert sample.gt_bboxes.tolist() == BOXES.tolist()
    assert (sample.gt_mask.dtype, sample.gt_mask.shape) == (torch.uint8, (40, 60))
    assert sample.gt_mask[3, 4] == 255
    assert sample.extra == 1
    assert sample.image_id == "a/1.png"
    assert sample.ori_shape == sample.img_shape == (40, 60)


@pytest.mark.parametrize(
    "resize",
    [
        Resize((224, 224), keep_ratio=False),
        Resize((224, 224), keep_ratio=True),
        Resize(scale_factor=0.3),
        ResizeEdge(scale=33),
    ],
)
def test_boxes_survive_a_resize(resize):
    results = resize(make_results(ori_gt_bboxes=BOXES, image_size=(60, 40)))
    packed = PackWSOLInputs()(results)

    assert packed["data_samples"].gt_bboxes.tolist() == BOXES.tolist()
    assert packed["data_samples"].ori_shape == (40, 60)
    assert packed["data_samples"].img_shape == tuple(packed["inputs"].shape[1:])


def test_result_shares_no_memory_with_the_data_info():
    boxes, mask = BOXES.copy(), np.zeros((40, 60), np.uint8)
    sample = PackWSOLInputs()(make_results(ori_gt_bboxes=boxes, ori_gt_mask=mask))
    sample["data_samples"].gt_bboxes.zero_()
    sample["data_samples"].gt_mask.fill_(1)

    assert np.array_equal(boxes, BOXES)
    assert not mask.any()


MOVES = {
    "flip": [RandomFlip(prob=1.0)],
    "crop": [CenterCrop(32)],
    "resize and crop": [ResizeEdge(48), CenterCrop(48)],
    "crop and resize": [CenterCrop(30), Resize((60, 40))],
    "random crop": [RandomResizedCrop(32)],
    "pad": [Pad(size=(64, 64))],
    "resize and pad": [Resize((30, 20)), Pad(size=(64, 64))],
    "two resizes": [Resize((30, 20)), Resize((90, 60))],
}


@pytest.mark.parametrize("transforms", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize("key", ["ori_gt_bboxes", "ori_gt_mask"])
def test_moved_pixels_are_refused_where_there_is_ground_truth(transforms, key):
    truth = BOXES if key == "ori_gt_bboxes" else np.zeros((40, 60), np.uint8)
    results = make_results(**{key: truth})
    for transform in transforms:
        results = transform(results)

    with pytest.raises(ConfigError, match=r"'a/1\.png'.*keep the whole image upright"):
        PackWSOLInputs()(results)


@pytest.mark.parametrize("transforms", MOVES.values(), ids=MOVES)
def test_moved_pixels_are_fine_without_ground_truth(transforms):
    results = make_results()
    for transform in transforms:
        results = transform(results)
    packed = PackWSOLInputs()(results)

    assert packed["data_samples"].img_shape == tuple(packed["inputs"].shape[1:])


def test_flip_that_did_not_happen_is_fine():
    results = RandomFlip(prob=0.0)(make_results(ori_gt_bboxes=BOXES))

    assert PackWSOLInputs()(results)["data_samples"].gt_bboxes.shape == (2, 4)


def test_image_of_another_size_than_annotated():
    results = make_results(ori_gt_bboxes=BOXES, image_size=(40, 60))

    with pytest.raises(DataError, match=r"'a/1\.png' to be 40 x 60 .*got 60 x 40"):
        PackWSOLInputs()(results)


@pytest.mark.parametrize(
    "boxes",
    [np.zeros(4), np.zeros((2, 5)), np.array([[0, 0, np.nan, 1]])],
    ids=["1-D", "five columns", "nan"],
)
def test_malformed_boxes(boxes):
    with pytest.raises(DataError, match=r"`ori_gt_bboxes` of image 'a/1\.png'"):
        PackWSOLInputs()(make_results(ori_gt_bboxes=boxes))


@pytest.mark.parametrize("shape", [(40, 60), (80, 120), (20, 30), (13, 20)])
def test_masks_may_be_stored_at_another_size(shape):
    mask = np.ones(shape, np.uint8)

    sample = PackWSOLInputs()(make_results(ori_gt_mask=mask))["data_samples"]
    assert sample.gt_mask.shape == shape


@pytest.mark.parametrize("shape", [(60, 40), (40, 40), (20, 60)])
def test_mask_of_another_aspect_ratio(shape):
    with pytest.raises(DataError, match="cover the image of 60 x 40 pixels"):
        PackWSOLInputs()(make_results(ori_gt_mask=np.ones(shape, np.uint8)))


@pytest.mark.parametrize(
    "mask", [np.ones((40, 60), np.float32), np.ones((40, 60, 1), np.uint8)]
)
def test_malformed_mask(mask):
    with pytest.raises(DataError, match="uint8 of shape"):
        PackWSOLInputs()(make_results(ori_gt_mask=mask))


def test_missing_image_points_to_the_loading_transform():
    results = make_results()
    del results["img"]

    with pytest.raises(ConfigError, match=r"hold 'img'.*mmdgdm\.LoadWSOLImage"):
        PackWSOLInputs()(results)


@pytest.mark.parametrize("key", ["ori_shape", "img_shape"])
def test_missing_shape(key):
    results = make_results(ori_gt_bboxes=BOXES)
    del results[key]

    with pytest.raises(ConfigError, match=f"hold '{key}'"):
        PackWSOLInputs()(results)


def test_check_pipeline_accepts_resizing_and_colours():
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        transforms = [
            TRANSFORMS.build(config)
            for config in (
                {"type": "Resize", "scale": 8},
                {"type": "ResizeEdge", "scale": 8},
                {"type": "ColorJitter", "brightness": 0.4},
                {"type": "Normalize", "mean": [0, 0, 0], "std": [1, 1, 1]},
                {"type": "mmdgdm.PackWSOLInputs"},
            )
        ]
    check_pipeline(transforms)


@pytest.mark.parametrize("as_view", [False, True])
@pytest.mark.parametrize("color_type", ["color", "grayscale"])
def test_check_pipeline_refuses_a_loader_that_turns(color_type, as_view):
    load = {"type": "LoadImageFromFile", "color_type": color_type}
    if as_view:
        load = {"type": "TestTimeAug", "transforms": [[load]]}
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        transform = TRANSFORMS.build(load)
    message = rf"LoadImageFromFile with color_type='{color_type}' turns .*LoadWSOLImage"
    with pytest.raises(ConfigError, match=message):
        check_pipeline([transform])


@pytest.mark.parametrize("color_type", ["color_ignore_orientation", "unchanged"])
def test_check_pipeline_accepts_a_loader_of_stored_pixels(color_type):
    check_pipeline([LoadImageFromFile(color_type=color_type), LoadWSOLImage()])
