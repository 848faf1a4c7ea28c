"""CAGD: channel attention guided dropout."""

from __future__ import annotations

from typing import Optional

from torch import Tensor, nn

from mmdgdm.errors import ConfigError
from mmdgdm.models.functional import channel_attention, channel_mask
from mmdgdm.models.necks.base import AttentionDropout
from mmdgdm.registry import MODELS
from mmdgdm.utils.argument_checks import check_choice, check_positive_int, check_share


@MODELS.register_module()
class CAGD(AttentionDropout):
    r"""Channel attention guided dropout.

    With the channel attention :math:`a_c` = mean of :math:`F_c` over H and W, the
    K = ceil(``keep_ratio`` * C) channels of largest :math:`|a|` of each sample
    always pass; each other channel is dropped with probability ``drop_prob``,
    independently per sample and channel.

    Source: Yin et al., ICPR 2020, arXiv 2003.04719, part CAGD; dropout rule:
    targeted dropout, Gomez et al., arXiv 1905.13678. The paper's abstract fixes
    the ranking and the idea to keep some weak channels. The values of all
    arguments, ``scale`` and ``attention`` are choices of this project.

    Args:
        keep_ratio: Share of the channels that always pass, in [0, 1].
        drop_prob: Probability that any other channel is dropped, in [0, 1].
        scale: How survivors are scaled: ``"plain"`` (not at all),
            ``"expectation"`` (each channel's expectation is kept; needs
            ``drop_prob`` < 1) or ``"mean"`` (each sample's mean activation is
            kept, so that testing, which drops nothing, sees what training saw). See
            :func:`mmdgdm.models.functional.channel_mask`.
        attention: ``"mean"``, or ``"se"`` for a learned attention
            :math:`\sigma(W_2\,relu(W_1 a))` as in squeeze-and-excitation
            (Hu et al., arXiv 1709.01507). It only ranks the channels; its weights
            learn through a straight-through gradient of the mask.
        in_channels: C, needed for ``attention="se"`` only.
        reduction: Divisor of C in the hidden layer of ``"se"``.

    Raises:
        ConfigError: If an argument is impossible; the message names it.

    Example:
        >>> import torch
        >>> layer = CAGD(keep_ratio=0.5, drop_prob=1.0, scale="plain")
        >>> feat = torch.tensor([4.0, 1.0, 3.0, 2.0]).view(1, 4, 1, 1)
        >>> layer(feat).flatten().tolist()
        [4.0, 0.0, 3.0, 0.0]
        >>> layer.eval()(feat) is feat
        True
    """

    def __init__(
        self,
        keep_ratio: float = 0.75,
        drop_prob: float = 0.5,
        *,
        scale: str = "mean",
        attention: str = "mean",
        in_channels: Optional[int] = None,
        reduction: int = 16,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.keep_ratio = check_share("keep_ratio", keep_ratio)
        self.scale = check_choice(
            "scale", scale, choices=("plain", "expectation", "mean")
        )
        # At probability 1 nothing survives that could carry the expectation.
        self.drop_prob = check_share(
            "drop_prob", drop_prob, high_open=scale == "expectation"
        )
        self.attention = check_choice("attention", attention, choices=("mean", "se"))
        self.in_channels = in_channels
        if self.attention == "se":
            channels = check_positive_int("in_channels", in_channels)
            hidden = max(1, channels // check_positive_int("reduction", reduction))
            self.excitation = nn.Sequential(
                nn.Linear(channels, hidden),
                nn.ReLU(),
                nn.Linear(hidden, channels),
                nn.Sigmoid(),
            )

    def masks(self, feat: Tensor) -> tuple[Tensor]:
        """Draw the channel mask, (N, C, 1, 1).

        Raises:
            ConfigError: If a learned attention meets another number of channels.
        """
        attention = activation = channel_attention(feat)
        if self.attention == "se":
            if feat.shape[1] != self.in_channels:
                raise ConfigError(
                    f"Expected the input of CAGD to have `in_channels` "
                    f"({self.in_channels}) channels, but got {tuple(feat.shape)}."
                )
            dtype = next(self.excitation.parameters()).dtype
            attention = self.excitation(activation.to(dtype)).to(activation.dtype)
        mask = channel_mask(
            attention,
            self.keep_ratio,
            drop_prob=self.drop_prob * self.strength,
            scale=self.scale,
            activation=activation,
        )
        if self.attention == "se":
            # Straight-through: the value is the mask's, the gradient attention's.
            mask = mask + (attention - attention.detach())
        return (mask[:, :, None, None],)
