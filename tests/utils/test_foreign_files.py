"""Files of others: what could fill the memory, reach other files or mislead."""

from __future__ import annotations

import zipfile

import cv2
import numpy as np
import pytest

from mmdgdm.datasets.prepare.box_files import read_boxes
from mmdgdm.datasets.prepare.report import Report
from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.records import pack_record, unpack_record
from mmdgdm.evaluation.stored.class_scores import read_class_scores
from mmdgdm.evaluation.stored.record_files import read_records, write_records
from mmdgdm.evaluation.stored.scoremap_files import read_scoremap
from mmdgdm.utils.image_files import read_image
from mmdgdm.utils.json_files import parse_json
from mmdgdm.utils.xml_files import read_xml

pytestmark = pytest.mark.faults
LAUGHS = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
BOMB = f'<!DOCTYPE a [<!ENTITY a0 "lol">{LAUGHS}]><annotation>&a9;</annotation>'
OTHER_FILE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file://{}">]><annotation>&x;</annotation>'
SQUARE = f'<!DOCTYPE a [<!ENTITY x "{"y" * 50_000}">]><a>{"&x;" * 5000}</a>'


@pytest.mark.parametrize("text", [BOMB, OTHER_FILE, SQUARE], ids=["bomb", "file", "sq"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_xml_declares_nothing(tmp_path, text, encoding):
    secret = tmp_path / "secret"
    secret.write_text("1234")
    path = tmp_path / "a.xml"
    path.write_bytes(text.replace("{}", str(secret)).encode(encoding))
    with pytest.raises(DataError, match="Expected no document type") as error:
        read_xml(path)
    assert "1234" not in str(error.value)


def test_entities_that_are_not_declared_are_an_error(tmp_path):
    (tmp_path / "a.xml").write_text("<a>&b;</a>")
    with pytest.raises(DataError, match="undefined entity"):
        read_xml(tmp_path / "a.xml")


def test_plain_xml_is_read(tmp_path):
    (tmp_path / "a.xml").write_text(
        '<?xml version="1.0"?><!-- a --><a><b>&lt;1</b></a>'
    )
    assert read_xml(tmp_path / "a.xml").findtext("b") == "<1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("9" * 400, "a number of 400 digits"),
        (r'"\ud800"', "surrogates"),
        ("{", "Expecting"),
    ],
)
def test_json_that_python_trips_over(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_json(text)


def test_json_as_it_should_be():
    assert parse_json(r'{"a": [1, 2.5, null, "\ud83d\ude00"]}') == {
        "a": [1, 2.5, None, "\U0001f600"]
    }


def test_names_that_repeat_by_reference_fill_no_memory(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    (tmp_path / "data.yaml").write_text("\n".join([*lines, "names: *a8", ""]))
    (tmp_path / "1.txt").write_text("0 0.5 0.5 1 1\n")
    report = Report("a", "b")
    assert read_boxes(tmp_path, report) == []
    assert "names of classes as texts" in str(report.problems)


def test_packed_arrays_that_fill_the_memory_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("image_ids", "scores", "records", "ends"):
            with file.open(f"{name}.npy", "w") as entry:
                for _ in range(100):
                    entry.write(bytes(1 << 20))
    for read in (read_class_scores, read_records):
        with pytest.raises(DataError, match="bytes would unpack to 419,430,400"):
            read(path)


def test_a_record_that_fills_the_memory_is_refused():
    assert len(unpack_record(pack_record(np.zeros(1 << 20)))) == 8 << 20
    with pytest.raises(DataError, match="Expected a whole record"):
        unpack_record(pack_record(np.zeros(1 << 24)))


@pytest.mark.parametrize("content", [np.array([None]), np.zeros(2, "O,f8")])
def test_arrays_of_objects_are_refused(tmp_path, content):
    np.save(tmp_path / "a.npy", content, allow_pickle=True)
    with pytest.raises(DataError, match="allow_pickle=False"):
        read_scoremap(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", image_ids=content, scores=content)
    with pytest.raises(DataError, match="allow_pickle=False"):
        read_class_scores(tmp_path / "a.npz")


def test_an_image_that_comes_twice_is_an_error(tmp_path):
    path = tmp_path / "a.npz"
    write_records(path, ["a", "b"], records=[b"1", b"2"])
    with np.load(path) as file:
        arrays = dict(file)
    arrays["image_ids"] = np.array(["a", "a"])
    np.savez(path, **arrays)
    with pytest.raises(DataError, match="each image once, but got 1 names for 2"):
        read_records(path)


def test_a_photo_of_two_gigapixels_is_not_decoded(tmp_path):
    content = bytearray(cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1])
    place = content.index(b"\xff\xc0") + 5
    content[place : place + 4] = (45_000).to_bytes(2, "big") * 2
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(DataError, match="45000 x 45000 pixels"):
        read_image(tmp_path / "a.jpg")
