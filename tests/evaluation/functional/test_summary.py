"""All box scores: by hand, as properties, and against the slow reference."""

from __future__ import annotations

import numpy as np
import pytest

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional import records as records_module
from mmdgdm.evaluation.functional.records import make_box_record
from mmdgdm.evaluation.functional.scoremaps import contour_boxes, make_thresholds
from mmdgdm.evaluation.functional.summary import (
    SIZE_NAMES,
    check_box_settings,
    summarize_boxes,
)

DELTAS = (0.3, 0.5, 0.7)
CUTS = make_thresholds(0.05)
FIXED = "val_threshold/"


def frame(x0, y0, x1, y1, side=224):
    """A map whose box is the given one at all thresholds."""
    quantized = np.zeros((side, side), dtype=np.uint8)
    # A box ends one pixel after its region.
    quantized[y0:y1, x0:x1] = 255
    return quantized


def make_record(quantized, boxes, label, rank=None, ious=DELTAS, threshold=None):
    settings = dict(rank=rank, iou_thresholds=ious, threshold=threshold)
    return make_box_record(quantized / 255, boxes, label=label, **settings)


def summarize(records, **changes):
    settings = dict(thresholds=CUTS, iou_thresholds=DELTAS, topk=(), threshold=None)
    return summarize_boxes(records, **{**settings, **changes})


# By hand


def test_two_thresholds_one_for_each_image():
    # Below 0.5 the large square shows, of 121 pixels, then the small one, of 25.
    two = np.zeros((20, 20), dtype=np.uint8)
    two[2:12, 2:12] = 127
    two[2:6, 2:6] = 255
    large, small = [[2, 2, 12, 12]], [[2, 2, 6, 6]]
    records = [
        make_record(two, large, 0, 0, threshold=0.6),
        make_record(two, small, 0, 1, threshold=0.6),
        make_record(two, small, 5, 1, threshold=0.6),
    ]
    found = summarize(records, topk=(1, 2), threshold=0.6)
    scores = found.metrics
    assert scores["gt_known"] == scores["max_box_acc"] == 200 / 3
    assert scores["threshold/gt_known"] == CUTS[10] == 0.5
    assert scores["top1_cls"] == 100 / 3
    assert scores["top2_cls"] == 100
    assert (scores["top1_loc"], scores["threshold/top1_loc"]) == (100 / 3, 0)
    assert scores["top2_loc"] == 200 / 3
    assert (
        scores["val_threshold/gt_known"] == scores["val_threshold/top2_loc"] == 200 / 3
    )
    assert scores["val_threshold/top1_loc"] == 0
    assert scores["threshold/val_max_box_acc"] == 0.6
    # At 0.5 the ratios are 25 / 121, 1 and 1; of the first object 96 / 121 is missed.
    assert scores["threshold/box_area_ratio"] == 0.5
    assert scores["box_area_ratio"] == pytest.approx((25 / 121 + 2) / 3)
    assert scores["over_coverage"] == 0
    assert scores["under_coverage"] == pytest.approx(100 * 96 / 121 / 3)
    assert found.by_class[5]["images"] == 1
    assert found.by_class[5]["gt_known"] == 100
    assert found.by_class[0]["gt_known"] == 50
    assert found.curves["gt_known"].tolist() == [100 / 3] * 10 + [200 / 3] * 10
    assert found.curves["top1_loc"].tolist() == [100 / 3] * 10 + [0] * 10
    assert found.num_constant == 0


def test_coverage_at_the_fixed_threshold():
    two = np.zeros((20, 20), dtype=np.uint8)
    two[2:12, 2:12] = 100
    two[2:6, 2:6] = 255
    record = make_record(two, [[2, 2, 6, 6]], 0, threshold=0.37)
    scores = summarize([record], threshold=0.37).metrics
    assert scores["val_threshold/box_area_ratio"] == 121 / 25
    assert scores["val_threshold/over_coverage"] == pytest.approx(100 * 96 / 121)
    assert scores["val_threshold/under_coverage"] == 0
    # The best threshold is the first above 100 / 255, which is 0.4.
    assert scores["box_area_ratio"] == 1
    assert scores["threshold/box_area_ratio"] == 0.4


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        # 15 % of the image are 7526.4 pixels, half of it 25088.
        (86, 87, "small"),  # 7482
        (53, 142, "small"),  # 7526
        (71, 106, "small"),  # 7526
        (193, 39, "medium"),  # 7527
        (112, 224, "medium"),  # 25088
        (193, 130, "large"),  # 25090
        (224, 224, "large"),
    ],
)
def test_sizes_of_objects(width, height, size):
    box = [0, 0, width - 1, height - 1]
    found = summarize([make_record(frame(*box), [box, [3, 3, 4, 4]], 0)])
    assert {name: s["images"] for name, s in found.by_size.items()} == {
        name: int(name == size) for name in SIZE_NAMES
    }
    shown = [n for n in SIZE_NAMES if f"gt_known_{n}" in found.metrics]
    assert shown == [size]


def test_sizes_stand_at_the_threshold_of_the_whole_set():
    two = frame(0, 0, 150, 150) // 2
    two[:50, :50] = 255
    small, medium = [[0, 0, 50, 50]], [[0, 0, 150, 150]]
    records = [make_record(two, boxes, 0) for boxes in (small, small, medium)]
    scores = summarize(records).metrics
    assert scores["threshold/gt_known"] == 0.5
    # At a threshold of its own the medium object would be found.
    assert scores["gt_known_small"] == 100
    assert scores["gt_known_medium"] == 0


def test_constant_maps_are_counted():
    zero = np.zeros((9, 9), dtype=np.uint8)
    spot = zero.copy()
    spot[0, 0] = 1
    maps = (zero, spot, zero + 200)
    records = [make_record(m, [[0, 0, 1, 1]], 0) for m in maps]
    found = summarize(records)
    assert found.num_constant == 2
    assert found.metrics["max_box_acc"] == pytest.approx(100 / 3)


def test_other_overlaps_have_names():
    record = make_record(frame(0, 0, 9, 9), [[0, 0, 9, 9]], 0, None, (0.95, 0.5, 1.0))
    scores = summarize([record], iou_thresholds=(0.95, 0.5, 1.0)).metrics
    for name in (
        "max_box_acc_95",
        "max_box_acc_100",
        "max_box_acc_v2_50",
        "max_box_acc_v2_100",
    ):
        assert scores[name] == 100
    assert "max_box_acc_50" not in scores


# Properties


def random_map(rng, side=16):
    """Spots and noise, with any maximum; rarely nothing at all."""
    ys, xs = np.mgrid[:side, :side]
    out = rng.random((side, side)) * rng.choice([0, 0.1, 0.4])
    for _ in range(rng.integers(1, 4)):
        y, x = rng.integers(0, side, 2)
        spread = rng.uniform(1, side / 2)
        out += rng.random() * np.exp(-((ys - y) ** 2 + (xs - x) ** 2) / spread**2)
    maximum = rng.choice([255, 255, 255, 90, 7, 1, 0])
    return ((out - out.min()) / np.ptp(out) * maximum).astype(np.uint8)


def random_boxes(rng, quantized):
    side = len(quantized)
    level = int(rng.integers(0, 1 + int(quantized.max())))
    found = contour_boxes(quantized, level)
    boxes = [found.boxes[found.largest]]
    boxes += [rng.integers(0, side, 4) for _ in range(rng.integers(0, 3))]
    moved = [np.clip(box + rng.integers(-2, 3, 4), 0, side - 1) for box in boxes]
    ordered = [[*np.sort(b.reshape(2, 2), axis=0).ravel()] for b in moved]
    return [[int(v) for v in box] for box in ordered]


def random_set(seed, number=30, side=16):
    """(map, boxes, label, rank) of some images."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(number):
        quantized = random_map(rng, side)
        boxes = random_boxes(rng, quantized)
        images.append((quantized, boxes, int(rng.integers(4)), int(rng.integers(7))))
    return images


def records_of(images, threshold=None):
    return [make_record(*image, DELTAS, threshold) for image in images]


ALL = dict(topk=(1, 5), threshold=0.37)


def test_the_order_of_images_does_not_matter():
    records = records_of(random_set(0), 0.37)
    rng = np.random.default_rng(0)
    expected = summarize(records, **ALL)
    for _ in range(3):
        found = summarize([records[k] for k in rng.permutation(30)], **ALL)
        assert found.metrics == expected.metrics
        assert found.by_class == expected.by_class
        assert found.by_size == expected.by_size
        for name, curve in expected.curves.items():
            assert np.array_equal(found.curves[name], curve)


def test_groups_average_to_the_whole():
    # Boxes of 16 x 16 maps would all be small: spread them over the real size.
    rng = np.random.default_rng(2)
    images = []
    for label in rng.integers(0, 5, 40):
        x, y = rng.integers(0, 20, 2)
        box = [x, y, *(np.array([x, y]) + rng.integers(40, 200, 2))]
        shown = np.clip(np.array(box) + rng.integers(-20, 20, 4), 0, 223)
        images.append((frame(*shown), [box], int(label), int(rng.integers(7))))
    found = summarize(records_of(images, 0.37), **ALL)
    names = [n for n in found.by_class[0] if n != "images"]
    assert {n for n in found.metrics if "small" not in n} >= set(names)
    for groups in (found.by_class, found.by_size):
        assert len(groups) >= 3
        weights = [group["images"] for group in groups.values()]
        assert sum(weights) == 40
        assert min(weights) > 0
        for name in names:
            values = [group[name] for group in groups.values()]
            mean = np.average(values, weights=weights)
            assert mean == pytest.approx(found.metrics[name], abs=1e-9), name
    for size in SIZE_NAMES:
        for at in ("", FIXED):
            expected = found.by_size[size][f"{at}gt_known"]
            assert found.metrics[f"{at}gt_known_{size}"] == expected


def test_curves_hold_the_scores():
    found = summarize(records_of(random_set(3), 0.35), topk=(1, 5), threshold=0.35)
    assert len(found.curves) == 9
    place = CUTS.tolist().index(0.35000000000000003)
    for name, curve in found.curves.items():
        assert len(curve) == len(CUTS)
        assert found.metrics[name] == curve.max()
        assert found.metrics[f"threshold/{name}"] == CUTS[curve.argmax()]
        assert found.metrics[FIXED + name] == pytest.approx(curve[place], abs=1e-9)


# Against the slow reference


def slow_scores(reference, images, cuts, deltas):
    """Best score and threshold by name, and the table of hits of each."""
    rows = {}
    for quantized, boxes, _, rank in images:
        single = reference.hits(quantized, boxes, cuts, deltas, multi=False)
        multi = reference.hits(quantized, boxes, cuts, deltas, multi=True)
        known = single[deltas.index(0.5)]
        entries = {"gt_known": known, "max_box_acc": known}
        for k in (1, 5):
            entries[f"top{k}_loc"] = [hit and rank < k for hit in known]
        for delta, one, any_of in zip(deltas, single, multi):
            if delta != 0.5:
                entries[f"max_box_acc_{100 * delta:g}"] = one
            entries[f"max_box_acc_v2_{100 * delta:g}"] = any_of
        for name, row in entries.items():
            rows.setdefault(name, []).append(row)
    return {name: reference.best_of_curve(table) for name, table in rows.items()}, rows


@pytest.mark.parametrize("seed", range(4))
def test_random_sets_match_the_reference(reference, seed):
    images, fixed = random_set(10 + seed), [0.37, 0.0, 0.999, 0.5][seed]
    cuts = make_thresholds(0.02)
    found = summarize(
        records_of(images, fixed), thresholds=cuts, topk=(1, 5), threshold=fixed
    )
    best, rows = slow_scores(reference, images, cuts.tolist(), DELTAS)
    at_fixed, _ = slow_scores(reference, images, [fixed], DELTAS)
    assert set(found.curves) == set(best)
    for name, (value, place) in best.items():
        assert found.metrics[name] == value
        assert found.metrics[f"threshold/{name}"] == cuts[place]
        assert found.metrics[FIXED + name] == at_fixed[name][0]
    assert 0 < best["max_box_acc_v2_70"][0] < 100
    for at, source in (("", best), (FIXED, at_fixed)):
        mean = np.mean([source[f"max_box_acc_v2_{100 * d:g}"][0] for d in DELTAS])
        assert found.metrics[f"{at}max_box_acc_v2"] == mean
    for label in range(4):
        group = [k for k, image in enumerate(images) if image[2] == label]
        assert found.by_class[label]["images"] == len(group)
        for name, (_, place) in best.items():
            right = sum(rows[name][k][place] for k in group)
            assert found.by_class[label][name] == right * 100.0 / len(group)


def test_size_groups_match_the_reference(reference):
    images = []
    for quantized, boxes, label, rank in random_set(20, number=12):
        large = np.kron(quantized, np.ones((14, 14), dtype=np.uint8))
        images.append((large, [[14 * v for v in box] for box in boxes], label, rank))
    best, rows = slow_scores(reference, images, CUTS.tolist(), DELTAS)
    found = summarize(records_of(images))
    groups = {name: [] for name in SIZE_NAMES}
    for k, (_, boxes, _, _) in enumerate(images):
        area = max((x1 - x0 + 1) * (y1 - y0 + 1) for x0, y0, x1, y1 in boxes)
        share = area / 224**2
        name = "small" if share < 0.15 else "medium" if share <= 0.5 else "large"
        groups[name].append(k)
    assert min(map(len, groups.values())) > 0
    for size, group in groups.items():
        right = sum(rows["gt_known"][k][best["gt_known"][1]] for k in group)
        assert found.metrics[f"gt_known_{size}"] == right * 100.0 / len(group)


# Errors


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (dict(iou_thresholds=(0.4,)), "records of 4 IoU thresholds"),
        (dict(threshold=0.3), "and 21 coverage thresholds"),
        (dict(topk=(1,)), "class scores for `topk`"),
    ],
)
def test_records_that_do_not_fit(changes, match):
    with pytest.raises(DataError, match=match):
        summarize([make_record(frame(0, 0, 9, 9), [[0, 0, 9, 9]], 0)], **changes)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (((0.5, 0.5), (), None), "differ"),
        (((0.5, 0.50000001), (), None), "differ"),
        (((0.5, 0.0), (), None), r"in \(0, 1\]"),
        (((0.5,), (0,), None), "`topk`"),
        (((0.5,), 1, None), "`topk`"),
        (((0.5,), (), 1.0), "`threshold`"),
        (((0.5,), (), float("nan")), "`threshold`"),
    ],
)
def test_malformed_settings(arguments, match):
    with pytest.raises(ConfigError, match=match):
        check_box_settings(*arguments[:2], threshold=arguments[2])


def test_parts_of_a_data_set_give_the_scores_of_the_whole(monkeypatch):
    rng = np.random.default_rng(0)
    records = [
        make_box_record(
            rng.random((20, 20)) * rng.choice([1.0, 0.7]),
            np.array([[2, 3, 11, 15]]),
            label=int(rng.integers(3)),
            rank=int(rng.integers(4)),
        )
        for _ in range(11)
    ]
    settings = dict(thresholds=make_thresholds(0.01), topk=(1, 5))
    whole = summarize_boxes(records, **settings)
    monkeypatch.setattr(records_module, "_PART", 3)
    parts = summarize_boxes(records, **settings)
    assert parts.metrics == whole.metrics
    assert parts.by_class == whole.by_class
    assert parts.by_size == whole.by_size
    assert parts.calibrated == whole.calibrated
    for name, curve in whole.curves.items():
        assert np.array_equal(parts.curves[name], curve)
