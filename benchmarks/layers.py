"""How much a layer adds to a forward and backward pass, side by side in one run.

Prints, for typical feature maps, the time of a 3 x 3 convolution (the smallest
unit a layer stands beside in a backbone) followed by each layer, as a ratio to the
convolution alone. Times are medians of interleaved repetitions.

    python benchmarks/layers.py [--repeat 15] [--device cpu]
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Callable

import torch
from torch import nn

from mmdgdm.models.necks import ADL, CAGD, DGDM, SAGD

SHAPES = ((8, 256, 28, 28), (8, 512, 14, 14))


def timed(step: Callable[[], None], device: str) -> float:
    """Run ``step`` once and return its wall time in milliseconds."""
    if device != "cpu":
        torch.cuda.synchronize()
    start = time.perf_counter()
    step()
    if device != "cpu":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) * 1e3


def make_step(module: nn.Module, feat: torch.Tensor) -> Callable[[], None]:
    """Return a function that runs one forward and backward pass."""

    def step() -> None:
        module(feat).sum().backward()

    return step


def measure(shape: tuple[int, ...], repeat: int, device: str) -> None:
    """Print the table of one feature map."""
    feat = torch.rand(shape, device=device, requires_grad=True)
    conv = nn.Conv2d(shape[1], shape[1], 3, padding=1).to(device)
    layers = {
        "no layer": nn.Identity(),
        "ADL": ADL(),
        "CAGD": CAGD(),
        "SAGD": SAGD(),
        "DGDM": DGDM(),
        "DGDM, plain": DGDM(dict(scale="plain"), dict(scale="plain", detach=False)),
        "DGDM, eval": DGDM().eval(),
    }
    steps = {
        name: make_step(nn.Sequential(conv, layer), feat)
        for name, layer in layers.items()
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        timed(step, device)
    for _ in range(repeat):
        for name, step in steps.items():
            times[name].append(timed(step, device))
    base = statistics.median(times["no layer"])
    print(f"\nfeature map {shape} on {device}: 3 x 3 convolution {base:.2f} ms")
    for name, values in times.items():
        median = statistics.median(values)
        print(f"  {name:<18} {median:8.2f} ms   {median / base:5.2f} x")


def main() -> None:
    """Parse the arguments and print every table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=15, help="repetitions")
    parser.add_argument("--device", default="cpu", help="torch device")
    args = parser.parse_args()
    for shape in SHAPES:
        measure(shape, args.repeat, args.device)


if __name__ == "__main__":
    main()
