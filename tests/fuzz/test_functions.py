"""Functions on boxes, maps and scores meet any numbers: they hold or are refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.boxes import (
    box_iou,
    check_boxes,
    fit_box,
    scale_boxes,
)
from mmdgdm.evaluation.functional.cam_target import select_scoremap
from mmdgdm.evaluation.functional.coverage import cover_areas, mean_coverage
from mmdgdm.evaluation.functional.error_kinds import (
    ERROR_KINDS,
    box_ious,
    error_kinds,
)
from mmdgdm.evaluation.functional.image_facts import (
    boxes_over_thresholds,
    describe_image,
)
from mmdgdm.evaluation.functional.names import human_name, split_name
from mmdgdm.evaluation.functional.pixel_summary import (
    make_pixel_record,
    summarize_pixels,
)
from mmdgdm.evaluation.functional.pxap import merge_masks
from mmdgdm.evaluation.functional.records import (
    label_rank,
    make_box_record,
    pack_record,
    read_box_records,
    unpack_record,
)
from mmdgdm.evaluation.functional.scoremaps import (
    make_thresholds,
    normalize_scoremap,
    predict_box,
    quantize_scoremap,
    threshold_levels,
)
from mmdgdm.evaluation.functional.summary import summarize_boxes

pytestmark = pytest.mark.faults
NUMBERS = st.one_of(
    st.integers(-10, 300),
    st.floats(-10, 300),
    st.sampled_from([0, -0.0, 1e308, -1e308, math.nan, math.inf, 2**31, 2**63, 1e-320]),
)
TYPES = st.sampled_from(["f2", "f4", "f8", ">f8", "i1", "u1", "i4", "i8", "?", "c8"])
ANYTHING = arrays.arrays(
    TYPES, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
)
#: Real maps: any floats, also those that no mean or span holds.
MAPS = arrays.arrays(
    st.sampled_from(["f2", "f4", "f8"]),
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=12),
)
UNIT = st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0])
UNIT_MAPS = arrays.arrays("f8", (16, 16), elements=UNIT)
PLACES = st.integers(0, 15)
BOXES = st.lists(st.tuples(PLACES, PLACES, PLACES, PLACES), min_size=1, max_size=3)


def _sorted(boxes):
    """x0, y0, x1, y1 in order."""
    a = np.array(boxes).reshape(-1, 2, 2)
    return np.concatenate([a.min(axis=1), a.max(axis=1)], axis=1)


def test_one_box_in_its_image(provoke):
    def run(values):
        box, size = values
        x0, y0, x1, y1 = fit_box(box, size)
        assert 0 <= x0 <= x1
        assert 0 <= y0 <= y1
        assert size is None or (x1 <= size[0] - 1 and y1 <= size[1] - 1)

    size = st.none() | st.tuples(st.integers(1, 10**18), st.integers(1, 300))
    provoke(st.tuples(st.tuples(*[NUMBERS] * 4), size), run)


def test_boxes_of_any_array(provoke):
    def run(values):
        boxes, others, size = values
        check_boxes(boxes, "boxes")
        iou = box_iou(boxes, others)
        assert ((iou >= 0) & (iou <= 1)).all()
        scaled = scale_boxes(boxes, size, target_size=(224, 224))
        assert ((scaled >= 0) & (scaled < 224)).all()

    rows = st.lists(st.tuples(*[NUMBERS] * 4), max_size=3).map(list)
    boxes = ANYTHING | rows | BOXES.map(_sorted)
    size = st.tuples(st.integers(-1, 400), st.integers(-1, 400))
    provoke(st.tuples(boxes, boxes, size), run)


def test_areas_and_kinds_of_error(provoke):
    def run(values):
        boxes, truth, right = values
        areas = cover_areas(_sorted(boxes), _sorted(truth))
        ious = box_ious(areas)
        assert ((ious >= 0) & (ious <= 1)).all()
        assert set(error_kinds(areas, [right] * len(areas))) <= set(ERROR_KINDS)
        _, over, under = mean_coverage(areas)
        assert 0 <= over <= 100
        assert 0 <= under <= 100

    provoke(st.tuples(BOXES, BOXES, st.booleans()), run)


def test_areas_of_any_array(provoke):
    def run(values):
        a, b = values
        for call in (
            lambda: cover_areas(a, b),
            lambda: box_ious(a),
            lambda: error_kinds(a, b),
            lambda: mean_coverage(a),
        ):
            _quiet(call)

    provoke(st.tuples(ANYTHING, ANYTHING), run)


def _quiet(call):
    """One of several: an error of this package is a result."""
    try:
        return call()
    except DataError:
        return None


def test_maps_of_any_array(provoke):
    def run(array):
        for call in (normalize_scoremap, quantize_scoremap):
            result = _quiet(lambda call=call: call(array))
            if result is not None:
                assert np.isfinite(result).all()
                assert result.min() >= 0
                assert result.max() <= 255

    provoke(ANYTHING | MAPS, run)


def test_maps_are_stretched(provoke):
    def run(scoremap):
        result = normalize_scoremap(scoremap)
        assert result.min() == 0
        assert result.max() in (0, 1)
        assert np.isfinite(result).all()

    provoke(MAPS, run)


def test_boxes_of_maps(provoke):
    def run(values):
        scores, threshold, truth = values
        quantized = quantize_scoremap(scores)
        threshold_levels([threshold], int(quantized.max()))
        x0, y0, x1, y1 = predict_box(quantized, threshold)
        assert 0 <= x0 <= x1 < 16
        assert 0 <= y0 <= y1 < 16
        boxes = boxes_over_thresholds(quantized, [threshold, threshold])
        assert boxes[0].tolist() == boxes[1].tolist() == [x0, y0, x1, y1]
        facts = describe_image(
            quantized,
            threshold,
            image_id="a",
            image_size=(16, 16),
            gt_boxes=_sorted(truth).tolist(),
        )
        assert 0 <= facts.iou <= 1

    threshold = st.floats(0, 1) | NUMBERS
    provoke(st.tuples(UNIT_MAPS, threshold, BOXES), run)


def test_records_of_boxes(provoke):
    thresholds = make_thresholds(0.05)

    def run(values):
        maps, truth, rank, fixed = values
        records = [
            make_box_record(scores, _sorted(truth), label=i, rank=rank, threshold=fixed)
            for i, scores in enumerate(maps)
        ]
        table = read_box_records(records)
        assert (table.labels == np.arange(len(maps))).all()
        found = summarize_boxes(
            records,
            thresholds=thresholds,
            iou_thresholds=[0.5],
            topk=(),
            threshold=fixed,
        )
        assert all(np.isfinite(value) for value in found.metrics.values())
        assert 0 <= found.metrics["max_box_acc"] <= 100

    maps = st.lists(UNIT_MAPS, min_size=1, max_size=3)
    rank = st.none() | st.integers(0, 5)
    fixed = st.none() | st.floats(0, 1) | NUMBERS
    provoke(st.tuples(maps, BOXES, rank, fixed), run)


def test_damaged_records_of_boxes(provoke):
    scores = np.zeros((16, 16))
    scores[3:9, 4:12] = np.linspace(0.2, 1, 8)
    sound = make_box_record(scores, np.array([[4, 3, 11, 8]]), label=2, rank=1)
    content = unpack_record(sound)
    thresholds = make_thresholds(0.05)

    def run(values):
        edits, cut, packed = values
        data = content.copy()
        for place, value in edits:
            data[place % len(data)] = value
        record = pack_record(data[: len(data) - cut])
        if packed is not None:
            record = record[:packed] + b"x" + record[packed + 1 :]
        settings = dict(
            thresholds=thresholds, iou_thresholds=[0.3, 0.5, 0.7], topk=(1,)
        )
        for records in ([record], [sound, record]):
            found = _quiet(lambda one=records: summarize_boxes(one, **settings))
            if found is not None:
                assert 0 <= found.metrics["max_box_acc"] <= 100
            _quiet(lambda one=records: summarize_pixels(one, thresholds=thresholds))

    edits = st.lists(
        st.tuples(st.integers(0, 31) | st.integers(0, 999), st.integers(0, 255)),
        max_size=4,
    )
    cut = st.sampled_from([0, 0, 0, 1, 4, 12, 500, 10**6])
    provoke(st.tuples(edits, cut, st.none() | st.integers(0, 40)), run)


def test_records_of_pixels(provoke):
    def run(values):
        scores, mask, thresholds, fixed = values
        record = make_pixel_record(scores, mask, thresholds=thresholds, threshold=fixed)
        found = summarize_pixels([record], thresholds=thresholds, threshold=fixed)
        assert 0 <= found.metrics["pxap"] <= 100
        other = ANY_RECORD
        _quiet(lambda: summarize_pixels([record, other], thresholds=thresholds))

    mask = arrays.arrays("u1", (16, 16), elements=st.sampled_from([0, 1, 255]))
    masks = st.one_of(mask, mask, ANYTHING)
    cuts = st.lists(st.floats(0, 1), max_size=5).map(np.array) | st.just(
        make_thresholds(0.1)
    )
    fixed = st.none() | st.floats(0, 1) | NUMBERS
    provoke(st.tuples(UNIT_MAPS | ANYTHING, masks, cuts, fixed), run)


ANY_RECORD = pack_record(np.arange(-3, 9, dtype="<i4"))


def test_ranks_of_labels(provoke):
    def run(values):
        scores, label = values
        assert 0 <= label_rank(scores, label) < len(scores)

    scores = st.lists(NUMBERS.map(float), max_size=6)
    provoke(st.tuples(scores | ANYTHING, st.integers(-2, 7)), run)


def test_masks_of_one_image(provoke):
    def run(values):
        masks, ignored = values
        merged = merge_masks(masks, ignored)
        assert set(np.unique(merged)) <= {0, 1, 255}

    mask = arrays.arrays("?", (5, 5)) | ANYTHING
    provoke(st.tuples(st.lists(mask, max_size=3), st.none() | mask), run)


def test_the_map_of_a_class(provoke):
    def run(values):
        maps, labels, scores, target, label = values
        labels = np.array(labels, dtype=np.int64)
        found = select_scoremap(
            maps, labels, cam_target=target, scores=scores, label=label
        )
        assert found.shape == maps.shape[1:]

    labels = st.lists(st.integers(0, 5), max_size=4, unique=True)
    maps = arrays.arrays("f4", st.tuples(*[st.integers(0, 4)] * 3))
    scores = st.lists(st.floats(0, 1), max_size=6)
    target = st.sampled_from(["gt", "top1", "top3", "weighted_top3", "top", "gt1"])
    case = st.tuples(maps | ANYTHING, labels, scores, target, st.integers(-1, 5))
    provoke(case, run)


def test_names_of_scores(provoke):
    def run(name):
        parts = split_name(name)
        assert "".join(parts) == name
        human_name(name)

    parts = st.sampled_from(
        ["wsol/", "threshold/", "val_threshold/", "max_box_acc", "_"]
    )
    name = st.lists(parts | st.text(max_size=4), max_size=4).map("".join)
    provoke(name, run)
