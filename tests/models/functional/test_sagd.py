"""Spatial regions, maps and masks, on grids that a reader can check."""

from __future__ import annotations

import pytest
import torch

from mmdgdm.models.functional import (
    background_region,
    discriminative_region,
    draw_mask,
    drop_mask,
    importance_map,
    keep_mean,
    otsu_threshold,
    spatial_attention,
)


def as_map(rows):
    return torch.tensor(rows, dtype=torch.float32)[None, None]


def single_peak(side, y, x):
    attention = torch.zeros(1, 1, side, side)
    attention[0, 0, y, x] = 1.0
    return attention


def test_attention_is_the_mean_over_channels():
    feat = torch.tensor([[[[1.0, -2.0]], [[3.0, 0.0]]]])
    assert spatial_attention(feat).tolist() == [[[[2.0, -1.0]]]]


def test_region_is_the_share_of_the_maximum_with_equality():
    region = discriminative_region(as_map([[10, 8], [7.9, 1]]), 0.8)
    assert region[0, 0].tolist() == [[True, True], [False, False]]


def test_maximum_is_taken_per_sample():
    attention = torch.cat([as_map([[10, 1]]), as_map([[0.1, 0.05]])])
    region = discriminative_region(attention, 0.8)
    assert region[:, 0, 0].tolist() == [[True, False], [True, False]]


@pytest.mark.parametrize(
    ("block_size", "rows", "cols"),
    [
        (1, [3], [3]),
        (2, [3, 4], [3, 4]),
        (3, [2, 3, 4], [2, 3, 4]),
        (4, [2, 3, 4, 5], [2, 3, 4, 5]),
        (5, [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
    ],
)
def test_a_block_covers_these_pixels(block_size, rows, cols):
    region = discriminative_region(single_peak(8, 3, 3), 0.5, block_size=block_size)[
        0, 0
    ]
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1] = True
    assert torch.equal(region, expected)


def test_blocks_are_cut_at_the_frame():
    region = discriminative_region(single_peak(4, 0, 3), 0.5, block_size=3)[0, 0]
    assert region.nonzero().tolist() == [[0, 2], [0, 3], [1, 2], [1, 3]]


@pytest.mark.parametrize("block_size", [5, 6, 9, 40])
def test_a_block_larger_than_the_map_reaches_all_of_it(block_size):
    # From the middle of a 3 x 3 map, two pixels each way cover everything.
    region = discriminative_region(single_peak(3, 1, 1), 0.5, block_size=block_size)
    assert region.all()


def test_union_of_two_blocks():
    attention = single_peak(7, 1, 1) + single_peak(7, 5, 5)
    assert discriminative_region(attention, 0.5, block_size=3).sum().item() == 18


def test_seeds_thin_the_region_before_it_grows():
    torch.manual_seed(0)
    attention = torch.ones(2000, 1, 4, 4)
    region = discriminative_region(attention, 0.5, seed_prob=0.25)
    assert region.float().mean().item() == pytest.approx(0.25, abs=0.01)


def test_background_is_below_its_share_of_the_maximum():
    region = background_region(as_map([[10, 2], [1.9, -3]]), 0.2)
    assert region[0, 0].tolist() == [[False, False], [True, True]]


def test_background_below_the_mean_of_the_map():
    # The mean is 4; half of it is 2.
    attention = as_map([[10, 4], [2, 0]])
    below_mean = background_region(attention, 1.0, bg_rule="mean")
    assert below_mean[0, 0].tolist() == [[False, False], [True, True]]
    below_half = background_region(attention, 0.5, bg_rule="mean")
    assert below_half[0, 0].tolist() == [[False, False], [False, True]]


def test_background_below_otsus_threshold():
    region = background_region(as_map([[9, 8], [1, 2]]), 1.0, bg_rule="otsu")
    assert region[0, 0].tolist() == [[False, False], [True, True]]


def slow_otsu(values):
    """Otsu's threshold by his definition: the largest variance between groups."""
    values, best, found = sorted(values), -1.0, values[0]
    for k in range(1, len(values)):
        low, high = values[:k], values[k:]
        gap = sum(low) / len(low) - sum(high) / len(high)
        variance = len(low) * len(high) * gap**2 / len(values) ** 2
        if variance > best:
            best, found = variance, (values[k - 1] + values[k]) / 2
    return found


@pytest.mark.parametrize("seed", range(20))
def test_otsu_equals_its_definition(seed):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(5, 1, 3, 4, generator=generator, dtype=torch.float64) ** 3
    found = otsu_threshold(maps)
    assert found.shape == (5, 1, 1, 1)
    expected = [slow_otsu(row.tolist()) for row in maps.flatten(1)]
    assert found.flatten().tolist() == pytest.approx(expected)


def test_otsu_of_constant_maps_and_of_one_place_is_their_value():
    assert otsu_threshold(torch.full((1, 1, 2, 2), 3.0)).item() == 3.0
    assert otsu_threshold(torch.tensor([[[[2.5]]]])).item() == 2.5


def test_background_zero_is_off_also_for_negative_values():
    assert not background_region(as_map([[10, -5]]), 0.0).any()


@pytest.mark.parametrize("value", [0.0, -2.0])
def test_no_positive_response_has_no_regions(value):
    attention = torch.full((1, 1, 3, 3), value)
    attention[0, 0, 0, 0] = value - 1
    assert not discriminative_region(attention, 0.8, block_size=3).any()
    assert not background_region(attention, 0.2).any()


def test_a_constant_map_is_discriminative_as_a_whole():
    assert discriminative_region(torch.ones(1, 1, 3, 3), 0.8).all()


def test_plain_importance_is_the_sigmoid():
    attention = as_map([[0.0, 1.0, -1.0]])
    expected = [0.5, 0.7310586, 0.2689414]
    assert importance_map(attention)[0, 0, 0].tolist() == pytest.approx(expected)


def test_keep_mean_by_hand():
    # Of 10, the mask leaves 4: the factor is 10 / 4.
    scaled = keep_mean(as_map([[1, 1, 0, 0]]), as_map([[1, 3, 2, 4]]))
    assert scaled[0, 0, 0].tolist() == [2.5, 2.5, 0, 0]


def test_scaled_importance_keeps_the_mean_and_the_order():
    attention = as_map([[1.0, 2.0], [3.0, 6.0]])
    importance = importance_map(attention, "mean")
    assert (attention * importance).sum().item() == pytest.approx(12.0)
    assert importance.flatten().diff().gt(0).all()


def test_scaled_importance_of_a_constant_map_is_one():
    importance = importance_map(torch.full((1, 1, 2, 2), 3.0), "mean")
    assert torch.allclose(importance, torch.ones(1, 1, 2, 2))


@pytest.mark.parametrize(("scale", "factor"), [("plain", 1.0), ("mean", 20 / 9)])
def test_drop_mask_by_hand(scale, factor):
    attention = as_map([[10, 5], [4, 1]])
    erased = as_map([[1, 0], [0, 1]]).bool()
    mask = drop_mask(attention, erased, scale=scale)
    assert mask.flatten().tolist() == pytest.approx([0, factor, factor, 0])


@pytest.mark.parametrize(("draw", "mixed"), [("batch", False), ("sample", True)])
def test_draw_per_batch_or_sample(draw, mixed):
    torch.manual_seed(0)
    zeros = torch.zeros(64, 1, 1, 2)
    drawn = draw_mask(zeros, zeros + 1, drop_prob=0.5, draw=draw)[:, 0, 0, 0]
    assert (0 < drawn.sum() < 64).item() is mixed


@pytest.mark.parametrize("drop_prob", [0.0, 0.7, 1.0])
def test_the_first_mask_is_drawn_at_the_stated_rate(drop_prob):
    torch.manual_seed(0)
    ones = torch.ones(20_000, 1, 1, 1)
    drawn = draw_mask(ones, ones - 1, drop_prob=drop_prob, draw="sample")
    assert drawn.mean().item() == pytest.approx(drop_prob, abs=0.015 * (drop_prob % 1))


def test_erased_places_keep_a_share():
    attention = as_map([[10, 5], [4, 1]])
    erased = as_map([[1, 0], [0, 1]]).bool()
    mask = drop_mask(attention, erased, erased_value=0.25)
    assert mask.flatten().tolist() == [0.25, 1, 1, 0.25]
    # 20 before, 2.5 + 5 + 4 + 0.25 = 11.75 after.
    mask = drop_mask(attention, erased, erased_value=0.25, scale="mean")
    assert (mask * attention).sum().item() == pytest.approx(20)
    assert mask[0, 0, 0, 1].item() == pytest.approx(20 / 11.75)


def test_everything_erased_gives_zeros_not_nan():
    attention = torch.ones(2, 1, 3, 3)
    mask = drop_mask(attention, attention.bool(), scale="mean")
    assert mask.abs().sum().item() == 0


def test_the_factor_is_bounded_so_that_nothing_overflows():
    # A peak that holds nearly everything is erased: 1e6 / 1 would be the factor.
    attention = as_map([[1e6, 1.0]])
    assert keep_mean(as_map([[0, 1]]), attention)[0, 0, 0].tolist() == [0, 10]
