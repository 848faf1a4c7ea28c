"""Checkpoints travel to mmpretrain and back, and both models give the same scores."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmpretrain import get_model

from mmdgdm.apis.mmpretrain_checkpoints import (
    convert_from_mmpretrain,
    convert_to_mmpretrain,
)
from mmdgdm.errors import CheckpointError, ConfigError
from mmdgdm.utils.checkpoint import load_checkpoint_file

SE = "dict(type='mmdgdm.DGDM', after='layer1', cagd=dict(attention='se', {}))"
CONFIG = """
default_scope = "mmpretrain"
model = dict(
    type="mmdgdm.WSOLClassifier",
    data_preprocessor=dict(mean=[1, 2, 3], std=[4, 5, 6], to_rgb=True),
    backbone=dict(type="mmdgdm.ResNet", depth=18, output_stride=16),
    stage_necks=[{neck}],
    head=dict(type="mmdgdm.{head}", num_classes=3, in_channels=512),
)
test_pipeline = [dict(type="Resize", scale=64), dict(type="mmdgdm.PackWSOLInputs")]
"""


def build(model):
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        return MODELS.build(model).eval()


@pytest.fixture
def trained(tmp_path):
    """A config with a layer that learns, and a checkpoint of it."""
    neck = SE.format("in_channels=64")
    config = tmp_path / "mine.py"
    config.write_text(CONFIG.format(neck=neck, head="WSOLHead"))
    torch.manual_seed(0)
    weights = build(Config.fromfile(config).model).state_dict()
    meta = dict(dataset_meta=dict(classes=["a", "b", "c"]), epoch=3)
    torch.save(dict(state_dict=weights, meta=meta, optimizer={}), tmp_path / "mine.pth")
    return config


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_there_and_back(ending, trained, tmp_path):
    if ending == "safetensors":
        pytest.importorskip("safetensors")
    source, plain = tmp_path / "mine.pth", tmp_path / "new" / f"plain.{ending}"
    config, left_out = convert_to_mmpretrain(str(trained), source, target=plain)
    assert config == tmp_path / "new" / "plain.py"
    assert len(left_out) == 4
    assert all(name.startswith("stage_necks.") for name in left_out)
    model = Config.fromfile(config).model
    assert (model.type, model.backbone.type) == ("ImageClassifier", "ResNet")
    again = tmp_path / f"again.{ending}"
    convert_from_mmpretrain(str(config), plain, target=again)
    ours = Config.fromfile(tmp_path / "again.py").model
    assert (ours.type, ours.head.type) == ("mmdgdm.WSOLClassifier", "mmdgdm.WSOLHead")
    before, after = load_checkpoint_file(source), load_checkpoint_file(again)
    assert after["meta"] == {"dataset_meta": dict(classes=["a", "b", "c"])}
    kept = [name for name in before["state_dict"] if name not in left_out]
    assert set(after["state_dict"]) == set(kept)
    for name in kept:
        assert torch.equal(before["state_dict"][name], after["state_dict"][name])
    images = torch.rand(2, 3, 64, 64)
    models = []
    for one in (Config.fromfile(trained).model, model, ours):
        models.append(build(one))
        models[-1].load_state_dict(before["state_dict"], strict=False)
    with torch.no_grad():
        first, *others = (one(images) for one in models)
    for scores in others:
        torch.testing.assert_close(scores, first)


def test_mmpretrain_alone_takes_the_file(trained, tmp_path):
    config, _ = convert_to_mmpretrain(
        str(trained), tmp_path / "mine.pth", target=tmp_path / "plain.pth"
    )
    model = get_model(str(config), pretrained=str(tmp_path / "plain.pth"))
    assert model._dataset_meta["classes"] == ["a", "b", "c"]
    assert "mmdgdm" not in config.read_text()


def test_what_cannot_be_converted(trained, tmp_path):
    source, target = tmp_path / "mine.pth", tmp_path / "plain.pth"
    acol = tmp_path / "acol.py"
    acol.write_text(CONFIG.format(neck="", head="ACoLHead"))
    with pytest.raises(ConfigError, match=r"mmdgdm.WSOLHead, whose .* ACoLHead"):
        convert_to_mmpretrain(str(acol), source, target=target)
    with pytest.raises(ConfigError, match=r"mine\.py not to exist yet"):
        convert_to_mmpretrain(str(trained), source, target=source)
    with pytest.raises(CheckpointError, match="was made for another model"):
        convert_from_mmpretrain("resnet50_8xb32_in1k", source, target=target)
    assert not target.exists()
