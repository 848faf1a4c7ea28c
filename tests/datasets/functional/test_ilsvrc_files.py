from __future__ import annotations

import pytest

from mmdgdm.datasets.functional.ilsvrc_annotations import (
    find_label,
    make_boxes,
    parse_label_list,
    parse_solution,
    parse_synset_mapping,
    parse_train_list,
    parse_xml,
)
from mmdgdm.errors import DataError

CAT, DOG = "n00000001", "n00000002"
LABELS = {CAT: 0, DOG: 1}
HEADER = "ImageId,PredictionString"
OBJECT = (
    "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax>"
    "<ymax>{}</ymax></bndbox></object>"
)
SIZE = "<size><width>20</width><height>10</height></size>"


def xml(*objects: tuple, size: str = SIZE) -> bytes:
    body = size + "".join(OBJECT.format(*item) for item in objects)
    return f"<annotation>{body}</annotation>".encode()


def test_synset_mapping_is_sorted_by_wnid():
    names = parse_synset_mapping([f"{DOG} dog, hound\n", f"{CAT} cat\n"], "m")
    assert list(names.items()) == [(CAT, "cat"), (DOG, "dog, hound")]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([f"{CAT} cat", DOG], "m, line 2: Expected '<wnid> <class name>'"),
        (["cat 1"], "m, line 1: .*'cat 1'"),
        ([f"{CAT} cat", ""], "m, line 2: .*''"),
        ([f"{CAT} cat", f"{CAT} dog"], f"m, line 2: .*once, but got '{CAT}' again"),
        ([], "m to name at least one class"),
    ],
)
def test_malformed_synset_mapping(lines, message):
    with pytest.raises(DataError, match=message):
        parse_synset_mapping(lines, "m")


def test_train_list_with_running_numbers_takes_labels_from_folders():
    images = parse_train_list([f"{DOG}/a 1\n", f"{CAT}/b 2\n"], "l", LABELS)
    assert list(images.items()) == [(f"{DOG}/a.JPEG", 1), (f"{CAT}/b.JPEG", 0)]


def test_train_list_with_labels():
    images = parse_train_list([f"{DOG}/a b.png 1", f"{CAT}/b.JPEG 0"], "l", LABELS)
    assert images == {f"{DOG}/a b.png": 1, f"{CAT}/b.JPEG": 0}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{DOG}/b", "Expected '<path> <integer>'"),
        (f"{DOG}/b x", "Expected '<path> <integer>'"),
        (f"{DOG}/b -1", "Expected '<path> <integer>'"),
        ("", "Expected '<path> <integer>'"),
        ("b 2", "one of the 2 known wnids, but got 'b'"),
        ("n00000003/b 2", "one of the 2 known wnids, but got 'n00000003/b'"),
        (f"{DOG}/ 2", "Expected '<wnid>/<image>'"),
        (f"{DOG}/b.JPEG 0", f"label 1, the rank of {DOG} .*, but got 0"),
        (f"{DOG}/a 2", f"each image once, but got '{DOG}/a.JPEG' again"),
    ],
)
def test_malformed_train_list(line, message):
    with pytest.raises(DataError, match=f"l, line 2: .*{message}"):
        parse_train_list([f"{DOG}/a 1", line], "l", LABELS)


def test_label_list():
    assert parse_label_list(["a.JPEG 1", "b.JPEG 0"], "l", 2) == {
        "a.JPEG": 1,
        "b.JPEG": 0,
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("b 1", "running numbers in place of labels"),
        ("b.JPEG 2", r"label in \[0, 1\], but got 2"),
        ("a.JPEG 1", "'a.JPEG' again"),
        ("b.JPEG", "Expected '<path> <integer>'"),
    ],
)
def test_malformed_label_list(line, message):
    with pytest.raises(DataError, match=f"l, line 2: .*{message}"):
        parse_label_list(["a.JPEG 1", line], "l", 2)


def test_solution_keeps_all_boxes():
    lines = [f"{HEADER}\n", f"b,{DOG} 1 2 3 4 {DOG} 5 6 7 8 \n", f"a,{CAT} 0 0 1 1\n"]
    assert parse_solution(lines, "s", LABELS) == {
        "b": (2, 1, [("1", "2", "3", "4"), ("5", "6", "7", "8")]),
        "a": (3, 0, [("0", "0", "1", "1")]),
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"b,{DOG} 1 2 3", "repeated for each box"),
        (f"b,{DOG} 1 2 3 4 {DOG}", "repeated for each box"),
        (f"b,{DOG} 1 2 3 4 5", "repeated for each box"),
        ("b,", "repeated for each box"),
        ("b", "repeated for each box"),
        (f",{DOG} 1 2 3 4", "repeated for each box"),
        (f"b,{DOG} 1 2 3 4 {CAT} 1 2 3 4", f"of one class, but got \\['{CAT}', "),
        ("b,n00000003 1 2 3 4", "the 2 known wnids, but got 'n00000003'"),
        (f"a,{CAT} 1 2 3 4", "each image once, but got 'a' again"),
    ],
)
def test_malformed_solution(line, message):
    lines = [HEADER, f"a,{CAT} 0 0 1 1", line]
    with pytest.raises(DataError, match=f"s, line 3: .*{message}"):
        parse_solution(lines, "s", LABELS)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([f"a,{CAT} 0 0 1 1"], f"s, line 1: Expected '{HEADER}'"),
        ([HEADER], "s, line 2: Expected at least one image"),
        ([], "s, line 1: Expected at least one image"),
    ],
)
def test_solution_without_header_or_images(lines, message):
    with pytest.raises(DataError, match=message):
        parse_solution(lines, "s", LABELS)


def test_xml_keeps_all_boxes():
    text = xml((DOG, 3, 2, 13, 6), (DOG, 0, 0, 20, 9))
    assert parse_xml(text, "x", LABELS) == (
        1,
        (20, 10),
        [("3", "2", "13", "6"), ("0", "0", "20", "9")],
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"no xml", "Expected an XML annotation"),
        (b"", "Expected an XML annotation"),
        (xml(), "at least one `object`, but got none"),
        (xml((DOG, 1, 1, 2, 2), size=""), "`annotation` to hold `size/width`"),
        (
            xml((DOG, 1, 1, 2, 2), size=SIZE.replace("10", "0")),
            "`size` to be a positive width and height, but got '20' x '0'",
        ),
        (xml(("", 1, 1, 2, 2)), "`object` to hold `name`"),
        (xml((DOG, 1, "", 2, 2)), "`object` to hold `bndbox/ymin`"),
        (xml(("dog", 1, 1, 2, 2)), "known wnids, but got 'dog'"),
        (xml((DOG, 1, 1, 2, 2), (CAT, 1, 1, 2, 2)), "to be of one class"),
    ],
)
def test_malformed_xml(text, message):
    with pytest.raises(DataError, match=f"x: .*{message}"):
        parse_xml(text, "x", LABELS)


def test_unknown_wnid():
    assert find_label(DOG, LABELS, "f") == 1
    with pytest.raises(DataError, match="f: Expected one of the 2 known wnids"):
        find_label("n3", LABELS, "f")


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("3 2 13 6", (3, 2, 13, 6)),
        ("0 0 19 9", (0, 0, 19, 9)),
        ("0 0 20 10", (0, 0, 19, 9)),
        ("19 9 19 9", (19, 9, 19, 9)),
        ("5 4 400 300", (5, 4, 19, 9)),
    ],
)
def test_boxes_stay_as_stored_inside_the_image(text, box):
    assert make_boxes([tuple(text.split())], (20, 10), "f") == [box]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-1 0 5 5", "starts inside its image of 20 x 10 pixels, but got '-1 0 5 5'"),
        ("20 0 25 5", "starts inside its image"),
        ("0 10 5 12", "starts inside its image"),
        ("6 0 5 5", "x0 <= x1"),
        ("0 6 5 5", "y0 <= y1"),
        ("0 0 5.5 5", "whole numbers, but got '0 0 5.5 5'"),
        ("0 0 nan 5", "whole numbers"),
    ],
)
def test_boxes_outside_the_image(text, message):
    with pytest.raises(DataError, match=f"f: .*{message}"):
        make_boxes([("0", "0", "1", "1"), tuple(text.split())], (20, 10), "f")
