"""Hits, curves and maxima: by hand, and against the slow reference."""

from __future__ import annotations

import numpy as np
import pytest

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.boxes import scale_boxes
from mmdgdm.evaluation.functional.max_box_acc import (
    CurveMaximum,
    curve_maximum,
    level_hits,
    threshold_sums,
)
from mmdgdm.evaluation.functional.scoremaps import (
    EVAL_SIZE,
    contour_boxes,
    make_thresholds,
    normalize_scoremap,
    quantize_scoremap,
)
from mmdgdm.evaluation.stored.metadata import read_split

DELTAS = (0.3, 0.5, 0.7)


def two_levels():
    """A large square of 127 with a small one of 255 in its corner."""
    quantized = np.zeros((20, 20), dtype=np.uint8)
    quantized[2:12, 2:12] = 127
    quantized[2:6, 2:6] = 255
    return quantized


def true_levels(row):
    return np.flatnonzero(row).tolist()


# Hits by hand


def test_hits_of_two_levels():
    # Levels 0..126 show the square 2..11, whose box ends at 12; levels 127..254
    # the small one, whose box ends at 6.
    large = level_hits(two_levels(), [[2, 2, 12, 12]], iou_thresholds=(1.0,))
    small = level_hits(two_levels(), [[2, 2, 6, 6]], iou_thresholds=(1.0,))
    assert large.maximum == 255
    assert true_levels(large.single[0]) == list(range(127))
    assert true_levels(small.single[0]) == list(range(127, 255))


def test_a_hit_needs_at_least_the_overlap():
    # The box 2..12 has 121 pixels, of which the target's 11 x 5 = 55 are shared.
    hits = level_hits(
        two_levels(), [[2, 2, 12, 6]], iou_thresholds=(55 / 121, 0.4546, 0.4545)
    )
    assert [row[0] for row in hits.single] == [True, False, True]


def test_any_of_several_targets_will_do():
    far = [15, 15, 19, 19]
    for targets in ([far, [2, 2, 12, 12]], [[2, 2, 12, 12], far]):
        assert true_levels(
            level_hits(two_levels(), targets, iou_thresholds=(1.0,)).single[0]
        ) == list(range(127))


def test_multi_contour_takes_the_best_box():
    quantized = two_levels()
    quantized[15:18, 15:18] = 200
    target = [[15, 15, 18, 18]]
    hits = level_hits(quantized, target, iou_thresholds=(1.0,))
    # Alone above 127 the small square is the larger one still; above 199 it is gone.
    assert true_levels(hits.single[0]) == []
    assert true_levels(hits.multi[0]) == list(range(200))


def test_multi_contour_counts_holes():
    quantized = np.full((20, 20), 9, dtype=np.uint8)
    quantized[5:10, 5:10] = 0
    hits = level_hits(quantized, [[4, 4, 11, 11]], iou_thresholds=(1.0,))
    assert not hits.single.any()
    assert true_levels(hits.multi[0]) == list(range(9))


def test_an_all_zero_map_can_hit():
    zero = np.zeros((20, 20), dtype=np.uint8)
    hits = level_hits(zero, [[0, 0, 1, 0]], iou_thresholds=DELTAS)
    assert hits.maximum == 0
    for table in (hits.single, hits.multi):
        assert [true_levels(row) for row in table] == [[0], [0], []]


def test_a_map_of_ones():
    full = np.full((20, 20), 255, dtype=np.uint8)
    hits = level_hits(full, [[0, 0, 19, 19]], iou_thresholds=(1.0,))
    assert true_levels(hits.single[0]) == list(range(255))


def test_a_maximum_of_one():
    quantized = (two_levels() > 200).astype(np.uint8)
    hits = level_hits(quantized, [[2, 2, 6, 6]], iou_thresholds=(1.0,))
    assert hits.maximum == 1
    assert true_levels(hits.single[0]) == [0]


@pytest.mark.parametrize(
    ("quantized", "boxes", "match"),
    [
        (np.zeros((4, 4)), [[0, 0, 1, 1]], "uint8"),
        (np.zeros((4, 4), np.uint8), np.zeros((0, 4), int), "at least one box"),
        (np.zeros((4, 4), np.uint8), [[0.0, 0.0, 1.0, 1.0]], "integers"),
        (np.zeros((4, 4), np.uint8), [[2, 0, 1, 1]], "x0 <= x1"),
    ],
)
def test_malformed_input(quantized, boxes, match):
    with pytest.raises(DataError, match=match):
        level_hits(quantized, boxes)


@pytest.mark.parametrize("deltas", [(), (0.0,), (1.1,), (0.5, float("nan")), 0.5])
def test_malformed_iou_thresholds(deltas):
    with pytest.raises(ConfigError, match="`iou_thresholds`"):
        level_hits(two_levels(), [[0, 0, 1, 1]], iou_thresholds=deltas)


# Curves and maxima by hand


def hit_curves(maxima, hits, thresholds):
    sums = [
        threshold_sums(maxima, of_delta, thresholds=thresholds)
        for of_delta in np.moveaxis(hits, 1, 0)
    ]
    return np.array(sums) * 100.0 / len(hits)


def hit_table(*rows):
    """(1, K, 256) from the levels that are hit."""
    table = np.zeros((1, len(rows), 256), dtype=bool)
    for row, levels in enumerate(rows):
        table[0, row, list(levels)] = True
    return table


def test_a_curve_of_three_images():
    hits = np.concatenate(
        [hit_table(range(10)), hit_table(range(5, 255)), hit_table([0])]
    )
    # Levels at 0, 0.02, 0.5: 0, 5, 127 for 255; 0, 2, 50 for 100; 0 for 0.
    curves = hit_curves([255, 100, 0], hits, [0.0, 0.02, 0.5])
    assert curves.tolist() == [[200 / 3, 200 / 3, 200 / 3]]
    curves = hit_curves([255, 255, 255], hits, [0.0, 0.02, 0.5])
    assert curves.tolist() == [[200 / 3, 200 / 3, 100 / 3]]


def test_curves_do_not_depend_on_the_order_of_images():
    rng = np.random.default_rng(0)
    hits = rng.random((40, 3, 256)) < 0.3
    maxima = rng.choice([0, 80, 255], 40)
    order = rng.permutation(40)
    thresholds = make_thresholds(0.01)
    assert np.array_equal(
        hit_curves(maxima, hits, thresholds),
        hit_curves(maxima[order], hits[order], thresholds),
    )


def test_the_first_threshold_of_the_maximum():
    assert curve_maximum([1.0, 7.0, 7.0, 2.0], [0.0, 0.1, 0.2, 0.3]) == (7.0, 0.1)
    assert isinstance(curve_maximum([1.0], [0.5]), CurveMaximum)


@pytest.mark.parametrize(("curve", "cuts"), [([], []), ([1.0], [0.1, 0.2])])
def test_shapes_of_curves(curve, cuts):
    with pytest.raises(DataError, match="same shape"):
        curve_maximum(curve, cuts)


def test_counts_of_parts_add_up():
    rng = np.random.default_rng(1)
    hits = rng.random((50, 256)) < 0.4
    maxima = rng.choice([0, 9, 255], 50)
    cuts = make_thresholds(0.01)
    parts = sum(
        threshold_sums(maxima[i::7], hits[i::7], thresholds=cuts) for i in range(7)
    )
    assert np.array_equal(parts, threshold_sums(maxima, hits, thresholds=cuts))


def test_boxes_at_asked_thresholds():
    hits = level_hits(two_levels(), [[2, 2, 12, 12]], box_thresholds=[0.0, 0.49, 0.5])
    # 0.49 * 255 is in level 124, 0.5 * 255 in 127.
    assert hits.boxes.tolist() == [[2, 2, 12, 12], [2, 2, 12, 12], [2, 2, 6, 6]]
    zero = level_hits(np.zeros((4, 4), np.uint8), [[0, 0, 1, 1]], box_thresholds=[0.3])
    assert zero.boxes.tolist() == [[0, 0, 0, 0]]
    assert level_hits(two_levels(), [[2, 2, 12, 12]]).boxes.shape == (0, 4)


def test_overlaps_may_come_in_any_order():
    targets = [[2, 2, 12, 6]]
    rising = level_hits(two_levels(), targets, iou_thresholds=(0.3, 0.5, 0.7, 0.9))
    mixed = level_hits(two_levels(), targets, iou_thresholds=(0.9, 0.3, 0.7, 0.3))
    for name in ("single", "multi"):
        one, other = getattr(rising, name), getattr(mixed, name)
        assert np.array_equal(one[[3, 0, 2, 0]], other)


# Against the reference


def blobs(rng, shape):
    height, width = shape
    ys, xs = np.mgrid[:height, :width]
    out = rng.normal(size=shape) * rng.choice([0, 0.05, 0.3])
    for _ in range(rng.integers(1, 4)):
        y, x = rng.uniform(0, height), rng.uniform(0, width)
        spread = rng.uniform(0.8, max(height, width) / 2)
        out += rng.uniform(0.3, 1) * np.exp(
            -((ys - y) ** 2 + (xs - x) ** 2) / spread**2
        )
    return out


def plateaus(rng, shape):
    return np.round(blobs(rng, shape) * rng.integers(1, 6))


def rings(rng, shape):
    ys, xs = np.mgrid[: shape[0], : shape[1]]
    distance = np.abs(ys - shape[0] // 2) + np.abs(xs - rng.integers(shape[1]))
    return np.cos(distance * rng.uniform(0.3, 3))


def checkerboard(rng, shape):
    return np.indices(shape).sum(axis=0) % 2 + rng.integers(0, 2, shape) * 0.5


def squares(rng, shape):
    out = np.zeros(shape)
    for _ in range(rng.integers(2, 7)):
        y, x = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        height, width = rng.integers(1, 4, 2)
        out[y : y + height, x : x + width] = rng.choice([0.2, 0.5, 1.0])
    return out


def lines(rng, shape):
    out = np.zeros(shape)
    for _ in range(rng.integers(1, 6)):
        out[rng.integers(shape[0]), rng.integers(shape[1]) :] += rng.random()
        out[rng.integers(shape[0]) :, rng.integers(shape[1])] += rng.random()
    return out


def noise(rng, shape):
    return rng.random(shape)


def single_pixels(rng, shape):
    return (rng.random(shape) < 0.06) * rng.random(shape)


KINDS = [blobs, plateaus, rings, checkerboard, squares, lines, noise, single_pixels]


def quantized_map(rng, kind, shape):
    """Quantise a map to a random maximum; 0 and 1 happen too."""
    out = kind(rng, shape)
    out = out - out.min()
    maximum = rng.choice([255, 255, 100, 40, 7, 1, 0])
    return (out / max(out.max(), 1e-9) * maximum).astype(np.uint8)


def targets_near(rng, quantized):
    """One to three boxes, some of them near what the map shows."""
    height, width = quantized.shape
    found = contour_boxes(quantized, int(rng.integers(0, 1 + int(quantized.max()))))
    boxes = []
    for _ in range(rng.integers(1, 4)):
        box = found.boxes[rng.integers(len(found.boxes))]
        if rng.random() < 0.5:
            box = rng.integers(0, [width, height] * 2)
        moved = box + rng.integers(-1, 2, 4)
        xs = sorted(np.clip(moved[::2], 0, width - 1))
        ys = sorted(np.clip(moved[1::2], 0, height - 1))
        boxes.append([int(xs[0]), int(ys[0]), int(xs[1]), int(ys[1])])
    return boxes


def count_hits(reference, quantized, targets, interval):
    """Compare all thresholds of one map; return the number of hits."""
    thresholds = make_thresholds(interval)
    assert thresholds.tolist() == reference.count_thresholds(interval)
    hits = level_hits(quantized, targets, iou_thresholds=DELTAS)
    number = 0
    for table, multi in ((hits.single, False), (hits.multi, True)):
        curve = hit_curves([hits.maximum], table[None], thresholds) == 100
        expected = reference.hits(quantized, targets, thresholds, DELTAS, multi)
        assert np.array_equal(curve, expected)
        number += int(curve.sum())
    return number


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("interval", "repeats"), [(0.01, 200), (0.001, 6)])
def test_small_maps_match_the_reference(reference, kind, interval, repeats):
    rng = np.random.default_rng([KINDS.index(kind), repeats])
    total = 0
    for _ in range(repeats):
        shape = tuple(rng.integers(3, 13, 2))
        quantized = quantized_map(rng, kind, shape)
        total += count_hits(
            reference, quantized, targets_near(rng, quantized), interval
        )
    asked = repeats * round(1 / interval) * len(DELTAS) * 2
    # Both outcomes must be common for the comparison to mean anything.
    assert 0.05 < total / asked < 0.95


@pytest.mark.parametrize("interval", [0.01, 0.001])
@pytest.mark.parametrize("kind", [blobs, plateaus, rings], ids=lambda k: k.__name__)
def test_maps_at_full_size_match_the_reference(reference, kind, interval):
    rng = np.random.default_rng(9)
    for _ in range(3):
        scoremap = kind(rng, (14, 14)).astype(np.float32)
        normalized = normalize_scoremap(scoremap)
        quantized = quantize_scoremap(normalized)
        assert np.array_equal(normalized, reference.normalise(scoremap))
        assert np.array_equal(quantized, reference.quantise(normalized))
        count_hits(reference, quantized, targets_near(rng, quantized), interval)


def test_maxima_match_the_reference(reference):
    rng = np.random.default_rng(4)
    maps = [quantized_map(rng, blobs, (16, 16)) for _ in range(12)]
    boxes = [targets_near(rng, quantized) for quantized in maps]
    thresholds = make_thresholds(0.01)
    hits = [level_hits(*pair, iou_thresholds=DELTAS) for pair in zip(maps, boxes)]
    maxima = [h.maximum for h in hits]
    for multi in (False, True):
        table = np.stack([h.multi if multi else h.single for h in hits])
        curves = hit_curves(maxima, table, thresholds)
        for row in range(len(DELTAS)):
            rows = [
                reference.hits(*pair, thresholds, DELTAS, multi)[row]
                for pair in zip(maps, boxes)
            ]
            value, place = reference.best_of_curve(rows)
            best = curve_maximum(curves[row], thresholds)
            assert best == (value, thresholds[place])


# Real boxes


@pytest.mark.parametrize("split", ["CUB/val", "CUB/test", "ILSVRC/val"])
def test_a_map_of_the_real_box_itself_hits(shared_data, reference, split):
    metadata = read_split(shared_data / "wsol_benchmark" / split)
    step = len(metadata.image_ids) // 120
    for image_id in metadata.image_ids[::step]:
        size, boxes = metadata.image_sizes[image_id], metadata.boxes[image_id]
        scaled = scale_boxes(boxes, size, target_size=EVAL_SIZE)
        assert [tuple(b) for b in scaled.tolist()] == [
            reference.scale(box, size) for box in boxes
        ]
        x0, y0, x1, y1 = scaled[0]
        quantized = np.zeros(EVAL_SIZE, dtype=np.uint8)
        # A box ends one pixel after its region.
        quantized[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = 2
        hits = level_hits(quantized, scaled, iou_thresholds=(1.0,))
        assert hits.single[0].tolist() == [True, True] + [False] * 254
        assert hits.multi[0].tolist() == hits.single[0].tolist()
