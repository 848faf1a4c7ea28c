"""Spatial attention guided dropblock: regions, maps and masks.

A *map* below is a tensor of shape (N, 1, H, W).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from mmdgdm.models.functional.attention import keep_mean, wide_dtype

#: What a share of gives the threshold of the background.
BACKGROUND_RULES = ("max", "mean", "otsu")


def spatial_attention(feat: Tensor) -> Tensor:
    r"""Average all channels at each place: :math:`s = \frac{1}{C}\sum_c F_c`.

    Args:
        feat: Feature map, (N, C, H, W).

    Returns:
        The attention map, (N, 1, H, W), float32 for half precision input.
    """
    return feat.mean(dim=1, keepdim=True, dtype=wide_dtype(feat.dtype))


def discriminative_region(
    attention: Tensor,
    drop_threshold: float,
    *,
    block_size: int = 1,
    seed_prob: float = 1.0,
) -> Tensor:
    r"""Mark what the classifier leans on most, as contiguous blocks.

    :math:`D = \{ s \ge t \, s_{max} \}`, with :math:`s_{max}` the maximum of the
    sample, each pixel grown to a block: from (y, x) to the rows y - (b - 1) // 2 to
    y + b // 2 and the same columns, centred for an odd side b. Blocks end at the frame.
    A sample with :math:`s_{max} \le 0` has no positive response that a share of its
    maximum could single out: its region is empty.

    Args:
        attention: Map s.
        drop_threshold: t, a share of the maximum.
        block_size: Side b of the blocks in pixels of the map.
        seed_prob: Probability that a pixel of the ungrown region seeds a block;
            1 takes the region whole.

    Returns:
        Boolean map, true inside the region.
    """
    peak = attention.amax(dim=(2, 3), keepdim=True)
    region = (attention >= drop_threshold * peak) & (peak > 0)
    if seed_prob < 1.0:
        region = region & (torch.rand_like(attention) < seed_prob)
    if block_size == 1:
        return region
    # A place is covered by the seeds up to b // 2 before it and (b - 1) // 2 after.
    before, after = block_size // 2, (block_size - 1) // 2
    padded = F.pad(region.to(torch.float32), (before, after, before, after))
    return F.max_pool2d(padded, block_size, stride=1) > 0


def otsu_threshold(attention: Tensor) -> Tensor:
    r"""Value that best parts each map into low and high responses.

    With the values of a map sorted, the split after the k-th one maximises
    :math:`k (n - k) (\mu_{low} - \mu_{high})^2`, the first such k on a tie; the
    threshold is the mean of the values on both sides. No histogram is made, so that
    the result does not depend on bins.

    Source: Otsu, A Threshold Selection Method from Gray-Level Histograms, IEEE
    Transactions on Systems, Man, and Cybernetics, 1979.

    Args:
        attention: Map s.

    Returns:
        The thresholds, (N, 1, 1, 1); of a map of one place, its value.

    Example:
        >>> otsu_threshold(torch.tensor([1.0, 2.0, 8.0, 9.0]).view(1, 1, 2, 2)).item()
        5.0
    """
    values = attention.flatten(1).sort(dim=1).values
    count = values.shape[1]
    if count == 1:
        return values[:, :, None, None]
    below = torch.arange(1, count, device=values.device, dtype=values.dtype)
    sums = values.cumsum(dim=1)
    low, total = sums[:, :-1], sums[:, -1:]
    gap = low / below - (total - low) / (count - below)
    split = (below * (count - below) * gap**2).argmax(dim=1, keepdim=True)
    middle = (values.gather(1, split) + values.gather(1, split + 1)) / 2
    return middle[:, :, None, None]


def background_region(
    attention: Tensor, bg_threshold: float, *, bg_rule: str = "max"
) -> Tensor:
    r"""Mark what hardly responds: :math:`B = \{ s < t \, r \}`.

    Empty for ``bg_threshold`` 0, also where s is negative, and for a sample with
    :math:`s_{max} \le 0`.

    Args:
        attention: Map s.
        bg_threshold: t, a share of r.
        bg_rule: What r is: the maximum (``"max"``) or the mean (``"mean"``) of s, or
            Otsu's threshold (``"otsu"``, :func:`otsu_threshold`).

    Returns:
        Boolean map, true in the background.
    """
    if bg_threshold == 0:
        return torch.zeros_like(attention, dtype=torch.bool)
    peak = reference = attention.amax(dim=(2, 3), keepdim=True)
    if bg_rule == "mean":
        reference = attention.mean(dim=(2, 3), keepdim=True)
    elif bg_rule == "otsu":
        reference = otsu_threshold(attention)
    return (attention < bg_threshold * reference) & (peak > 0)


def importance_map(attention: Tensor, scale: str = "plain") -> Tensor:
    r"""Soft map that stresses what responds.

    Args:
        attention: Map s.
        scale: ``"plain"``: :math:`\sigma(s)`. ``"mean"``:
            :math:`2 \sigma((s - \bar s) / std(s))` per sample, then
            :func:`~mmdgdm.models.functional.keep_mean`: the layer changes no scale.

    Returns:
        The map, values in (0, 1) for ``"plain"``.
    """
    if scale == "plain":
        return attention.sigmoid()
    std, mean = torch.std_mean(attention, dim=(2, 3), keepdim=True, correction=0)
    return keep_mean(2 * ((attention - mean) / (std + 1e-6)).sigmoid(), attention)


def drop_mask(
    attention: Tensor,
    erased: Tensor,
    *,
    erased_value: float = 0.0,
    scale: str = "plain",
) -> Tensor:
    """Mask that erases or weakens a region.

    Args:
        attention: Map s.
        erased: Boolean map, true where erased.
        erased_value: What erased places are multiplied by; others keep 1.
        scale: ``"plain"``, or ``"mean"`` to keep each sample's mean activation
            (:func:`~mmdgdm.models.functional.keep_mean`).

    Returns:
        The map that multiplies the features, in the dtype of ``attention``.
    """
    mask = torch.ones_like(attention).masked_fill(erased, erased_value)
    return keep_mean(mask, attention) if scale == "mean" else mask


def draw_mask(
    mask: Tensor, otherwise: Tensor, *, drop_prob: float, draw: str = "batch"
) -> Tensor:
    """Draw between two masks: the first with a probability, else the second.

    Args:
        mask: Map, the drop mask.
        otherwise: Map, the importance map or ones.
        drop_prob: Probability of the drop mask.
        draw: ``"batch"``: one draw for all samples. ``"sample"``: one each.

    Returns:
        The map drawn.
    """
    draws = len(mask) if draw == "sample" else 1
    drop = torch.rand((draws, 1, 1, 1), device=mask.device) < drop_prob
    return torch.where(drop, mask, otherwise)
