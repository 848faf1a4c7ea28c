"""Score maps on disk: names, round trips, and files that are no maps."""

from __future__ import annotations

import os
import random
import re

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.scoremaps import (
    contour_boxes,
    normalize_scoremap,
    quantize_scoremap,
)
from mmdgdm.evaluation.stored.scoremap_files import (
    find_scoremaps,
    read_scoremap,
    scoremap_path,
    write_scoremap,
)

RAMP = np.linspace(0, 1, 12).reshape(3, 4)
FULL = np.linspace(0.1, 0.7, 224 * 224).reshape(224, 224)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)
    return path


# Names


@pytest.mark.parametrize("name", ["a/1.jpg.npy", "a/1.npy"])
def test_maps_with_and_without_the_extension(tmp_path, name):
    path = save(tmp_path / name, RAMP)
    assert find_scoremaps(tmp_path, ["a/1.jpg", "b/1.jpg"]) == {
        "a/1.jpg": path,
        "b/1.jpg": None,
    }


def test_only_the_last_extension_is_left_out(tmp_path):
    path = save(tmp_path / "a.b/1.0.npy", RAMP)
    save(tmp_path / "a.b/1.npy", RAMP)
    assert find_scoremaps(str(tmp_path), ["a.b/1.0.jpg"]) == {"a.b/1.0.jpg": path}


def test_ids_without_an_extension(tmp_path):
    path = save(tmp_path / "a/1.npy", RAMP)
    assert find_scoremaps(tmp_path, ["a/1"]) == {"a/1": path}


def test_the_order_is_that_of_the_images(tmp_path):
    names = ["z.jpg", "a.jpg", "m.jpg"]
    for name in names:
        write_scoremap(tmp_path, name, scores=RAMP)
    assert list(find_scoremaps(tmp_path, names)) == names


def test_two_maps_of_one_image(tmp_path):
    for name in ("a/1.jpg.npy", "a/1.npy"):
        save(tmp_path / name, RAMP)
    with pytest.raises(DataError, match=r"'a/1.jpg'.*1.jpg.npy and .*1.npy"):
        find_scoremaps(tmp_path, ["a/1.jpg"])


@pytest.mark.parametrize("ids", [("a/1.jpg", "a/1.png"), ("a/1", "a/1.png")])
def test_one_map_of_two_images(tmp_path, ids):
    save(tmp_path / "a/1.npy", RAMP)
    with pytest.raises(DataError, match=rf"{ids[1]!r}.*1.npy belongs to {ids[0]!r}"):
        find_scoremaps(tmp_path, ids)


def test_images_that_differ_by_extension_have_maps_of_their_own(tmp_path):
    names = ["a/1.jpg", "a/1.png"]
    paths = [write_scoremap(tmp_path, name, scores=RAMP) for name in names]
    assert list(find_scoremaps(tmp_path, names).values()) == paths


def test_a_folder_is_no_map(tmp_path):
    (tmp_path / "1.jpg.npy").mkdir()
    assert find_scoremaps(tmp_path, ["1.jpg"]) == {"1.jpg": None}


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_a_missing_folder_is_named(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=f"{name} to be a folder"):
        find_scoremaps(tmp_path / name, ["1.jpg"])


@pytest.mark.parametrize("image_id", ["../1.jpg", "a/../../1.jpg", "/1.jpg", ""])
def test_paths_that_leave_the_folder(tmp_path, image_id):
    for call in (
        lambda: scoremap_path(tmp_path, image_id),
        lambda: find_scoremaps(tmp_path, [image_id]),
        lambda: write_scoremap(tmp_path / "maps", image_id, scores=RAMP),
    ):
        with pytest.raises(DataError, match=re.escape(repr(image_id))):
            call()
    assert list(tmp_path.rglob("*.npy")) == []


def test_dots_inside_a_name_are_fine(tmp_path):
    assert scoremap_path(tmp_path, "a..b/1..jpg").name == "1..jpg.npy"


# Round trips


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_a_map_of_the_size_of_evaluation_is_untouched(tmp_path, dtype):
    # It spans 0.1 to 0.7 and is not stretched.
    scores = FULL.astype(dtype)
    path = write_scoremap(tmp_path, "a/b/1.jpg", scores=scores)
    assert path == tmp_path / "a/b/1.jpg.npy"
    stored = read_scoremap(path)
    assert stored[0].dtype == np.float64
    assert not stored[1]
    assert np.array_equal(stored[0], scores.astype(np.float64))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (7, 7), (224, 223), (300, 400), (1, 224)])
def test_other_sizes_are_normalised(tmp_path, dtype, shape):
    scores = np.random.default_rng(0).random(shape).astype(dtype)
    stored = read_scoremap(write_scoremap(tmp_path, "1.jpg", scores=scores))
    assert stored[1]
    assert np.array_equal(stored[0], normalize_scoremap(scores))
    assert stored[0].shape == (224, 224)


def test_small_maps_are_enlarged_in_double_precision(tmp_path):
    scores = np.random.default_rng(1).random((14, 14)).astype(np.float32)
    wide = cv2.resize(
        scores.astype(np.float64), (224, 224), interpolation=cv2.INTER_CUBIC
    )
    expected = (wide - wide.min()) / np.ptp(wide)
    stored = read_scoremap(write_scoremap(tmp_path, "1.jpg", scores=scores))[0]
    assert stored == pytest.approx(expected, abs=1e-14)
    assert (stored.min(), stored.max()) == (0, 1)


def test_the_order_in_memory_does_not_matter(tmp_path):
    path = write_scoremap(tmp_path, "1.jpg", scores=np.asfortranarray(RAMP))
    assert np.array_equal(read_scoremap(path)[0], normalize_scoremap(RAMP))


def test_a_map_is_replaced(tmp_path):
    for scores in (FULL, 1 - FULL):
        path = write_scoremap(tmp_path, "1.jpg", scores=scores)
        assert np.array_equal(read_scoremap(path)[0], scores)


@settings(deadline=None, max_examples=25)
@given(
    hnp.arrays(
        st.sampled_from([np.float16, np.float32, np.float64]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
        elements=st.floats(0, 1, width=16),
    )
)
def test_any_map_reads_as_a_map(tmp_path_factory, scores):
    path = write_scoremap(tmp_path_factory.getbasetemp(), "any.jpg", scores=scores)
    stored = read_scoremap(path)[0]
    assert (stored.shape, stored.min()) == ((224, 224), 0)
    assert stored.max() == (scores.min() != scores.max())


@pytest.mark.parametrize("name", ["1.jpg", "1.jpg.npy/2.jpg"])
def test_what_cannot_be_written(tmp_path, name):
    (tmp_path / "1.jpg.npy").mkdir()
    (tmp_path / "1.jpg.npy" / "2.jpg.npy").mkdir()
    with pytest.raises(DataError, match=r"jpg.npy cannot be written"):
        write_scoremap(tmp_path, name, scores=RAMP)


# Constant maps


@pytest.mark.parametrize("value", [0.0, 0.1, 0.3, 1.0])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(7, 7), (1, 1), (225, 224)])
def test_a_constant_map_of_another_size_is_all_zeros(tmp_path, value, dtype, shape):
    # Interpolation alone would leave rounding noise and stretch it to a full map.
    path = write_scoremap(tmp_path, "1.jpg", scores=np.full(shape, value, dtype))
    assert not read_scoremap(path)[0].any()


@pytest.mark.parametrize(
    ("value", "box"), [(0.3, [0, 0, 223, 223]), (0.0, [0, 0, 0, 0])]
)
def test_a_constant_map_of_the_size_of_evaluation_is_taken_as_it_is(
    tmp_path, value, box
):
    path = write_scoremap(tmp_path, "1.jpg", scores=np.full((224, 224), value))
    scores = read_scoremap(path)[0]
    assert (scores == value).all()
    quantized = quantize_scoremap(scores)
    level = int(0.99 * quantized.max())
    assert contour_boxes(quantized, level).boxes.tolist() == [box]


# Files that are no maps


def with_pixel(value, shape=(5, 6)):
    scores = np.full(shape, 0.5)
    scores[2, 3] = value
    return scores


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.zeros((2, 3, 4)), r"shape \(2, 3, 4\)"),
        (np.zeros((1, 224, 224)), r"shape \(1, 224, 224\)"),
        (np.zeros(9), r"shape \(9,\)"),
        (np.float64(0.5), r"shape \(\)"),
        (np.zeros((0, 7)), r"shape \(0, 7\)"),
        (np.zeros((7, 7), np.uint8), "of uint8"),
        (np.zeros((7, 7), bool), "of bool"),
        (np.zeros((7, 7), complex), "of complex128"),
        (np.full((7, 7), "x"), "of <U1"),
        (with_pixel(np.nan), "1 NaN"),
        (with_pixel(np.nan, (224, 224)), "1 NaN"),
        (with_pixel(np.inf), "from 0.5 to inf"),
        (with_pixel(-np.inf, (224, 224)), "from -inf to 0.5"),
        (with_pixel(1.0000001), "from 0.5 to 1.0000001"),
        (with_pixel(-1e-9), "from -1e-09 to 0.5"),
        (with_pixel(255.0, (224, 224)), "from 0.5 to 255.0"),
    ],
)
def test_arrays_that_are_no_maps(tmp_path, array, match):
    path = save(tmp_path / "a" / "1.jpg.npy", array)
    with pytest.raises(DataError, match=rf"{re.escape(str(path))}.*{match}"):
        read_scoremap(path)


class Touch:
    """Pickled, it makes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("as_array", [True, False])
def test_pickles_are_never_loaded(tmp_path, as_array):
    trap = Touch(str(tmp_path / "loaded"))
    path = tmp_path / "1.jpg.npy"
    if as_array:
        np.save(path, np.array([[trap]], dtype=object), allow_pickle=True)
    else:
        import pickle

        path.write_bytes(pickle.dumps(trap))
    with pytest.raises(DataError, match=r"1.jpg.npy to be a readable .npy"):
        read_scoremap(path)
    assert not (tmp_path / "loaded").exists()


def damaged(raw):
    """Ways in which a file of a map can be broken."""
    yield "empty", b""
    yield "no npy", b"not an array at all"
    yield "broken zip", b"PK\x03\x04 and nothing else"
    yield "half of the data", raw[:-16]
    yield "half of the header", raw[:40]
    yield "too large for any machine", raw.replace(b"(3, 4), }" + b" " * 20, HUGE)
    yield "open bracket", raw.replace(b"(3, 4), }", b"((((((((}")
    yield "open string", raw.replace(b"'shape'", b"'shape ")


HUGE = b"(300000000, 40000000000), }".ljust(29)


@pytest.mark.parametrize("place", range(8))
def test_damaged_files(tmp_path, place):
    path = save(tmp_path / "1.jpg.npy", RAMP)
    what, content = list(damaged(path.read_bytes()))[place]
    assert content != path.read_bytes(), what
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"1.jpg.npy to be a readable .npy"):
        read_scoremap(path)


@pytest.mark.filterwarnings("ignore")
def test_any_change_of_the_header_is_a_map_or_an_error(tmp_path):
    path = save(tmp_path / "1.jpg.npy", RAMP)
    raw, rng = path.read_bytes(), random.Random(0)
    messages = []
    for _ in range(400):
        content = bytearray(raw)
        for _ in range(rng.choice([1, 2, 4])):
            content[rng.randrange(80)] = rng.choice([rng.randrange(256), *b"90(',"])
        path.write_bytes(content)
        try:
            read_scoremap(path)
        except DataError as error:
            messages.append(str(error))
    assert len(messages) > 200
    assert all("1.jpg.npy" in message for message in messages)


def test_several_arrays_are_no_map(tmp_path):
    with (tmp_path / "1.jpg.npy").open("wb") as file:
        np.savez(file, RAMP)
    with pytest.raises(DataError, match=r"1.jpg.npy to hold one array.*npz"):
        read_scoremap(tmp_path / "1.jpg.npy")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere.npy to be a readable"):
        read_scoremap(tmp_path / "nowhere.npy")
