"""Masks of a feature map, computed and applied in a dtype that can hold them."""

from __future__ import annotations

import torch
from torch import Tensor

#: No survivor is multiplied by more, however little survives: a mask that leaves
#: next to nothing would otherwise blow that up.
MAX_FACTOR = 10.0


def wide_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype to compute in: float32 for float16 and bfloat16, else the same."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def apply_masks(feat: Tensor, *masks: Tensor) -> Tensor:
    """Multiply a feature map by masks, half precision in float32.

    Args:
        feat: Feature map, (N, C, H, W).
        *masks: Masks that broadcast to it, such as (N, C, 1, 1) or (N, 1, H, W), in the
            dtype of ``feat`` or, for half precision, in float32.

    Returns:
        The product, (N, C, H, W), rounded once to the dtype of ``feat``. Finite values
        that this dtype cannot hold become its largest or least one.
    """
    out = feat
    for mask in masks:
        out = out * mask
    if out.dtype == feat.dtype:
        return out
    limit = torch.finfo(feat.dtype).max
    return torch.where(out.isinf(), out, out.clamp(-limit, limit)).to(feat.dtype)


def keep_mean(mask: Tensor, activation: Tensor) -> Tensor:
    r"""Scale a mask so that each sample's mean activation stays as it was.

    The factor of a sample is :math:`\min(\sum |a| / \sum |a| m, 10)`, and 1 where
    nothing is left. The mean is kept exactly where the factor is below 10 and no
    activation is negative, as after a ReLU.

    Args:
        mask: Mask m with values >= 0, (N, C) or (N, 1, H, W).
        activation: What the mask multiplies, or its averages a, of the same shape.

    Returns:
        The scaled mask, of the same shape.
    """
    weight, dims = activation.abs(), tuple(range(1, mask.dim()))
    left = (weight * mask).sum(dim=dims, keepdim=True)
    total = weight.sum(dim=dims, keepdim=True)
    tiny = torch.finfo(left.dtype).tiny
    factor = (total / left.clamp_min(tiny)).clamp_max(MAX_FACTOR)
    return mask * torch.where(left > 0, factor, torch.ones_like(factor))
