"""Drawings of the image's own size, with each class in its colour."""

from __future__ import annotations

import numpy as np

from mmdgdm.visualization.overlay import CLASS_COLORS, draw_overlay


def test_boxes_stand_at_their_pixels_and_captions_apart():
    image = np.full((120, 200, 3), 90, np.uint8)
    before = image.copy()
    scoremap = np.zeros((4, 4), np.float32)
    scoremap[1:3, 1:3] = 1
    boxes = [np.array([[20.4, 30.0, 150.0, 99.6]]), np.array([[20.0, 30.0, 190, 110]])]
    drawn = draw_overlay(image, scoremap, boxes=boxes, captions=["a cat", "a dog"])
    assert drawn.shape == image.shape
    assert np.array_equal(image, before)
    assert tuple(drawn[100, 80]) == CLASS_COLORS[0]
    assert tuple(drawn[60, 150]) == CLASS_COLORS[0]
    assert tuple(drawn[60, 190]) == CLASS_COLORS[1]
    # Both captions begin at the same corner, one below the other.
    assert tuple(drawn[32, 22]) == CLASS_COLORS[0]
    rows = [tuple(color) for color in drawn[30:80, 23]]
    assert 10 < rows.count(CLASS_COLORS[0]) < 30
    assert 10 < rows.count(CLASS_COLORS[1]) < 30


def test_long_captions_and_small_images():
    image = np.zeros((9, 5, 3), np.uint8)
    scoremap = np.ones((2, 2), np.float32)
    drawn = draw_overlay(
        image, scoremap, boxes=[np.zeros((1, 4))], captions=["a long name"]
    )
    assert drawn.shape == image.shape
