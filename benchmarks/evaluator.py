"""How fast the box evaluator is, and whether it is exact.

Three ways to both curves of a map, MaxBoxAcc's and MaxBoxAccV2's, timed in one run, map
after map: the benchmark's rule, each threshold by itself (its contours found once for
both curves, which its own code does not do); the definition, each level that occurs;
and the compiled pass. Then their hits are compared at every level of every checked map;
the exit status is 1 if there is a difference.

    python benchmarks/evaluator.py [--metadata DIR ...] [--scoremaps ROOT METADATA]
        [--maps 30] [--check 5000] [--check-every-image] [--page FILE.md]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import cv2
import numpy as np

from mmdgdm.evaluation.functional.boxes import scale_boxes
from mmdgdm.evaluation.functional.level_kernel import rank_levels_compiled
from mmdgdm.evaluation.functional.level_ranks import (
    Ranker,
    rank_levels_by_contours,
)
from mmdgdm.evaluation.functional.scoremaps import (
    EVAL_SIZE,
    make_thresholds,
    normalize_scoremap,
    quantize_scoremap,
    threshold_levels,
)
from mmdgdm.evaluation.stored.metadata import read_split
from mmdgdm.evaluation.stored.scoremap_files import find_scoremaps, read_scoremap

sys.path.append(str(Path(__file__).resolve().parents[1] / "experiments"))
from page import insert_table

DELTAS = np.array([0.3, 0.5, 0.7])
SIDES = (7, 14, 28)
INTERVALS = (0.001, 0.01)
#: Images of CUB's test set and of ILSVRC's val, which times are projected to.
NUM_IMAGES = {"CUB test": 5794, "ILSVRC val": 50000}
#: Maps that an engine takes before the next one's turn: in use it has all of them,
#: and what the other one leaves in the caches costs it time at each turn.
TURN = 30
#: Maps of odd kinds take the benchmark's rule seconds.
ODD_MAPS = 1
#: Of the checked maps, one in so many has full size.
FULL_SIZE_EVERY = 5

#: Prints its seconds; the modules that it calls are imported before.
FIRST_CALL = """
import time
import numpy as np
from mmdgdm.evaluation.functional.level_ranks import rank_levels
quantized = np.random.default_rng(0).integers(0, 256, (224, 224), dtype=np.uint8)
settings = dict(deltas=np.array([0.3, 0.5, 0.7]), box_levels=np.array([0]))
start = time.perf_counter()
rank_levels(quantized, np.array([[1, 1, 50, 50]]), **settings)
print(time.perf_counter() - start)
"""

Array = Any
#: A normalised map, targets and thresholds to (2, K, T) hits.
Engine = Callable[[Array, Array, Array], Array]


def overlaps(boxes: Array, targets: Array) -> Array:
    """(N, M) IoU, counted in pixels."""
    a, b = boxes[:, None], targets[None]
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    shared = np.maximum(0, high - low + 1).prod(-1)
    area_a = (a[..., 2:] - a[..., :2] + 1).prod(-1)
    area_b = (b[..., 2:] - b[..., :2] + 1).prod(-1)
    return shared / (area_a + area_b - shared)


def boxes_at(quantized: Array, threshold: float) -> tuple[Array, int]:
    """Boxes of a map at one threshold, (n, 4), and the place of the largest one."""
    height, width = quantized.shape
    level = int(threshold * quantized.max())
    mask = cv2.threshold(quantized, level, 255, cv2.THRESH_BINARY)[1]
    found = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
    if not found:
        return np.zeros((1, 4), dtype=np.int64), 0
    boxes = []
    for contour in found:
        x, y, w, h = cv2.boundingRect(contour)
        boxes.append((x, y, min(x + w, width - 1), min(y + h, height - 1)))
    areas = [cv2.contourArea(contour) for contour in found]
    return np.array(boxes), areas.index(max(areas))


def by_threshold(scores: Array, targets: Array, thresholds: Array) -> Array:
    """Each threshold by itself."""
    quantized = quantize_scoremap(scores)
    best = np.empty((2, len(thresholds)))
    for place, threshold in enumerate(thresholds):
        boxes, largest = boxes_at(quantized, threshold)
        found = overlaps(boxes, targets).max(axis=1)
        best[:, place] = found[largest], found.max()
    return best[:, None] >= DELTAS[:, None]


def by_level(rank: Ranker) -> Engine:
    """All levels, then those of the thresholds."""

    def engine(scores: Array, targets: Array, thresholds: Array) -> Array:
        quantized, nowhere = quantize_scoremap(scores), np.zeros(0, dtype=np.int64)
        asked = dict(deltas=DELTAS, box_levels=nowhere, scores=scores)
        ranks = rank(quantized, targets, **asked)
        levels = threshold_levels(thresholds, int(quantized.max()))
        both = np.stack((ranks.single, ranks.multi))[:, None, levels]
        return both > np.arange(len(DELTAS))[:, None]

    return engine


#: The first one is what the others are compared with.
ENGINES: dict[str, Engine] = {
    "benchmark's rule": by_threshold,
    "loop over levels": by_level(rank_levels_by_contours),
    "compiled": by_level(rank_levels_compiled),
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
    # Of one grain in the image, whatever the grid.
    noise = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.6, 2) * side / 14)
    out += rng.uniform(0, 0.125) * noise / max(noise.std(), 1e-6) * out.max()
    return (np.maximum(out, 0) if rng.random() < 0.5 else out).astype(np.float32)


def box_maker(directories: list[str]) -> Callable[[np.random.Generator], Array]:
    """Draw boxes of some data sets' images in turn, or random ones."""
    splits = [read_split(directory) for directory in directories]

    def draw(rng: np.random.Generator) -> Array:
        if not splits:
            low = rng.integers(0, 150, 2)
            high = np.minimum(low + rng.integers(20, 200, 2), 223)
            return np.concatenate((low, high))[None]
        split = splits[rng.integers(len(splits))]
        image_id = split.image_ids[rng.integers(len(split.image_ids))]
        return scale_boxes(
            split.boxes[image_id], split.image_sizes[image_id], target_size=EVAL_SIZE
        )

    return draw


def stored_pairs(root: str, metadata: str, number: int) -> list[Any]:
    """Stored maps, evenly chosen, and the boxes of their images."""
    split = read_split(metadata)
    paths = find_scoremaps(root, split.image_ids)
    chosen = [name for name, path in paths.items() if path is not None]
    places = np.linspace(0, len(chosen) - 1, min(number, len(chosen))).astype(int)
    return [
        (
            read_scoremap(paths[name])[0],
            scale_boxes(
                split.boxes[name], split.image_sizes[name], target_size=EVAL_SIZE
            ),
        )
        for name in (chosen[place] for place in places)
    ]


def busy(rng: np.random.Generator, box: Array) -> Array:
    """Many small spots all over the image, of the height of the object's."""
    return rng.normal(size=(28, 28)) + 0.5 * cam_like(rng, box, 28)


def combs() -> tuple[Array, Array]:
    """Two combs that grow at each level, and the box of one.

    Which of the two is larger must be found out at each level, and no borders are
    longer than theirs.
    """
    out = np.zeros(EVAL_SIZE[::-1])
    half = out.shape[1] // 2
    for left, right in ((0, half - 2), (half, out.shape[1])):
        out[:, left] = out[::2, left:right] = 250
        # The last tooth is longer by a pixel at each two levels.
        out[-2, left + 1 : right] = 250 - 2 * np.arange(right - left - 1)
    return out, np.array([[0, 0, half - 2, out.shape[0] - 1]])


def odd_maps(rng: np.random.Generator, draw: Callable) -> dict[str, list[Any]]:
    """Maps of full size that hold as many contours as there may be, or as long ones."""
    shape = EVAL_SIZE[::-1]
    every_other = np.indices(shape).sum(axis=0) % 2
    makers = {
        "uniform noise": lambda: (rng.random(shape), draw(rng)),
        "random checkerboard": lambda: (every_other * rng.random(shape), draw(rng)),
        "two combs": combs,
    }
    return {name: [make() for _ in range(ODD_MAPS)] for name, make in makers.items()}


def measure(pairs: list[Any], interval: float) -> dict[str, float]:
    """Seconds per map of each engine, from the score map on.

    Engines take turns after a few maps: in use, too, one map follows another.
    """
    thresholds = make_thresholds(interval)
    ENGINES["compiled"](np.eye(9), pairs[0][1], thresholds)  # loads it
    seconds = dict.fromkeys(ENGINES, 0.0)
    for first in range(0, len(pairs), TURN):
        for name, engine in ENGINES.items():
            start = time.thread_time()
            for scoremap, targets in pairs[first : first + TURN]:
                engine(normalize_scoremap(scoremap), targets, thresholds)
            seconds[name] += time.thread_time() - start
    return {name: total / len(pairs) for name, total in seconds.items()}


def times_table(groups: dict[str, list[Any]]) -> str:
    """A Markdown table of times, ratios and projections to whole data sets."""
    first, *others = ENGINES
    columns = ["thresholds", "maps", f"{first} (ms)"]
    columns += [text for name in others for text in (f"{name} (ms)", "ratio")]
    columns += [f"{others[-1]}, {data} (s)" for data in NUM_IMAGES]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for interval in INTERVALS:
        for group, pairs in groups.items():
            row = measure(pairs, interval)
            cells = [str(len(make_thresholds(interval))), group]
            cells.append(f"{row[first] * 1e3:.2f}")
            for name in others:
                cells.append(f"{row[name] * 1e3:.2f}")
                cells.append(f"{row[first] / row[name]:.1f}")
            cells += [f"{row[others[-1]] * n:.0f}" for n in NUM_IMAGES.values()]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def odd_map(rng: np.random.Generator) -> tuple[Array, Array]:
    """A small map of plateaus, lines or noise, and a box.

    Pixels of one quantised value are equal, or not.
    """
    height, width = rng.integers(2, 17, 2)
    out = np.round(rng.random((height, width)) * rng.choice([1, 3, 9, 255]))
    out *= rng.random((height, width)) < rng.choice([0.1, 0.5, 1.0])
    for _ in range(rng.integers(0, 4)):
        y, x = rng.integers(height), rng.integers(width)
        out[y : y + rng.integers(1, 6), x : x + rng.integers(1, 6)] = rng.integers(255)
    xs, ys = np.sort(rng.integers(0, width, 2)), np.sort(rng.integers(0, height, 2))
    out += rng.choice([0, 0.999]) * rng.random(out.shape)
    return np.minimum(out / 255, 1), np.array([[xs[0], ys[0], xs[1], ys[1]]])


def random_maps(
    number: int, draw: Callable[[np.random.Generator], Array]
) -> Iterator[tuple[Array, Array]]:
    """Normalised maps and targets, most of them small and odd."""
    rng = np.random.default_rng(1)
    for index in range(number):
        if index % FULL_SIZE_EVERY:
            yield odd_map(rng)
        else:
            targets = draw(rng)
            scoremap = cam_like(rng, targets[0], int(rng.choice(SIDES)))
            yield normalize_scoremap(scoremap), targets


def maps_of_every_image(directories: list[str]) -> Iterator[tuple[Array, Array]]:
    """A CAM-like map for each image of some data sets, and its boxes."""
    rng = np.random.default_rng(2)
    for split in map(read_split, directories):
        for image_id in split.image_ids:
            targets = scale_boxes(
                split.boxes[image_id],
                split.image_sizes[image_id],
                target_size=EVAL_SIZE,
            )
            place = targets[rng.integers(len(targets))]
            scoremap = cam_like(rng, place, int(rng.choice(SIDES)))
            yield normalize_scoremap(scoremap), targets


def count_differences(maps: Iterator[tuple[Array, Array]]) -> tuple[int, int, int]:
    """Numbers of maps, of compared hits, and of hits that differ."""
    first, *others = ENGINES
    num_maps = num_hits = num_different = 0
    for scores, targets in maps:
        maximum = max(int(quantize_scoremap(scores).max()), 1)
        # One threshold in each level; all thresholds of a level have its mask.
        thresholds = (np.arange(maximum) + 0.5) / maximum
        num_maps += 1
        expected = ENGINES[first](scores, targets, thresholds)
        for name in others:
            got = ENGINES[name](scores, targets, thresholds)
            num_hits += got.size
            num_different += int((got != expected).sum())
    return num_maps, num_hits, num_different


def first_call() -> float:
    """Seconds of the first compiled ranking in a new process, numba's import included.

    What was compiled before is loaded from the disk.
    """
    done = subprocess.run(
        [sys.executable, "-c", FIRST_CALL], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def main(argv: Optional[list[str]] = None) -> int:
    """Parse the arguments, print the tables and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metadata", nargs="*", default=[], help="folders of boxes")
    parser.add_argument(
        "--scoremaps", nargs=2, metavar=("ROOT", "METADATA"), help="stored maps to time"
    )
    parser.add_argument("--maps", type=int, default=30, help="maps timed per size")
    parser.add_argument("--check", type=int, default=5000, help="maps compared")
    parser.add_argument(
        "--check-every-image", action="store_true", help="of --metadata, too"
    )
    parser.add_argument("--page", type=Path, help="put the tables into this page")
    args = parser.parse_args(argv)
    cv2.setNumThreads(1)
    draw, rng = box_maker(args.metadata), np.random.default_rng(0)
    if args.maps:
        groups: dict[str, list[Any]] = {}
        for side in SIDES:
            targets = [draw(rng) for _ in range(args.maps)]
            groups[f"{side} x {side}"] = [
                (cam_like(rng, boxes[0], side), boxes) for boxes in targets
            ]
        groups["busy, 28 x 28"] = [(busy(rng, boxes[0]), boxes) for boxes in targets]
        groups.update(odd_maps(rng, draw))
        tables = {"evaluator": times_table(groups)}
        print(f"first compiled call of a process: {first_call():.2f} s")
        if args.scoremaps is not None:
            pairs = stored_pairs(*args.scoremaps, args.maps)
            tables["evaluator-stored"] = times_table({"stored": pairs})
        for name, text in tables.items():
            print(text)
            if args.page is not None and name == "evaluator":
                insert_table(args.page, name, text)
    sets = {f"{args.check} random maps": random_maps(args.check, draw)}
    if args.check_every_image:
        sets["a CAM-like map of every image"] = maps_of_every_image(args.metadata)
    failed = False
    for name, maps in sets.items():
        num_maps, num_hits, num_different = count_differences(maps)
        failed |= num_different > 0
        print(
            f"\n{name}: {num_maps} maps, largest contour and all, every level: "
            f"{num_different} of {num_hits} hits differ"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
