"""What ACoL and SPG do with a class's map: stretch it, seed masks from it."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

#: Value of pixels of a seed mask that are neither object nor background.
IGNORED = 255.0


def min_max(maps: Tensor) -> Tensor:
    r"""Stretch each map to [0, 1]: :math:`(m - \min m) / (\max m - \min m)`.

    Args:
        maps: (..., H, W).

    Returns:
        The maps, float32; constant ones become zeros.
    """
    maps = maps.float()
    low = maps.amin(dim=(-2, -1), keepdim=True)
    span = maps.amax(dim=(-2, -1), keepdim=True) - low
    return torch.where(span > 0, (maps - low) / span.clamp_min(1e-12), 0.0)


def seed_mask(attention: Tensor, *, high: float, low: float, min_seeds: int) -> Tensor:
    """Mark sure object and sure background of an attention map.

    1 where the attention exceeds ``high``, 0 where it is below ``low``, and
    :data:`IGNORED` elsewhere. A map with fewer than ``min_seeds`` pixels above
    ``high`` takes 0.7 of its maximum in place of ``high``. A constant map says nothing
    of places: all of it is ignored.

    Args:
        attention: (N, 1, H, W) in [0, 1].
        high: Threshold of the object.
        low: Threshold of the background.
        min_seeds: Least number of pixels of the object.

    Returns:
        (N, 1, H, W), without gradient.
    """
    attention = attention.detach()
    few = (attention > high).sum(dim=(1, 2, 3), keepdim=True) < min_seeds
    peak = attention.amax(dim=(1, 2, 3), keepdim=True)
    objects = attention > torch.where(few, 0.7 * peak, high)
    mask = torch.full_like(attention, IGNORED).masked_fill(objects, 1.0)
    mask = mask.masked_fill(attention < low, 0.0)
    varies = peak > attention.amin(dim=(1, 2, 3), keepdim=True)
    return mask.masked_fill(~varies, IGNORED)


def seed_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy over the pixels that a seed mask does not ignore.

    Args:
        logits: (N, 1, H, W).
        mask: (N, 1, H, W) of :func:`seed_mask`.

    Returns:
        The mean over those pixels of the whole batch; 0 without any.
    """
    used = mask != IGNORED
    losses = F.binary_cross_entropy_with_logits(
        logits.float(), mask.clamp_max(1.0), reduction="none"
    )
    return (losses * used).sum() / used.sum().clamp_min(1)
