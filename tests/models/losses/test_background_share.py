"""The share of a map on the background, by hand and by plain loops."""

from __future__ import annotations

import pytest
import torch

from mmdgdm.models import BackgroundLoss


def slow_share(cam, attention, threshold):
    """Place by place, with the background below a share of the mean."""
    low, border = min(cam), threshold * sum(attention) / len(attention)
    total = sum(value - low for value in cam)
    lost = sum(v - low for v, a in zip(cam, attention) if a < border)
    return lost / total


def test_share_is_that_of_plain_loops():
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        feat = torch.rand(1, 3, 4, 5, generator=generator, dtype=torch.float64)
        maps = torch.randn(1, 4, 5, generator=generator, dtype=torch.float64)
        threshold = float(torch.rand(1, generator=generator)) or 1.0
        found = BackgroundLoss(bg_threshold=threshold)(maps, feat).item()
        attention = feat.mean(1).flatten().tolist()
        expected = slow_share(maps.flatten().tolist(), attention, threshold)
        assert found == pytest.approx(expected, rel=1e-12)


def test_gradient_holds_back_the_background_alone():
    feat = torch.tensor([[8.0, 1.0], [1.0, 2.0]]).view(1, 1, 2, 2).requires_grad_()
    maps = torch.tensor([[4.0, 3.0], [0.0, 1.0]]).view(1, 2, 2).requires_grad_()
    share = BackgroundLoss()(maps, feat)
    assert share.item() == 0.5  # 3 + 0 + 1 of 8
    share.backward()
    assert feat.grad is None
    # d(b / t) = 1 / t - b / t**2 on the background, and -b / t**2 on the object.
    expected = torch.tensor([[-0.0625, 0.0625], [0.0625, 0.0625]])
    assert torch.allclose(maps.grad[0], expected)


def test_a_constant_map_and_a_dead_one_have_no_share():
    feat = torch.rand(2, 3, 4, 4)
    feat[1] = 0
    maps = torch.ones(2, 4, 4)
    maps[1, 0, 0] = 2
    maps.requires_grad_()
    share = BackgroundLoss()(maps, feat)
    # Of the second one nothing responds, so that nothing is known of the background.
    assert share.item() == 0
    share.backward()
    assert torch.isfinite(maps.grad).all()


@pytest.mark.parametrize(("rule", "expected"), [("max", 0.25), ("otsu", 0.5)])
def test_rules_of_the_background(rule, expected):
    feat = torch.tensor([10.0, 9.0, 3.0, 1.0, 10.0]).view(1, 1, 1, 5)
    maps = torch.tensor([2.0, 2.0, 2.0, 2.0, 0.0]).view(1, 1, 5)
    threshold = 0.2 if rule == "max" else 1.0
    share = BackgroundLoss(bg_threshold=threshold, bg_rule=rule)(maps, feat)
    assert share.item() == expected


def test_half_precision_is_counted_in_float32():
    feat = torch.rand(2, 4, 64, 64).half()
    maps = (torch.rand(2, 64, 64) * 1000).half()
    share = BackgroundLoss()(maps, feat)
    assert share.dtype == torch.float32
    assert torch.allclose(
        share, BackgroundLoss()(maps.float(), feat.float()), atol=1e-3
    )
