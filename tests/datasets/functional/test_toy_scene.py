from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mmdgdm.datasets.functional.toy_paint import BODIES, HEADS, HUES, body_style
from mmdgdm.datasets.functional.toy_scene import (
    NEUTRAL,
    Scene,
    ToySpec,
    class_names,
    draw_scene,
    mask_box,
)
from mmdgdm.errors import ConfigError

SPEC = ToySpec()
NUM_SCENES = 2000
# Undisturbed colours, large enough to see the bands across the heads.
CLEAN = ToySpec(image_size=128, noise=0, brightness=(1, 1), supersampling=2)


def draw(index: int, spec: ToySpec = SPEC) -> Scene:
    rng = np.random.default_rng((7, index))
    return draw_scene(rng, index % spec.num_classes, spec=spec)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw(index) for index in range(NUM_SCENES)]


@pytest.fixture(scope="module")
def clean_scenes() -> list[Scene]:
    return [draw(index, CLEAN) for index in range(160)]


def to_hsv(image: np.ndarray) -> tuple[np.ndarray, ...]:
    """Hue in degrees, saturation and value in [0, 1]."""
    return cv2.split(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_BGR2HSV))


def shows_hue(image: np.ndarray, hue: float) -> np.ndarray:
    found, saturation, _ = to_hsv(image)
    distance = np.abs((found - hue + 180) % 360 - 180)
    return (distance < 12) & (saturation > 0.75)


@pytest.mark.parametrize(
    ("rows", "columns", "box"),
    [
        ((2, 4), (1, 3), (1, 2, 3, 4)),  # one past the last pixel
        ((0, 6), (0, 8), (0, 0, 7, 5)),  # clipped at the border
        ((5, 6), (7, 8), (7, 5, 7, 5)),
    ],
)
def test_mask_box_is_in_the_benchmark_form(rows, columns, box):
    mask = np.zeros((6, 8), np.uint8)
    mask[slice(*rows), slice(*columns)] = 1

    assert mask_box(mask) == box


def test_arrays(scenes):
    for scene in scenes[:50]:
        assert (scene.image.shape, scene.image.dtype) == ((64, 64, 3), np.uint8)
        for mask in (scene.mask, scene.part_mask):
            assert (mask.shape, mask.dtype) == ((64, 64), np.uint8)
            assert np.unique(mask).tolist() == [0, 1]


def test_boxes_are_tight(scenes):
    for scene in scenes:
        rows, columns = np.nonzero(scene.mask)
        assert scene.box == (
            columns.min(),
            rows.min(),
            min(columns.max() + 1, 63),
            min(rows.max() + 1, 63),
        )


def test_boxes_cover_a_tenth_to_three_fifths_of_the_image(scenes):
    boxes = np.array([scene.box for scene in scenes])
    exclusive = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) / 64**2
    inclusive = (boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1) / 64**2

    assert exclusive.min() >= 0.1
    assert inclusive.max() <= 0.6
    # The whole range is used.
    assert exclusive.min() < 0.12
    assert inclusive.max() > 0.55
    assert 0.2 < exclusive.mean() < 0.4


def test_objects_lie_anywhere(scenes):
    boxes = np.array([scene.box for scene in scenes])

    assert boxes[:, :2].min() == 0
    assert boxes[:, 2:].max() == 63
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert centres.std(axis=0).min() > 6


def test_heads_are_a_small_part_at_one_end(scenes):
    for scene in scenes:
        assert not (scene.part_mask & ~scene.mask & 1).any()
        assert 0.05 <= scene.part_mask.sum() / scene.mask.sum() <= 0.15

    offsets = []
    for scene in scenes:
        centres = [
            np.mean(np.nonzero(mask), axis=1) for mask in (scene.part_mask, scene.mask)
        ]
        diagonal = np.hypot(*np.subtract(scene.box[2:], scene.box[:2]))
        offsets.append(np.linalg.norm(centres[0] - centres[1]) / diagonal)
    assert min(offsets) > 0.2


def test_share_of_images_whose_body_shows_the_class(scenes):
    bodies = np.array([scene.body_label for scene in scenes])
    right = bodies == np.arange(NUM_SCENES) % 8

    # Four standard deviations of 2000 draws.
    assert right.mean() == pytest.approx(0.75, abs=0.04)
    assert set(bodies[~right]) == {NEUTRAL}


def test_share_of_images_whose_background_shows_the_class(scenes):
    grounds = np.array([scene.background_label for scene in scenes])
    right = grounds == np.arange(NUM_SCENES) % 8

    assert right.mean() == pytest.approx(0.3 + 0.7 / 8, abs=0.045)
    assert np.bincount(grounds[~right], minlength=8).min() > 100


@pytest.mark.parametrize(
    ("dials", "expected"),
    [
        ({"body_cue": 1.0}, {3}),
        ({"body_cue": 0.0, "neutral_share": 1.0}, {NEUTRAL}),
        ({"body_cue": 0.0, "neutral_share": 0.0}, {0, 1, 2}),
    ],
)
def test_body_dials(dials, expected):
    spec = ToySpec(num_classes=4, image_size=32, supersampling=1, **dials)
    bodies = {
        draw_scene(np.random.default_rng(i), 3, spec=spec).body_label for i in range(60)
    }

    assert bodies == expected


def test_background_dial():
    spec = ToySpec(background_cue=1.0, image_size=32, supersampling=1)

    assert {draw(8 * i + 5, spec).background_label for i in range(20)} == {5}


def test_every_head_shows_its_hue_and_nothing_else_does(clean_scenes):
    for index, scene in enumerate(clean_scenes):
        colours = shows_hue(scene.image, HEADS[index % 8].hue)
        head = scene.part_mask > 0
        near_head = cv2.dilate(scene.part_mask, np.ones((5, 5), np.uint8)) > 0

        assert colours[head].mean() > 0.35
        assert not colours[~near_head].any()


def test_saturated_colours_belong_to_heads_only(clean_scenes):
    for scene in clean_scenes:
        _, saturation, _ = to_hsv(scene.image)
        near_head = cv2.dilate(scene.part_mask, np.ones((5, 5), np.uint8)) > 0

        assert saturation[~near_head].max() < 0.75


def test_bands_tell_heads_of_one_hue_apart(clean_scenes):
    def pale_share(scene: Scene) -> float:
        _, saturation, value = to_hsv(scene.image)
        inside = cv2.erode(scene.part_mask, np.ones((3, 3), np.uint8)) > 0
        return float(((saturation < 0.3) & (value > 0.6))[inside].mean())

    shares = np.array([pale_share(scene) for scene in clean_scenes])
    banded = np.arange(len(shares)) % 8 >= HUES

    # Eyes are pale in both.
    assert shares[banded].min() > 0.15
    assert shares[~banded].max() < 0.2
    assert shares[banded].mean() > 3 * shares[~banded].mean()


def test_same_state_gives_the_same_scene():
    first, second, other = draw(3), draw(3), draw(3 + 8)

    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.mask, second.mask)
    assert first.box == second.box
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("size", [32, 50, 224])
def test_other_image_sizes(size):
    scene = draw(5, ToySpec(image_size=size))

    assert scene.image.shape == (size, size, 3)
    assert scene.mask.shape == (size, size)
    assert max(scene.box) <= size - 1


def test_sixteen_classes_can_be_told_apart():
    names = class_names(16)
    looks = {
        (HEADS[label % 8].hue, label // HUES, body_style(label)) for label in range(16)
    }

    assert len(set(names)) == 16
    assert names[:2] == ("red_head", "green_head")
    assert len(looks) == 16
    assert draw(15, ToySpec(num_classes=16, body_cue=1.0)).body_label == 15


def test_bodies_of_the_first_eight_classes_are_those_of_the_table():
    assert tuple(body_style(label) for label in range(8)) == BODIES


def test_edges_are_smooth():
    # A clean disc drawn in one colour would have two levels only.
    spec = replace(CLEAN, clutter=(0, 0))
    smooth, hard = draw(0, spec), draw(0, replace(spec, supersampling=1))

    assert len(np.unique(smooth.image)) > len(np.unique(hard.image))


@pytest.mark.parametrize("label", [-1, 8])
def test_label_out_of_range(label):
    with pytest.raises(ConfigError, match=rf"`label` to be within \[0, 7\].* {label}"):
        draw_scene(np.random.default_rng(0), label, spec=SPEC)


def test_ranges_that_cannot_be_met():
    spec = ToySpec(area_range=(0.3, 0.3))

    with pytest.raises(ConfigError, match="`area_range` and `part_range`"):
        draw(0, spec)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_classes", 1),
        ("num_classes", 17),
        ("num_classes", 8.0),
        ("image_size", 16),
        ("body_cue", 1.1),
        ("body_cue", "0.5"),
        ("background_cue", -0.1),
        ("neutral_share", float("nan")),
        ("area_range", (0.6, 0.1)),
        ("area_range", (0.0, 0.5)),
        ("area_range", 0.3),
        ("part_range", (0.05, 0.1, 0.15)),
        ("brightness", (0.1, 1.0)),
        ("noise", -1.0),
        ("clutter", (3, 2)),
        ("supersampling", 0),
    ],
)
def test_dials_out_of_range(name, value):
    with pytest.raises(ConfigError, match=f"Expected `{name}` to be .*but got"):
        ToySpec(**{name: value})


def test_lists_of_configs_are_accepted():
    assert ToySpec(area_range=[0.2, 0.4]).area_range == (0.2, 0.4)
