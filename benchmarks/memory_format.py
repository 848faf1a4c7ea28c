"""How much faster training is with weights held channels last, side by side.

Prints, for each config, the time of a training step on random images in both memory
formats and their ratio. Times are medians of interleaved repetitions on one thread.

    python benchmarks/memory_format.py configs/cam/cam_resnet18_1xb32-12e_toy.py \
        --size 64 --batch 32
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from mmpretrain.structures import DataSample


def build(cfg: Config, channels_last: bool) -> tuple[Any, Any]:
    """The model of a config with random weights, and its optimizer."""
    cfg = cfg.copy()
    cfg.model.backbone.pop("init_cfg", None)
    cfg.model.channels_last = channels_last
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).train()
    return model, build_optim_wrapper(model, cfg.optim_wrapper)


def measure(path: str, size: int, batch: int, repeat: int) -> None:
    """Print the line of one config."""
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    classes = cfg.model.head.num_classes
    data = dict(
        inputs=[torch.randint(0, 256, (3, size, size), dtype=torch.uint8)] * batch,
        data_samples=[DataSample().set_gt_label(i % classes) for i in range(batch)],
    )
    runs = {last: build(cfg, last) for last in (False, True)}
    times: dict[bool, list[float]] = {last: [] for last in runs}
    for step in range(repeat + 1):
        for last, (model, optimizer) in runs.items():
            start = time.perf_counter()
            model.train_step(data, optimizer)
            if step:  # the first one warms up
                times[last].append(time.perf_counter() - start)
    plain, last = (statistics.median(times[key]) for key in (False, True))
    print(f"{path}: {plain:.3f} s, channels last {last:.3f} s, {plain / last:.2f} x")


def main() -> None:
    """Parse the arguments and print a line for each config."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("configs", nargs="+", help="paths of configs")
    parser.add_argument("--size", type=int, default=160, help="side of the pictures")
    parser.add_argument("--batch", type=int, default=32, help="pictures in a batch")
    parser.add_argument("--repeat", type=int, default=7, help="steps that are timed")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for path in args.configs:
        measure(path, args.size, args.batch, args.repeat)


if __name__ == "__main__":
    main()
