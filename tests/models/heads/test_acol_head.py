"""ACoLHead: erasing, losses and maps, against the paper's formulas."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from mmpretrain.structures import DataSample

from mmdgdm.errors import ConfigError, DataError
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


def test_maps_are_the_larger_of_both_branches(head, feats, scores_and_maps):
    labels = torch.tensor([[2, 0], [1, 1]])
    score, cam = scores_and_maps(head.eval(), feats, labels)
    for n, row in enumerate(labels.tolist()):
        for k, label in enumerate(row):
            map_a, map_b = branches(head, feats[0][n], label)
            expected = torch.maximum(stretched(map_a[label]), stretched(map_b[label]))
            assert torch.allclose(cam[n, k], expected, atol=1e-6)
            assert torch.allclose(score[n], map_a.mean((1, 2)), atol=1e-6)
    every = scores_and_maps(head, feats).cam
    assert every.shape == (2, 3, 3, 4)
    assert torch.allclose(every[0, 2], cam[0, 0], atol=1e-6)


def test_predictions_carry_scores_and_maps(head, feats, scores_and_maps):
    out = head.eval().predict(feats, samples(1, 2))
    assert out[0].cam_labels[0] == 1
    expected = scores_and_maps(head, feats, out[0].cam_labels.expand(2, -1)).cam[0]
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


@pytest.mark.parametrize("labels", [None, [0, 1]])
def test_a_missing_or_second_label_is_refused(head, feats, labels):
    odd = DataSample() if labels is None else DataSample().set_gt_label(labels)
    with pytest.raises(DataError, match="one class for ACoLHead"):
        head.loss(feats, [*samples(0), odd])


@torch.no_grad()
def test_mixed_precision_changes_no_map(head, feats, scores_and_maps):
    head.eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        score, cam = scores_and_maps(head, feats)
    exact = scores_and_maps(head, feats)
    assert torch.equal(cam, exact.cam)
    assert torch.equal(score, exact.score)


def test_attention_at_the_threshold_is_erased(head):
    attention = torch.tensor([[[[0.0, 0.5], [0.7, 1.0]]]])
    head.erase_threshold = 0.7
    erased = head._erase(torch.ones(1, 2, 2, 2), attention)
    assert erased.tolist() == [[[[1, 1], [0, 0]]] * 2]


@torch.no_grad()
def test_losses_and_maps_by_hand(scores_and_maps):
    head = ACoLHead(2, 1, mid_channels=1, erase_threshold=0.5)
    for branch, weights in ((head.branch_a, (1.0, -1.0)), (head.branch_b, (2.0, 3.0))):
        for conv in branch[::2]:
            conv.weight.zero_()
            conv.bias.zero_()
        # Each place passes through as it is, until the classes' weights.
        branch[0].weight[0, 0, 1, 1] = branch[2].weight[0, 0, 1, 1] = 1.0
        branch[4].weight[:, 0, 0, 0] = torch.tensor(weights)
    feats = (torch.tensor([[[[0.0, 1.0], [2.0, 4.0]]]]),)
    # A's map of class 0 is 0 1 2 4, so that B is left 0 1 0 0; of class 1 0 -1 -2 -4
    # and 0 0 0 4.
    for label, score_b in ((0, (0.5, 0.75)), (1, (2.0, 3.0))):
        losses = head.loss(feats, samples(label))
        for name, scores in (("loss_a", (1.75, -1.75)), ("loss_b", score_b)):
            expected = math.log(sum(map(math.exp, scores))) - scores[label]
            assert float(losses[name]) == pytest.approx(expected)
    cam = scores_and_maps(head, feats).cam
    assert cam.flatten(2).tolist() == [[[0, 1, 0.5, 1], [1, 0.75, 0.5, 1]]]


@pytest.mark.parametrize(
    "argument",
    [
        dict(erase_threshold=0),
        dict(erase_threshold=1.5),
        dict(erase_threshold=-1),
        dict(erase_threshold="0.7"),
        dict(mid_channels=0),
        dict(num_classes=0),
    ],
)
def test_impossible_arguments_are_named(argument):
    with pytest.raises(ConfigError, match=f"`{next(iter(argument))}`"):
        ACoLHead(**dict(dict(num_classes=3, in_channels=4), **argument))


def test_other_channels_are_named(head):
    with pytest.raises(ConfigError, match=r"4 channels \(`in_channels` of ACoLHead\)"):
        head((torch.rand(1, 7, 2, 2),))
