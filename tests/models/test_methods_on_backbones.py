"""One forward and backward pass of every method on every backbone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmpretrain.structures import DataSample

from mmdgdm.datasets.transforms import HideAndSeek


@dataclass
class Place:
    """Where the methods take hold of a backbone."""

    last: str  # the layer after which erasing happens
    acol: dict
    spg: dict
    size: int = 64


PLACES = {
    "convnext_tiny": Place(
        "norm3", dict(), dict(out_indices=(2, 3), in_channels=(384, 768))
    ),
    "efficientnet_lite0": Place(
        "layers.6", dict(), dict(out_indices=(4, 6), in_channels=(112, 1280))
    ),
    "inception_v3": Place(
        "gap_convs.1",
        dict(out_indices=(3,), in_channels=768),
        dict(out_indices=(2, 3), in_channels=(288, 768)),
        size=96,
    ),
    "mobilenet_v2": Place(
        "conv2", dict(), dict(out_indices=(5, 7), in_channels=(160, 1280))
    ),
    "repvgg_toy": Place(
        "stage_4.0", dict(), dict(out_indices=(2, 3), in_channels=(96, 192))
    ),
    "resnet18_toy": Place(
        "layer4.1", dict(), dict(out_indices=(2, 3), in_channels=(96, 192))
    ),
    "resnet50": Place(
        "layer4.2", dict(), dict(out_indices=(2, 3), in_channels=(1024, 2048))
    ),
    "seresnet50": Place(
        "layer4.2", dict(), dict(out_indices=(2, 3), in_channels=(1024, 2048))
    ),
    "vgg16_gap": Place(
        "features.16",
        dict(out_indices=(4,), in_channels=512),
        dict(out_indices=(3, 4), in_channels=(512, 512), pool_sizes=(2, 2, 2, 3)),
    ),
}
# Untrained attention is nearly even: small blocks of its peak leave something over.
SAGD = dict(drop_threshold=0.95, block_size=1)
LAYERS = {
    "ADL": dict(type="mmdgdm.ADL", drop_threshold=0.95),
    "DropBlock": dict(type="mmdgdm.DropBlock"),
    "DGDM": dict(type="mmdgdm.DGDM", sagd=dict(bg_threshold=0.2, **SAGD)),
    "CAGD only": dict(type="mmdgdm.DGDM", sagd=None),
    "SAGD only": dict(type="mmdgdm.DGDM", cagd=None, sagd=SAGD),
    "no background part": dict(type="mmdgdm.DGDM", sagd=SAGD),
    "no importance map": dict(
        type="mmdgdm.DGDM", sagd=dict(bg_threshold=0.2, importance=False, **SAGD)
    ),
}
METHODS = ("CAM", "HaS", "CutMix", "ACoL", "SPG", "background loss", *LAYERS)
BASES = Path(__file__).resolve().parents[2] / "configs" / "_base_" / "models"


def test_no_backbone_is_left_out():
    # The toy's EfficientNet-Lite0 is that of the photographs, from scratch; Lite1 and
    # Lite2 are the same network, wider and deeper.
    same = {"efficientnet_lite0_toy", "efficientnet_lite1", "efficientnet_lite2"}
    found = {path.stem for path in BASES.glob("*.py")}
    assert found - same == set(PLACES)


def build(backbone, method):
    """The model of a base config at full width, four classes, random weights."""
    init_default_scope("mmpretrain")
    torch.manual_seed(0)
    model = Config.fromfile(BASES / f"{backbone}.py").model
    place = PLACES[backbone]
    # Weights are a matter of the machine; frozen stages would hide a gap in the path.
    model.backbone.pop("init_cfg", None)
    model.backbone.pop("frozen_stages", None)
    model.head.num_classes = 4
    if method in LAYERS:
        model.stage_necks = [dict(after=place.last, **LAYERS[method])]
    elif method == "background loss":
        model.head.background_loss = dict(type="mmdgdm.BackgroundLoss")
    elif method == "CutMix":
        model.data_preprocessor.num_classes = 4
        model.train_cfg = dict(augments=dict(type="CutMix", alpha=1.0))
        model.head.loss.use_soft = True
        model.head.cal_acc = False
    elif method in ("ACoL", "SPG"):
        options = dict(place.acol if method == "ACoL" else place.spg)
        for name in ("in_channels", "mid_channels"):
            model.head[name] = options.pop(name, model.head.get(name, 16))
        model.head.type = f"mmdgdm.{method}Head"
        model.backbone.update(options)
    return MODELS.build(model)


def draw_batch(method, size):
    """Four images of noise and their labels; Hide-and-Seek hides a part of them."""
    images = np.random.default_rng(0).integers(1, 256, (4, size, size, 3), np.uint8)
    if method == "HaS":
        np.random.seed(0)
        hide = HideAndSeek(fill=(0, 0, 0), grid_sizes=(16,), drop_prob=0.5)
        images = np.stack([hide(dict(img=image))["img"] for image in images])
        assert (images == 0).any()
    samples = [DataSample().set_gt_label(k) for k in range(4)]
    return dict(
        inputs=torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(),
        data_samples=samples,
    )


@pytest.mark.parametrize("backbone", PLACES)
@pytest.mark.parametrize("method", METHODS)
def test_gradients_reach_every_parameter(method, backbone):
    model = build(backbone, method).train()
    batch = draw_batch(method, PLACES[backbone].size)
    data = model.data_preprocessor(batch, training=True)
    loss, _ = model.parse_losses(model(**data, mode="loss"))
    loss.backward()
    assert bool(torch.isfinite(loss))
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
    first = next(model.backbone.parameters())
    assert bool(first.grad.any())
