"""SPGHead: which output guides which, against a plain re-statement."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from mmpretrain.structures import DataSample

from mmdgdm.errors import ConfigError
from mmdgdm.models.heads import SPGHead

THRESHOLDS = ((0.7, 0.2), (0.52, 0.5), (0.53, 0.48))


@pytest.fixture
def head():
    torch.manual_seed(0)
    return SPGHead(
        3, (4, 6), mid_channels=5, thresholds=THRESHOLDS, mask_size=8, min_seeds=3
    )


@pytest.fixture
def feats():
    generator = torch.manual_seed(1)
    low = torch.rand(2, 4, 8, 8, generator=generator)
    return torch.rand(2, 1, 1, 1), low, torch.rand(2, 6, 4, 4, generator=generator)


def samples(*labels):
    return [DataSample().set_gt_label(label) for label in labels]


def slow_guided_loss(logits, guide, high, low, min_seeds):
    """Pixel by pixel: binary cross-entropy where the guide is sure."""
    losses = []
    for n in range(len(logits)):
        values = guide[n, 0]
        cut = high
        if sum(v > high for v in values.flatten().tolist()) < min_seeds:
            cut = 0.7 * float(values.max())
        for y in range(values.shape[0]):
            for x in range(values.shape[1]):
                logit, value = logits[n, 0, y, x], float(values[y, x])
                if value < low:
                    losses.append(F.softplus(logit))
                elif value > cut:
                    losses.append(F.softplus(-logit))
    return float(torch.stack(losses).mean())


def test_losses_follow_the_guides(head, feats):
    def enlarged(maps):
        return F.interpolate(maps, (8, 8), mode="bilinear", align_corners=False)

    labels = [2, 0]
    found = head.loss(feats, samples(*labels))
    _, low, high = feats
    top = head.attend(high)
    maps = head.classify(top)
    cross_entropy = F.cross_entropy(maps.mean((2, 3)), torch.tensor(labels))
    b1 = enlarged(head.guide_shared(head.guide_1(low)))
    b2 = enlarged(head.guide_shared(head.guide_2(high)))
    c = enlarged(head.guide_c(top))
    own = torch.stack([maps[n, k] for n, k in enumerate(labels)])[:, None]
    attention = enlarged(own).detach()
    for grid in attention:
        grid -= grid.min().clone()
        grid /= grid.max().clone()
    fused = (b1.sigmoid() + b2.sigmoid()) / 2
    expected = {"loss_cls": float(cross_entropy)}
    guides = (b2, attention), (b1, b2.sigmoid()), (c, fused)
    for name, pair, cuts in zip(("b2", "b1", "c"), guides, THRESHOLDS):
        expected[f"loss_{name}"] = slow_guided_loss(*pair, *cuts, 3)
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-4), name
        assert value > 0, name


def test_masks_carry_no_gradient(head, feats):
    low, high = feats[1].requires_grad_(), feats[2].requires_grad_()
    head.loss((low, high), samples(2, 0))["loss_b1"].backward()
    assert low.grad.any()
    assert high.grad is None


def test_maps_are_those_of_the_classes(head, feats, scores_and_maps):
    labels = torch.tensor([[2, 0], [1, 1]])
    score, cam = scores_and_maps(head.eval(), feats, labels)
    every = head.classify(head.attend(feats[-1]))
    for n, row in enumerate(labels.tolist()):
        for k, label in enumerate(row):
            assert torch.equal(cam[n, k], every[n, label])
    assert torch.allclose(score, every.mean((2, 3)))
    assert torch.equal(scores_and_maps(head, feats).cam, every)
    out = head.predict(feats, samples(1, 2))
    assert out[0].cam_labels[0] == 1
    assert torch.equal(out[0].cam[0], every[0, 1])


@torch.no_grad()
def test_mixed_precision_changes_no_map(head, feats, scores_and_maps):
    head.eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        score, cam = scores_and_maps(head, feats)
    exact = scores_and_maps(head, feats)
    assert torch.equal(cam, exact.cam)
    assert torch.equal(score, exact.score)


def test_soft_labels_are_refused(head, feats):
    mixed = [s.set_gt_score(torch.tensor([0.5, 0.5, 0.0])) for s in samples(0, 1)]
    with pytest.raises(ConfigError, match=r"SPGHead .* soft labels"):
        head.loss(feats, mixed)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (dict(in_channels=4), "`in_channels`"),
        (dict(in_channels=(4, 5, 6)), "`in_channels`"),
        (dict(in_channels=(4, 6), thresholds=((0.1, 0.7),) * 3), "`thresholds`"),
        (dict(in_channels=(4, 6), thresholds=((0.7, 0.1),) * 2), "`thresholds`"),
        (dict(in_channels=(4, 6), thresholds=0.7), "`thresholds`"),
        (dict(in_channels=(4, 6), thresholds=(0.7, 0.1, 0.5)), "`thresholds`"),
        (dict(in_channels=None), "`in_channels`"),
        (dict(in_channels=(4, 6), mask_size=0), "`mask_size`"),
        (dict(in_channels=(4, 6), min_seeds=-1), "`min_seeds`"),
        (dict(in_channels=(4, 6), mid_channels=0), "`mid_channels`"),
    ],
)
def test_impossible_arguments_are_named(arguments, match):
    with pytest.raises(ConfigError, match=match):
        SPGHead(3, **arguments)


def test_one_feature_map_is_too_few(head, feats):
    with pytest.raises(ConfigError, match="`out_indices`"):
        head(feats[-1:])
