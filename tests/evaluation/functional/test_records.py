"""Records of images: what they keep, how they fit together, and their size."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.coverage import COVERAGE_THRESHOLDS, cover_areas
from mmdgdm.evaluation.functional.max_box_acc import level_hits
from mmdgdm.evaluation.functional.records import (
    coverage_thresholds,
    hits_at,
    make_box_record,
    read_box_records,
)
from mmdgdm.evaluation.functional.scoremaps import (
    normalize_scoremap,
    quantize_scoremap,
)

DELTAS = (0.3, 0.5, 0.7)


def make_record(quantized, boxes, label, rank=None, ious=DELTAS, threshold=None):
    settings = dict(rank=rank, iou_thresholds=ious, threshold=threshold)
    return make_box_record(quantized / 255, boxes, label=label, **settings)


def square(maximum=255, side=20):
    """The square 2..11 of half the maximum, with 2..5 of all of it."""
    quantized = np.zeros((side, side), dtype=np.uint8)
    quantized[2:12, 2:12] = maximum // 2
    quantized[2:6, 2:6] = maximum
    return quantized


def test_a_record_by_hand():
    targets = [[2, 2, 12, 12], [15, 15, 16, 17]]
    record = make_record(square(), targets, label=4, rank=2)
    assert isinstance(record, bytes)
    table = read_box_records([record])
    assert (table.maxima.tolist(), table.labels.tolist()) == ([255], [4])
    assert table.ranks.tolist() == [2]
    # The larger object has 11 x 11 pixels.
    assert table.object_areas.tolist() == [121]
    assert table.single.shape == table.multi.shape == (1, 3, 32)
    # Thresholds below 127 / 255 show the large square, whose box ends at 12. The
    # small one's box 2..6 has 25 pixels, all of them the object's.
    expected = [[121, 121, 121]] * 10 + [[25, 25, 121]] * 10
    assert table.areas[0].tolist() == expected


def test_a_fixed_threshold_adds_its_areas():
    targets = [[2, 2, 6, 6]]
    table = read_box_records([make_record(square(), targets, 0, threshold=0.123)])
    assert table.areas.shape == (1, 21, 3)
    assert table.areas[0, -1].tolist() == [121, 25, 25]
    table = read_box_records([make_record(square(), targets, 0, threshold=0.777)])
    assert table.areas[0, -1].tolist() == [25, 25, 25]


def test_areas_are_those_of_the_largest_box_at_each_threshold():
    targets = [[3, 1, 9, 15]]
    hits = level_hits(square(), targets, box_thresholds=COVERAGE_THRESHOLDS)
    table = read_box_records([make_record(square(), targets, 0)])
    assert table.areas[0].tolist() == cover_areas(hits.boxes, targets).tolist()


def test_the_area_of_a_perfect_box_is_the_object_s():
    table = read_box_records([make_record(square(), [[2, 2, 12, 12]], 0)])
    assert table.areas[0, 0].tolist() == [121, 121, 121]


def test_the_rank_may_be_unknown():
    assert read_box_records([make_record(square(), [[0, 0, 1, 1]], 0)]).ranks is None
    best = make_record(square(), [[0, 0, 1, 1]], 0, rank=0)
    assert read_box_records([best]).ranks.tolist() == [0]


def test_ranks_of_some_images_only():
    records = [make_record(square(), [[0, 0, 1, 1]], 0, rank) for rank in (None, 3)]
    with pytest.raises(DataError, match="got 1 of 2 without"):
        read_box_records(records)


@pytest.mark.parametrize(
    "other", [dict(ious=(0.4,)), dict(threshold=0.2), dict(rank=1)]
)
def test_records_of_different_settings(other):
    records = [
        make_record(square(), [[0, 0, 1, 1]], 0, **kwargs) for kwargs in ({}, other)
    ]
    with pytest.raises(DataError, match="Expected all"):
        read_box_records(records)


def test_no_record_is_an_error():
    with pytest.raises(DataError, match="at least one image"):
        read_box_records([])


@pytest.mark.parametrize("threshold", [-0.01, 1, 1.5, float("nan")])
def test_thresholds_out_of_range(threshold):
    with pytest.raises(ConfigError, match=r"\[0, 1\)"):
        coverage_thresholds(threshold)
    with pytest.raises(ConfigError, match=r"\[0, 1\)"):
        hits_at([9], np.zeros((1, 32), dtype=np.uint8), threshold=threshold)


def test_malformed_input_is_refused():
    with pytest.raises(DataError, match=r"in \[0, 1\]"):
        make_box_record(np.full((9, 9), 1.1), np.array([[0, 0, 1, 1]]), label=0)
    with pytest.raises(DataError, match="at least one box"):
        make_record(square(), np.zeros((0, 4), dtype=int), 0)


# Packed hits


def test_packed_hits_of_every_maximum():
    # Any level may be hit: bits that stand at the wrong level would show.
    rng = np.random.default_rng(0)
    hits = rng.random((256, 2, 256)) < 0.5
    bits = np.packbits(hits, axis=2)
    maxima = np.arange(256)
    for threshold in (0.0, 0.001, 1 / 255, 0.25, 0.3, 0.5, 0.77, 0.999):
        levels = [int(threshold * maximum) for maximum in range(256)]
        for k in range(2):
            expected = hits[maxima, k, levels]
            assert np.array_equal(
                hits_at(maxima, bits[:, k], threshold=threshold), expected
            )


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 255), st.integers(0, 2**32), st.floats(0, 1, exclude_max=True))
def test_packed_hits_are_those_of_the_levels(maximum, seed, threshold):
    rng = np.random.default_rng(seed)
    quantized = rng.integers(0, maximum + 1, (9, 11), dtype=np.uint8)
    quantized[4, 5] = maximum
    targets = [[1, 1, 6, 7], [0, 0, 2, 0]]
    hits = level_hits(quantized, targets, iou_thresholds=DELTAS)
    table = read_box_records([make_record(quantized, targets, 0)])
    assert table.maxima.tolist() == [maximum]
    for packed, plain in ((table.single, hits.single), (table.multi, hits.multi)):
        assert np.array_equal(np.unpackbits(packed[0], axis=1), plain)
        for cut in (0.0, threshold, 0.999):
            found = [
                hits_at(table.maxima, packed[:, k], threshold=cut)[0] for k in range(3)
            ]
            assert np.array_equal(found, plain[:, int(cut * maximum)])


def test_a_table_of_parts():
    rng = np.random.default_rng(3)
    records = [
        make_record(square(int(rng.integers(256))), [[1, 1, 9, 9]], k, rank=k % 3)
        for k in range(7)
    ]
    whole = read_box_records(records)
    parts = [read_box_records(records[:2]), read_box_records(records[2:])]
    for name, value in whole._asdict().items():
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert np.array_equal(joined, value), name


# Size


def cam_like(rng):
    """A smooth map of a few spots, as a network of 7 x 7 cells makes it."""
    cam = rng.random((7, 7)) ** 3
    y, x = rng.integers(0, 6, 2)
    cam[y : y + 3, x : x + 3] += rng.random()
    return quantize_scoremap(normalize_scoremap(cam))


def test_records_are_small():
    rng = np.random.default_rng(0)
    records = [
        make_record(cam_like(rng), [[30, 40, 170, 200]], 999, 17, DELTAS, 0.123)
        for _ in range(12)
    ]
    assert max(map(len, records)) < 600
    # Without compression they would take 468 bytes.
    assert sum(map(len, records)) < 12 * 350


def test_a_table_takes_less_than_a_kilobyte_an_image():
    # So that 50,000 images stay below 50 MB.
    rng = np.random.default_rng(1)
    few = [
        make_record(cam_like(rng), [[30, 40, 170, 200]], 9, 1, DELTAS, 0.1)
        for _ in range(5)
    ]
    tracemalloc.start()
    try:
        table = read_box_records(few * 1000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(table.maxima) == 5000
    assert peak < 5000 * 1000
