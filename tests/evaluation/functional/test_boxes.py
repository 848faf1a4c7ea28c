"""Scaling and overlap of boxes, by hand and as properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.boxes import box_iou, fit_box, scale_boxes


@st.composite
def boxes_in_image(draw, size=None):
    width, height = size or (draw(st.integers(1, 900)), draw(st.integers(1, 900)))
    xs = sorted(draw(st.tuples(*[st.integers(0, width - 1)] * 2)))
    ys = sorted(draw(st.tuples(*[st.integers(0, height - 1)] * 2)))
    return (xs[0], ys[0], xs[1], ys[1]), (width, height)


def pixels(box):
    x0, y0, x1, y1 = box
    return {(x, y) for x in range(x0, x1 + 1) for y in range(y0, y1 + 1)}


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 0, 0), (0, 0, 0, 0), 1.0),  # one pixel
        ((0, 0, 0, 0), (1, 0, 1, 0), 0.0),  # neighbours share no pixel
        ((0, 0, 1, 1), (1, 1, 2, 2), 1 / 7),  # one corner pixel
        ((0, 0, 9, 9), (0, 0, 4, 9), 0.5),  # one half: 50 of 100
        ((0, 0, 9, 9), (2, 3, 4, 5), 0.09),  # 9 pixels inside 100
        ((0, 0, 3, 0), (2, 0, 5, 0), 2 / 6),  # lines are one pixel thick
    ],
)
def test_iou_by_hand(a, b, expected):
    assert box_iou([a], [b]).tolist() == [[expected]]


def test_iou_is_a_table():
    iou = box_iou([[0, 0, 1, 1], [0, 0, 3, 3], [8, 8, 9, 9]], [[0, 0, 1, 1]] * 2)
    assert iou.tolist() == [[1, 1], [0.25, 0.25], [0, 0]]
    assert iou.dtype == np.float64


def test_iou_of_no_boxes_keeps_the_shape():
    assert box_iou(np.zeros((0, 4)), [[0, 0, 1, 1]]).shape == (0, 1)
    assert box_iou([[0, 0, 1, 1]], np.zeros((0, 4))).shape == (1, 0)


@given(boxes_in_image(size=(12, 9)), boxes_in_image(size=(12, 9)))
def test_iou_counts_pixels(first, second):
    a, b = pixels(first[0]), pixels(second[0])
    assert box_iou([first[0]], [second[0]])[0, 0] == len(a & b) / len(a | b)


@given(boxes_in_image(size=(300, 300)), boxes_in_image(size=(300, 300)))
def test_iou_is_symmetric_and_one_only_for_equal_boxes(first, second):
    a, b = first[0], second[0]
    iou = box_iou([a], [b])[0, 0]
    assert iou == box_iou([b], [a])[0, 0]
    assert 0 <= iou <= 1
    assert (iou == 1) == (a == b)


@given(boxes_in_image(size=(99, 99)), st.integers(0, 50), st.integers(0, 50))
def test_iou_ignores_a_common_shift(first, dx, dy):
    a, b = np.array([first[0]]), np.array([[10, 20, 40, 30]])
    shift = np.array([dx, dy, dx, dy])
    assert box_iou(a, b) == box_iou(a + shift, b + shift)


def test_iou_does_not_touch_its_arguments():
    a = np.array([[0, 0, 5, 5]], dtype=np.uint8)
    b = np.array([[3, 3, 9, 9]], dtype=np.uint8)
    box_iou(a, b)
    assert a.tolist() == [[0, 0, 5, 5]]
    assert b.tolist() == [[3, 3, 9, 9]]


def test_unsigned_boxes_do_not_wrap():
    a = np.array([[5, 5, 9, 9]], dtype=np.uint8)
    b = np.array([[0, 0, 1, 1]], dtype=np.uint8)
    assert box_iou(a, b).item() == 0


def test_scaling_by_hand():
    # 60 * 224 / 500 = 26.88 and 331 * 224 / 335 = 221.3: truncated, not rounded.
    scaled = scale_boxes([[60, 27, 385, 331]], (500, 335), target_size=(224, 224))
    assert scaled.tolist() == [[26, 18, 172, 221]]
    assert scaled.dtype == np.int64


def test_scaling_multiplies_before_it_divides():
    # 61 * 224 / 112 is 122; 61 / 112 * 224 falls short of it in binary.
    assert 61 / 112 * 224 < 122
    scaled = scale_boxes([[61, 0, 61, 0]], (112, 112), target_size=(224, 224))
    assert scaled.tolist() == [[122, 0, 122, 0]]


def test_scaling_takes_float32_boxes_as_they_are():
    boxes = np.array([[1, 2, 498, 373]], dtype=np.float32)
    wide = scale_boxes(boxes, (500, 375), target_size=(224, 224))
    assert wide.tolist() == [[0, 1, 223, 222]]
    assert boxes.dtype == np.float32


@given(boxes_in_image())
def test_scaling_matches_the_reference(reference, box_and_size):
    box, size = box_and_size
    assert tuple(
        scale_boxes([box], size, target_size=(224, 224))[0]
    ) == reference.scale(box, size)


@given(boxes_in_image())
def test_scaled_boxes_keep_the_convention(box_and_size):
    box, size = box_and_size
    x0, y0, x1, y1 = scale_boxes([box], size, target_size=(224, 224))[0]
    assert 0 <= x0 <= x1 <= 223
    assert 0 <= y0 <= y1 <= 223


@given(boxes_in_image())
def test_scaling_to_the_same_size_changes_nothing(box_and_size):
    box, size = box_and_size
    assert tuple(scale_boxes([box], size, target_size=size)[0]) == box


def test_no_boxes_scale_to_no_boxes():
    assert scale_boxes(np.zeros((0, 4)), (5, 5), target_size=(9, 9)).shape == (0, 4)


@pytest.mark.parametrize(
    ("boxes", "match"),
    [
        ([0, 0, 1, 1], r"shape \(N, 4\), but got shape \(4,\)"),
        ([[0, 0, 1]], r"\(1, 3\)"),
        ([[3, 0, 2, 5]], r"x0 <= x1 and y0 <= y1, but got \[3, 0, 2, 5\]"),
        ([[0.0, 6.0, 2.0, 5.0]], r"\[0.0, 6.0, 2.0, 5.0\]"),
        ([[0, 0, np.nan, 1]], "finite"),
        ([[0, 0, np.inf, 1]], "finite"),
        ([["0", "0", "1", "1"]], "numbers"),
    ],
)
def test_malformed_boxes(boxes, match):
    with pytest.raises(DataError, match=match):
        box_iou(boxes, [[0, 0, 1, 1]])
    with pytest.raises(DataError, match=match):
        scale_boxes(boxes, (10, 10), target_size=(224, 224))


@pytest.mark.parametrize(
    "box", [(-1, 0, 5, 5), (0, -1, 5, 5), (0, 0, 10, 5), (0, 0, 5, 20), (0, 0, 9.5, 5)]
)
def test_boxes_outside_the_image(box):
    with pytest.raises(DataError, match=r"within the image.*\(10, 20\)"):
        scale_boxes([(0, 0, 9, 19), box], (10, 20), target_size=(224, 224))


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (5,), (5, 5, 3)])
def test_malformed_sizes(size):
    with pytest.raises(DataError, match="`image_size`"):
        scale_boxes([[0, 0, 0, 0]], size, target_size=(224, 224))
    with pytest.raises(DataError, match="`target_size`"):
        scale_boxes([[0, 0, 0, 0]], (224, 224), target_size=size)


@pytest.mark.parametrize(
    ("box", "fitted"),
    [
        ((0, 0, 499, 334), (0, 0, 499, 334)),
        ((0, 0, 500, 335), (0, 0, 499, 334)),
        ((0, 0, 499.5, 30), (0, 0, 499, 30)),
        ((3.5, 2, 10.25, 4), (3.5, 2, 10.25, 4)),
        ((499, 334, 499, 334), (499, 334, 499, 334)),
        ((499, 334, 500, 335), (499, 334, 499, 334)),
        # Of 201 columns 101 are seen, if the one after the last is counted.
        ((400, 0, 600, 9), (400, 0, 499, 9)),
    ],
)
def test_boxes_are_clipped_to_their_image(box, fitted):
    assert fit_box(box, (500, 335)) == fitted


@pytest.mark.parametrize(
    "box",
    [
        (400, 0, 602, 9),
        (0, 300, 9, 372),
        (450, 300, 530, 360),
        (500, 0, 500, 9),
        (499.5, 0, 500, 9),
        (0, 335, 9, 336),
    ],
)
def test_boxes_mostly_outside_are_refused(box):
    with pytest.raises(DataError, match=r"500 x 335 pixels by more than half.*499,334"):
        fit_box(box, (500, 335))


@pytest.mark.parametrize("size", [None, (500, 335)])
@pytest.mark.parametrize(
    "box", [(-1, 0, 5, 5), (0, -0.5, 5, 5), (6, 0, 5, 5), (0, 6, 5, 5)]
)
def test_reversed_boxes_are_refused(box, size):
    with pytest.raises(DataError, match="0 <= x0 <= x1 and 0 <= y0 <= y1, but got"):
        fit_box(box, size)


def test_without_a_size_boxes_stay_as_they_are():
    assert fit_box((0, 0, 5000, 1), None) == (0, 0, 5000, 1)
