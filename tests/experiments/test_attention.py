"""Figures about the spatial attention, by hand."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmpretrain.structures import DataSample

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.fixture
def attention(monkeypatch):
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    return importlib.import_module("attention")


def sample(**fields):
    made = DataSample(metainfo={"ori_shape": (4, 6)})
    for name, value in fields.items():
        made.set_field(value, name)
    return made


def test_boxes_stand_for_a_mask_that_is_missing(attention):
    boxes = torch.tensor([[1.0, 0.0, 2.0, 1.0], [5.0, 3.0, 5.0, 3.0]])
    expected = torch.zeros(4, 6)
    expected[0:2, 1:3] = expected[3, 5] = 1
    assert torch.equal(attention.object_mask(sample(gt_bboxes=boxes)), expected)


def test_ignored_pixels_are_no_object(attention):
    mask = np.array([[0, 1, 255], [1, 0, 0]], dtype=np.uint8)
    found = attention.object_mask(sample(gt_bboxes=torch.zeros(0, 4), gt_mask=mask))
    assert found.tolist() == [[0, 1, 0], [1, 0, 0]]


def test_figures_of_a_map_by_hand(attention):
    response = torch.tensor([[10.0, 4.0], [1.0, 1.0]]).view(1, 1, 2, 2)
    cover = torch.tensor([[1.0, 1.0], [0.0, 0.5]]).view(1, 1, 2, 2)
    found = attention.measure(response, {"object": cover}, block=1)
    assert found["erased"].item() == 0.25
    assert found["erased on object"].item() == 1.0
    assert found["object erased"].item() == pytest.approx(1 / 2.5)
    # Below 0.2 of the maximum and below the mean of 4: the lower two, half an object.
    assert found["background (max)"].item() == 0.5
    assert found["object lost (mean)"].item() == pytest.approx(0.5 / 2.5)
    assert found["correlation"].item() == pytest.approx(
        np.corrcoef([10, 4, 1, 1], [1, 1, 0, 0.5])[0, 1]
    )


def test_parts_of_the_toy_are_known(attention):
    cfg = Config.fromfile(
        EXPERIMENTS.parent / "configs/cam/cam_resnet18_1xb32-12e_toy.py"
    )
    init_default_scope(cfg.default_scope)
    cfg.val_dataloader.dataset.num_images = 5
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    model = MODELS.build(cfg.model).eval()
    found = list(attention.batches(model, dataset, ["layer1.1", "layer4.1"], 3))
    assert [len(masks["object"]) for _, masks in found] == [3, 2]
    for maps, masks in found:
        assert {place: tuple(m.shape[2:]) for place, m in maps.items()} == {
            "layer1.1": (16, 16),
            "layer4.1": (8, 8),
        }
        for whole, part in zip(masks["object"], masks["part"]):
            assert 0 < part.sum() < whole.sum()


def test_an_unknown_place_is_named(attention):
    cfg = Config.fromfile(
        EXPERIMENTS.parent / "configs/cam/cam_resnet18_1xb32-12e_toy.py"
    )
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    with pytest.raises(SystemExit, match="the backbone has no layer9"):
        next(attention.batches(model, [], ["layer9"], 4))
