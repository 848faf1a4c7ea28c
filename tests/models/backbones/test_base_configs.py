"""Every base config of a model builds, and its parts fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

FOLDER = Path(__file__).resolve().parents[3] / "configs" / "_base_" / "models"
# The side of the last map for a 224 x 224 image, and the URL or file of the weights.
CONFIGS = {
    "convnext_tiny": "convnext-tiny_32xb128_in1k",
    "efficientnet_lite0": "pretrained/efficientnet_lite0.pth",
    "efficientnet_lite1": "pretrained/efficientnet_lite1.pth",
    "efficientnet_lite2": "pretrained/efficientnet_lite2.pth",
    "inception_v3": "inception-v3_3rdparty_8xb32_in1k",
    "mobilenet_v2": "mobilenet_v2_batch256_imagenet",
    "resnet50": "resnet50_8xb32_in1k",
    "seresnet50": "se-resnet50_batch256_imagenet",
    "vgg16_gap": "vgg16_batch256_imagenet",
}


def load(name):
    init_default_scope("mmpretrain")
    return Config.fromfile(FOLDER / f"{name}.py").model


def test_there_is_a_config_of_every_backbone():
    found = {path.stem for path in FOLDER.glob("*.py") if "toy" not in path.stem}
    assert found == set(CONFIGS)


@pytest.mark.parametrize("name", CONFIGS)
def test_weights_are_published_or_made_by_the_command_in_the_header(name):
    backbone = load(name).backbone
    assert backbone.init_cfg.type == "Pretrained"
    assert backbone.init_cfg.prefix == "backbone"
    assert CONFIGS[name] in backbone.init_cfg.checkpoint
    header = (FOLDER / f"{name}.py").read_text().split("model = ")[0]
    assert "14 x 14" in header
    if not backbone.init_cfg.checkpoint.startswith("https://"):
        assert backbone.init_cfg.checkpoint in header


@pytest.mark.parametrize("name", CONFIGS)
def test_scores_and_maps_come_out(name):
    config = load(name)
    config.backbone.pop("init_cfg")
    config.head.num_classes = 5
    model = MODELS.build(config).to("meta").eval()
    feats = model.extract_feat(torch.empty(2, 3, 224, 224, device="meta"))
    assert feats[-1].shape == (2, config.head.in_channels, 14, 14)
    assert model.head(feats).shape == (2, 5)


@pytest.mark.parametrize("name", CONFIGS)
def test_one_training_step_on_small_pictures(name):
    config = load(name)
    config.backbone.pop("init_cfg")
    config.head.num_classes = 5
    model = MODELS.build(config).train()
    data = {
        "inputs": torch.randint(0, 256, (2, 3, 96, 80), dtype=torch.uint8),
        "data_samples": None,
    }
    batch = model.data_preprocessor(data, training=True)["inputs"]
    scores = model.head(model.extract_feat(batch))
    scores.logsumexp(1).sum().backward()
    idle = [
        n for n, p in model.named_parameters() if p.requires_grad and p.grad is None
    ]
    assert idle == []
