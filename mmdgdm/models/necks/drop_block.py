"""DropBlock: random blocks of features are erased, guided by no attention."""

from __future__ import annotations

from typing import Optional

from torch import Tensor
from torchvision.ops import drop_block2d

from mmdgdm.errors import ConfigError
from mmdgdm.models.functional import wide_dtype
from mmdgdm.models.necks.base import AttentionDropout
from mmdgdm.registry import MODELS
from mmdgdm.utils.argument_checks import check_positive_int, check_share


@MODELS.register_module()
class DropBlock(AttentionDropout):
    r"""DropBlock, what SAGD does without its attention.

    Seeds are drawn with probability
    :math:`\gamma = p\,\frac{HW}{b^2\,(H-b+1)(W-b+1)}` at the places where a block of
    b x b fits, the block around each seed is erased, and what is left is multiplied
    by one factor that keeps the mean of the mask at 1. It is torchvision's
    ``drop_block2d`` with this project's interface. A block must fit into the map and
    leave something of it.

    Source: Ghiasi, Lin, Le, DropBlock: A regularization method for convolutional
    networks, NeurIPS 2018, arXiv 1810.12890.

    Args:
        drop_prob: p, the share of the map that is erased, roughly, in [0, 1).
        block_size: Side b of the blocks in pixels of the feature map, odd.
        shared: Whether all channels of a sample lose the same blocks, as with SAGD;
            otherwise each channel has its own, as in the paper's experiments.

    Raises:
        ConfigError: If an argument is impossible; the message names it.

    Example:
        >>> import torch
        >>> layer = DropBlock(drop_prob=0.2, block_size=3)
        >>> layer(torch.ones(2, 4, 7, 7)).shape
        torch.Size([2, 4, 7, 7])
    """

    def __init__(
        self,
        drop_prob: float = 0.1,
        block_size: int = 3,
        *,
        shared: bool = False,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.drop_prob = check_share("drop_prob", drop_prob, high_open=True)
        self.block_size = check_positive_int("block_size", block_size)
        if self.block_size % 2 == 0:
            raise ConfigError(
                f"Expected `block_size` of DropBlock to be odd, but got {block_size!r}."
            )
        if not isinstance(shared, bool):
            raise ConfigError(
                f"Expected `shared` to be True or False, but got {shared!r}."
            )
        self.shared = shared

    def masks(self, feat: Tensor) -> tuple[Tensor]:
        """Draw the mask, (N, C, H, W), or (N, 1, H, W) if shared.

        Raises:
            ConfigError: If a block is larger than the map or covers it whole.
        """
        count, channels, height, width = feat.shape
        side = self.block_size
        if side > min(height, width) or side >= max(height, width):
            raise ConfigError(
                f"Blocks of {side} x {side} pixels are no part of a map of {height} x "
                f"{width}. Take a smaller `block_size` of DropBlock, or put it where "
                "maps are larger."
            )
        # Of ones, since in half precision the sum behind the factor would overflow.
        ones = feat.new_ones((), dtype=wide_dtype(feat.dtype))
        ones = ones.expand(count, 1 if self.shared else channels, height, width)
        prob = self.drop_prob * self.strength
        return (drop_block2d(ones, prob, side),)
