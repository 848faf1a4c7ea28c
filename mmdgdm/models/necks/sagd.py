"""SAGD: spatial attention guided dropblock."""

from __future__ import annotations

from typing import Optional, Union

import torch
from torch import Tensor

from mmdgdm.errors import ConfigError
from mmdgdm.models.functional import (
    BACKGROUND_RULES,
    background_region,
    discriminative_region,
    draw_mask,
    drop_mask,
    importance_map,
    spatial_attention,
)
from mmdgdm.models.necks.base import AttentionDropout
from mmdgdm.registry import MODELS
from mmdgdm.utils.argument_checks import check_block_size, check_choice, check_share


@MODELS.register_module()
class SAGD(AttentionDropout):
    r"""Spatial attention guided dropblock.

    With the spatial attention s = mean of F over C and its maximum
    :math:`s_{max}` per sample,

    - the discriminative region is :math:`D = \{s \ge t_d\,s_{max}\}`, each pixel
      grown to a block of ``block_size`` x ``block_size``,
    - the background is :math:`B = \{s < t_b\,r\}` with r = :math:`s_{max}`, or by
      ``bg_rule`` the mean of s or Otsu's threshold between its low and high values,
    - the drop mask is ``erased_value`` in D and B, else 1, and the importance map is
      :math:`\sigma(s)`.

    Each forward pass multiplies F by the drop mask with probability
    ``drop_prob``, else by the importance map. A sample with
    :math:`s_{max} \le 0` has neither D nor B; on a constant positive map D is the
    whole map.

    Source: Yin et al., ICPR 2020, arXiv 2003.04719, part SAGD; the choice between
    two maps: ADL, Choe and Shim, arXiv 1908.10028; blocks: DropBlock, Ghiasi et
    al., arXiv 1810.12890. The paper's abstract fixes the erasing of contiguous
    discriminative regions and the split of foreground from background. All values
    and the arguments ``bg_rule``, ``erased_value``, ``draw``, ``seed_prob``,
    ``scale``, ``importance`` and ``detach`` are choices of this project.

    Args:
        drop_prob: Probability of the drop mask, in [0, 1].
        drop_threshold: :math:`t_d`, in (0, 1].
        block_size: Side of the erased blocks: a whole number of pixels of the
            feature map, or a share of its shorter side in (0, 1), at least one
            pixel. Blocks end at the map's frame.
        bg_threshold: :math:`t_b`; 0 switches the background part off. In
            [0, ``drop_threshold``) for the rule ``"max"``, else in [0, 1].
        bg_rule: r, ``"max"``, ``"mean"`` or ``"otsu"``.
        erased_value: What erased places are multiplied by, in [0, 1): 0 erases
            them, more only weakens them.
        seed_prob: Probability that a pixel of D before growing seeds a block, in
            (0, 1]; 1 erases D whole.
        draw: ``"batch"`` draws between the two maps once per forward pass,
            ``"sample"`` once per sample.
        scale: ``"mean"`` keeps each sample's mean activation, so that testing sees
            what training saw, with the importance map
            :math:`2\sigma((s - \bar s)/std(s))`; ``"plain"`` is as above.
        importance: Whether passes without a drop mask use the importance map;
            otherwise they leave F as it is.
        detach: Whether the gradient is kept from flowing through the attention.

    Raises:
        ConfigError: If an argument is impossible; the message names it.

    Example:
        >>> import torch
        >>> layer = SAGD(1.0, drop_threshold=0.9, block_size=1, scale="plain")
        >>> feat = torch.tensor([[1.0, 2.0], [3.0, 10.0]]).view(1, 1, 2, 2)
        >>> layer(feat).flatten().tolist()
        [1.0, 2.0, 3.0, 0.0]
    """

    def __init__(
        self,
        drop_prob: float = 0.75,
        drop_threshold: float = 0.8,
        *,
        block_size: Union[int, float] = 3,
        bg_threshold: float = 0.0,
        bg_rule: str = "max",
        erased_value: float = 0.0,
        seed_prob: float = 1.0,
        draw: str = "sample",
        scale: str = "mean",
        importance: bool = True,
        detach: bool = True,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.drop_prob = check_share("drop_prob", drop_prob)
        self.drop_threshold = check_share(
            "drop_threshold", drop_threshold, low_open=True
        )
        self.block_size = check_block_size("block_size", block_size)
        self.bg_threshold = check_share("bg_threshold", bg_threshold)
        self.bg_rule = check_choice("bg_rule", bg_rule, choices=BACKGROUND_RULES)
        if bg_rule == "max" and self.bg_threshold >= self.drop_threshold:
            raise ConfigError(
                "Expected `bg_threshold` to be below `drop_threshold` "
                f"({drop_threshold!r}), but got {bg_threshold!r}: background and "
                "discriminative region would cover the whole map."
            )
        self.erased_value = check_share("erased_value", erased_value, high_open=True)
        self.seed_prob = check_share("seed_prob", seed_prob, low_open=True)
        self.draw = check_choice("draw", draw, choices=("batch", "sample"))
        self.scale = check_choice("scale", scale, choices=("plain", "mean"))
        self.importance = bool(importance)
        self.detach = bool(detach)

    def masks(self, feat: Tensor) -> tuple[Tensor]:
        """Draw drop mask or importance map, (N, 1, H, W).

        Raises:
            ConfigError: If every block covers the whole map, wherever it lies.
        """
        attention = spatial_attention(feat.detach() if self.detach else feat)
        height, width = feat.shape[2:]
        side = self.block_size
        if not isinstance(side, int):  # a share, rounded half up
            side = max(1, int(side * min(height, width) + 0.5))
        if (side + 1) // 2 >= max(height, width):
            raise ConfigError(
                f"Blocks of {side} x {side} pixels cover a map of {height} x {width} "
                "wherever they lie, so that nothing would be left of it. Take a "
                "smaller `block_size` of SAGD, or put it where maps are larger."
            )
        erased = discriminative_region(
            attention, self.drop_threshold, block_size=side, seed_prob=self.seed_prob
        ) | background_region(attention, self.bg_threshold, bg_rule=self.bg_rule)
        dropped = drop_mask(
            attention, erased, erased_value=self.erased_value, scale=self.scale
        )
        kept = torch.ones_like(attention)
        if self.importance:
            kept = importance_map(attention, self.scale)
        prob = self.drop_prob * self.strength
        return (draw_mask(dropped, kept, drop_prob=prob, draw=self.draw),)
