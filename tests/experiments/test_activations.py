"""Figures about activations of training and testing, on untrained networks."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, init_default_scope
from torch import nn

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.fixture
def activations(monkeypatch):
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    return importlib.import_module("activations")


def make(method, **layer):
    name = f"configs/{method}/{method}_resnet18_1xb32-12e_toy.py"
    cfg = Config.fromfile(EXPERIMENTS.parent / name)
    init_default_scope(cfg.default_scope)
    cfg.val_dataloader.dataset.num_images = 8
    if layer:
        cfg.model.stage_necks = [layer]
    torch.manual_seed(0)
    return MODELS.build(cfg.model).eval(), DATASETS.build(cfg.val_dataloader.dataset)


def test_moments_are_those_of_all_batches(activations):
    torch.manual_seed(0)
    feats = torch.randn(6, 3, 4, 5)
    moments = activations.Moments()
    for part in feats.split(4):
        moments.add(part)
    mean, var = moments.mean_and_var()
    values = feats.double().transpose(0, 1).flatten(1)
    assert torch.allclose(mean, values.mean(1))
    assert torch.allclose(var, values.var(1, correction=0))


def test_scale_mean_keeps_the_mean_and_plain_does_not(activations):
    parts = dict(cagd=None, after="layer1.1", type="mmdgdm.DGDM")
    for scale, kept in (("mean", True), ("plain", False)):
        model, dataset = make("dgdm", sagd=dict(scale=scale), **parts)
        ratio = activations.measure(model, dataset, 4)["out / in"]
        assert (ratio == pytest.approx(1, abs=1e-5)) is kept


def test_stored_statistics_are_compared_with_those_seen(activations):
    model, dataset = make("cam")
    before = activations.measure(model, dataset, 4)
    assert before["out / in"] == 1
    last = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)][-1]
    last.running_var *= 16
    after = activations.measure(model, dataset, 4)
    count = sum(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    # One of the batch norms stores 16 times what it stored.
    ratio = after["BN variance"] / before["BN variance"]
    assert ratio == pytest.approx(16 ** (-1 / count), rel=1e-3)


def test_nothing_later_has_no_statistics(activations):
    model, dataset = make("adl", type="mmdgdm.ADL", after="layer4.1")
    found = activations.measure(model, dataset, 4)
    assert found["BN shift"] is None
    assert found["BN variance"] is None


def test_a_folder_without_a_run_is_named(activations, tmp_path):
    with pytest.raises(SystemExit, match="is no training run"):
        activations.find_run(tmp_path)
