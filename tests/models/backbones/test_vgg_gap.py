"""VGGGAP against a second writing of the network."""

from __future__ import annotations

import mmpretrain.models.backbones as mmpretrain_backbones
import pytest
import torch
from torch.nn import functional

from mmdgdm.errors import ConfigError
from mmdgdm.models.backbones import VGGGAP

# The last convolution of each of the five groups in mmpretrain's numbering.
GROUPS = [(0, 1), (3, 4), (6, 7, 8), (10, 11, 12), (14, 15, 16)]


def restated(weights, x, pools):
    """Maps after each pooling, of conv5_3 and of the added convolutions.

    ``pools`` holds a function for pool1 to pool4, and maybe one for the end of group 5.
    """

    def conv(x, name):
        weight, bias = weights[f"{name}.conv.weight"], weights[f"{name}.conv.bias"]
        return functional.conv2d(x, weight, bias, padding=1).relu()

    maps = []
    for group, pool in zip(GROUPS, [*pools, nothing]):
        for number in group:
            x = conv(x, f"features.{number}")
        x = pool(x)
        maps.append(x)
    number = 0
    while f"gap_convs.{number}.conv.weight" in weights:
        x = conv(x, f"gap_convs.{number}")
        number += 1
    return (*maps, x)


def two(x):
    return functional.max_pool2d(x, 2, 2)


def three(x):
    return functional.max_pool2d(x, 3, 2, padding=1)


def three_unstrided(x):
    return functional.max_pool2d(x, 3, 1, padding=1)


def nothing(x):
    return x


@pytest.mark.parametrize(
    ("stride", "sizes", "pools"),
    [
        (16, (2, 2, 2, 2), (two, two, two, two)),
        (8, (2, 2, 2, 2), (two, two, two, nothing)),
        (16, (2, 2, 2, 3), (two, two, two, three)),
        (16, (3, 3, 3, 3), (three, three, three, three)),
        (8, (3, 3, 3, 3), (three, three, three, three_unstrided)),
    ],
)
@pytest.mark.parametrize("gap_channels", [(24,), (16, 24)])
@torch.inference_mode()
def test_maps_equal_a_plain_restatement(stride, sizes, pools, gap_channels):
    backbone = VGGGAP(
        output_stride=stride,
        pool_sizes=sizes,
        gap_channels=gap_channels,
        out_indices=range(6),
    ).eval()
    backbone = backbone.double()
    images = torch.rand(1, 3, 48, 48, dtype=torch.float64) - 0.5
    found = backbone(images)
    wanted = restated(backbone.state_dict(), images, pools)
    assert len(found) == 6
    torch.testing.assert_close(found, wanted, atol=1e-12, rtol=1e-9)


@torch.inference_mode()
def test_the_last_pools_are_those_of_acol_in_the_benchmark():
    def last(x):
        x = functional.max_pool2d(x, kernel_size=3, stride=1, padding=1)
        return functional.avg_pool2d(x, kernel_size=3, stride=1, padding=1)

    backbone = VGGGAP(
        pool_sizes=(3, 3, 3, 3), last_pools=True, gap_channels=(8,), out_indices=(4, 5)
    )
    backbone = backbone.eval().double()
    images = torch.rand(1, 3, 48, 48, dtype=torch.float64) - 0.5
    wanted = restated(backbone.state_dict(), images, [three, three, three, three, last])
    found = backbone(images)
    torch.testing.assert_close(found, wanted[4:], atol=1e-12, rtol=1e-9)
    without = VGGGAP(gap_channels=(8,), out_indices=(4, 5)).state_dict()
    assert list(backbone.state_dict()) == list(without)


def test_names_are_mmpretrains_and_the_added_convolution():
    parent = mmpretrain_backbones.VGG(16, with_last_pool=False).state_dict()
    added = ["gap_convs.0.conv.weight", "gap_convs.0.conv.bias"]
    for stride in (16, 8):
        assert list(VGGGAP(output_stride=stride).state_dict()) == [*parent, *added]


def test_the_added_convolution_exists_only_for_its_map():
    backbone = VGGGAP(out_indices=(3, 4))
    assert not hasattr(backbone, "gap_convs")
    [low, high] = backbone(torch.rand(1, 3, 32, 32))
    assert low.shape == high.shape == (1, 512, 2, 2)


@pytest.mark.parametrize("value", [(), (0,), (1.5,), 1024, None])
def test_wrong_gap_channels_are_named(value):
    with pytest.raises(
        ConfigError, match=r"Expected `gap_channels` to hold .* but got"
    ):
        VGGGAP(gap_channels=value)


@pytest.mark.parametrize("value", [(2, 2, 2), (2, 2, 2, 4)])
def test_wrong_pool_sizes_are_named(value):
    with pytest.raises(ConfigError, match="Expected `pool_sizes` to be four numbers"):
        VGGGAP(pool_sizes=value)


def test_the_added_convolution_starts_at_a_sound_scale():
    backbone = VGGGAP()
    backbone.init_weights()
    weight = backbone.gap_convs[0].conv.weight
    # Kaiming: variance 2 / (1024 * 9), so that a ReLU network keeps its scale.
    assert float(weight.detach().std()) == pytest.approx(
        (2 / (1024 * 9)) ** 0.5, rel=0.01
    )


@pytest.mark.parametrize(
    ("ceil_mode", "sides"), [(False, [12, 6, 3, 1]), (True, [13, 7, 4, 2])]
)
def test_pools_round_as_asked(ceil_mode, sides):
    backbone = VGGGAP(11, ceil_mode=ceil_mode, out_indices=(0, 1, 2, 3)).to("meta")
    maps = backbone(torch.empty(1, 3, 25, 25, device="meta"))
    assert [x.shape[-1] for x in maps] == sides
