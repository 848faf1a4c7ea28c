"""Parsers of the metadata texts: what they accept and how they refuse."""

from __future__ import annotations

import pytest

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.metadata import (
    parse_boxes,
    parse_class_labels,
    parse_image_ids,
    parse_image_sizes,
    parse_mask_paths,
)

SIZES = {"a/1.jpg": (100, 50), "b.jpg": (10, 20)}


def lines(text):
    """Lines of a text without a newline at its end, as files give them."""
    return text.splitlines(keepends=True)


def test_image_ids_keep_their_order():
    assert parse_image_ids(lines("b/2.jpg\na/1.jpg\nc 3.png"), "ids") == [
        "b/2.jpg",
        "a/1.jpg",
        "c 3.png",
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_line_ends_do_not_matter(end):
    assert parse_image_ids([f"a{end}", f"b{end}"], "ids") == ["a", "b"]
    assert parse_class_labels([f"a,3{end}"], "labels") == {"a": 3}
    assert parse_mask_paths([f"a,m.png,{end}"], "loc") == {"a": [("m.png", "")]}


def test_no_lines_give_nothing():
    assert parse_image_ids([], "ids") == []
    assert parse_class_labels([], "labels") == {}
    assert parse_image_sizes([], "sizes") == {}
    assert parse_boxes([], "loc") == {}
    assert parse_mask_paths([], "loc") == {}


def test_generators_serve_as_well():
    assert parse_image_ids((line for line in ("a", "b")), "ids") == ["a", "b"]


def test_labels():
    text = "a/1.jpg,0\nb.jpg,999"
    assert parse_class_labels(lines(text), "labels") == {"a/1.jpg": 0, "b.jpg": 999}
    assert parse_class_labels(lines(text), "labels", num_classes=1000)["b.jpg"] == 999


def test_sizes_are_width_and_height():
    assert parse_image_sizes(lines("a/1.jpg,100,50\nb.jpg,10,20"), "s") == SIZES


def test_several_boxes_of_an_image():
    text = "a/1.jpg,0,1,99,49\nb.jpg,2.5,3,4,5\na/1.jpg,7,8,7,8"
    assert parse_boxes(lines(text), "loc", SIZES) == {
        "a/1.jpg": [(0, 1, 99, 49), (7, 8, 7, 8)],
        "b.jpg": [(2.5, 3, 4, 5)],
    }
    assert all(isinstance(v, float) for v in parse_boxes(lines(text), "l")["b.jpg"][0])


def test_boxes_without_sizes_are_unbounded():
    assert parse_boxes(["z,0,0,5000,1"], "loc") == {"z": [(0, 0, 5000, 1)]}


def test_several_masks_of_an_image():
    text = "a,m1.png,i.png\na,m2.png,\nb,n.png,"
    assert parse_mask_paths(lines(text), "loc") == {
        "a": [("m1.png", "i.png"), ("m2.png", "")],
        "b": [("n.png", "")],
    }


@pytest.mark.parametrize(
    ("parse", "text", "match"),
    [
        (parse_image_ids, "a\n\nb", "`id`, but got ''"),
        (parse_image_ids, "a\nb,1", "`id`, but got 'b,1'"),
        (parse_image_ids, "a\n ", "`id`, but got ' '"),
        (parse_image_ids, "a\na", "'a' again, which line 1 has"),
        (parse_class_labels, "a,0\nb", "`id,label`, but got 'b'"),
        (parse_class_labels, "a,0\n,1", "`id,label`, but got ',1'"),
        (parse_class_labels, "a,0\nb,1,2", "`id,label`"),
        (parse_class_labels, "a,0\nb,-1", "integer >= 0, but got '-1'"),
        (parse_class_labels, "a,0\nb,1.5", "integer >= 0, but got '1.5'"),
        (parse_class_labels, "a,0\nb,1_0", "integer >= 0"),
        (parse_class_labels, "a,0\nb,", "integer >= 0, but got ''"),
        (parse_class_labels, "a,0\na,0", "'a' again"),
        (parse_image_sizes, "a,4,5\nb,4", "`id,width,height`"),
        (parse_image_sizes, "a,4,5\nb,x,5", "`width` to be an integer"),
        (parse_image_sizes, "a,4,5\nb,5,4.0", "`height` to be an integer"),
        (parse_image_sizes, "a,4,5\nb,5,0", "positive, but got 5 x 0"),
        (parse_image_sizes, "a,4,5\na,4,5", "'a' again"),
        (parse_boxes, "a,0,0,1,1\na,0,0,1", "`id,x0,y0,x1,y1`"),
        (parse_boxes, "a,0,0,1,1\na,0,y,1,1", "`y0` to be a number, but got 'y'"),
        (parse_boxes, "a,0,0,1,1\na,0,0,inf,1", "`x1` to be a number"),
        (parse_boxes, "a,0,0,1,1\na,nan,0,1,1", "`x0` to be a number"),
        (parse_boxes, "a,0,0,1,1\na,3,0,2,1", "0 <= x0 <= x1.*got 3,0,2,1"),
        (parse_boxes, "a,0,0,1,1\na,0,3,2,1", "0 <= y0 <= y1"),
        (parse_boxes, "a,0,0,1,1\na,-1,0,1,1", "0 <= x0"),
        (parse_mask_paths, "a,m,\nb,m", "`id,mask_path,ignore_path`"),
        (parse_mask_paths, "a,m,\nb,,i", "`mask_path` to be a path"),
        (parse_mask_paths, "a,m,i\na,m2,i", "first line of image 'a'.*got 'i'"),
        (parse_mask_paths, "a,m,\na,m2,i", "first line of image 'a'"),
    ],
)
def test_malformed_lines_are_named(parse, text, match):
    last = text.count("\n") + 1 if "\n\n" not in text else 2
    with pytest.raises(DataError, match=f"^some/file.txt, line {last}: .*{match}"):
        parse(lines(text), "some/file.txt")


def test_labels_out_of_range_are_named():
    with pytest.raises(DataError, match=r"f, line 2: .*\[0, 11\].*got 12"):
        parse_class_labels(lines("a,11\nb,12"), "f", num_classes=12)


@pytest.mark.parametrize(
    "box", ["0,0,100,5", "0,0,5,50", "0,0,99.5,5", "100,0,100,0", "0,50,0,50"]
)
def test_boxes_outside_the_image_are_named(box):
    with pytest.raises(DataError, match=rf"f, line 2: .*100 x 50 pixels.*got {box}"):
        parse_boxes(["b.jpg,0,0,9,19", f"a/1.jpg,{box}"], "f", SIZES)


def test_boxes_of_an_unknown_image_are_named():
    with pytest.raises(DataError, match=r"f, line 1: Image 'z' has no known size"):
        parse_boxes(["z,0,0,1,1"], "f", SIZES)
