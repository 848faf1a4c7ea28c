"""What the layers that erase add to a training step, side by side in one run.

For ResNet-50 and VGG16-GAP, with no layer, ADL and DGDM at the same places (those of
this project's configs), it prints what a step (forward, loss, backward) takes more than
without a layer:

- operators that torch runs, and bytes that they read and write, counted on tensors
  without values, so that they are the same on every machine,
- the time of the layers' own passes, forward and backward on the maps of this network,
  as a share of the time of a step without them: the processor's time on one thread,
  the median of interleaved repetitions. (Two whole steps differ by more than a layer
  takes.)

In evaluation nothing is added.

    python benchmarks/layers.py [--batch 8] [--repeat 7]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmdgdm.models.necks import AttentionDropout

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
CLASSES = 200
SIZE = 224
#: By the base config of the network: the place of DGDM's configs, and ADL's three.
PLACES = {
    "resnet50": (("layer4.2",), ("layer3.0", "layer4.0", "layer4.2")),
    "vgg16_gap": (("features.16",), ("features.9", "features.12", "features.16")),
}


class Cost(NamedTuple):
    """Work that a run handed to the device.

    Attributes:
        operators: How many operators ran; views do no work.
        bytes: What they read and wrote.
    """

    operators: int
    bytes: int


class Counter(TorchDispatchMode):
    """Counts the work of all that runs inside its context, backward passes too."""

    def __init__(self) -> None:
        super().__init__()
        self.operators = self.bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run an operator and count it."""
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.operators += 1
            for value in tree_leaves((args, kwargs, out)):
                if isinstance(value, Tensor):
                    self.bytes += value.numel() * value.element_size()
        return out


def layers() -> dict[str, dict[str, Any]]:
    """The settings of ADL and of DGDM for photographs."""
    methods = CONFIGS / "_base_" / "methods"
    dgdm = Config.fromfile(methods / "dgdm.py").dgdm.photos
    return {"ADL": dict(type="mmdgdm.ADL"), "DGDM": dgdm.to_dict()}


def build(
    network: str, layer: Optional[Mapping[str, Any]], places: Sequence[str]
) -> nn.Module:
    """A network of random weights in training, with a layer at each place."""
    init_default_scope("mmpretrain")
    cfg = Config.fromfile(CONFIGS / "_base_" / "models" / f"{network}.py").model
    cfg.backbone.pop("init_cfg")
    cfg.head.num_classes = CLASSES
    if layer is not None:
        cfg.stage_necks = [dict(layer, after=place) for place in places]
    torch.manual_seed(0)
    model: nn.Module = MODELS.build(cfg)
    return model.train()


def make_step(model: Any, batch: int, device: str) -> Callable[[], None]:
    """Return a function that runs forward, loss and backward on random images."""
    inputs = torch.rand(batch, 3, SIZE, SIZE, device=device)
    samples = [DataSample().set_gt_label(i % CLASSES).to(device) for i in range(batch)]

    def step() -> None:
        model.zero_grad()
        sum(model(inputs, samples, mode="loss").values()).backward()

    return step


def count_step(model: nn.Module, batch: int) -> Cost:
    """Count a training step; nothing is computed."""
    step = make_step(model.to("meta"), batch, "meta")
    with Counter() as counter:
        step()
    return Cost(counter.operators, counter.bytes)


def count_forward(model: nn.Module, batch: int) -> Cost:
    """Count a pass in evaluation; nothing is computed."""
    model = model.to("meta").eval()
    inputs = torch.rand(batch, 3, SIZE, SIZE, device="meta")
    with Counter() as counter, torch.no_grad():
        model(inputs, mode="tensor")
    return Cost(counter.operators, counter.bytes)


def timed(step: Callable[[], None]) -> float:
    """Run ``step`` once and return the seconds that the processor spent on it."""
    start = time.process_time()
    step()
    return time.process_time() - start


def make_passes(model: nn.Module, batch: int) -> Callable[[], None]:
    """Return a function that runs the model's layers alone, forward and backward."""
    found: list[tuple[nn.Module, Tensor]] = []
    handles = [
        module.register_forward_hook(lambda m, args, out: found.append((m, args[0])))
        for module in model.modules()
        if type(module).__name__ in layers() and isinstance(module, AttentionDropout)
    ]
    with torch.no_grad():
        model(torch.rand(batch, 3, SIZE, SIZE), mode="tensor")
    for handle in handles:
        handle.remove()
    feats = [(layer, feat.detach().requires_grad_()) for layer, feat in found]
    slopes = [torch.rand_like(feat) for _, feat in feats]

    def passes() -> None:
        for (layer, feat), slope in zip(feats, slopes):
            torch.autograd.grad(layer(feat), feat, slope)

    return passes


def measure(network: str, places: Sequence[str], *, batch: int, repeat: int) -> None:
    """Print the table of one network with layers at some places."""
    kinds: dict[str, Optional[dict[str, Any]]] = {"none": None, **layers()}
    models = {name: build(network, layer, places) for name, layer in kinds.items()}
    runs = {name: make_passes(models[name], batch) for name in layers()}
    runs["none"] = make_step(models["none"], batch, "cpu")
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeat + 1):
        for name, run in runs.items():
            seconds = timed(run)
            if turn:  # the first one warms up
                times[name].append(seconds)
    step = statistics.median(times["none"])
    costs = {name: count_step(model, batch) for name, model in models.items()}
    evals = {name: count_forward(model, batch) for name, model in models.items()}
    plain = costs["none"]
    print(
        f"\n{network}, {batch} images of {SIZE} px, after {', '.join(places)}; without "
        f"a layer {plain.operators} operators, {plain.bytes / 1e9:.2f} GB, {step:.2f} s"
        "\n        operators     bytes      time   in evaluation"
    )
    for name in layers():
        cost, added = costs[name], evals[name].bytes - evals["none"].bytes
        share = statistics.median(times[name]) / step
        print(
            f"  {name:<5} {cost.operators - plain.operators:>+9} "
            f"{100 * (cost.bytes / plain.bytes - 1):>+7.2f} % "
            f"{100 * share:>+7.2f} % {added:>+9} bytes"
        )


def main() -> None:
    """Parse the arguments and print every table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8, help="images in a batch")
    parser.add_argument("--repeat", type=int, default=7, help="steps that are timed")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for network, choices in PLACES.items():
        for places in choices:
            measure(network, places, batch=args.batch, repeat=args.repeat)


if __name__ == "__main__":
    main()
