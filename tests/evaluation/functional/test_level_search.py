"""The search against each level by itself: no difference is allowed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmdgdm.evaluation.functional.boxes import box_iou
from mmdgdm.evaluation.functional.level_search import LevelSearch
from mmdgdm.evaluation.functional.scoremaps import (
    contour_boxes,
    normalize_scoremap,
    quantize_scoremap,
)

from .test_max_box_acc import KINDS, targets_near

ALL_DELTAS = [(0.3, 0.5, 0.7), (0.05, 0.95), (1.0,), (0.1, 0.2, 0.4, 0.6, 0.8)]


def every_level(quantized, targets, deltas):
    """Ranks of the largest contour and of all, and the largest one's boxes."""
    single, multi, boxes = [], [], []
    for level in range(int(quantized.max())):
        found = contour_boxes(quantized, level)
        overlaps = box_iou(found.boxes, targets).max(axis=1)
        ranks = np.searchsorted(deltas, overlaps, side="right")
        single.append(int(ranks[found.largest]))
        multi.append(int(ranks.max()))
        boxes.append(tuple(found.boxes[found.largest].tolist()))
    return single, multi, boxes


def check(quantized, targets, deltas, rng):
    """Compare all levels; return the number of evaluated ones."""
    targets = np.asarray(targets, dtype=np.int64)
    single, multi, boxes = every_level(quantized, targets, deltas)
    search = LevelSearch(quantized, targets, deltas)
    if rng.random() < 0.5:
        assert search.rank_single() == single
        assert search.rank_multi() == multi
    else:
        assert search.rank_multi() == multi
        assert search.rank_single() == single
    number = search.num_evaluated
    levels = rng.permutation(len(boxes))[:8].tolist()
    assert [search.single_box(v) for v in levels] == [boxes[v] for v in levels]
    asked = sorted(rng.permutation(len(boxes))[: 1 + len(boxes) // 3].tolist())
    part = LevelSearch(quantized, targets, deltas, asked)
    ranks = part.rank_single()
    assert [ranks[v] for v in asked] == [single[v] for v in asked]
    ranks = part.rank_multi()
    assert [ranks[v] for v in asked] == [multi[v] for v in asked]
    return number


def stretch(scoremap, maximum):
    out = scoremap - scoremap.min()
    quantized = (out / max(out.max(), 1e-9) * maximum).astype(np.uint8)
    quantized.flat[0] = max(quantized.flat[0], not quantized.any())
    return quantized


def some_targets(rng, quantized, number):
    boxes = targets_near(rng, quantized)
    while len(boxes) < number:
        boxes += targets_near(rng, quantized)
    return boxes[:number]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_small_maps(kind):
    rng = np.random.default_rng(100 + KINDS.index(kind))
    for _ in range(190):
        shape = tuple(rng.integers(1, 17, 2))
        if shape == (1, 1):
            shape = (1, 2)
        quantized = stretch(kind(rng, shape), rng.choice([1, 7, 40, 255]))
        targets = some_targets(rng, quantized, rng.integers(1, 5))
        check(quantized, targets, ALL_DELTAS[rng.integers(len(ALL_DELTAS))], rng)


def cam_like(rng, side, noise):
    """A smooth map around a box of a 224 pixel image, and the box."""
    x0, y0 = rng.integers(0, 120, 2)
    x1, y1 = x0 + rng.integers(30, 104), y0 + rng.integers(30, 104)
    ys, xs = (np.mgrid[:side, :side] + 0.5) * 224 / side
    out = np.zeros((side, side))
    for _ in range(rng.integers(1, 4)):
        x, y = rng.uniform(x0, x1), rng.uniform(y0, y1)
        width, height = (x1 - x0) * rng.uniform(0.2, 0.5), (y1 - y0) * 0.4
        out += rng.uniform(0.3, 1) * np.exp(
            -(((xs - x) / width) ** 2) - ((ys - y) / height) ** 2
        )
    grain = cv2.GaussianBlur(rng.normal(size=(side, side)), (0, 0), 1.0)
    out += noise * out.max() * grain
    quantized = quantize_scoremap(normalize_scoremap(out.astype(np.float32)))
    return quantized, [[int(x0), int(y0), int(x1), int(y1)]]


@pytest.mark.parametrize(("side", "noise"), [(7, 0.1), (14, 0.2), (28, 0.2), (28, 1.0)])
def test_maps_at_full_size(side, noise):
    rng = np.random.default_rng(side)
    for _ in range(10):
        check(*cam_like(rng, side, noise), ALL_DELTAS[0], rng)


def test_few_levels_are_evaluated_on_smooth_maps():
    rng = np.random.default_rng(3)
    numbers = []
    for _ in range(12):
        quantized, targets = cam_like(rng, 14, 0.1)
        numbers.append(check(quantized, targets, ALL_DELTAS[0], rng))
    single, multi = np.mean(numbers, axis=0)
    assert single < 30
    assert multi < 45


# By hand


def frame(size=24):
    return np.zeros((size, size), dtype=np.uint8)


def equal_blobs():
    out = frame()
    out[2:6, 2:6], out[2:6, 14:18], out[16:20, 8:12] = 90, 120, 60
    out[16:20, 18:22] = 90
    return out


def lines_and_pixels():
    out = frame()
    out[3, 2:20], out[5:20, 21], out[8, 4], out[12, 9], out[20, 3] = 50, 80, 90, 30, 7
    return out


def diamonds_with_tails():
    out = frame()
    ys, xs = np.indices(out.shape)
    out[abs(ys - 7) + abs(xs - 7) <= 4] = 100
    out[abs(ys - 16) + abs(xs - 15) <= 4] = 70
    out[7, 11:23], out[16, :11], out[20:, 15] = 60, 40, 70
    return out


def rings_with_islands():
    out = frame()
    ys, xs = np.indices(out.shape)
    distance = np.maximum(abs(ys - 11), abs(xs - 12))
    out[(distance >= 9) & (distance <= 10)] = 60
    out[(distance >= 4) & (distance <= 6)] = 90
    out[distance <= 1] = 120
    return out


def filling_holes():
    out = rings_with_islands()
    out[out == 0] = np.arange((out == 0).sum(), dtype=np.uint8) % 50
    return out


def holes_at_the_frame():
    out = np.full((24, 24), 90, dtype=np.uint8)
    out[0:5, 3:7], out[10:15, 0:4], out[1:6, 12:20], out[20:23, 9:23] = 0, 5, 20, 40
    out[12:17, 12:17] = 10
    return out


def spiral():
    out = frame()
    value = 40
    for k in range(0, 12, 2):
        out[k, k : 24 - k] = out[k : 24 - k, 23 - k] = value
        out[23 - k, k : 24 - k] = out[k + 2 : 24 - k, k] = value
        out[k + 2, k : k + 3] = value
        value += 20
    return out


def checkerboard():
    return (np.indices((24, 24)).sum(axis=0) % 2 * 9 + 3).astype(np.uint8)


def steps():
    return np.repeat(np.arange(24, dtype=np.uint8) // 4 * 30, 24).reshape(24, 24)


def touching_corners():
    out = frame()
    for k in range(4):
        out[1 + 5 * k : 6 + 5 * k, 1 + 5 * k : 6 + 5 * k] = 40 + 10 * k
        out[3 + 5 * k, 3 + 5 * k] = 5
    return out


HAND_MADE = [
    equal_blobs,
    lines_and_pixels,
    diamonds_with_tails,
    rings_with_islands,
    filling_holes,
    holes_at_the_frame,
    spiral,
    checkerboard,
    steps,
    touching_corners,
    lambda: np.full((9, 9), 3, dtype=np.uint8),
    lambda: np.ones((1, 1), dtype=np.uint8),
    lambda: np.array([[0, 3, 0, 5, 4, 0]], dtype=np.uint8),
]


@pytest.mark.parametrize("make", HAND_MADE)
def test_hand_made_maps(make):
    quantized = make()
    rng = np.random.default_rng(0)
    for _ in range(4):
        for enlarged in (quantized, np.kron(quantized, np.ones((2, 3), np.uint8))):
            for deltas in ALL_DELTAS[:2]:
                check(enlarged, targets_near(rng, enlarged), deltas, rng)
        quantized = quantized.T[::-1].copy()
