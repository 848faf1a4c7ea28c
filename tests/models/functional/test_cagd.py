"""Channel attention and mask, on numbers that a reader can check."""

from __future__ import annotations

import pytest
import torch

from mmdgdm.models.functional import channel_attention, channel_mask


def test_attention_is_the_mean_over_places():
    feat = torch.tensor([[[[1.0, 3.0]], [[-4.0, 0.0]]]])
    assert channel_attention(feat).tolist() == [[2.0, -2.0]]


@pytest.mark.parametrize(
    ("ratio", "channels", "kept"),
    [
        (0.75, 8, 6),
        (0.75, 10, 8),
        (0.1, 30, 3),
        (0.7, 10, 7),
        (0.0, 5, 0),
        (1.0, 5, 5),
        (0.01, 5, 1),
    ],
)
def test_kept_channels_are_the_ceiling(ratio, channels, kept):
    mask = channel_mask(torch.rand(1, channels), ratio, drop_prob=1.0)
    assert mask.sum() == kept


def test_the_strongest_by_magnitude_always_pass_per_sample():
    attention = torch.tensor([[5.0, 1.0, -6.0, 2.0], [0.1, 0.4, 0.2, -0.3]])
    mask = channel_mask(attention, keep_ratio=0.5, drop_prob=1.0)
    assert mask.tolist() == [[1, 0, 1, 0], [0, 1, 0, 1]]


def test_ties_keep_exactly_k_channels():
    mask = channel_mask(torch.ones(3, 8), keep_ratio=0.5, drop_prob=1.0)
    assert mask.sum(dim=1).tolist() == [4, 4, 4]


def test_weak_channels_are_dropped_at_the_stated_rate_and_independently():
    torch.manual_seed(0)
    attention = torch.arange(8.0).repeat(20_000, 1)
    mask = channel_mask(attention, keep_ratio=0.5, drop_prob=0.3)
    assert bool((mask[:, 4:] == 1).all())
    rates = 1 - mask[:, :4].mean(dim=0)
    assert torch.allclose(rates, torch.full((4,), 0.3), atol=0.015)
    # Independent draws: both of two weak channels fall together at 0.3 * 0.3.
    both = ((mask[:, 0] == 0) & (mask[:, 1] == 0)).float().mean()
    assert both.item() == pytest.approx(0.09, abs=0.01)


def test_expectation_scaling_keeps_each_channel_on_average():
    torch.manual_seed(0)
    attention = torch.arange(1.0, 5.0).repeat(40_000, 1)
    mask = channel_mask(attention, 0.5, drop_prob=0.4, scale="expectation")
    assert mask[:, :2].unique().tolist() == pytest.approx([0.0, 1 / 0.6])
    assert torch.allclose(mask.mean(dim=0), torch.ones(4), atol=0.02)


def test_mean_scaling_keeps_the_sample_mean():
    attention = torch.tensor([[4.0, 1.0, 3.0, 2.0]])
    mask = channel_mask(attention, 0.5, drop_prob=1.0, scale="mean")
    # Channels 4 and 3 stay: 7 of 10, so the factor is 10 / 7.
    assert mask[0].tolist() == pytest.approx([10 / 7, 0, 10 / 7, 0])
    assert (attention * mask).sum().item() == pytest.approx(10.0)


@pytest.mark.parametrize("scale", ["plain", "mean"])
def test_everything_dropped_gives_zeros_not_nan(scale):
    mask = channel_mask(torch.ones(2, 4), 0.0, drop_prob=1.0, scale=scale)
    assert mask.tolist() == [[0.0] * 4] * 2


def test_an_all_zero_map_stays_finite():
    mask = channel_mask(torch.zeros(1, 4), 0.5, drop_prob=1.0, scale="mean")
    assert bool(torch.isfinite(mask).all())


def test_the_mask_carries_no_gradient():
    attention = torch.ones(1, 4, requires_grad=True)
    mask = channel_mask(attention, 0.5, drop_prob=0.5, scale="mean")
    assert not mask.requires_grad
