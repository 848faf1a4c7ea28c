"""What boxes cost beside the scores alone, and beside Grad-CAM, side by side.

Times one batch of random images through ResNet-50, from the network's input on:

- plain: mmpretrain's classifier, class scores alone,
- boxes: class, map and box of the best class, as ``WSOLInferencer`` makes them,
- Grad-CAM: the library pytorch-grad-cam on the plain classifier, map of the best class.

Prints medians of interleaved repetitions and both ratios; on the CPU in processor time
of one thread, which other programs on the machine change little, and on a GPU, if there
is one, by the clock.

    python benchmarks/inference.py --batch 8
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from functools import partial
from typing import Any, Callable

import torch
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor

from mmdgdm.apis.inference.inferencer import top_classes
from mmdgdm.apis.inference.results import find_boxes

BACKBONE = dict(type="ResNet", depth=50)
SIZES = dict(num_classes=1000, in_channels=2048)
THRESHOLD = 0.2


def build() -> tuple[Any, Any]:
    """The plain classifier and the one that localizes, with the same weights."""
    init_default_scope("mmpretrain")
    torch.manual_seed(0)
    plain = MODELS.build(
        dict(
            type="ImageClassifier",
            backbone=BACKBONE,
            neck=dict(type="GlobalAveragePooling"),
            head=dict(type="LinearClsHead", **SIZES),
        )
    )
    ours = MODELS.build(
        dict(
            type="mmdgdm.WSOLClassifier",
            backbone=BACKBONE,
            head=dict(type="mmdgdm.WSOLHead", **SIZES),
        )
    )
    ours.load_state_dict(plain.state_dict())
    return plain.eval(), ours.eval()


@torch.no_grad()
def score(model: Any, inputs: Tensor) -> Any:
    """Class scores."""
    return model(inputs).cpu()


@torch.no_grad()
def localize(model: Any, inputs: Tensor) -> Any:
    """Class, map and box of the best class of each image."""
    found = model.localize(inputs, partial(top_classes, topk=1))
    maps, size = found.maps.cpu().numpy(), tuple(inputs.shape[:1:-1])
    return [find_boxes(cam[0], THRESHOLD, image_size=size) for cam in maps]


def grad_cam(model: Any) -> Callable[[Any, Tensor], Any]:
    """The library's Grad-CAM of the best class."""
    from pytorch_grad_cam import GradCAM

    cam = GradCAM(model, [model.backbone.layer4[-1]])
    return lambda _, inputs: cam(inputs, None)


def measure(device: str, batch: int, *, size: int, repeat: int) -> None:
    """Print the times and ratios on a device."""
    plain, ours = (model.to(device) for model in build())
    inputs = torch.randn(batch, 3, size, size, device=device)
    runs: dict[str, tuple] = {"plain": (score, plain), "boxes": (localize, ours)}
    if importlib.util.find_spec("pytorch_grad_cam") is None:
        print('Grad-CAM is left out: `pip install "mmdgdm[cam]"`.')
    else:
        # Its hooks stay on its model, so that it gets one of its own.
        other = build()[0].to(device)
        runs["Grad-CAM"] = (grad_cam(other), other)
    clock = time.process_time if device == "cpu" else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in runs}
    for step in range(repeat + 1):
        for name, (run, model) in runs.items():
            start = clock()
            run(model, inputs)
            if device != "cpu":
                torch.cuda.synchronize()
            if step:  # the first one warms up
                times[name].append(clock() - start)
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"{device}, {batch} images of {size} x {size}, ms an image:")
    for name, value in medians.items():
        spread = min(times[name]), max(times[name])
        low, high = (1e3 * edge / batch for edge in spread)
        print(f"  {name:9} {1e3 * value / batch:8.2f}  ({low:.2f} to {high:.2f})")
    for other_name in list(medians)[:1] + list(medians)[2:]:
        ratio = medians["boxes"] / medians[other_name]
        print(f"  boxes / {other_name}: {ratio:.3f}")


def main() -> None:
    """Parse the arguments and measure on each device."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8, help="images in a batch")
    parser.add_argument("--size", type=int, default=224, help="side of the images")
    parser.add_argument("--repeat", type=int, default=7, help="batches that are timed")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread")
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        measure(device, args.batch, size=args.size, repeat=args.repeat)


if __name__ == "__main__":
    main()
