"""Channels last in memory, but where oneDNN would write past its buffer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmdgdm.models.utils import to_channels_last


@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "groups", "expected"),
    [
        (3, 1, 2, 1, False),
        (8, 1, (1, 2), 1, False),
        (32, 1, 2, 4, False),
        (3, 1, 1, 1, True),
        (3, 3, 2, 1, True),
        (16, 1, 2, 1, True),
    ],
)
def test_strided_pointwise_convolutions_of_few_channels_stay(
    channels: int, kernel: int, stride: int, groups: int, expected: bool
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(channels, 32, kernel, stride=stride, groups=groups)
    before = conv.weight.detach().clone()
    to_channels_last(nn.Sequential(conv))
    if expected:
        assert conv.weight.is_contiguous(memory_format=torch.channels_last)
    else:
        assert conv.weight.stride() == (channels // groups, 1, 1, 1)
    assert torch.equal(conv.weight, before)


def test_gradients_of_a_kept_convolution_are_those_of_the_plain_one() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 24, 1, stride=2, bias=False), nn.BatchNorm2d(24))
    images = torch.randn(4, 3, 16, 16)
    (model(images) ** 3).sum().backward()
    expected = model[0].weight.grad.clone()
    model.zero_grad()
    to_channels_last(model)
    (model(images) ** 3).sum().backward()
    torch.testing.assert_close(model[0].weight.grad, expected)
