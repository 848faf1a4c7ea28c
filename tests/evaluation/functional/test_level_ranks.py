"""Both ways to rank levels, against each mask by itself: no difference is allowed."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from mmdgdm.evaluation.functional import level_ranks
from mmdgdm.evaluation.functional.level_ranks import (
    rank_levels,
    rank_levels_by_contours,
    ranking_engine,
)
from mmdgdm.evaluation.functional.scoremaps import (
    normalize_scoremap,
    quantize_scoremap,
)

from .test_max_box_acc import KINDS, targets_near

ALL_DELTAS = [(0.3, 0.5, 0.7), (0.05, 0.95), (1.0,), (0.1, 0.2, 0.4, 0.6, 0.8)]


def compiled(quantized, targets, **settings):
    """The compiled way, where numba is installed."""
    pytest.importorskip("numba")
    from mmdgdm.evaluation.functional.level_kernel import rank_levels_compiled

    return rank_levels_compiled(quantized, targets, **settings)


WAYS = [rank_levels_by_contours, compiled]


def check(way, quantized, targets, deltas, rng):
    """Compare one way with the other, boxes at some levels included.

    The scores that a map was made of are known or not, and are all sorts of what is
    rounded down to it.
    """
    targets = np.asarray(targets, dtype=np.int64)
    deltas = np.asarray(deltas)
    levels = rng.integers(0, max(int(quantized.max()), 1), 6)
    asked = dict(deltas=deltas, box_levels=levels)
    fraction = rng.random(quantized.shape) * rng.choice([0, 0.01, 1])
    scores = np.minimum(quantized + 0.999 * fraction, 255) / 255
    scores = scores if rng.random() < 0.7 else None
    got = way(quantized, targets, scores=scores, **asked)
    expected = rank_levels_by_contours(quantized, targets, **asked)
    assert np.array_equal(got.single, expected.single)
    assert np.array_equal(got.multi, expected.multi)
    assert np.array_equal(got.boxes, expected.boxes)
    assert {array.dtype for array in got} == {np.dtype(np.int64)}


def check_slowly(reference, way, quantized, targets, deltas):
    """Compare with the independent re-implementation, level by level."""
    levels = np.arange(max(int(quantized.max()), 1))
    asked = dict(deltas=np.array(deltas), box_levels=levels)
    got = way(quantized, np.array(targets), **asked)
    assert not got.single[len(levels) :].any()
    assert not got.multi[len(levels) :].any()
    for level in levels.tolist():
        threshold = (level + 0.5) / len(levels)
        for ranks, is_multi in ((got.single, False), (got.multi, True)):
            boxes = reference.find_boxes(quantized, threshold, is_multi)
            best = max(reference.iou(box, t) for box in boxes for t in targets)
            assert ranks[level] == sum(best >= delta for delta in deltas)
            if not is_multi:
                assert got.boxes[level].tolist() == list(boxes[0])


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


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_small_maps_match_the_reference(reference, way, kind):
    rng = np.random.default_rng(100 + KINDS.index(kind))
    for _ in range(40):
        quantized = stretch(
            kind(rng, (rng.integers(1, 15), rng.integers(2, 15))),
            rng.choice([1, 7, 40]),
        )
        targets = some_targets(rng, quantized, rng.integers(1, 5))
        deltas = ALL_DELTAS[rng.integers(len(ALL_DELTAS))]
        check_slowly(reference, way, quantized, targets, deltas)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_small_maps(kind):
    rng = np.random.default_rng(200 + KINDS.index(kind))
    for _ in range(650):
        shape = (rng.integers(1, 20), rng.integers(2, 20))
        quantized = stretch(kind(rng, shape), rng.choice([1, 7, 40, 255]))
        if rng.random() < 0.1:
            quantized[:] = rng.integers(0, 3)
        targets = some_targets(rng, quantized, rng.integers(1, 5))
        deltas = ALL_DELTAS[rng.integers(len(ALL_DELTAS))]
        check(compiled, quantized, targets, deltas, rng)


@pytest.mark.parametrize("order", ["C", "F"])
def test_layout_of_the_map_does_not_matter(order):
    rng = np.random.default_rng(4)
    quantized = np.asarray(stretch(KINDS[0](rng, (40, 30)), 255), order=order)
    before = quantized.copy()
    check(compiled, quantized[::-2], [[3, 3, 9, 9]], ALL_DELTAS[0], rng)
    check(compiled, quantized, [[3, 3, 9, 9]], ALL_DELTAS[0], rng)
    assert np.array_equal(quantized, before)


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
        check(compiled, *cam_like(rng, side, noise), ALL_DELTAS[0], rng)


def test_full_size_noise():
    rng = np.random.default_rng(8)
    noise = rng.integers(0, 30, (224, 224)).astype(np.uint8)
    check(compiled, noise, [[20, 30, 120, 160]], ALL_DELTAS[0], rng)


def run_python(code, **variables):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


RANK_ONE = """
import numpy as np
from mmdgdm.evaluation.functional.level_ranks import rank_levels, ranking_engine
quantized = np.zeros((9, 9), np.uint8)
quantized[2:5, 2:5] = 3
asked = dict(deltas=np.array([1.0]), box_levels=np.array([0]))
ranks = rank_levels(quantized, np.array([[2, 2, 5, 5]]), **asked)
assert ranks.single.sum() == ranks.multi.sum() == 3, ranks
assert ranks.boxes.tolist() == [[2, 2, 5, 5]], ranks
print(ranking_engine())
"""


def test_without_numba_levels_are_looked_at_one_by_one():
    done = run_python("import sys; sys.modules['numba'] = None\n" + RANK_ONE)
    assert done.stdout.strip() == "contours of each level (OpenCV)", done.stdout


def test_processes_may_compile_at_the_same_time(tmp_path):
    pytest.importorskip("numba")
    command = [sys.executable, "-c", RANK_ONE]
    variables = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_OPT": "0"}
    running = [subprocess.Popen(command, env=variables) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert list(tmp_path.rglob("level_kernel*.nbc"))


def test_nowhere_to_keep_what_was_compiled():
    pytest.importorskip("numba")
    nowhere = (
        "from numba.core.caching import CacheImpl\nCacheImpl._locator_classes = []"
    )
    one = "from mmdgdm.evaluation.functional import level_kernel as kernel\n"
    one += "print(kernel._area_bound(list(range(10))))"
    done = run_python(f"{nowhere}\n{one}")
    assert done.stdout.strip() == "8", done.stdout


def test_the_fastest_way_is_taken_and_named(monkeypatch):
    numba = pytest.importorskip("numba")
    assert ranking_engine() == f"compiled (numba {numba.__version__})"
    taken = []
    monkeypatch.setattr(
        level_ranks, "_fastest", lambda: (lambda *a, **k: taken.append((*a, k)), "")
    )
    rank_levels(1, 2, deltas=3, box_levels=4, scores=5)
    assert taken == [(1, 2, dict(deltas=3, box_levels=4, scores=5))]


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


def two_combs():
    out = frame()
    for left, right in ((0, 11), (12, 24)):
        out[:, left] = out[::2, left:right] = 40
        out[-2, left + 1 : right] = 40 - 3 * np.arange(right - left - 1)
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
    two_combs,
    checkerboard,
    steps,
    touching_corners,
    lambda: np.full((9, 9), 3, dtype=np.uint8),
    lambda: np.ones((1, 1), dtype=np.uint8),
    lambda: np.array([[0, 3, 0, 5, 4, 0]], dtype=np.uint8),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", HAND_MADE)
def test_hand_made_maps(reference, way, make):
    quantized = make()
    rng = np.random.default_rng(0)
    for deltas in (*ALL_DELTAS[:2], *ALL_DELTAS[:2]):
        for enlarged in (quantized, np.kron(quantized, np.ones((2, 3), np.uint8))):
            targets = targets_near(rng, enlarged)
            check_slowly(reference, way, enlarged, targets, deltas)
        quantized = quantized.T[::-1].copy()
