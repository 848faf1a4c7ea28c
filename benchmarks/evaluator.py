"""How much faster the box evaluator is than looking at each threshold by itself.

Both are timed in one run, map by map in turn, from the score map on. Then their
hits are compared at every threshold; the exit status is 1 if there is a difference.

    python benchmarks/evaluator.py [--metadata DIR ...] [--scoremaps FILE_OR_DIR]
        [--maps 30] [--check 5000]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import cv2
import numpy as np

from mmdgdm.evaluation.functional.boxes import scale_boxes
from mmdgdm.evaluation.functional.level_search import LevelSearch
from mmdgdm.evaluation.functional.scoremaps import (
    EVAL_SIZE,
    make_thresholds,
    normalize_scoremap,
    quantize_scoremap,
    threshold_levels,
)
from mmdgdm.utils.metadata import read_split

DELTAS = (0.3, 0.5, 0.7)
SIDES = (7, 14, 28)
INTERVALS = (0.001, 0.01)
#: Numbers of images that times are projected to.
DATA_SETS = {"CUB test": 5794, "ILSVRC val": 50000}
#: Of the checked maps, one in so many has full size.
FULL_SIZE_EVERY = 5

Array = Any
Engine = Callable[[Array, Array, Array, bool], Array]


def overlaps(boxes: Array, targets: Array) -> Array:
    """(N, M) IoU, counted in pixels."""
    a, b = boxes[:, None], targets[None]
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    shared = np.maximum(0, high - low + 1).prod(-1)
    area_a = (a[..., 2:] - a[..., :2] + 1).prod(-1)
    area_b = (b[..., 2:] - b[..., :2] + 1).prod(-1)
    return shared / (area_a + area_b - shared)


def straightforward(
    quantized: Array, targets: Array, thresholds: Array, is_multi: bool
) -> Array:
    """Each threshold by itself; (K, T) hits."""
    height, width = quantized.shape
    boxes, starts = [], []
    maximum = int(quantized.max())
    for threshold in thresholds:
        starts.append(len(boxes))
        level = int(threshold * maximum)
        mask = cv2.threshold(quantized, level, 255, cv2.THRESH_BINARY)[1]
        found = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
        if not found:
            boxes.append((0, 0, 0, 0))
            continue
        for contour in found if is_multi else [max(found, key=cv2.contourArea)]:
            x, y, w, h = cv2.boundingRect(contour)
            boxes.append((x, y, min(x + w, width - 1), min(y + h, height - 1)))
    best = overlaps(np.array(boxes), targets).max(axis=1)
    best = np.maximum.reduceat(best, starts)
    return best >= np.array(DELTAS)[:, None]


def level_search(
    quantized: Array, targets: Array, thresholds: Array, is_multi: bool
) -> Array:
    """Few levels, the others proven; (K, T) hits."""
    maximum = int(quantized.max())
    if maximum == 0:
        return straightforward(quantized, targets, thresholds, is_multi)
    levels = threshold_levels(thresholds, maximum)
    asked = None if len(thresholds) > maximum else levels.tolist()
    search = LevelSearch(quantized, targets, DELTAS, asked)
    ranks = search.rank_multi() if is_multi else search.rank_single()
    return np.array(ranks)[levels] > np.arange(len(DELTAS))[:, None]


#: The first one is what the others are compared with.
ENGINES: dict[str, Engine] = {
    "straightforward": straightforward,
    "level search": level_search,
}


def cam_like(rng: np.random.Generator, box: Array, side: int) -> Array:
    """Blobs around a box of the 224 pixel image, and noise, on a small grid."""
    x0, y0, x1, y1 = (value / EVAL_SIZE[0] * side for value in box)
    width, height = max(x1 - x0, 1), max(y1 - y0, 1)
    ys, xs = np.mgrid[:side, :side] + 0.5
    out = np.zeros((side, side))
    for _ in range(rng.integers(1, 5)):
        x = rng.uniform(x0 - 0.1 * width, x1 + 0.1 * width)
        y = rng.uniform(y0 - 0.1 * height, y1 + 0.1 * height)
        spread_x = width * rng.uniform(0.15, 0.5) + 0.5
        spread_y = height * rng.uniform(0.15, 0.5) + 0.5
        blob = np.exp(-(((xs - x) / spread_x) ** 2) - ((ys - y) / spread_y) ** 2)
        out += rng.uniform(0.3, 1) * blob
    noise = rng.normal(size=(side, side))
    noise = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.6, 2))
    out += rng.uniform(0, 0.125) * noise / max(noise.std(), 1e-6) * out.max()
    return (np.maximum(out, 0) if rng.random() < 0.5 else out).astype(np.float32)


def box_maker(directories: list[str]) -> Callable[[np.random.Generator], Array]:
    """Draw boxes of some data sets' images in turn, or random ones."""
    splits = [read_split(Path(directory)) for directory in directories]

    def draw(rng: np.random.Generator) -> Array:
        if not splits:
            low = rng.integers(0, 150, 2)
            high = np.minimum(low + rng.integers(20, 200, 2), 223)
            return np.concatenate((low, high))[None]
        split = splits[rng.integers(len(splits))]
        image_id = split.image_ids[rng.integers(len(split.image_ids))]
        return scale_boxes(
            split.boxes[image_id], split.image_sizes[image_id], EVAL_SIZE
        )

    return draw


def stored_maps(path: Path) -> list[Array]:
    """Read maps (h, w) or stacks of them."""
    files = sorted(path.rglob("*.npy")) if path.is_dir() else [path]
    found: list[Array] = []
    for file in files:
        array = np.load(file).astype(np.float32)
        found += list(array.reshape(-1, *array.shape[-2:]))
    return found


def measure(pairs: list[Any], interval: float, is_multi: bool) -> dict[str, float]:
    """Seconds per map of each engine, from the score map on."""
    thresholds = make_thresholds(interval)
    seconds = dict.fromkeys(ENGINES, 0.0)
    for scoremap, targets in pairs:
        for name, engine in ENGINES.items():
            start = time.thread_time()
            quantized = quantize_scoremap(normalize_scoremap(scoremap))
            engine(quantized, targets, thresholds, is_multi)
            seconds[name] += time.thread_time() - start
    return {name: total / len(pairs) for name, total in seconds.items()}


def print_times(groups: dict[str, list[Any]]) -> None:
    """Print the table of times, ratios and projections."""
    first, *others = ENGINES
    columns = [f"{first} (ms)"]
    columns += [text for name in others for text in (f"{name} (ms)", "ratio")]
    columns += [f"{data} {name} (s)" for data in DATA_SETS for name in ENGINES]
    print("| thresholds | contours | maps |", " | ".join(columns), "|")
    print("|" + "---|" * (3 + len(columns)))
    for interval in INTERVALS:
        for is_multi in (False, True):
            rows = {
                name: measure(pairs, interval, is_multi)
                for name, pairs in groups.items()
            }
            rows["all"] = {
                name: float(np.mean([row[name] for row in rows.values()]))
                for name in ENGINES
            }
            for group, row in rows.items():
                cells = [f"{row[first] * 1e3:.2f}"]
                for name in others:
                    cells.append(f"{row[name] * 1e3:.2f}")
                    cells.append(f"{row[first] / row[name]:.1f}")
                for number in DATA_SETS.values():
                    cells += [f"{row[name] * number:.0f}" for name in ENGINES]
                kind = "all" if is_multi else "largest"
                count = len(make_thresholds(interval))
                print(f"| {count} | {kind} | {group} |", " | ".join(cells), "|")


def odd_map(rng: np.random.Generator) -> tuple[Array, Array]:
    """A small quantised map of plateaus, lines or noise, and a box."""
    height, width = rng.integers(2, 17, 2)
    out = np.round(rng.random((height, width)) * rng.choice([1, 3, 9, 255]))
    out *= rng.random((height, width)) < rng.choice([0.1, 0.5, 1.0])
    for _ in range(rng.integers(0, 4)):
        y, x = rng.integers(height), rng.integers(width)
        out[y : y + rng.integers(1, 6), x : x + rng.integers(1, 6)] = rng.integers(255)
    xs, ys = np.sort(rng.integers(0, width, 2)), np.sort(rng.integers(0, height, 2))
    return out.astype(np.uint8), np.array([[xs[0], ys[0], xs[1], ys[1]]])


def checked_maps(
    number: int, draw: Callable[[np.random.Generator], Array]
) -> Iterator[tuple[Array, Array]]:
    """Quantised maps and targets, most of them small and odd."""
    rng = np.random.default_rng(1)
    for index in range(number):
        if index % FULL_SIZE_EVERY:
            yield odd_map(rng)
        else:
            targets = draw(rng)
            scoremap = cam_like(rng, targets[0], int(rng.choice(SIDES)))
            yield quantize_scoremap(normalize_scoremap(scoremap)), targets


def count_differences(
    number: int, draw: Callable[[np.random.Generator], Array]
) -> dict[str, int]:
    """Hits of each engine that differ from the first one's, of all compared."""
    thresholds = make_thresholds(INTERVALS[0])
    first, *others = ENGINES
    counts = dict.fromkeys(others, 0)
    for quantized, targets in checked_maps(number, draw):
        for is_multi in (False, True):
            expected = ENGINES[first](quantized, targets, thresholds, is_multi)
            for name in others:
                got = ENGINES[name](quantized, targets, thresholds, is_multi)
                counts[name] += int((got != expected).sum())
    return counts


def main(argv: Optional[list[str]] = None) -> int:
    """Parse the arguments, print the tables and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metadata", nargs="*", default=[], help="folders of boxes")
    parser.add_argument("--scoremaps", type=Path, help=".npy file or folder of them")
    parser.add_argument("--maps", type=int, default=30, help="maps timed per size")
    parser.add_argument("--check", type=int, default=5000, help="maps compared")
    args = parser.parse_args(argv)
    cv2.setNumThreads(1)
    draw, rng = box_maker(args.metadata), np.random.default_rng(0)
    groups: dict[str, list[Any]] = {}
    for side in SIDES:
        targets = [draw(rng) for _ in range(args.maps)]
        groups[f"{side} x {side}"] = [
            (cam_like(rng, boxes[0], side), boxes) for boxes in targets
        ]
    print_times(groups)
    if args.scoremaps is not None:
        print("\nStored maps, boxes drawn as above:\n")
        maps = stored_maps(args.scoremaps)
        print_times({"stored": [(scoremap, draw(rng)) for scoremap in maps]})
    large = -(-args.check // FULL_SIZE_EVERY)
    counts = count_differences(args.check, draw)
    print(
        f"\n{args.check - large} small odd maps and {large} CAM-like ones of "
        f"{EVAL_SIZE[0]} x {EVAL_SIZE[1]}, largest contour and all, every threshold:"
    )
    for name, count in counts.items():
        print(f"  {name}: {count} differences")
    return 1 if any(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
