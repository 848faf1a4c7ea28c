"""Predictions of every method on a small network, and CutMix's loss."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from mmengine.registry import MODELS, init_default_scope
from mmpretrain.structures import DataSample

LAST = "layer4.1"
METHODS = {
    "CAM": {},
    "ADL": dict(stage_necks=[dict(type="mmdgdm.ADL", after=LAST)]),
    "DropBlock": dict(stage_necks=[dict(type="mmdgdm.DropBlock", after=LAST)]),
    "DGDM": dict(stage_necks=[dict(type="mmdgdm.DGDM", after=LAST)]),
    "CAGD only": dict(stage_necks=[dict(type="mmdgdm.DGDM", after=LAST, sagd=None)]),
    "SAGD only": dict(stage_necks=[dict(type="mmdgdm.DGDM", after=LAST, cagd=None)]),
    "no importance map": dict(
        stage_necks=[dict(type="mmdgdm.DGDM", after=LAST, sagd=dict(importance=False))]
    ),
    "ACoL": dict(head=dict(type="mmdgdm.ACoLHead", mid_channels=16)),
    "SPG": dict(
        head=dict(
            type="mmdgdm.SPGHead", in_channels=(32, 64), mid_channels=16, mask_size=32
        ),
        out_indices=(2, 3),
    ),
    "CutMix": dict(
        head=dict(loss=dict(type="CrossEntropyLoss", use_soft=True), cal_acc=False),
        data_preprocessor=dict(num_classes=4),
        train_cfg=dict(augments=dict(type="CutMix", alpha=1.0)),
    ),
}


def build(method):
    init_default_scope("mmpretrain")
    torch.manual_seed(0)
    options = copy.deepcopy(METHODS[method])
    head = dict(type="mmdgdm.WSOLHead", num_classes=4, in_channels=64)
    head.update(options.pop("head", {}))
    backbone = dict(
        type="ResNet",
        depth=18,
        stem_channels=8,
        base_channels=8,
        out_indices=options.pop("out_indices", (3,)),
        strides=(1, 2, 1, 1),
    )
    return MODELS.build(
        dict(type="mmdgdm.WSOLClassifier", backbone=backbone, head=head, **options)
    )


@pytest.fixture
def batch():
    torch.manual_seed(1)
    return dict(
        inputs=torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8),
        data_samples=[DataSample().set_gt_label(k) for k in range(4)],
    )


@pytest.mark.parametrize("method", METHODS)
def test_predictions_are_those_of_scores_and_maps(method, batch, scores_and_maps):
    model = build(method).eval()
    with torch.no_grad():
        out = model.test_step(batch)
        data = model.data_preprocessor(batch)
        feats = model.extract_feat(data["inputs"])
        for n, sample in enumerate(out):
            labels = sample.cam_labels.expand(4, -1)
            assert int(labels[0, 0]) == n
            score, cam = scores_and_maps(model.head, feats, labels)
            assert torch.allclose(sample.cam, cam[n], atol=1e-5)
            assert torch.allclose(sample.pred_score, score[n].softmax(0), atol=1e-5)


def test_cutmix_mixes_pictures_and_losses(batch):
    model = build("CutMix")
    torch.manual_seed(3)
    data = model.data_preprocessor(batch, training=True)
    targets = torch.stack([sample.gt_score for sample in data["data_samples"]])
    plain = model.data_preprocessor(batch)["inputs"]
    mixed = (data["inputs"] != plain).any(dim=1).float().mean(dim=(1, 2))
    shares = targets[torch.arange(4), torch.arange(4)]
    changed = shares < 1
    assert changed.any()
    # What is left of a picture is the share of its label; equal pixels are few.
    assert torch.allclose(1 - mixed[changed], shares[changed], atol=0.02)
    scores = model(data["inputs"], mode="tensor")
    loss = model(**data, mode="loss")["loss"]
    expected = 0.0
    for n in range(4):
        # lam * CE(own class) + (1 - lam) * CE(the other one).
        others = [k for k in range(4) if targets[n, k] > 0 and k != n]
        assert len(others) <= 1
        for k in [n, *others]:
            cross_entropy = F.cross_entropy(scores[n : n + 1], torch.tensor([k]))
            expected += float(targets[n, k] * cross_entropy) / 4
    assert float(loss) == pytest.approx(expected, rel=1e-5)
