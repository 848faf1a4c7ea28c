"""The texts of ILSVRC: what the reader takes from them and how it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdgdm.datasets.functional.ilsvrc_files import read_classes, read_ilsvrc
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


@pytest.fixture
def mapping(tmp_path: Path):
    def read(*lines: str) -> dict[str, str]:
        (tmp_path / "LOC_synset_mapping.txt").write_text("\n".join(lines))
        return read_classes(tmp_path)

    return read


@pytest.fixture
def read(tmp_path: Path):
    """Reads lines of a list or a solution, or one XML file, as annotation."""

    def read(lines, split="val", name="list.txt", images=(), with_boxes=False):
        path = tmp_path / name
        if isinstance(lines, bytes):
            path = tmp_path / "xml"
            path.mkdir()
            (path / "x.xml").write_bytes(lines)
        else:
            path.write_text("\n".join(lines))
        (tmp_path / "val").mkdir()
        for image in images:
            (tmp_path / "val" / image).touch()
        return read_ilsvrc(
            tmp_path, split, labels=LABELS, annotation=path, with_boxes=with_boxes
        )

    return read


def test_synset_mapping_is_sorted_by_wnid(mapping):
    names = mapping(f"{DOG} dog, hound", "", f"{CAT} cat")
    assert list(names.items()) == [(CAT, "cat"), (DOG, "dog, hound")]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([f"{CAT} cat", DOG], "txt, line 2: Expected '<wnid> <class name>'"),
        (["cat 1"], "txt, line 1: .*'cat 1'"),
        ([f"{CAT} cat", "", f"{CAT} dog"], f"txt, line 3: names class '{CAT}' again"),
        ([], "txt: names no class"),
    ],
)
def test_malformed_synset_mapping(mapping, lines, message):
    with pytest.raises(DataError, match=message):
        mapping(*lines)


def test_train_list_with_running_numbers_takes_labels_from_folders(read):
    split = read([f"{DOG}/a 1", f"{CAT}/b 2"], "train")
    expected = {f"train/{DOG}/a.JPEG": 1, f"train/{CAT}/b.JPEG": 0}
    assert list(split.labels.items()) == list(expected.items())
    assert split.image_ids == list(expected)


def test_train_list_with_labels(read):
    split = read([f"{DOG}/a b.png 1", f"{CAT}/b.JPEG 0"], "train")
    assert split.labels == {f"train/{DOG}/a b.png": 1, f"train/{CAT}/b.JPEG": 0}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{DOG}/b", "Expected '<path> <integer>'"),
        (f"{DOG}/b x", "Expected '<path> <integer>'"),
        (f"{DOG}/b -1", "Expected '<path> <integer>'"),
        ("b 2", "one of the 2 known wnids, but got 'b'"),
        ("n00000003/b 2", "one of the 2 known wnids, but got 'n00000003/b'"),
        (f"{DOG}/ 2", "Expected '<wnid>/<image>'"),
        (f"{DOG}/b.JPEG 0", f"label 1, the rank of {DOG} .*, but got 0"),
        (f"{DOG}/a 2", f"names image '{DOG}/a.JPEG' again"),
        (f"{DOG}//a 2", f"names image '{DOG}//a.JPEG' again"),
    ],
)
def test_malformed_train_list(read, line, message):
    with pytest.raises(DataError, match=rf"list\.txt, line 2: .*{message}"):
        read([f"{DOG}/a 1", line], "train")


def test_label_list(read):
    split = read(["a.JPEG 1", "b.JPEG 0"])
    assert split.labels == {"val/a.JPEG": 1, "val/b.JPEG": 0}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("b 1", "running numbers in place of labels"),
        ("b.JPEG 2", r"label in \[0, 1\], but got 2"),
        ("a.JPEG 1", "'a.JPEG' again"),
        ("b.JPEG", "Expected '<path> <integer>'"),
    ],
)
def test_malformed_label_list(read, line, message):
    with pytest.raises(DataError, match=rf"list\.txt, line 2: .*{message}"):
        read(["a.JPEG 1", line])


@pytest.mark.parametrize("header", [[HEADER], []])
def test_solution_keeps_the_order_of_the_images(read, header):
    lines = [*header, f"b,{DOG} 1 2 3 4 {DOG} 5 6 7 8 ", f"a,{CAT} 0 0 1 1"]
    split = read(lines, name="s.csv", images=["a.png", "b.JPEG"])
    assert list(split.labels.items()) == [("val/a.png", 0), ("val/b.JPEG", 1)]


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
        (f"a,{CAT} 1 2 3 4", "describes image 'a' again"),
    ],
)
def test_malformed_solution(read, line, message):
    lines = [HEADER, f"a,{CAT} 0 0 1 1", line]
    with pytest.raises(DataError, match=rf"s\.csv, line 3: .*{message}"):
        read(lines, name="s.csv", images=["a.png"])


@pytest.mark.parametrize("lines", [[HEADER], []])
def test_solution_without_images(read, lines):
    with pytest.raises(DataError, match=r"s\.csv: describes no image"):
        read(lines, name="s.csv", images=["a.png"])


@pytest.mark.parametrize(
    ("texts", "boxes"),
    [
        (["3 2 13 6", "0 0 20 9"], [(3, 2, 13, 6), (0, 0, 19, 9)]),
        (["3.0 2 13.0 6"], [(3, 2, 13, 6)]),
        (["0 0 20 10"], [(0, 0, 19, 9)]),
        (["19 9 19 9"], [(19, 9, 19, 9)]),
        (["0.5 0 5.25 5"], [(0.5, 0, 5.25, 5)]),
    ],
)
def test_xml_keeps_all_boxes(read, texts, boxes):
    text = xml(*((DOG, *box.split()) for box in texts))
    split = read(text, images=["x.JPEG"], with_boxes=True)
    assert split.labels == {"val/x.JPEG": 1}
    assert split.image_sizes == {"val/x.JPEG": (20, 10)}
    assert split.boxes == {"val/x.JPEG": boxes}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"no xml", "syntax error"),
        (b"", "no element found"),
        (xml(), "at least one `object`, but got none"),
        (xml((DOG, 1, 1, 2, 2), size=SIZE.replace("10", "x")), "`size` is malformed"),
        (xml(("", 1, 1, 2, 2)), "`object` to hold `name`"),
        (xml((DOG, 1, "", 2, 2)), "`object` to hold `bndbox/ymin`"),
        (xml(("dog", 1, 1, 2, 2)), "known wnids, but got 'dog'"),
        (xml((DOG, 1, 1, 2, 2), (CAT, 1, 1, 2, 2)), "to be of one class"),
        (xml((DOG, 0, 0, "nan", 5)), "as numbers, but got '0 0 nan 5'"),
        (xml((DOG, 20, 0, 25, 5)), "outside of its image of 20 x 10"),
        (xml((DOG, 6, 0, 5, 5)), "x0 <= x1"),
        (xml((DOG, 5, 4, 400, 300)), "by more than half"),
    ],
)
def test_malformed_xml(read, text, message):
    with pytest.raises(DataError, match=rf"x\.xml: .*{message}"):
        read(text, images=["x.JPEG"], with_boxes=True)
