"""Look at what a config feeds its network, and at what its layers erase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, MODELS, DefaultScope
from mmengine.runner import load_checkpoint, set_random_seed
from torch import Tensor

import mmdgdm.registry  # noqa: F401  its classes are then known by name
from mmdgdm.engine.setup.config_check import check_keys
from mmdgdm.engine.setup.parts import check_parts, explain_build_errors
from mmdgdm.errors import ConfigError
from mmdgdm.models.utils.mask_record import MaskRecord, record_masks
from mmdgdm.utils.argument_checks import check_choice, check_positive_int
from mmdgdm.utils.checkpoint import use_safe_checkpoint_loader
from mmdgdm.visualization.canvas import Pixels
from mmdgdm.visualization.choosing import spread_over_classes
from mmdgdm.visualization.inputs import FedImage, LayerView, draw_inputs, draw_layers


def browse_dataset(
    cfg: Config,
    split: str = "train",
    *,
    count: int = 20,
    with_layers: bool = False,
    checkpoint: Optional[str] = None,
    passes: int = 3,
    seed: int = 0,
) -> Pixels:
    """Draw images of a data set as the network is fed with them.

    They have been through the pipeline and, as one batch, through the data
    preprocessor, with what it mixes in training; of a split that loads boxes they are
    drawn where the transforms have moved them.

    Args:
        cfg: A config.
        split: ``"train"``, ``"val"`` or ``"test"``.
        count: How many images, spread over the classes.
        with_layers: Whether to draw what the model's layers erase in them, in passes as
            in training.
        checkpoint: Weights of the model for ``with_layers``; without them its attention
            is that of random ones.
        passes: How many passes are drawn: each draws its masks anew.
        seed: Of the transforms and of the layers' draws.

    Returns:
        The sheet, (H, W, 3) uint8, RGB.

    Raises:
        ConfigError: If an argument does not fit, a part of the config cannot be built,
            or with ``with_layers`` there is no layer that erases.
    """
    check_choice("split", split, choices=("train", "val", "test"))
    check_positive_int("count", count)
    check_positive_int("passes", passes)
    check_keys(cfg, ["model", f"{split}_dataloader"], use=" for browsing")
    check_parts(cfg)
    set_random_seed(seed)
    scope = cfg.get("default_scope") or "mmengine"
    with DefaultScope.overwrite_default_scope(scope), explain_build_errors(cfg):
        dataset = DATASETS.build(cfg[f"{split}_dataloader"]["dataset"])
        model: Any = MODELS.build(cfg.model)
    if with_layers and checkpoint is not None:
        use_safe_checkpoint_loader()
        load_checkpoint(model, checkpoint, map_location="cpu", strict=True)
    labels = [0] * len(dataset)
    if hasattr(dataset, "get_gt_labels"):
        labels = np.asarray(dataset.get_gt_labels()).tolist()
    places = spread_over_classes(labels, count)
    batch = pseudo_collate([dataset[place] for place in places])
    batch = model.data_preprocessor(batch, training=split == "train")
    classes = (dataset.metainfo or {}).get("classes")
    fed = _fed_images(batch, model.data_preprocessor, classes)
    if not with_layers:
        return draw_inputs(fed)
    return draw_layers(fed, _layer_views(model, batch["inputs"], passes))


def _fed_images(
    batch: Mapping[str, Any], preprocessor: Any, classes: Any
) -> list[FedImage]:
    """The images of a batch as pixels again, with boxes and classes."""
    images = batch["inputs"].detach().cpu().float()
    if getattr(preprocessor, "_enable_normalize", False):
        images = images * preprocessor.std.cpu() + preprocessor.mean.cpu()
    pixels = images.permute(0, 2, 3, 1).round().clamp(0, 255).to(torch.uint8).numpy()
    # Without a change of channels, images are BGR as they are loaded.
    if not getattr(preprocessor, "to_rgb", False):
        pixels = pixels[..., ::-1]
    return [
        FedImage(np.ascontiguousarray(image), _boxes(sample), _caption(sample, classes))
        for image, sample in zip(pixels, batch["data_samples"])
    ]


def _boxes(sample: Any) -> list[Any]:
    """The boxes of a sample where the resized image has them."""
    boxes = sample.get("gt_bboxes")
    if boxes is None:
        return []
    (height, width), (rows, columns) = (
        sample.get(name)[:2] for name in ("ori_shape", "img_shape")
    )
    factors = np.array([columns / width, rows / height] * 2)
    return [tuple(row) for row in (boxes.cpu().numpy() * factors).tolist()]


def _caption(sample: Any, classes: Any) -> str:
    """The class of a sample, or of a mixed one the classes that have a share."""

    def name(label: int) -> str:
        return str(classes[label]) if classes else f"label {label}"

    score = sample.get("gt_score")
    if score is not None:
        shares = {i: float(score[i]) for i in torch.nonzero(score).flatten().tolist()}
        return ", ".join(f"{name(i)} {share:.2f}" for i, share in shares.items())
    label = sample.get("gt_label")
    return "no label" if label is None else name(int(label.reshape(-1)[0]))


def _layer_views(model: Any, inputs: Tensor, passes: int) -> list[list[LayerView]]:
    """What each layer did to each image, in passes as in training."""
    model.train()
    with record_masks(model) as records, torch.no_grad():
        for _ in range(passes):
            model.extract_feat(inputs)
    if not records:
        raise ConfigError(
            "Expected the model to have layers that erase (mmdgdm.DGDM, mmdgdm.ADL, "
            "...) in `stage_necks` or `neck`, but it has none."
        )
    calls: dict[str, list[MaskRecord]] = {}
    for record in records:
        calls.setdefault(record.name, []).append(record)
    return [
        [_layer_view(some, i) for some in calls.values()] for i in range(len(inputs))
    ]


def _layer_view(records: Sequence[MaskRecord], i: int) -> LayerView:
    """One image in all passes of one layer."""
    first = records[0]
    return LayerView(
        first.name,
        first.attention[i],
        [record.spatial[i] for record in records if record.spatial is not None],
        None if first.channel is None else first.channel[i],
    )
