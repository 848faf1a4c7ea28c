"""Stretching and seeding, on maps small enough to do by hand."""

from __future__ import annotations

import math

import pytest
import torch

from mmdgdm.models.functional.self_guidance import (
    IGNORED,
    min_max,
    seed_loss,
    seed_mask,
)


def grid(*rows):
    return torch.tensor([[rows]], dtype=torch.float32)


def test_each_map_is_stretched_by_itself():
    maps = torch.cat((grid([1.0, 2.0], [3.0, 5.0]), grid([-1.0, -1.0], [0.0, 1.0])), 1)
    assert min_max(maps).tolist() == [[[[0, 0.25], [0.5, 1]], [[0, 0], [0.5, 1]]]]
    assert min_max(grid([3.0, 3.0])).tolist() == [[[[0, 0]]]]
    assert min_max(maps.half()).dtype == torch.float32


def test_seeds_lie_outside_both_thresholds():
    attention = grid([0.0, 0.1, 0.3], [0.5, 0.6, 1.0])
    mask = seed_mask(attention, high=0.5, low=0.1, min_seeds=2)
    assert mask.tolist() == [[[[0, IGNORED, IGNORED], [IGNORED, 1, 1]]]]


def test_too_few_seeds_lower_the_threshold_of_their_map_alone():
    few = grid([0.0, 0.28, 0.35], [0.3, 0.2, 0.4])
    many = grid([0.0, 0.3, 0.8], [0.9, 0.9, 0.9])
    mask = seed_mask(torch.cat((few, many)), high=0.5, low=0.1, min_seeds=2)
    # 0.7 of the maximum 0.4 is 0.28, which 0.28 itself does not exceed.
    assert mask[0, 0].tolist() == [[0, IGNORED, 1], [1, IGNORED, 1]]
    assert mask[1, 0].tolist() == [[0, IGNORED, 1], [1, 1, 1]]


def test_the_loss_is_the_mean_over_seeds():
    logits = grid([2.0, -1.0], [0.0, 7.0]).requires_grad_()
    mask = grid([1.0, 0.0], [IGNORED, IGNORED])
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-1))) / 2
    loss = seed_loss(logits, mask)
    assert float(loss) == pytest.approx(expected, rel=1e-6)
    loss.backward()
    assert (logits.grad != 0).tolist() == [[[[True, True], [False, False]]]]


def test_without_seeds_the_loss_is_zero():
    logits = torch.ones(1, 1, 2, 2, requires_grad=True)
    loss = seed_loss(logits, torch.full((1, 1, 2, 2), IGNORED))
    loss.backward()
    assert float(loss) == 0
    assert not logits.grad.any()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_constant_map_seeds_nothing(value):
    constant = torch.full((1, 1, 2, 2), value)
    varied = torch.tensor([0.0, 0.3, 0.5, 0.9]).view(1, 1, 2, 2)
    mask = seed_mask(torch.cat([constant, varied]), high=0.7, low=0.01, min_seeds=1)
    assert mask[0].unique().tolist() == [IGNORED]
    assert mask[1].flatten().tolist() == [0, IGNORED, IGNORED, 1]
