"""CropWindow, and what the views of a TestTimeAug may do and record."""

from __future__ import annotations

import mmcv.transforms
import numpy as np
import pytest
from mmcv.transforms import CenterCrop, Pad, RandomFlip, Resize
from mmengine.registry import TRANSFORMS, DefaultScope

from mmdgdm.datasets import PackWSOLInputs
from mmdgdm.datasets.transforms import CropWindow, check_pipeline
from mmdgdm.errors import ConfigError

BOXES = np.array([[1, 2, 11, 8]], np.float32)


def make_results(**kwargs) -> dict:
    """An image of 40 x 20 pixels whose grey levels count up."""
    image = np.arange(800, dtype=np.float32).reshape(20, 40, 1).repeat(3, axis=2)
    shape = dict(img_shape=(20, 40), ori_shape=(20, 40))
    return {"img": image, "image_id": "a", "gt_label": 3, **shape, **kwargs}


def test_is_registered():
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        built = TRANSFORMS.build(dict(type="mmdgdm.CropWindow", window=[0, 0, 1, 1]))
    assert repr(built) == "CropWindow(window=(0, 0, 1, 1))"


def test_the_window_is_cut_and_recorded():
    out = CropWindow((0.25, 0.1, 0.75, 0.6))(make_results())
    assert out["img"].shape == (10, 20, 3)
    assert out["img"][0, 0, 0] == 2 * 40 + 10
    assert out["img"].flags["C_CONTIGUOUS"]
    assert out["img_shape"] == (10, 20)
    assert out["view_window"] == (0.25, 0.1, 0.75, 0.6)


def test_the_record_is_of_whole_pixels():
    out = CropWindow((0.26, 0, 1, 0.52))(make_results())
    assert out["view_window"] == (10 / 40, 0, 1, 10 / 20)


def test_a_view_may_be_resized_cropped_resized_and_flipped():
    results = make_results(ori_gt_bboxes=BOXES)
    steps = [Resize((80, 60)), CropWindow((0.5, 0, 1, 0.5)), Resize((32, 32))]
    for step in [*steps, RandomFlip(prob=1.0), PackWSOLInputs(as_view=True)]:
        results = step(results)
    sample = results["data_samples"]
    assert results["inputs"].shape == (3, 32, 32)
    assert sample.view_window == (0.5, 0, 1, 0.5)
    assert (sample.flip, sample.flip_direction) == (True, "horizontal")
    assert sample.gt_bboxes.tolist() == BOXES.tolist()
    assert sample.ori_shape == (20, 40)


def test_a_window_of_a_resized_image_needs_no_second_resize():
    results = CropWindow((0.5, 0, 1, 0.5))(Resize((80, 60))(make_results()))
    packed = PackWSOLInputs(as_view=True)(results)
    assert packed["inputs"].shape == (3, 30, 40)
    assert packed["data_samples"].view_window == (0.5, 0, 1, 0.5)


def test_a_whole_view_has_the_whole_window():
    sample = PackWSOLInputs(as_view=True)(make_results())["data_samples"]
    assert sample.view_window == (0, 0, 1, 1)
    assert "view_window" not in PackWSOLInputs()(make_results())["data_samples"]


def test_own_meta_keys_do_not_lose_the_geometry():
    pack = PackWSOLInputs(meta_keys=("image_id",), as_view=True)
    sample = pack(RandomFlip(prob=1.0)(make_results()))["data_samples"]
    assert sample.view_window == (0, 0, 1, 1)
    assert sample.flip_direction == "horizontal"


@pytest.mark.parametrize(
    "steps",
    [
        [CenterCrop(16)],
        [CropWindow((0, 0, 0.5, 0.5)), CenterCrop(4)],
        [CropWindow((0, 0, 0.5, 0.5)), Pad(size=(40, 40))],
        [CropWindow((0, 0, 0.5, 0.5)), Resize((8, 8)), Resize((32, 32))],
    ],
)
def test_a_view_that_moved_otherwise_is_refused(steps):
    results = make_results()
    for step in steps:
        results = step(results)
    with pytest.raises(ConfigError, match="as a whole"):
        PackWSOLInputs(as_view=True)(results)


def test_a_window_without_as_view_is_refused_where_there_are_boxes():
    results = CropWindow((0, 0, 0.5, 0.5))(make_results(ori_gt_bboxes=BOXES))
    with pytest.raises(ConfigError, match="as_view=True"):
        PackWSOLInputs()(results)


@pytest.mark.parametrize(
    "step", [RandomFlip(prob=1.0), CropWindow((0, 0, 0.5, 1)), CenterCrop(16)]
)
def test_the_window_is_of_the_whole_image_upright(step):
    with pytest.raises(ConfigError, match="whole"):
        CropWindow((0, 0, 1, 0.5))(step(make_results()))


@pytest.mark.parametrize(
    "window", [(0, 0, 1), (0, 0, 1, 1.5), (0.5, 0, 0.5, 1), (-0.1, 0, 1, 1)]
)
def test_a_window_outside_the_image_is_refused(window):
    with pytest.raises(ConfigError, match="`window`"):
        CropWindow(window)


def test_a_window_without_a_pixel_is_refused():
    with pytest.raises(ConfigError, match="to hold a pixel"):
        CropWindow((0, 0, 0.001, 1))(make_results())


def views(*choices):
    steps = [*([step] for step in choices), [PackWSOLInputs(as_view=True)]]
    return [mmcv.transforms.TestTimeAug(steps)]


def test_views_may_flip_and_crop_and_a_plain_pipeline_may_not():
    check_pipeline(views(CropWindow((0, 0, 0.5, 1)), RandomFlip(prob=1.0)))
    with pytest.raises(ConfigError, match="CropWindow"):
        check_pipeline([CropWindow((0, 0, 0.5, 1)), PackWSOLInputs(as_view=True)])


@pytest.mark.parametrize(
    "steps",
    [
        (CenterCrop(8),),
        (Pad(size=(64, 64)),),
        (RandomFlip(prob=1.0), RandomFlip(prob=0.0)),
    ],
)
def test_views_that_leave_no_trace_are_refused(steps):
    with pytest.raises(ConfigError, match="views of TestTimeAug"):
        check_pipeline(views(*steps))
