"""Drawings of the image's own size, with each class in its colour."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgb

from mmdgdm.visualization.colors import TRUE_COLOR
from mmdgdm.visualization.overlay import CLASS_STYLES, draw_overlay


def count(pixels, color):
    wanted = np.array(to_rgb(color)) * 255
    return int((np.abs(pixels.astype(int) - wanted).max(axis=-1) < 30).sum())


def test_boxes_stand_at_their_pixels_and_captions_apart():
    image = np.full((120, 200, 3), 90, np.uint8)
    before = image.copy()
    scoremap = np.zeros((4, 4), np.float32)
    scoremap[1:3, 1:3] = 1
    boxes = [np.array([[20.4, 30.0, 150.0, 99.6]]), np.array([[20.0, 30.0, 190, 110]])]
    drawn = draw_overlay(image, scoremap, boxes=boxes, captions=["a cat", "a dog"])
    assert drawn.shape == image.shape
    assert np.array_equal(image, before)
    first, second = CLASS_STYLES[0][0], CLASS_STYLES[1][0]
    assert count(drawn[97:103, 60:140], first) > 50
    assert count(drawn[108:113, 60:180], second) > 100
    # Both captions begin at the same corner, one below the other; the first stands
    # above its box and hides nothing in it.
    rows = drawn[8:54, 23:25]
    assert count(rows[:20], first) > 30
    assert count(rows[24:], second) > 30
    assert count(drawn[34:80, 30:140], first) == 0


def test_no_class_has_the_colour_of_true_boxes_or_another_s():
    colors = [color for color, _ in CLASS_STYLES]
    assert len({TRUE_COLOR, *colors}) == 1 + len(colors)


def test_a_caption_without_room_above_its_box_stands_in_it():
    image = np.full((120, 200, 3), 90, np.uint8)
    box = np.array([[20.0, 10.0, 150.0, 100.0]])
    drawn = draw_overlay(image, np.ones((2, 2)), boxes=[box], captions=["a cat"])
    assert count(drawn[11:31, 23:25], CLASS_STYLES[0][0]) > 30
    assert count(drawn[:8], CLASS_STYLES[0][0]) == 0


def test_long_captions_and_small_images():
    image = np.zeros((9, 5, 3), np.uint8)
    scoremap = np.ones((2, 2), np.float32)
    drawn = draw_overlay(
        image, scoremap, boxes=[np.zeros((1, 4))], captions=["a long name"]
    )
    assert drawn.shape == image.shape
