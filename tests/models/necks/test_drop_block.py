"""DropBlock: shares, blocks and scale against the paper's formula."""

from __future__ import annotations

import pytest
import torch

from mmdgdm.errors import ConfigError
from mmdgdm.models.necks import DropBlock


@pytest.mark.parametrize("shared", [False, True])
def test_what_is_erased_is_a_union_of_blocks(shared):
    torch.manual_seed(0)
    out = DropBlock(drop_prob=0.1, block_size=3, shared=shared)(torch.ones(64, 4, 9, 9))
    erased = (out == 0).float()
    assert 0 < erased.mean() < 1
    # A block lies whole in the map, so that opening by a block changes nothing.
    eroded = -torch.nn.functional.max_pool2d(-erased, 3, stride=1)
    padded = torch.nn.functional.pad(eroded, (2, 2, 2, 2))
    assert torch.equal(torch.nn.functional.max_pool2d(padded, 3, stride=1), erased)


def test_seeds_come_as_often_as_the_formula_says():
    torch.manual_seed(1)
    height, width, block, prob = 6, 8, 3, 0.2
    out = DropBlock(prob, block)(torch.ones(20000, 1, height, width))
    fits = (height - block + 1) * (width - block + 1)
    gamma = prob * height * width / block**2 / fits
    # The corner is erased by one seed alone.
    found = float((out[:, 0, 0, 0] == 0).float().mean())
    assert abs(found - gamma) < 5 * (gamma / 20000) ** 0.5


def test_survivors_keep_the_mean_of_the_mask():
    torch.manual_seed(2)
    out = DropBlock(0.2, 3)(torch.ones(8, 4, 7, 7))
    assert float(out.mean()) == pytest.approx(1, abs=1e-5)
    assert len(out.unique()) == 2


def test_channels_share_blocks_or_do_not():
    torch.manual_seed(3)
    feat = torch.ones(16, 8, 7, 7)
    shared, own = DropBlock(0.3, 3, shared=True)(feat), DropBlock(0.3, 3)(feat)
    assert torch.equal(shared, shared[:, :1].expand_as(shared))
    assert not torch.equal(own, own[:, :1].expand_as(own))


@pytest.mark.parametrize(
    "arguments",
    [
        dict(drop_prob=1.0),
        dict(drop_prob=-0.1),
        dict(block_size=0),
        dict(block_size=2),
        dict(shared=1),
    ],
)
def test_impossible_arguments_are_named(arguments):
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        DropBlock(**arguments)


@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 5), (1, 1)])
def test_blocks_larger_than_the_map_or_all_of_it_are_refused(shape):
    match = rf"5 x 5 pixels.*map of {shape[0]} x {shape[1]}\. Take a smaller"
    with pytest.raises(ConfigError, match=match):
        DropBlock(0.1, 5)(torch.ones(1, 2, *shape))
    assert DropBlock(0.1, 5)(torch.ones(1, 2, 5, 6)).shape == (1, 2, 5, 6)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_erases_what_full_precision_erases(shared, dtype):
    feat = torch.ones(8, 64, 28, 28)
    torch.manual_seed(0)
    full = DropBlock(0.1, 3, shared=shared)(feat)
    torch.manual_seed(0)
    half = DropBlock(0.1, 3, shared=shared)(feat.to(dtype))
    assert 0.05 < (half == 0).float().mean() < 0.15
    assert torch.equal(half, full.to(dtype))
