"""Maps of the gradient family against CAM, and against slow code of their own."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, init_default_scope
from mmpretrain.structures import DataSample
from torch import nn
from torch.nn.functional import interpolate

from mmdgdm.errors import ConfigError
from mmdgdm.models.classifiers import ModuleClassifier
from mmdgdm.utils.cam_methods import CAM_METHODS, GRADIENT_METHODS

needs_library = pytest.mark.skipif(
    importlib.util.find_spec("pytorch_grad_cam") is None,
    reason="needs the extra `cam`",
)
HEADS = {
    "linear": dict(type="mmdgdm.WSOLHead", in_channels=32),
    "acol": dict(type="mmdgdm.ACoLHead", in_channels=32, mid_channels=4),
    "spg": dict(type="mmdgdm.SPGHead", in_channels=(16, 32), mid_channels=4),
}


def build(cam_method="cam", head="linear"):
    init_default_scope("mmpretrain")
    torch.manual_seed(0)
    backbone = dict(
        type="ResNet",
        depth=18,
        stem_channels=4,
        base_channels=4,
        strides=(1, 2, 1, 1),
        out_indices=(2, 3),
    )
    model = MODELS.build(
        dict(
            type="mmdgdm.WSOLClassifier",
            backbone=backbone,
            head=dict(num_classes=5, **HEADS[head]),
            cam_method=cam_method,
        )
    )
    # The plain start of a linear head is so small that noise would show.
    for parameter in model.head.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model.eval()


INPUTS = torch.randn(3, 3, 40, 56, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([[0, 4], [2, 1], [3, 3]])


def localize(model):
    with torch.no_grad():
        return model.localize(INPUTS, lambda scores: LABELS)


def stretch(maps):
    maps = maps.clamp_min(0)
    low, high = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
    return ((maps - low) / (high - low).clamp_min(1e-12)).detach()


def pick(maps):
    return torch.stack([maps[i, row] for i, row in enumerate(LABELS)])


@needs_library
@pytest.mark.parametrize("method", ["gradcam", "xgradcam"])
def test_of_a_linear_head_they_are_cams_positive_part(method):
    cam, other = localize(build()), localize(build(method))
    assert torch.allclose(cam.scores, other.scores)
    assert torch.equal(other.labels, LABELS)
    assert other.maps.shape == cam.maps.shape
    assert (cam.maps < 0).any()
    assert torch.allclose(other.maps, stretch(cam.maps), atol=1e-4)


def features_and_weight(model):
    with torch.no_grad():
        return model.extract_feat(INPUTS)[-1], model.head.fc.weight.detach()


@needs_library
def test_layercam_leaves_negative_weights_out():
    feat, weight = features_and_weight(build())
    wanted = pick(torch.einsum("kc,nchw->nkhw", weight.clamp_min(0), feat))
    maps = localize(build("layercam")).maps
    assert torch.allclose(maps, stretch(wanted), atol=1e-4)


@needs_library
def test_gradcam_plus_plus_by_its_formula():
    feat, weight = features_and_weight(build())
    area = feat[0, 0].numel()
    wanted = torch.zeros(3, 2, *feat.shape[2:])
    for n, row in enumerate(LABELS):
        for k, label in enumerate(row):
            for c, channel in enumerate(feat[n]):
                grad = float(weight[label, c]) / area  # the same at all places
                alpha = grad**2 / (2 * grad**2 + float(channel.sum()) * grad**3 + 1e-6)
                wanted[n, k] += area * alpha * max(grad, 0) * channel
    maps = localize(build("gradcam++")).maps
    assert torch.allclose(maps, stretch(wanted), atol=1e-4)


@needs_library
def test_scorecam_by_its_formula():
    model = build()
    feat, _ = features_and_weight(model)
    masks = interpolate(feat, INPUTS.shape[2:], mode="bilinear", align_corners=True)
    wanted = torch.zeros(3, 2, *feat.shape[2:])
    for n, row in enumerate(LABELS):
        low, high = masks[n].amin((1, 2)), masks[n].amax((1, 2))
        unit = (masks[n] - low[:, None, None]) / (high - low + 1e-8)[:, None, None]
        with torch.no_grad():
            scores = model(INPUTS[n] * unit[:, None])
        for k, label in enumerate(row):
            weight = scores[:, label].softmax(dim=0)
            wanted[n, k] = torch.einsum("c,chw->hw", weight, feat[n])
    maps = localize(build("scorecam")).maps
    assert maps.shape == (3, 2, *INPUTS.shape[2:])
    enlarged = interpolate(stretch(wanted), INPUTS.shape[2:], mode="bilinear")
    assert torch.allclose(maps, stretch(enlarged), atol=1e-3)


@needs_library
@pytest.mark.parametrize("head", ["acol", "spg"])
def test_other_heads_by_autograd(head):
    model = build(head=head)
    feats = [feat.detach() for feat in model.extract_feat(INPUTS)]
    last = feats[-1].requires_grad_()
    scores = model.head.scores(model.head.embed((*feats[:-1], last)))
    wanted = torch.zeros(3, 2, *last.shape[2:])
    for n, row in enumerate(LABELS):
        for k, label in enumerate(row):
            (grad,) = torch.autograd.grad(scores[n, label], last, retain_graph=True)
            weight = grad[n].mean(dim=(1, 2))
            wanted[n, k] = torch.einsum("c,chw->hw", weight, last[n])
    maps = localize(build("gradcam", head)).maps
    assert torch.allclose(maps, stretch(wanted), atol=1e-4)


@needs_library
@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_predictions_carry_the_maps_and_nothing_else_changes(method, capsys):
    model = build(method)
    model.head.fc.weight.requires_grad_(False)
    model.head.fc.bias.grad = torch.ones(5)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    samples = [DataSample().set_gt_label(1), DataSample(), DataSample()]
    with torch.no_grad():
        predicted = model.predict(INPUTS, samples)
        plain = build().predict(INPUTS, [s.clone() for s in samples])
    for one, other in zip(predicted, plain):
        assert torch.equal(one.pred_score, other.pred_score)
        assert torch.equal(one.cam_labels, other.cam_labels)
        assert one.cam.shape[0] == len(one.cam_labels)
        assert float(one.cam.min()) >= 0
    assert torch.equal(model.head.fc.bias.grad, torch.ones(5))
    assert not model.head.fc.weight.requires_grad
    assert all(p.grad is None for p in model.backbone.parameters())
    assert all(p.requires_grad for p in model.backbone.parameters())
    assert all(
        torch.equal(value, before[key]) for key, value in model.state_dict().items()
    )
    assert capsys.readouterr().err == ""


class Odd(nn.Module):
    """No network of averaged features: its last map is flattened."""

    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(3, 6, 3, stride=8, padding=1)
        self.fc = nn.Linear(6 * 5 * 7, 5)

    def forward(self, x):
        return self.fc(self.features(x).relu().flatten(1))


@needs_library
def test_a_module_that_is_not_linear_has_gradient_maps():
    torch.manual_seed(0)
    net = Odd().eval()
    model = ModuleClassifier(
        net,
        "features",
        classifier=None,
        size=(56, 40),
        mean=[0] * 3,
        std=[1] * 3,
        cam_method="gradcam",
    )
    found = localize(model)
    feat = net.features(INPUTS)
    feat.retain_grad()
    net.fc(feat.relu().flatten(1))[torch.arange(3), LABELS[:, 0]].sum().backward()
    weight = feat.grad.mean(dim=(2, 3))
    small = stretch(torch.einsum("nc,nchw->nhw", weight, feat)[:, None])
    wanted = interpolate(small, INPUTS.shape[2:], mode="bilinear")
    assert np.allclose(found.maps[:, :1], stretch(wanted), atol=1e-3)
    assert not net.features._forward_hooks


@pytest.mark.parametrize("method", CAM_METHODS)
def test_without_the_library_only_cam_is_left(method, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    if method == "cam":
        assert build(method).cam_method == "cam"
        return
    with pytest.raises(ConfigError, match=r'pip install "mmdgdm\[cam\]"'):
        build(method)


def test_unknown_methods_and_averaged_views_are_refused():
    with pytest.raises(ConfigError, match="`cam_method` to be one of 'cam', 'gradcam'"):
        build("gradcamm")
    model = build()
    model.cam_method = "gradcam"
    with pytest.raises(ConfigError, match="cam_method='cam'"):
        MODELS.build(dict(type="mmdgdm.WSOLTTAModel", module=model))
