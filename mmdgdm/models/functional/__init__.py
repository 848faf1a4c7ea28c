"""The mathematics of the attention guided layers, as pure functions."""

from mmdgdm.models.functional.attention import apply_masks, keep_mean, wide_dtype
from mmdgdm.models.functional.cagd import channel_attention, channel_mask
from mmdgdm.models.functional.sagd import (
    BACKGROUND_RULES,
    background_region,
    discriminative_region,
    draw_mask,
    drop_mask,
    importance_map,
    otsu_threshold,
    spatial_attention,
)

__all__ = [
    "BACKGROUND_RULES",
    "apply_masks",
    "background_region",
    "channel_attention",
    "channel_mask",
    "discriminative_region",
    "draw_mask",
    "drop_mask",
    "importance_map",
    "keep_mean",
    "otsu_threshold",
    "spatial_attention",
    "wide_dtype",
]
