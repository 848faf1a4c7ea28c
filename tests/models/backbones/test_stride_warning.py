"""Weights that meet a stride they were not trained with are told."""

from __future__ import annotations

import copy
import logging

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint, save_checkpoint
from mmengine.runner.checkpoint import get_state_dict, weights_to_cpu

from mmdgdm.models.backbones import (
    VGGGAP,
    ConvNeXt,
    EfficientNetLite,
    InceptionV3,
    MobileNetV2,
    ResNet,
)
from mmdgdm.models.classifiers import WSOLClassifier


@pytest.fixture
def warnings(monkeypatch):
    """What is logged as a warning of ours."""
    seen = []

    def note(text, logger, level):
        assert logger == "current"
        assert level == logging.WARNING
        seen.append(text)

    monkeypatch.setattr("mmdgdm.models.backbones.base.print_log", note)
    return seen


@pytest.fixture
def published(tmp_path):
    """Writes weights without a word of strides, as published files are."""

    def write(backbone, prefix="backbone."):
        weights = {prefix + name: v for name, v in backbone.state_dict().items()}
        torch.save({"state_dict": weights}, tmp_path / "weights.pth")
        return str(tmp_path / "weights.pth")

    return write


def init_cfg(path):
    return {"type": "Pretrained", "checkpoint": path, "prefix": "backbone"}


CASES = [
    (ResNet, {"depth": 18}, {"output_stride": 16}, True),
    (ResNet, {"depth": 18}, {"output_stride": 8}, True),
    (ResNet, {"depth": 18}, {"output_stride": 16, "dilate": True}, False),
    (ResNet, {"depth": 18}, {"output_stride": 32}, False),
    (EfficientNetLite, {}, {"output_stride": 16}, True),
    (MobileNetV2, {}, {"output_stride": 8}, True),
    (ConvNeXt, {"arch": "atto"}, {"output_stride": 16}, True),
    (ConvNeXt, {"arch": "atto"}, {"output_stride": 8, "dilate": True}, False),
    (VGGGAP, {"depth": 11}, {"output_stride": 16}, False),
    (VGGGAP, {"depth": 11}, {"output_stride": 8}, True),
    (InceptionV3, {"gap_channels": [4]}, {"output_stride": 16}, False),
    (InceptionV3, {"gap_channels": [4]}, {"output_stride": 8}, True),
]


@pytest.mark.parametrize(("cls", "kwargs", "stride", "is_odd"), CASES)
def test_published_weights_at_another_stride_are_told_once(
    cls, kwargs, stride, is_odd, warnings, published
):
    path = published(cls(**kwargs))
    backbone = cls(init_cfg=init_cfg(path), **stride, **kwargs)
    assert warnings == []
    backbone.init_weights()
    assert len(warnings) == is_odd
    load_checkpoint(backbone, path, revise_keys=[("^backbone.", "")])
    assert len(warnings) == is_odd


def test_the_sentence_names_the_remedies(warnings, published):
    path = published(ResNet(18))
    ResNet(18, output_stride=16, init_cfg=init_cfg(path)).init_weights()
    VGGGAP(11, output_stride=8).load_state_dict(
        dict(VGGGAP(11).state_dict()), strict=False
    )
    assert warnings == [
        "ResNet with output_stride=16 and no dilation takes weights that were trained "
        "at output_stride=32 or do not say at which: its last stages see another share "
        "of the image, so fine-tune them, or set `dilate=True` or `output_stride=32`.",
        "VGGGAP with output_stride=8 and no dilation takes weights that were trained "
        "at output_stride=16 or do not say at which: its last stages see another share "
        "of the image, so fine-tune them, or set `output_stride=16`.",
    ]


def test_it_reaches_the_log(published):
    seen = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: seen.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    path = published(ResNet(18))
    ResNet(18, output_stride=16, init_cfg=init_cfg(path)).init_weights()
    logger.removeHandler(handler)
    assert len([text for text in seen if "takes weights that were" in text]) == 1


def classifier(**stride):
    init_default_scope("mmpretrain")
    head = {"type": "mmdgdm.WSOLHead", "num_classes": 2, "in_channels": 512}
    backbone = {"type": "mmdgdm.ResNet", "depth": 18, **stride}
    return WSOLClassifier(backbone=backbone, head=head)


@pytest.mark.parametrize(
    ("trained", "loaded", "remedy"),
    [
        ({"output_stride": 16}, {"output_stride": 16}, None),
        ({"output_stride": 16, "dilate": True}, {}, None),
        ({}, {"output_stride": 8, "dilate": True}, None),
        ({"output_stride": 16}, {}, "set `output_stride=16`."),
        (
            {"output_stride": 16},
            {"output_stride": 16, "dilate": True},
            "set `output_stride=16` and `dilate=False`.",
        ),
        ({}, {"output_stride": 8}, "set `dilate=True` or `output_stride=32`."),
    ],
)
def test_checkpoints_of_training_say_their_stride(
    trained, loaded, remedy, warnings, tmp_path
):
    state = weights_to_cpu(get_state_dict(classifier(**trained)))  # as CheckpointHook
    save_checkpoint({"state_dict": state, "meta": {}}, str(tmp_path / "epoch_1.pth"))
    model = classifier(**loaded)
    load_checkpoint(model, str(tmp_path / "epoch_1.pth"))
    assert len(warnings) == (remedy is not None)
    assert all(text.endswith(remedy) for text in warnings)


def test_weights_of_a_head_alone_are_no_reason_to_warn(warnings):
    model = classifier(output_stride=16)
    head = {k: v for k, v in model.state_dict().items() if k.startswith("head")}
    model.load_state_dict(dict(head), strict=False)
    assert warnings == []


def test_names_and_copies_stay_as_they_were(warnings):
    backbone = copy.deepcopy(ResNet(18, output_stride=16))
    state = backbone.state_dict()
    assert not [name for name in state if "stride" in name]
    assert state._metadata[""]["undilated_stride"] == 16
    ResNet(18, output_stride=16).load_state_dict(state)
    assert warnings == []
