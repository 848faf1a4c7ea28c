"""Records of images on disk: the same come back, and other files are refused."""

from __future__ import annotations

import numpy as np
import pytest

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.records import make_box_record, read_box_records
from mmdgdm.evaluation.stored.record_files import (
    find_classes,
    read_record_classes,
    read_records,
    record_path,
    write_records,
)


def records(number):
    rng = np.random.default_rng(number)
    maps = rng.random((number, 9, 9))
    return [make_box_record(m, [[1, 1, 5, 5]], label=k) for k, m in enumerate(maps)]


def test_records_come_back(tmp_path):
    path, names = tmp_path / "new" / "a.records.npz", ["b/x.jpg", "é", "a"]
    write_records(path, names, records=records(3))
    found = read_records(path)
    assert found == dict(zip(names, records(3)))
    assert read_box_records(list(found.values())).labels.tolist() == [0, 1, 2]


def test_names_of_classes_come_back(tmp_path):
    for classes in ((), ("jay", "Ölvogel")):
        write_records(tmp_path / "a.npz", ["a"], records=records(1), classes=classes)
        assert read_record_classes(tmp_path / "a.npz") == classes
        assert list(read_records(tmp_path / "a.npz")) == ["a"]


def test_the_first_result_that_knows_classes_names_them(tmp_path):
    results = [tmp_path / f"{name}.json" for name in "abcd"]
    for result, classes in zip(results, ((), ("jay",), ("owl",))):
        write_records(record_path(result), ["x"], records=records(1), classes=classes)
    assert find_classes([results[3], *results]) == ("jay",)
    assert find_classes([results[0], results[3]]) == ()


def test_path_beside_the_result(tmp_path):
    assert record_path(tmp_path / "a.b.json") == tmp_path / "a.b.records.npz"


@pytest.mark.parametrize("names", [["a", "a"], ["a", None]])
def test_each_image_needs_a_name_of_its_own(tmp_path, names):
    with pytest.raises(DataError, match=r"a name of its own for .*\.npz"):
        write_records(tmp_path / "x.npz", names, records=records(2))


def test_a_folder_in_place_of_the_file(tmp_path):
    (tmp_path / "x.npz").mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        write_records(tmp_path / "x.npz", ["a"], records=records(1))


GOOD = dict(
    image_ids=np.array(["a", "b"]),
    records=np.zeros(5, np.uint8),
    ends=np.array([2, 5]),
)


@pytest.mark.parametrize(
    "changes",
    [
        dict(ends=np.array([2, 6])),
        dict(ends=np.array([2, 2])),
        dict(ends=np.array([5])),
        dict(ends=np.array([2.0, 5.0])),
        dict(ends=np.array([[2, 5]])),
        dict(records=np.zeros(5)),
        dict(image_ids=np.array([1, 2])),
        dict(image_ids=np.array([], dtype="U"), ends=np.array([], dtype=int)),
        dict(ends=None),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, changes):
    arrays = {k: v for k, v in {**GOOD, **changes}.items() if v is not None}
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(DataError, match=r"x\.npz to be a \.npz file of `image_ids`"):
        read_records(tmp_path / "x.npz")


def test_a_file_of_another_kind(tmp_path):
    (tmp_path / "x.npz").write_text("{}")
    with pytest.raises(DataError, match=r"x\.npz"):
        read_records(tmp_path / "x.npz")
    with pytest.raises(DataError, match=r"none\.npz"):
        read_records(tmp_path / "none.npz")
