"""Trivial maps: their boxes by hand, and their hit rates computed slowly."""

from __future__ import annotations

import numpy as np
import pytest

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.baselines import (
    BASELINES,
    baseline_map,
    center_side,
)
from mmdgdm.evaluation.functional.scoremaps import (
    contour_boxes,
    make_thresholds,
    quantize_scoremap,
    threshold_levels,
)
from mmdgdm.evaluation.stored.evaluate import evaluate_scoremaps


def box_at(name, threshold):
    quantized = quantize_scoremap(baseline_map(name))
    (level,) = threshold_levels([threshold], int(quantized.max()))
    found = contour_boxes(quantized, int(level))
    assert len(found.boxes) == 1
    return found.boxes[0].tolist()


@pytest.mark.parametrize(
    ("threshold", "ring", "side"),
    [
        (0.0, 0, 1.0),
        (0.2, 22, 180 / 224),
        (0.35, 39, 146 / 224),
        (0.5, 56, 0.5),
        (0.999, 111, 2 / 224),
    ],
)
def test_the_box_at_a_threshold_by_hand(threshold, ring, side):
    assert box_at("center", threshold) == [ring, ring, 223 - ring, 223 - ring]
    assert center_side(threshold) == pytest.approx(side)


def test_every_ring_has_thresholds_and_a_centred_box():
    sides = []
    for threshold in make_thresholds():
        x0, y0, x1, y1 = box_at("center", threshold)
        assert x0 == y0 == 223 - x1 == 223 - y1
        sides.append((x1 - x0 + 1) / 224)
        assert center_side(threshold) == pytest.approx(sides[-1])
        # One ring is 2 of 224 pixels.
        assert abs(sides[-1] - (1 - threshold)) < 2 / 224
    assert sorted(set(sides)) == [2 * k / 224 for k in range(1, 113)]


def test_exact_sides_have_their_own_thresholds():
    for ring in range(112):
        assert center_side(ring / 112) == pytest.approx(1 - ring / 112)


def test_the_whole_image_stays_whole():
    assert box_at("full", 0.0) == box_at("full", 0.9) == [0, 0, 223, 223]


def test_boxes_of_the_gaussian_are_centred_and_reach_the_frame():
    boxes = [box_at("gaussian", threshold) for threshold in make_thresholds(0.02)]
    assert boxes[0] == [0, 0, 223, 223]
    assert all(x0 == y0 == 223 - x1 == 223 - y1 for x0, y0, x1, y1 in boxes)
    scores = baseline_map("gaussian")
    assert scores.max() == scores[111, 111] == 1
    assert scores[111, 111 + 56] == pytest.approx(np.exp(-0.5))


def test_maps_are_ready_for_the_evaluator():
    for name in BASELINES:
        scores = baseline_map(name)
        assert (scores.shape, scores.dtype) == ((224, 224), np.float64)
        assert 0 <= scores.min() <= scores.max() == 1


def test_unknown_names_and_thresholds_are_refused():
    with pytest.raises(ConfigError, match=r"`baseline` .*'center'.* but got 'centre'"):
        baseline_map("centre")
    with pytest.raises(ConfigError, match=r"\[0, 1\)"):
        center_side(1.0)


# Against a slow computation from the text files


def read_boxes(folder):
    """Boxes of each image in pixels of 224 x 224, by the benchmark's rule."""
    sizes, boxes = {}, {}
    for line in (folder / "image_sizes.txt").read_text().splitlines():
        name, width, height = line.rsplit(",", 2)
        sizes[name] = (int(width), int(height))
    for line in (folder / "localization.txt").read_text().splitlines():
        name, *corners = line.rsplit(",", 4)
        width, height = sizes[name]
        corners = [float(corner) for corner in corners]
        corners[2], corners[3] = min(corners[2], width - 1), min(corners[3], height - 1)
        scaled = [
            int(corner * 224 / side) for corner, side in zip(corners, sizes[name] * 2)
        ]
        boxes.setdefault(name, []).append(scaled)
    return boxes


def is_hit(ring, boxes):
    first, last = ring, 223 - ring
    for x0, y0, x1, y1 in boxes:
        width = min(last, x1) - max(first, x0) + 1
        height = min(last, y1) - max(first, y0) + 1
        shared = max(width, 0) * max(height, 0)
        area = (x1 - x0 + 1) * (y1 - y0 + 1)
        if shared >= 0.5 * ((last - first + 1) ** 2 + area - shared):
            return True
    return False


def test_hit_rates_on_real_boxes_match_a_slow_computation(shared_data):
    folder = shared_data / "cub10" / "metadata" / "test"
    boxes = read_boxes(folder).values()
    rates = [sum(is_hit(r, b) for b in boxes) * 100 / len(boxes) for r in range(112)]
    found = evaluate_scoremaps(None, folder, baseline="center")
    curves = found["curves"]
    for threshold, rate in zip(curves["thresholds"], curves["gt_known"]):
        ring = round(112 * (1 - center_side(threshold)))
        assert rate == pytest.approx(rates[ring])
    assert found["metrics"]["wsol/gt_known"] == pytest.approx(max(rates))
    whole = evaluate_scoremaps(None, folder, baseline="full")
    assert whole["metrics"]["wsol/gt_known"] == pytest.approx(rates[0])
    # The side 0.65 is 146 pixels, which hits 158 of 243; the whole image hits 54.
    assert [rates[39], rates[0]] == pytest.approx([15800 / 243, 5400 / 243])
