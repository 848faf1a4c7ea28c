"""Channels as the last dimension in memory, where that is safe."""

from __future__ import annotations

import torch
from torch import nn

#: Channels that a kernel of oneDNN takes at a time, at most: 8 (AVX2) or 16 (AVX-512).
_CHANNEL_BLOCK = 16


def to_channels_last(model: nn.Module) -> None:
    """Hold a model's weights with the channels as the last dimension in memory.

    Convolutions of 1 x 1 that leave out places (a stride above 1) of fewer than 16
    channels stay as they are: the first branches of RepVGG on RGB images are such.
    For them oneDNN, by which torch computes on CPUs, writes past its buffer in the
    backward pass where channels come last (uxlfoundation/oneDNN, issue 6035): the
    process dies, hangs, or goes on with wrong gradients.

    Args:
        model: Changed in place; values, keys and shapes stay.
    """
    model.to(memory_format=torch.channels_last)
    for module in model.modules():
        if (
            isinstance(module, nn.Conv2d)
            and module.kernel_size == (1, 1)
            and max(module.stride) > 1
            and module.in_channels // module.groups < _CHANNEL_BLOCK
        ):
            # A copy: to torch a 1 x 1 kernel is contiguous either way.
            data = module.weight.data
            module.weight.data = data.clone(memory_format=torch.contiguous_format)
