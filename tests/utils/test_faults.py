"""The one way in which text files are read, and what becomes of faults."""

from __future__ import annotations

import pytest

from mmdgdm.datasets.prepare.report import Report
from mmdgdm.errors import DataError
from mmdgdm.utils.faults import Faults, parse_numbers, read_lines, same_file_name


def test_lines_keep_their_numbers_past_blank_ones(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"\xef\xbb\xbf a b \r\n\n  \t\ngr\xc3\xbcn\x0cx\rlast")
    assert list(read_lines(path)) == [(1, " a b "), (4, "gr\xfcn\x0cx"), (5, "last")]


@pytest.mark.parametrize(
    ("content", "kind"), [(None, "missing file"), (b"a\n\xff\xfe", "unreadable file")]
)
def test_files_that_cannot_be_read_are_raised_or_collected(tmp_path, content, kind):
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"text\.txt: "):
        list(read_lines(path))
    report = Report("any", "here")
    list(read_lines(path, report))
    assert [(p.kind, p.where) for p in report.problems] == [(kind, str(path))]


def test_a_fault_is_a_sentence_with_file_line_and_image():
    with pytest.raises(DataError) as caught:
        Faults().add("kind", "a.txt", message="is wrong.", image_id="1.jpg", line=3)
    assert str(caught.value) == "a.txt, line 3: image '1.jpg': is wrong."
    with pytest.raises(DataError, match=r"^b/1\.jpg: is wrong\.$"):
        Faults().add("kind", "b/1.jpg", message="is wrong", image_id="1.jpg")


@pytest.mark.parametrize("texts", [["1"], ["1", "2", "3"], ["1", "x"], ["1", "nan"]])
def test_numbers_must_be_finite_and_as_many_as_the_form_has(texts):
    with pytest.raises(DataError, match="`x y` as numbers, but got"):
        parse_numbers(texts, "x y")


def test_numbers_may_have_a_point_and_spaces():
    assert parse_numbers([" 5.0", "-1e2 "], "x y") == (5, -100)


@pytest.mark.parametrize(
    ("path", "same"),
    [("a/b.jpg", "a/b.jpg"), ("./a//b.jpg", "a/b.jpg"), ("c/../a/b.jpg", "a/b.jpg")],
)
def test_spellings_of_one_file(path, same):
    assert same_file_name(path) == same
