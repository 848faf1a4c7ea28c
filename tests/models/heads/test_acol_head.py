"""ACoLHead: erasing, losses and maps, against the paper's formulas."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from mmpretrain.structures import DataSample

from mmdgdm.errors import ConfigError
from mmdgdm.models.heads import ACoLHead


@pytest.fixture
def head():
    torch.manual_seed(0)
    return ACoLHead(3, 4, mid_channels=5, erase_threshold=0.6)


@pytest.fixture
def feats():
    return (torch.rand(2, 4, 3, 4, generator=torch.manual_seed(1)),)


def samples(*labels):
    return [DataSample().set_gt_label(label) for label in labels]


def stretched(grid):
    return (grid - grid.min()) / (grid.max() - grid.min())


def branches(head, feat, k):
    """Maps of both branches for one picture and class k, from the definition."""
    map_a = head.branch_a(feat[None])[0]
    erased = feat.clone()
    attention = stretched(map_a[k])
    for y, x in (attention >= head.erase_threshold).nonzero().tolist():
        erased[:, y, x] = 0
    return map_a, head.branch_b(erased[None])[0]


def test_losses_are_those_of_both_branches(head, feats):
    labels = [2, 0]
    rows = [branches(head, feat, k) for feat, k in zip(feats[0], labels)]
    found = head.loss(feats, samples(*labels))
    for place, name in enumerate(("loss_a", "loss_b")):
        scores = torch.stack([row[place].mean((1, 2)) for row in rows])
        expected = F.cross_entropy(scores, torch.tensor(labels))
        assert float(found[name]) == pytest.approx(float(expected), rel=1e-5)
    assert set(found) == {"loss_a", "loss_b"}


def test_maps_are_the_larger_of_both_branches(head, feats):
    labels = torch.tensor([[2, 0], [1, 1]])
    score, cam = head.eval().forward_cam(feats, labels)
    for n, row in enumerate(labels.tolist()):
        for k, label in enumerate(row):
            map_a, map_b = branches(head, feats[0][n], label)
            expected = torch.maximum(stretched(map_a[label]), stretched(map_b[label]))
            assert torch.allclose(cam[n, k], expected, atol=1e-6)
            assert torch.allclose(score[n], map_a.mean((1, 2)), atol=1e-6)
    every = head.forward_cam(feats).cam
    assert every.shape == (2, 3, 3, 4)
    assert torch.allclose(every[0, 2], cam[0, 0], atol=1e-6)


def test_predictions_carry_scores_and_maps(head, feats):
    out = head.eval().predict(feats, samples(1, 2))
    assert out[0].cam_labels[0] == 1
    expected = head.forward_cam(feats, out[0].cam_labels.expand(2, -1)).cam[0]
    assert torch.allclose(out[0].cam, expected, atol=1e-6)
    assert out[1].pred_label == head(feats)[1].argmax()


def test_both_branches_learn_and_erasing_cuts_the_gradient(head, feats):
    feat = feats[0].requires_grad_()
    head.loss((feat,), samples(2, 0))["loss_b"].backward()
    assert all(p.grad is None for p in head.branch_a.parameters())
    assert all(p.grad.any() for p in head.branch_b.parameters())
    assert feat.grad.any()


def test_soft_labels_are_refused(head, feats):
    mixed = [s.set_gt_score(torch.tensor([0.5, 0.5, 0.0])) for s in samples(0, 1)]
    with pytest.raises(ConfigError, match=r"ACoLHead .* soft labels.*`augments`"):
        head.loss(feats, mixed)


@pytest.mark.parametrize("value", [0, 1.5, -1])
def test_impossible_thresholds_are_named(value):
    with pytest.raises(ConfigError, match="`erase_threshold`"):
        ACoLHead(3, 4, erase_threshold=value)


def test_other_channels_are_named(head):
    with pytest.raises(TypeError, match=r"4 channels \(`in_channels` of ACoLHead\)"):
        head((torch.rand(1, 7, 2, 2),))
