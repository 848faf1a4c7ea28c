"""Averages of a feature map, taken in a dtype that can hold them."""

from __future__ import annotations

import torch
from torch import Tensor

#: No survivor is multiplied by more, however little survives: a mask that leaves
#: next to nothing would otherwise blow that up, beyond half precision at worst.
MAX_FACTOR = 10.0


def mean_over(feat: Tensor, dims: tuple[int, ...], keepdim: bool = False) -> Tensor:
    """Average ``feat`` over ``dims``, half precision being summed in float32.

    Args:
        feat: A floating point tensor.
        dims: The dimensions to average over.
        keepdim: Whether the averaged dimensions stay, with size 1.

    Returns:
        The mean, in float32 for float16 and bfloat16 input, else in the dtype
        of ``feat``.
    """
    half = feat.dtype in (torch.float16, torch.bfloat16)
    dtype = torch.float32 if half else feat.dtype
    return feat.mean(dim=dims, keepdim=keepdim, dtype=dtype)


def mean_keeping_factor(weight: Tensor, mask: Tensor, dims: tuple[int, ...]) -> Tensor:
    r"""Factor that gives masked activations their former mean.

    :math:`\min(\sum |w| / \sum |w| m, 10)`, and 1 where nothing is left. The mean is
    kept exactly where the factor is not cut and no activation is negative, as after a
    ReLU.

    Args:
        weight: Activations or their averages w.
        mask: Mask m with values >= 0, of the same shape.
        dims: The dimensions of one sample.

    Returns:
        The factor, with size 1 in ``dims``.
    """
    weight = weight.abs()
    left = (weight * mask).sum(dim=dims, keepdim=True)
    total = weight.sum(dim=dims, keepdim=True)
    tiny = torch.finfo(left.dtype).tiny
    factor = (total / left.clamp_min(tiny)).clamp_max(MAX_FACTOR)
    return torch.where(left > 0, factor, torch.ones_like(factor))
