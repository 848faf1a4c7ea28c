"""Averages of a feature map, taken in a dtype that can hold them."""

from __future__ import annotations

import torch
from torch import Tensor


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
