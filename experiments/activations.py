"""How far activations of training are from those of testing.

A layer that erases in training and does nothing in testing changes what later layers
see. For each trained model, over the val images of its config:

- ``out / in``: mean activation after its first erasing layer over that before, the
  layer in training mode and erasing as often as it is set (1 for a model without one);
- ``BN shift``: how far the means that each later batch norm sees in testing are from
  those that it stored in training, in stored standard deviations; mean over channels
  and batch norms, a dash where none comes later;
- ``BN variance``: variance seen in testing over the stored one; geometric mean.

    python experiments/activations.py work_dirs/cam work_dirs/dgdm --page FILE

Each argument is the folder of a training run, with its config and checkpoints.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Optional

import torch
from attention import build
from mmengine.dataset import pseudo_collate
from page import insert_table
from torch import Tensor, nn

from mmdgdm.models.functional import apply_masks


class Moments:
    """Mean and variance of each channel over all batches."""

    def __init__(self) -> None:
        self.count = 0
        self.sums = self.squares = torch.zeros(())

    def add(self, feat: Tensor) -> None:
        """Add a batch (N, C, H, W)."""
        values = feat.detach().double().transpose(0, 1).flatten(1)
        self.count += values.shape[1]
        self.sums = self.sums + values.sum(1)
        self.squares = self.squares + values.square().sum(1)

    def mean_and_var(self) -> tuple[Tensor, Tensor]:
        """Both, (C,)."""
        mean = self.sums / self.count
        return mean, self.squares / self.count - mean.square()


def find_run(folder: Path) -> tuple[str, str]:
    """Config and last checkpoint of a training run."""
    configs = sorted(folder.glob("*.py"))
    if len(configs) != 1 or not (folder / "last_checkpoint").is_file():
        raise SystemExit(
            f"error: {folder} is no training run: expected one config and the file "
            f"last_checkpoint, but got {len(configs)} configs"
        )
    return str(configs[0]), (folder / "last_checkpoint").read_text().strip()


def measure(model: Any, dataset: Any, size: int) -> dict[str, Optional[float]]:
    """All figures of one model."""
    ratios: list[Tensor] = []
    seen: dict[str, Moments] = {}
    erasing = next(iter(model.stage_necks), None)
    # Whether the erasing layer has been passed in this batch.
    passed = [erasing is None]

    def watch_layer(module: nn.Module, args: tuple, feat: Tensor) -> None:
        passed[0] = True
        erased = apply_masks(feat, *erasing.neck.masks(feat))
        ratios.append(erased.mean(dim=(1, 2, 3)) / feat.mean(dim=(1, 2, 3)))

    def watch_norm(name: str, module: nn.Module, args: tuple) -> None:
        if passed[0]:
            seen.setdefault(name, Moments()).add(args[0])

    if erasing is not None:
        model.backbone.get_submodule(erasing.after).register_forward_hook(watch_layer)
    norms = {n: m for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)}
    for name, norm in norms.items():
        norm.register_forward_pre_hook(
            lambda module, args, name=name: watch_norm(name, module, args)
        )
    torch.manual_seed(0)
    for start in range(0, len(dataset), size):
        passed[0] = erasing is None
        indices = range(start, min(start + size, len(dataset)))
        data = pseudo_collate([dataset[index] for index in indices])
        with torch.no_grad():
            model.extract_feat(model.data_preprocessor(data)["inputs"])
    shifts, logs = [], []
    for name, moments in seen.items():
        mean, var = moments.mean_and_var()
        stored = norms[name].running_var.double() + norms[name].eps
        offset = (mean - norms[name].running_mean.double()).abs()
        shifts.append((offset / stored.sqrt()).mean())
        logs.append(((var + norms[name].eps) / stored).log().mean())
    return {
        "out / in": float(torch.cat(ratios).mean()) if ratios else 1.0,
        "BN shift": float(torch.stack(shifts).mean()) if shifts else None,
        "BN variance": float(torch.stack(logs).mean().exp()) if logs else None,
    }


def main() -> None:
    """Parse the arguments, measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="folders of training runs")
    parser.add_argument("--names", nargs="+", help="of the runs in the table")
    parser.add_argument("--batch", type=int, default=32, help="images at a time")
    parser.add_argument("--name", default="activations", help="of the page's table")
    parser.add_argument("--page", type=Path, help="put the table into this page")
    args = parser.parse_args()
    names = args.names or [run.name for run in args.runs]
    if len(names) != len(args.runs):
        raise SystemExit(f"error: {len(args.runs)} runs, but {len(names)} names")
    lines: list[str] = []
    for name, run in zip(names, args.runs):
        figures = measure(*build(*find_run(run)), args.batch)
        if not lines:
            lines.append("| model | " + " | ".join(figures) + " |")
            lines.append("|---" * (len(figures) + 1) + "|")
        values = figures.values()
        cells = " | ".join("-" if v is None else f"{v:.2f}" for v in values)
        lines.append(f"| {name} | {cells} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if args.page is not None:
        insert_table(args.page, args.name, text)


if __name__ == "__main__":
    main()
