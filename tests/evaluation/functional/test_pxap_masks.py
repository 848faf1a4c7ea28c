"""The masks that PxAP compares with: merged and resized, by hand and for real."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.pxap import (
    ScoreHistograms,
    merge_masks,
    pxap,
    resize_label_mask,
    score_histograms,
)
from mmdgdm.evaluation.functional.scoremaps import make_thresholds, normalize_scoremap
from mmdgdm.evaluation.stored.metadata import read_split


def load_slow():
    path = Path(__file__).parents[1] / "slow_pxap.py"
    spec = importlib.util.spec_from_file_location("slow_pxap", path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


slow = load_slow()


def mask_of(text):
    """Draw a mask: '#' is the object, '?' is ignored."""
    values = {"#": 1, "?": 255, ".": 0}
    return np.array([[values[c] for c in row] for row in text.split()], dtype=np.uint8)


def test_masks_are_merged_and_win_over_ignored_pixels():
    left, right = mask_of("#.... #...."), mask_of(".#... .#...")
    ignore = mask_of(".##.. ..##.")
    merged = merge_masks([left, right * 7], ignore * 255, size=(5, 2))
    assert merged.tolist() == mask_of("##?.. ##??.").tolist()
    assert merged.dtype == np.uint8


def test_without_ignored_pixels():
    assert merge_masks([mask_of("#.")], size=(4, 1)).tolist() == [[1, 1, 0, 0]]


def test_masks_may_differ_in_size_and_kind():
    masks = [mask_of("#...") > 0, mask_of(".#")]
    ignore = mask_of("#")
    assert merge_masks(masks, ignore, size=(4, 1)).tolist() == [[1, 255, 1, 1]]


def test_the_default_size_is_that_of_the_evaluation():
    assert merge_masks([mask_of("#.")]).shape == (224, 224)
    assert resize_label_mask(mask_of("#.")).sum() == 224 * 112


@pytest.mark.parametrize("grey", [1, 2, 127, 128, 255])
def test_every_grey_level_above_zero_is_set(grey):
    mask = np.array([[0, grey]], dtype=np.uint8)
    assert merge_masks([mask], size=(2, 1)).tolist() == [[0, 1]]
    assert merge_masks([mask_of("..")], mask, size=(2, 1)).tolist() == [[0, 255]]


sides = st.integers(1, 40)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_merging_matches_the_slow_version(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    masks = [
        (rng.random((data.draw(sides), data.draw(sides))) < 0.3) * np.uint8(9)
        for _ in range(data.draw(st.integers(2, 4)))
    ]
    size = (data.draw(sides), data.draw(sides))
    tables = [mask.tolist() for mask in masks]
    expected = slow.merge(tables[1:], tables[0], *size)
    assert merge_masks(masks[1:], masks[0], size=size).tolist() == expected


@given(sides, sides, sides, sides, st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_merging_first_or_resizing_first_is_the_same(h, w, height, width, seed):
    rng = np.random.default_rng(seed)
    masks = rng.choice(np.array([0, 0, 200], dtype=np.uint8), (3, h, w))
    ignore = rng.choice(np.array([0, 1], dtype=np.uint8), (h, w))
    stored = merge_masks(masks, ignore, size=(w, h))
    assert set(np.unique(stored)) <= {0, 1, 255}
    expected = merge_masks(masks, ignore, size=(width, height))
    resized = resize_label_mask(stored, size=(width, height))
    assert np.array_equal(resized, expected)
    assert resized.dtype == expected.dtype == np.uint8


def test_masks_are_not_changed():
    mask = mask_of("#?.")
    for function in (
        lambda: merge_masks([mask], mask),
        lambda: resize_label_mask(mask),
    ):
        function()
        assert mask.tolist() == [[1, 255, 0]]


# Real masks


def read_masks(root, limit):
    """Object masks and the ignore mask of the first images, read from their files."""
    masks = read_split(root / "metadata_masks" / "val").masks
    for pairs in list(masks.values())[:: len(masks) // limit]:
        objects = [
            cv2.imread(str(root / name), cv2.IMREAD_GRAYSCALE) for name, _ in pairs
        ]
        yield objects, cv2.imread(str(root / pairs[0][1]), cv2.IMREAD_GRAYSCALE)


@pytest.fixture(scope="module")
def real_masks(shared_data):
    root = shared_data / "stamps"
    if not (root / "metadata_masks").is_dir():
        pytest.skip(f"needs the masks of {root}, which are missing")
    return list(read_masks(root, limit=24))


def test_real_masks_are_merged_as_by_hand(real_masks):
    assert len(real_masks) == 24
    for objects, ignore in real_masks:
        tables = [mask.tolist() for mask in objects]
        expected = slow.merge(tables, ignore.tolist(), 224, 224)
        found = merge_masks(objects, ignore)
        assert found.tolist() == expected
        assert 0 < (found == 1).mean() < 1


def test_real_masks_as_maps_score_100(real_masks):
    cuts = make_thresholds()
    parts = []
    for objects, ignore in real_masks:
        mask = merge_masks(objects, ignore)
        parts.append(
            score_histograms((mask == 1).astype(np.float32), mask, thresholds=cuts)
        )
    assert pxap(ScoreHistograms(*np.sum(parts, axis=0))) == 100


def test_maps_on_real_masks_match_the_slow_version(real_masks):
    rng = np.random.default_rng(3)
    cuts = make_thresholds()
    parts, tables = [], []
    for objects, ignore in real_masks[::3]:
        # Another image's mask is left out, so that both kinds of pixels are hit.
        mask = merge_masks(
            objects, real_masks[0][0][0] if ignore.max() == 0 else ignore
        )
        cam = cv2.resize((mask == 1).astype(np.float32), (14, 14))
        cam += rng.normal(size=cam.shape) * 0.2
        scores = normalize_scoremap(cam)
        parts.append(score_histograms(scores, mask, thresholds=cuts))
        tables.append((scores.tolist(), mask.tolist()))
    total = ScoreHistograms(*np.sum(parts, axis=0))
    expected = slow.fast_histograms(tables, cuts)
    assert [part.tolist() for part in total] == list(expected)
    assert pxap(total) == slow.pxap_in_floats(*expected)
    assert 50 < pxap(total) < 100


# Errors

MASK = mask_of("#.")


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: merge_masks([]), "`masks` to hold at least one mask, but got none"),
        (lambda: merge_masks(MASK), r"`masks`.*\(h, w\), but got shape \(2,\)"),
        (lambda: merge_masks([MASK[0]]), r"`masks`.*shape \(2,\) of uint8"),
        (lambda: merge_masks([MASK[:, :0]]), r"`masks`.*shape \(1, 0\)"),
        (lambda: merge_masks([MASK, MASK / 2]), "`masks`.*of float64"),
        (lambda: merge_masks([[[1, 0]]]), "`masks`.*of <class 'list'>"),
        (lambda: merge_masks([MASK], MASK.astype(int)), "`ignore`.*of int64"),
        (lambda: merge_masks([MASK], MASK[None]), r"`ignore`.*\(1, 1, 2\)"),
        (lambda: resize_label_mask(MASK * 2), r"`mask` to hold 0, 1 and 255.*\[2\]"),
        (lambda: resize_label_mask(MASK * 254), r"`mask` to hold.*\[254\]"),
        (lambda: resize_label_mask(MASK > 0), "`mask`.*of bool"),
        (lambda: resize_label_mask(MASK[0]), r"`mask`.*shape \(2,\)"),
        (lambda: resize_label_mask(MASK[:0]), r"`mask`.*shape \(0, 2\)"),
    ],
)
def test_malformed_masks(call, match):
    with pytest.raises(DataError, match=match):
        call()


@pytest.mark.parametrize("size", [(0, 4), (4,), (4, -1), (2.0, 2), (1, 2, 3)])
def test_malformed_sizes(size):
    for call in (
        lambda: merge_masks([MASK], size=size),
        lambda: resize_label_mask(MASK, size=size),
    ):
        with pytest.raises(ConfigError, match=r"`size` to be \(width, height\)"):
            call()
