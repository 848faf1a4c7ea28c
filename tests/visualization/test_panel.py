"""Drawing: what is where, in which colour, and nothing of the input changed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmdgdm.visualization.panel import (
    GT_COLOR,
    PRED_COLOR,
    add_caption,
    contact_sheet,
    draw_boxes,
    enlarge,
    localization_panel,
    overlay_heatmap,
    save_image,
)


def grey(height, width):
    return np.full((height, width, 3), 128, np.uint8)


def test_small_pictures_grow_and_large_ones_stay():
    big, factor = enlarge(grey(50, 100), 200)
    assert big.shape == (200, 400, 3)
    assert factor == 4
    same = grey(300, 250)
    assert enlarge(same, 200)[0] is same


def test_heat_is_red_and_cold_is_blue():
    scoremap = np.zeros((4, 4))
    scoremap[:, 2:] = 1
    out = overlay_heatmap(grey(40, 40), scoremap)
    left, right = out[20, 2].astype(int), out[20, 37].astype(int)
    assert left[2] > left[0]
    assert right[0] > right[2]


def test_boxes_lie_on_their_pixels_and_the_input_is_untouched():
    image = grey(40, 60)
    out = draw_boxes(image, np.array([[10, 5, 30, 25]]), color=PRED_COLOR)
    assert tuple(out[5, 20]) == PRED_COLOR
    assert tuple(out[15, 30]) == PRED_COLOR
    assert (out[15, 20] == 128).all()
    assert (image == 128).all()


def test_panel_shows_both_boxes_twice():
    panel = localization_panel(
        grey(100, 100),
        np.zeros((7, 7)),
        gt_boxes=np.array([[10, 10, 50, 50]]),
        pred_box=np.array([20, 20, 80, 80]),
        min_side=100,
    )
    assert panel.shape == (100, 204, 3)
    for offset in (0, 104):
        assert tuple(panel[30, 10 + offset]) == GT_COLOR
        assert tuple(panel[40, 80 + offset]) == PRED_COLOR


def test_panel_without_ground_truth():
    box = np.array([1, 1, 5, 5])
    panel = localization_panel(
        grey(30, 30),
        np.zeros((2, 2)),
        gt_boxes=[],
        pred_box=box,
        caption="caption",
        min_side=30,
    )
    assert panel.shape == (52, 64, 3)


def test_a_long_caption_is_cut_to_the_width():
    assert add_caption(grey(20, 60), "word " * 50).shape == (42, 60, 3)


def test_sheet_places_every_picture():
    panels = [np.full((20, 40, 3), v, np.uint8) for v in (10, 20, 30)]
    sheet = contact_sheet(panels, columns=2, cell_width=40)
    assert sheet.shape == (56, 96, 3)
    assert [sheet[5, 5, 0], sheet[5, 53, 0], sheet[33, 5, 0]] == [10, 20, 30]


def test_an_empty_sheet_is_refused():
    with pytest.raises(ValueError, match="at least one image"):
        contact_sheet([])


def test_a_file_keeps_order_and_colours(tmp_path):
    blue = np.full((40, 40, 3), (0, 0, 255), np.uint8)
    red = np.full((40, 40, 3), (255, 0, 0), np.uint8)
    path = tmp_path / "new" / "sheet.jpg"
    save_image(contact_sheet([blue, red]), path)
    read = cv2.imread(str(path))
    height, width = read.shape[:2]
    for column, colour in ((width // 4, (255, 0, 0)), (width * 3 // 4, (0, 0, 255))):
        assert np.abs(read[height // 2, column].astype(int) - colour).max() < 20


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OSError, match=r"Cannot write the image .*a\.png"):
        save_image(grey(4, 4), tmp_path / "a.png")
