"""What the spatial attention of a trained classifier sees, by depth.

For each place in the backbone, over the val images of a config with masks, or boxes
that stand for them: how the attention (the mean over channels) correlates with the
object, and what SAGD would erase there: how much of the map, how much of that lies on
the object, how much of the object is lost, and the same for the background by each
rule. On the toy set also how much of the erased area lies on the head, the part that
always tells the class.

    python experiments/attention.py \
        configs/cam/cam_efficientnet-lite0_1xb32-4e_stamps-masks.py CHECKPOINT \
        --places layers.3 layers.4 layers.5 layers.6 \
        --page docs/research/when_dgdm_helps.md
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import torch
import torch.nn.functional as F  # noqa: N812
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmengine.runner import load_checkpoint
from page import insert_table
from torch import Tensor

from mmdgdm.models.functional import (
    background_region,
    discriminative_region,
    spatial_attention,
)
from mmdgdm.utils.checkpoint import use_safe_checkpoint_loader

#: Rules of the background and the shares of their reference.
BACKGROUNDS = {"max": 0.2, "mean": 1.0, "otsu": 1.0}


def build(path: str, checkpoint: Optional[str]) -> tuple[Any, Any]:
    """The model of a config with the weights of a checkpoint, and its val set.

    Without a checkpoint it has the weights that its training would start from.
    """
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    if checkpoint is not None:
        cfg.model.backbone.pop("init_cfg", None)
    model = MODELS.build(cfg.model).eval()
    use_safe_checkpoint_loader()
    if checkpoint is None:
        model.init_weights()
    else:
        load_checkpoint(model, checkpoint, map_location="cpu")
    return model, DATASETS.build(cfg.val_dataloader.dataset)


def object_mask(sample: Any) -> Tensor:
    """Mask of the object, (H, W), or what its boxes cover where it has none."""
    if "gt_mask" in sample:
        return torch.as_tensor(sample.gt_mask == 1).float()
    mask = torch.zeros(sample.ori_shape)
    for box in sample.gt_bboxes:
        x0, y0, x1, y1 = (int(value) for value in box)
        mask[y0 : y1 + 1, x0 : x1 + 1] = 1
    return mask


def masks_of(dataset: Any, indices: range, samples: list) -> dict[str, list[Tensor]]:
    """Masks of the objects and, where they are known, of their telling parts."""
    found = {"object": [object_mask(sample) for sample in samples]}
    if hasattr(dataset, "draw"):
        parts = [dataset.draw(index).part_mask for index in indices]
        found["part"] = [torch.from_numpy(part).float() for part in parts]
    return found


def batches(
    model: Any, dataset: Any, places: list[str], size: int
) -> Iterator[tuple[dict[str, Tensor], dict[str, list[Tensor]]]]:
    """Attention at each place, and masks, batch by batch."""
    seen: dict[str, Tensor] = {}
    modules = dict(model.backbone.named_modules())
    unknown = sorted(set(places) - set(modules))
    if unknown:
        raise SystemExit(f"error: the backbone has no {', '.join(unknown)}")
    for place in places:
        modules[place].register_forward_hook(
            lambda module, args, out, place=place: seen.update({place: out})
        )
    for start in range(0, len(dataset), size):
        indices = range(start, min(start + size, len(dataset)))
        data = pseudo_collate([dataset[index] for index in indices])
        masks = masks_of(dataset, indices, data["data_samples"])
        with torch.no_grad():
            model.extract_feat(model.data_preprocessor(data)["inputs"])
        yield {p: spatial_attention(feat) for p, feat in seen.items()}, masks


def shrink(masks: list[Tensor], side: tuple[int, int]) -> Tensor:
    """Share of each place of the map that a mask covers, (N, 1, h, w)."""
    return torch.cat([F.adaptive_avg_pool2d(m[None, None], side) for m in masks])


def share(region: Tensor, cover: Optional[Tensor] = None) -> Tensor:
    """Share of the map that a region takes, or of ``region`` that is covered."""
    region = region.double()
    if cover is None:
        return region.mean(dim=(1, 2, 3))
    # A region without any place has no share: NaN, left out of the mean.
    return (region * cover).sum(dim=(1, 2, 3)) / region.sum(dim=(1, 2, 3))


def measure(attention: Tensor, covers: dict[str, Tensor], block: int) -> dict:
    """All figures of one place for each sample of a batch."""
    cover = covers["object"]
    stacked = torch.stack([attention.flatten(1), cover.flatten(1)], dim=1)
    found = {
        "correlation": torch.stack([torch.corrcoef(pair)[0, 1] for pair in stacked])
    }
    erased = discriminative_region(attention, 0.8, block_size=block)
    found["erased"] = share(erased)
    for name, part in covers.items():
        found[f"erased on {name}"] = share(erased, part)
    found["object erased"] = share(cover, erased)
    for rule, threshold in BACKGROUNDS.items():
        region = background_region(attention, threshold, bg_rule=rule)
        found[f"background ({rule})"] = share(region)
        found[f"object lost ({rule})"] = share(cover, region)
    return found


def table(results: dict[str, dict[str, list[Tensor]]], sides: dict) -> str:
    """Format the means over images as a Markdown table."""
    columns = list(next(iter(results.values())))
    lines = ["| after | map | " + " | ".join(columns) + " |"]
    lines.append("|---" * (len(columns) + 2) + "|")
    for place, figures in results.items():
        cells = [f"{torch.cat(values).nanmean():.2f}" for values in figures.values()]
        side = " x ".join(map(str, sides[place]))
        lines.append(f"| `{place}` | {side} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Parse the arguments, measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "config", help="path of a config whose val set has masks or boxes"
    )
    parser.add_argument(
        "checkpoint", nargs="?", help="default: what its training starts from"
    )
    parser.add_argument("--places", nargs="+", required=True, help="submodules")
    parser.add_argument("--block-size", type=int, default=3, help="of SAGD")
    parser.add_argument("--batch", type=int, default=32, help="images at a time")
    parser.add_argument("--page", type=Path, help="put the table into this page")
    parser.add_argument("--name", help="the table's name there")
    args = parser.parse_args()
    model, dataset = build(args.config, args.checkpoint)
    results: dict = {place: defaultdict(list) for place in args.places}
    sides: dict[str, tuple[int, int]] = {}
    for attention, masks in batches(model, dataset, args.places, args.batch):
        for place in args.places:
            side = sides[place] = tuple(attention[place].shape[2:])
            covers = {name: shrink(found, side) for name, found in masks.items()}
            figures = measure(attention[place], covers, args.block_size)
            for name, values in figures.items():
                results[place][name].append(values)
    text = table(results, sides)
    print(text)
    if args.page is not None:
        insert_table(args.page, args.name or "attention", text)


if __name__ == "__main__":
    main()
