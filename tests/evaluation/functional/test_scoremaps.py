"""From maps to boxes, on maps small enough to be followed by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.scoremaps import (
    contour_boxes,
    make_thresholds,
    normalize_scoremap,
    predict_box,
    quantize_scoremap,
    threshold_levels,
)


def picture(text, value=255):
    """Draw a quantised map: '#' is foreground."""
    rows = text.split()
    return np.array([[value * (c == "#") for c in row] for row in rows], dtype=np.uint8)


def boxes_of(text):
    found = contour_boxes(picture(text), 0)
    return found.boxes.tolist(), found.largest


def winner(text):
    boxes, largest = boxes_of(text)
    return boxes[largest]


# Thresholds


def test_thresholds_are_those_of_arange():
    assert make_thresholds(0.25).tolist() == [0, 0.25, 0.5, 0.75]
    assert len(make_thresholds()) == 1000
    assert len(make_thresholds(0.01)) == 100
    # Multiples of the interval, not rounded decimals.
    assert make_thresholds(0.1)[3] == 3 * 0.1 != 0.3


@pytest.mark.parametrize("interval", [0, 1, -0.1, 2, float("nan")])
def test_malformed_interval(interval):
    with pytest.raises(ConfigError, match="`interval` to be between 0 and 1"):
        make_thresholds(interval)


def test_levels_are_truncated():
    # 0.498 * 255 = 126.99 and 0.499 * 255 = 127.2
    assert threshold_levels([0.0, 0.498, 0.499, 0.999], 255).tolist() == [
        0,
        126,
        127,
        254,
    ]
    assert threshold_levels([0.0, 0.5, 0.999], 3).tolist() == [0, 1, 2]
    assert threshold_levels([0.0, 0.999], 0).tolist() == [0, 0]


@pytest.mark.parametrize("maximum", [0, 1, 2, 3, 100, 127, 128, 254, 255])
def test_levels_stay_below_the_maximum(maximum):
    last = np.nextafter(1.0, 0.0)
    levels = threshold_levels([*make_thresholds(), last], maximum)
    assert levels.min() == 0
    assert levels.max() <= max(maximum - 1, 0)


@pytest.mark.parametrize("threshold", [1.0, -0.001, float("nan")])
def test_thresholds_out_of_range(threshold):
    with pytest.raises(ConfigError, match=r"in \[0, 1\)"):
        threshold_levels([0.5, threshold], 255)


# Normalisation


def test_normalise_without_resizing_by_hand():
    out = normalize_scoremap(np.array([[-1.0, 0.0], [1.0, 3.0]]), size=(2, 2))
    assert out.tolist() == [[0, 0.25], [0.5, 1]]
    assert out.dtype == np.float64


def test_size_is_width_and_height():
    assert normalize_scoremap(np.eye(3), size=(7, 4)).shape == (4, 7)
    assert normalize_scoremap(np.eye(3)).shape == (224, 224)


def test_the_range_is_attained_exactly():
    rng = np.random.default_rng(0)
    for _ in range(50):
        scoremap = rng.normal(size=(9, 9)) * 10.0 ** rng.integers(-5, 6)
        out = normalize_scoremap(scoremap)
        assert (out.min(), out.max()) == (0, 1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_maps_are_widened_before_anything(dtype):
    scoremap = np.random.default_rng(12).normal(size=(7, 7)).astype(dtype)
    expected = normalize_scoremap(scoremap.astype(np.float64))
    assert np.array_equal(normalize_scoremap(scoremap), expected)


def test_float32_arithmetic_would_give_other_maps():
    # Else the test above could not fail.
    scoremap = np.random.default_rng(12).normal(size=(7, 7)).astype(np.float32)
    narrow = cv2.resize(scoremap, (224, 224), interpolation=cv2.INTER_CUBIC)
    narrow -= narrow.min()
    narrow /= narrow.max()
    wide = normalize_scoremap(scoremap)
    assert (quantize_scoremap(narrow) != quantize_scoremap(wide)).any()


@pytest.mark.parametrize("value", [0.0, 1.0, -3.7, 1e-30])
@pytest.mark.parametrize("shape", [(1, 1), (7, 7), (224, 224)])
def test_a_constant_map_becomes_zeros(value, shape):
    scoremap = np.full(shape, value, dtype=np.float32)
    assert not normalize_scoremap(scoremap).any()


def test_normalising_leaves_its_argument_alone():
    for shape in ((5, 5), (224, 224)):
        scoremap = np.random.default_rng(2).random(shape)
        before = scoremap.copy()
        normalize_scoremap(scoremap)
        assert np.array_equal(scoremap, before)


def test_strided_maps():
    whole = np.random.default_rng(3).random((8, 12))
    for view in (whole[::2, ::-3], whole.T, np.asfortranarray(whole)):
        expected = normalize_scoremap(np.array(view, order="C"))
        assert np.array_equal(normalize_scoremap(view), expected)


@pytest.mark.parametrize(
    ("scoremap", "match"),
    [
        (np.ones((2, 2), dtype=np.int64), "floating point.*int64"),
        (np.ones((2, 2), dtype=bool), "floating point.*bool"),
        (np.ones((1, 2, 2)), r"\(1, 2, 2\)"),
        (np.ones(4), r"\(4,\)"),
        (np.ones((0, 4)), r"non-empty.*\(0, 4\)"),
        (np.array([[1.0, np.nan]]), "finite values, but got 1 NaN or infinite"),
        (np.array([[np.inf, -np.inf, 0.0]]), "got 2 NaN or infinite ones of 3"),
        (np.array([["a"]]), "floating point"),
    ],
)
def test_malformed_maps(scoremap, match):
    with pytest.raises(DataError, match=match):
        normalize_scoremap(scoremap)


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_range_beyond_float64():
    with pytest.raises(DataError, match="range of `scoremap` to be finite"):
        normalize_scoremap(np.array([[1.7e308, -1.7e308]]))


def test_quantising_truncates():
    values = [[0.0, 1 / 255, 0.00392, 0.5, 254.999 / 255, 1.0]]
    assert quantize_scoremap(values).tolist() == [[0, 1, 0, 127, 254, 255]]
    assert quantize_scoremap(values).dtype == np.uint8


@pytest.mark.parametrize(
    "values", [[[1.0001]], [[-0.0001]], [[np.nan, 0.5]], [[0.5, np.inf]]]
)
def test_quantising_needs_the_unit_range(values):
    with pytest.raises(DataError, match=r"in \[0, 1\]"):
        quantize_scoremap(values)


@pytest.mark.parametrize("shape", [(4,), (0, 3), (1, 2, 2)])
def test_quantising_needs_a_map(shape):
    with pytest.raises(DataError, match="map"):
        quantize_scoremap(np.zeros(shape))


# Contours and boxes


def test_a_box_reaches_one_pixel_further():
    assert boxes_of("...... .##... .##... .##... ......") == ([[1, 1, 3, 4]], 0)


def test_the_frame_stops_the_box():
    assert boxes_of("..... ...## ...##") == ([[3, 1, 4, 2]], 0)


@pytest.mark.parametrize(
    ("x", "y", "box"),
    [(0, 0, [0, 0, 1, 1]), (2, 1, [2, 1, 3, 2]), (4, 3, [4, 3, 4, 3])],
)
def test_single_pixels(x, y, box):
    quantized = np.zeros((4, 5), dtype=np.uint8)
    quantized[y, x] = 1
    assert contour_boxes(quantized, 0).boxes.tolist() == [box]


def test_no_foreground_gives_the_zero_box():
    found = contour_boxes(np.zeros((5, 6), dtype=np.uint8), 0)
    assert found.boxes.tolist() == [[0, 0, 0, 0]]
    assert found.largest == 0


def test_all_foreground_gives_the_whole_image():
    found = contour_boxes(np.full((5, 6), 255, dtype=np.uint8), 254)
    assert found.boxes.tolist() == [[0, 0, 5, 4]]
    assert contour_boxes(np.full((5, 6), 255, dtype=np.uint8), 255).boxes.any() == 0


def test_the_level_itself_is_background():
    quantized = np.array([[0, 10, 10, 20, 0, 0]], dtype=np.uint8)
    assert contour_boxes(quantized, 9).boxes.tolist() == [[1, 0, 4, 0]]
    assert contour_boxes(quantized, 10).boxes.tolist() == [[3, 0, 4, 0]]
    assert contour_boxes(quantized, 20).boxes.tolist() == [[0, 0, 0, 0]]


def test_diagonal_neighbours_are_one_region():
    assert boxes_of("#... .#.. ..#. ....") == ([[0, 0, 3, 3]], 0)


def test_of_equal_areas_the_lower_wins():
    # OpenCV lists outer contours from the bottom up.
    assert winner("##... ##... ..... ...## ...##") == [3, 3, 4, 4]
    assert winner("...## ...## ..... ##... ##...") == [0, 3, 2, 4]


def test_of_equal_areas_in_one_row_the_right_one_wins():
    assert winner("##.##.. ##.##.. .......") == [3, 0, 5, 2]


def test_a_line_has_no_area():
    # Ten pixels in a line lose to four in a square.
    text = "............ .##......... .##......... ............ ##########.."
    assert winner(text) == [1, 1, 3, 3]


def test_lines_and_pixels_tie_at_area_zero():
    assert winner("########. ......... #........") == [0, 2, 1, 2]
    assert winner("#........ ......... ########.") == [0, 2, 8, 2]


def test_the_area_is_that_of_the_polygon_not_of_the_pixels_or_the_box():
    # Both have 20 pixels. Through the centres of the ring's pixels goes a square
    # of 5 x 5 = 25, through those of the solid block a rectangle of 3 x 4 = 12.
    ring = "......... .######.. .#....#.. .#....#.. .#....#.. .#....#.. .######.. "
    solid = "......... .####.... .####.... .####.... .####.... .####.... "
    assert winner(ring + solid) == [1, 1, 7, 7]
    assert winner(solid + ring) == [1, 7, 7, 12]


def test_a_tail_adds_nothing_to_a_diamond():
    # Both diamonds have the area 2, so the lower one wins, tail or no tail.
    plain, tailed = "..#..... .###.... ..#.....", "..#..... .######. ..#....."
    gap = " ........ "
    assert winner(tailed + gap + plain) == [1, 4, 4, 6]
    assert winner(plain + gap + tailed) == [1, 4, 7, 6]


def test_a_hollow_diamond_ties_with_its_own_hole():
    # Outer and inner contour run through the same four pixels, and the outer one
    # alone takes the tail along. It is listed first and wins.
    boxes, largest = boxes_of("..#..... .#.####. ..#..... ........")
    assert sorted(boxes) == [[1, 0, 4, 3], [1, 0, 7, 3]]
    assert boxes[largest] == [1, 0, 7, 3]


def test_a_hole_has_a_box_one_pixel_larger():
    boxes, largest = boxes_of(
        "........ .######. .######. .##..##. .##..##. .######. .######. ........"
    )
    assert sorted(boxes) == [[1, 1, 7, 7], [2, 2, 6, 6]]
    assert boxes[largest] == [1, 1, 7, 7]


def test_the_hole_of_a_thin_ring_has_the_ring_s_box():
    boxes, _ = boxes_of("...... .####. .#..#. .#..#. .####. ......")
    assert boxes == [[1, 1, 5, 5], [1, 1, 5, 5]]


def test_rings_within_rings():
    boxes, largest = boxes_of(
        "......... .#######. .#.....#. .#.###.#. .#.#.#.#. .#.###.#. .#.....#. "
        ".#######. ........."
    )
    assert sorted(boxes) == [[1, 1, 8, 8]] * 2 + [[3, 3, 6, 6]] * 2
    assert boxes[largest] == [1, 1, 8, 8]


def test_a_notch_at_the_frame_is_no_hole():
    assert boxes_of("##.## ##.## #####") == ([[0, 0, 4, 2]], 0)


def test_a_hole_beside_the_frame_is_one():
    boxes, largest = boxes_of("##### ##.## #####")
    assert sorted(boxes) == [[0, 0, 4, 2], [1, 0, 4, 2]]
    assert boxes[largest] == [0, 0, 4, 2]


def test_background_leaks_only_through_sides():
    # The hole touches the outside at a corner only, so it stays a hole.
    boxes, _ = boxes_of("...... .###.. .#.#.. .##... ......")
    assert sorted(boxes) == [[1, 1, 4, 4], [1, 1, 4, 4]]


def test_a_checkerboard_is_one_region_with_holes():
    board = np.indices((8, 8)).sum(axis=0) % 2 == 0
    found = contour_boxes(board.astype(np.uint8), 0)
    # Of the 32 white fields, 14 lie on the frame.
    assert len(found.boxes) == 1 + 18
    assert found.boxes[found.largest].tolist() == [0, 0, 7, 7]


def test_boxes_do_not_depend_on_the_memory_layout():
    quantized = np.random.default_rng(0).integers(0, 256, (30, 40)).astype(np.uint8)
    expected = contour_boxes(quantized, 120)
    for other in (np.asfortranarray(quantized), np.tile(quantized, (1, 2))[:, :40]):
        found = contour_boxes(other, 120)
        assert np.array_equal(found.boxes, expected.boxes)
        assert found.largest == expected.largest


@pytest.mark.parametrize(
    "quantized",
    [
        np.zeros((3, 3)),
        np.zeros((3, 3), dtype=bool),
        np.zeros(3, dtype=np.uint8),
        np.zeros((0, 3), dtype=np.uint8),
        [[0, 1]],
    ],
)
def test_contours_need_a_quantised_map(quantized):
    with pytest.raises(DataError, match="non-empty uint8 map"):
        contour_boxes(quantized, 0)


# Prediction


def test_predict_box_takes_the_largest_contour():
    scoremap = np.zeros((10, 12), dtype=np.float32)
    scoremap[1:3, 1:3] = 9.0
    scoremap[5:9, 4:10] = 5.0
    box = predict_box(scoremap, 0.3, size=(12, 10))
    assert box.tolist() == [4, 5, 10, 9]
    assert predict_box(scoremap, 0.6, size=(12, 10)).tolist() == [1, 1, 3, 3]


def test_predict_box_matches_the_reference(reference):
    rng = np.random.default_rng(5)
    for threshold in (0.0, 0.14, 0.5, 0.999):
        scoremap = rng.normal(size=(7, 7)).astype(np.float32)
        quantised = reference.quantise(reference.normalise(scoremap))
        expected = reference.find_boxes(quantised, threshold, multi=False)
        assert [tuple(predict_box(scoremap, threshold))] == expected


def test_predict_box_of_a_constant_map():
    assert predict_box(np.ones((7, 7)), 0.2).tolist() == [0, 0, 0, 0]


def test_predict_box_checks_the_threshold():
    with pytest.raises(ConfigError, match=r"\[0, 1\)"):
        predict_box(np.eye(3), 1.0)
