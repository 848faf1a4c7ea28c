"""What evaluation costs where it is used: on stored maps, and beside a network.

With ``--stored METADATA``, a CAM-like map is stored for every image of a split (0.4 MB
each), and ``tools/eval_scoremaps.py`` scores them, with the compiled pass and with the
loop that defines it. Then models predict random images on the CPU, in batches, with
and without ``mmdgdm.WSOLMetric``; each map is replaced by a CAM-like one, as a trained
model makes them. The share of the time of testing that goes to evaluation is printed.

    python benchmarks/testing.py [--stored METADATA] [--workers 2]
        [--config configs/cam/cam_resnet50_1xb32-50e_cub.py ...]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
import torch
from evaluator import box_maker, cam_like
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import MODELS, init_default_scope
from mmpretrain.structures import DataSample

from mmdgdm.evaluation.functional.boxes import scale_boxes
from mmdgdm.evaluation.functional.level_ranks import ranking_engine
from mmdgdm.evaluation.functional.scoremaps import EVAL_SIZE, normalize_scoremap
from mmdgdm.evaluation.metrics import WSOLMetric
from mmdgdm.evaluation.stored.metadata import read_split
from mmdgdm.evaluation.stored.scoremap_files import write_scoremap

ROOT = Path(__file__).resolve().parents[1]
SIDE = 14
BATCH = 32


def store_maps(folder: str, metadata: str) -> int:
    """Store a map for every image of a split; return their number."""
    split, rng = read_split(metadata), np.random.default_rng(0)
    for image_id in split.image_ids:
        boxes = scale_boxes(
            split.boxes[image_id], split.image_sizes[image_id], target_size=EVAL_SIZE
        )
        scoremap = normalize_scoremap(cam_like(rng, boxes[0], SIDE))
        write_scoremap(folder, image_id, scores=scoremap)
    return len(split.image_ids)


def time_stored(metadata: str, workers: int) -> None:
    """Print how long a split takes, from the command to its table."""
    with tempfile.TemporaryDirectory() as maps, tempfile.TemporaryDirectory() as none:
        number = store_maps(maps, metadata)
        # A package that cannot be imported: the tool takes the loop.
        Path(none, "numba.py").write_text("raise ImportError")
        command = [sys.executable, str(ROOT / "tools" / "eval_scoremaps.py"), maps]
        command += [metadata, "--workers", str(workers)]
        for name, path in (("compiled", ""), ("loop over levels", none)):
            paths = [path, str(ROOT), os.environ.get("PYTHONPATH", "")]
            env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
            start = time.perf_counter()
            subprocess.run(command, env=env, check=True, capture_output=True)
            seconds = time.perf_counter() - start
            print(f"{number} stored maps, {workers} workers, {name}: {seconds:.1f} s")


def make_batches(number: int, classes: int, size: int) -> list[dict[str, Any]]:
    """Batches of random images of one box each, as a loader gives them."""
    draw, rng = box_maker([]), np.random.default_rng(0)
    batches = []
    for batch in range(number):
        samples = []
        for place in range(BATCH):
            index = BATCH * batch + place
            sample = DataSample().set_gt_label(index % classes)
            box = draw(rng)
            sample.set_field(torch.tensor(box, dtype=torch.float32), "gt_bboxes")
            sample.set_field(torch.tensor(cam_like(rng, box[0], SIDE)[None]), "map")
            facts = dict(image_id=str(index), ori_shape=EVAL_SIZE, img_shape=EVAL_SIZE)
            sample.set_metainfo(facts)
            samples.append(sample)
        images = torch.randint(0, 256, (BATCH, 3, size, size), dtype=torch.uint8)
        batches.append(dict(inputs=list(images), data_samples=samples))
    return batches


class TimedMetric(WSOLMetric):
    """Knows how long its records and scores took, in seconds of one core."""

    seconds = 0.0

    def _timed(self, work: Callable[..., Any], *args: Any) -> Any:
        start = time.thread_time()
        found = work(*args)
        self.seconds += time.thread_time() - start
        return found

    def make_record(self, sample: dict) -> bytes:
        """Time what threads do."""
        return self._timed(super().make_record, sample)

    def score(self, records: list[bytes]) -> dict[str, Any]:
        """Time what is done at the end."""
        return self._timed(super().score, records)


def test(model: Any, batches: list[dict], evaluator: Optional[Evaluator]) -> float:
    """Seconds that a test takes, from the first batch to the scores."""
    start = time.perf_counter()
    for batch in batches:
        with torch.no_grad():
            found = model.test_step(batch)
        if evaluator is not None:
            for sample in found:
                sample.set_field(sample.map, "cam")
                sample.set_field(sample.gt_label, "cam_labels")
            evaluator.process(data_samples=found, data_batch=batch)
    if evaluator is not None:
        evaluator.evaluate(BATCH * len(batches))
    return time.perf_counter() - start


def time_beside_network(path: str, *, number: int, repeat: int, size: int) -> None:
    """Print what share of testing a model evaluation takes."""
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    cfg.model.backbone.pop("init_cfg", None)
    model = MODELS.build(cfg.model).eval()
    batches = make_batches(number, cfg.model.head.num_classes, size)
    metric = TimedMetric()
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = {}
    times: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(repeat + 1):
        if turn == 1:  # before, all was loaded and warmed up
            metric.seconds, cores = 0.0, time.process_time()
        for scored in times:
            seconds = test(model, batches, evaluator if scored else None)
            if turn:
                times[scored].append(seconds)
    cores = time.process_time() - cores
    with_it, without = (statistics.median(times[key]) for key in (True, False))
    # Half of the tests were scored.
    share = 200 * metric.seconds / (cores + metric.seconds)
    threads = torch.get_num_threads()
    print(
        f"{Path(path).stem}, {BATCH * number} images, {threads} threads: "
        f"{with_it:.2f} s, without evaluation {without:.2f} s; evaluation has "
        f"{share:.1f} % of the cores' time ({ranking_engine()})"
    )


def main() -> None:
    """Parse the arguments and print the lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stored", metavar="METADATA", help="folder of a split")
    parser.add_argument("--workers", type=int, default=2, help="for stored maps")
    parser.add_argument(
        "--config",
        nargs="*",
        default=[str(ROOT / "configs/cam/cam_resnet50_1xb32-50e_cub.py")],
        help="configs of the models",
    )
    parser.add_argument("--batches", type=int, default=4, help=f"of {BATCH} images")
    parser.add_argument("--repeat", type=int, default=5, help="tests that are timed")
    parser.add_argument("--size", type=int, default=224, help="side of the images")
    args = parser.parse_args()
    if args.stored is not None:
        time_stored(args.stored, args.workers)
    for path in args.config:
        time_beside_network(
            path, number=args.batches, repeat=args.repeat, size=args.size
        )


if __name__ == "__main__":
    main()
