"""How much of a class's map lies on what the spatial attention calls background."""

from __future__ import annotations

from torch import Tensor

from mmdgdm.models.functional.attention import wide_dtype
from mmdgdm.models.functional.sagd import background_region, spatial_attention


def background_share(
    maps: Tensor, feat: Tensor, *, bg_threshold: float = 1.0, bg_rule: str = "mean"
) -> Tensor:
    r"""Share of each map, counted from its minimum, that lies on the background.

    With the map M of a class, its minimum :math:`M_{min}`, and the background B by the
    spatial attention of F (:func:`~mmdgdm.models.functional.background_region`):

    .. math:: \sum_{B} (M - M_{min}) \Big/ \sum_{H, W} (M - M_{min})

    Neither the minimum nor the attention passes on a gradient: places of the
    background are drawn towards the least response of the map, and features are not
    changed so as to move the border.

    Args:
        maps: Maps M of one class each, (N, H, W).
        feat: Features F, (N, C, H, W).
        bg_threshold: Share of the rule's reference below which a place is background.
        bg_rule: ``"max"``, ``"mean"`` or ``"otsu"``.

    Returns:
        The shares, (N,), in [0, 1], in float32 for half precision input; 0 for a
        constant map, which has no share.

    Example:
        >>> import torch
        >>> feat = torch.tensor([[4.0, 1.0], [1.0, 0.0]]).view(1, 1, 2, 2)
        >>> maps = torch.tensor([[3.0, 1.0], [0.0, -1.0]]).view(1, 2, 2)
        >>> background_share(maps, feat).tolist()  # (2 + 1 + 0) / (4 + 2 + 1 + 0)
        [0.4285714328289032]
    """
    maps = maps.to(wide_dtype(maps.dtype))
    attention = spatial_attention(feat.detach())
    background = background_region(attention, bg_threshold, bg_rule=bg_rule)[:, 0]
    raised = maps - maps.detach().amin(dim=(1, 2), keepdim=True)
    total = raised.sum(dim=(1, 2))
    constant = total.detach() <= 0
    share = (raised * background).sum(dim=(1, 2)) / total.masked_fill(constant, 1.0)
    return share.masked_fill(constant, 0.0)
