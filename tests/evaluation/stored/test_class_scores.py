"""Class scores on disk: round trips and files that are none."""

from __future__ import annotations

import random

import numpy as np
import pytest

from mmdgdm.errors import DataError
from mmdgdm.evaluation.stored.class_scores import read_class_scores, write_class_scores

IDS = np.array(["a/1.jpg", "b/2.jpg"])
ROWS = np.array([[0.1, 0.9, 0.0], [0.3, 0.3, 0.4]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_a_round_trip(tmp_path, dtype):
    scores = {"gr\u00fcn/\u9e1f 1.jpg": ROWS[0], "b/2.jpg": ROWS[1]}
    scores = {name: (row * 100).astype(dtype) for name, row in scores.items()}
    path = tmp_path / "new" / "scores.npz"
    write_class_scores(path, scores)
    found = read_class_scores(str(path))
    assert list(found) == list(scores)
    for name, row in scores.items():
        assert found[name].dtype == dtype
        assert np.array_equal(found[name], row)


def test_ids_of_different_lengths(tmp_path):
    write_class_scores(tmp_path / "s.npz", {"a": ROWS[0], "a" * 300: ROWS[1]})
    assert list(read_class_scores(tmp_path / "s.npz")) == ["a", "a" * 300]


def test_the_order_of_the_file_is_free(tmp_path):
    np.savez(tmp_path / "s.npz", scores=ROWS[::-1], image_ids=IDS[::-1])
    assert np.array_equal(read_class_scores(tmp_path / "s.npz")["a/1.jpg"], ROWS[0])


@pytest.mark.parametrize(
    "scores", [{}, {"a": ROWS[0], "b": ROWS[1][:2]}, {"a": np.float64(1)}]
)
def test_what_makes_no_table(tmp_path, scores):
    with pytest.raises(DataError, match="at least one image, all of the same shape"):
        write_class_scores(tmp_path / "s.npz", scores)
    assert not (tmp_path / "s.npz").exists()


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"s.npz cannot be written"):
        write_class_scores(tmp_path / "file" / "s.npz", {"a": ROWS[0]})


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        (dict(image_ids=IDS), "hold `image_ids` and `scores`, but got.*scores"),
        (dict(scores=ROWS), "hold `image_ids` and `scores`, but got.*image_ids"),
        (dict(image_ids=IDS, scores=ROWS[0]), r"\(3,\) of float64"),
        (dict(image_ids=IDS[:1], scores=ROWS), r"shapes \(1,\) of <U7"),
        (dict(image_ids=IDS[None], scores=ROWS), r"shapes \(1, 2\)"),
        (dict(image_ids=[0, 1], scores=ROWS), "of int64"),
        (dict(image_ids=[b"a", b"b"], scores=ROWS), r"of \|S1"),
        (dict(image_ids=IDS, scores=ROWS.astype(str)), "of <U"),
        (dict(image_ids=IDS, scores=ROWS.astype(complex)), "of complex"),
        (dict(image_ids=IDS, scores=ROWS > 0.2), "of bool"),
        (dict(image_ids=["x", "x"], scores=ROWS), "each image once, but got 'x' twice"),
        (dict(image_ids=IDS.astype(object), scores=ROWS), "readable .npz"),
    ],
)
def test_malformed_arrays(tmp_path, arrays, match):
    np.savez(tmp_path / "s.npz", **arrays)
    with pytest.raises(DataError, match=rf"s.npz .*{match}"):
        read_class_scores(tmp_path / "s.npz")


def test_files_of_other_kinds(tmp_path):
    path = tmp_path / "s.npz"
    with pytest.raises(DataError, match=r"s.npz to be a readable .npz"):
        read_class_scores(path)
    np.save(tmp_path / "one.npy", ROWS)
    for content in (b"", b"text", b"PK\x03\x04", (tmp_path / "one.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"s.npz to be a readable .npz"):
            read_class_scores(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_any_damage_is_an_error_or_does_no_harm(tmp_path, save):
    path, rng = tmp_path / "s.npz", random.Random(0)
    save(path, image_ids=IDS, scores=np.random.default_rng(0).random((2, 20)))
    raw, messages = path.read_bytes(), []
    for _ in range(300):
        content = bytearray(raw)
        for _ in range(rng.choice([1, 2, 4])):
            content[rng.randrange(len(raw))] = rng.randrange(256)
        path.write_bytes(content[: rng.choice([len(raw), rng.randrange(len(raw))])])
        try:
            read_class_scores(path)
        except DataError as error:
            messages.append(str(error))
    assert len(messages) > 150
    assert all("s.npz" in message for message in messages)


def test_another_ending_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"end in \.npz"):
        write_class_scores(tmp_path / "scores", {"a.jpg": np.array([0.1, 0.9])})
