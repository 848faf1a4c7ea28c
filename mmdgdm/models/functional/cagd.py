"""Channel attention guided dropout: attention and mask; its layer names sources."""

from __future__ import annotations

import math
from typing import Optional

import torch
from torch import Tensor

from mmdgdm.models.functional.attention import keep_mean, wide_dtype


def channel_attention(feat: Tensor) -> Tensor:
    r"""Average each channel over its places: :math:`a_c = \frac{1}{HW}\sum F_c`.

    Args:
        feat: Feature map, (N, C, H, W).

    Returns:
        The attention, (N, C), float32 for half precision input.
    """
    return feat.mean(dim=(2, 3), dtype=wide_dtype(feat.dtype))


def channel_mask(
    attention: Tensor,
    keep_ratio: float,
    *,
    drop_prob: float,
    scale: str = "plain",
    activation: Optional[Tensor] = None,
) -> Tensor:
    r"""Draw a mask that drops weak channels and never the strongest ones.

    Per sample the K = ceil(``keep_ratio`` * C) channels of largest :math:`|a|` always
    pass; each other one is dropped with probability ``drop_prob``, independently
    of all others.

    Args:
        attention: Channel attention, (N, C).
        keep_ratio: Share of the channels that always pass.
        drop_prob: Probability p that a remaining channel is dropped.
        scale: What survivors are multiplied by. ``"plain"``: 1.
            ``"expectation"``: 1 / (1 - p) for those that could have been
            dropped, so that each channel's expectation is kept. ``"mean"``: one
            factor per sample that keeps the sample's mean activation
            (:func:`~mmdgdm.models.functional.keep_mean`).
        activation: Mean activation of each channel, (N, C), for the scale ``"mean"``
            of a learned attention; by default the attention itself is that.

    Returns:
        The mask, (N, C), in the dtype of ``attention``; it carries no gradient.
    """
    attention = attention.detach()
    channels = attention.shape[1]
    # 0.1 * 30 is 3.0000000000000004 in binary: the slack keeps it at 3.
    kept = min(channels, math.ceil(keep_ratio * channels - 1e-9))
    strongest = attention.abs().topk(kept, dim=1).indices
    survives = torch.rand_like(attention) >= drop_prob
    mask = survives.to(attention.dtype)
    if scale == "expectation":
        mask = mask / (1.0 - drop_prob)
    mask = mask.scatter(1, strongest, 1.0)
    if scale == "mean":
        weight = attention if activation is None else activation.detach()
        mask = keep_mean(mask, weight.to(mask.dtype))
    return mask
