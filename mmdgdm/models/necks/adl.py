"""ADL: the attention-based dropout layer, the baseline that SAGD extends."""

from __future__ import annotations

from typing import Optional

from torch import Tensor

from mmdgdm.models.functional import (
    discriminative_region,
    draw_mask,
    drop_mask,
    importance_map,
    spatial_attention,
)
from mmdgdm.models.necks.base import AttentionDropout
from mmdgdm.registry import MODELS
from mmdgdm.utils.argument_checks import check_share


@MODELS.register_module()
class ADL(AttentionDropout):
    r"""Attention-based dropout layer.

    With the spatial attention s = mean of F over C and its maximum
    :math:`s_{max}` per sample, one draw per batch multiplies F, with probability
    ``drop_rate``, by the drop mask :math:`[s < t\,s_{max}]`, else by the
    importance map :math:`\sigma(s)`, through which the gradient flows.

    Source: Choe and Shim, Attention-based Dropout Layer for Weakly Supervised
    Object Localization, CVPR 2019, arXiv 1908.10028.

    Args:
        drop_rate: Probability of the drop mask, in [0, 1].
        drop_threshold: t, in (0, 1].

    Raises:
        ConfigError: If an argument is impossible; the message names it.
    """

    def __init__(
        self,
        drop_rate: float = 0.75,
        drop_threshold: float = 0.8,
        *,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.drop_rate = check_share("drop_rate", drop_rate)
        self.drop_threshold = check_share(
            "drop_threshold", drop_threshold, low_open=True
        )

    def masks(self, feat: Tensor) -> tuple[Tensor]:
        """Draw drop mask or importance map, (N, 1, H, W)."""
        attention = spatial_attention(feat)
        erased = discriminative_region(attention, self.drop_threshold)
        mask = draw_mask(
            drop_mask(attention, erased),
            importance_map(attention),
            drop_prob=self.drop_rate * self.strength,
        )
        return (mask,)
