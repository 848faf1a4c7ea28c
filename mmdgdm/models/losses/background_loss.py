"""BackgroundLoss: keep the maps of the true classes off the background."""

from __future__ import annotations

from torch import Tensor, nn

from mmdgdm.models.functional import (
    BACKGROUND_RULES,
    background_region,
    spatial_attention,
    wide_dtype,
)
from mmdgdm.registry import MODELS
from mmdgdm.utils.argument_checks import (
    check_choice,
    check_non_negative,
    check_share,
)


@MODELS.register_module()
class BackgroundLoss(nn.Module):
    r"""Punishes the part of a class's map that lies on the background.

    ``loss_weight`` times the mean over samples of the share of the true class's map M
    that lies on the background B, where the spatial attention is low
    (:func:`mmdgdm.models.functional.background_region`):

    .. math:: \frac{\sum_{B} (M - M_{min})}{\sum_{H, W} (M - M_{min})}

    A constant map has the share 0. Neither the minimum nor the attention passes on a
    gradient: places of the background are drawn towards the least response of the map,
    and features are not changed so as to move the border. Erasing what is
    discriminative spreads maps, over the object and beyond; this holds them back where
    nothing responds. Labels of images are all it needs, and testing is not changed. The
    attention is that of the features which the head receives; places erased before
    pass on no gradient. Objects that fill most of the image may have parts below the
    threshold.

    Through the map the features learn from the loss too. What they lose at the edge of
    an object lowers the attention there, and the background grows: over many steps maps
    may shrink onto a part. With ``detach_features`` the classifier's weights alone
    learn from the loss, and the border is left to the loss of classification.

    Source: the paper of DGDM (Yin et al., ICPR 2020, arXiv 2003.04719) has its spatial
    attention tell background from foreground; to make a loss of that is a choice of
    this project.

    Args:
        loss_weight: Factor of the loss, >= 0.
        bg_threshold: Share of the rule's reference below which a place is background,
            in (0, 1].
        bg_rule: ``"max"``, ``"mean"`` or ``"otsu"``, as for
            :class:`mmdgdm.models.SAGD`.
        detach_features: Whether only the classifier learns from the loss, and not the
            features. The head passes maps made accordingly.

    Raises:
        ConfigError: If an argument is impossible; the message names it.

    Example:
        In the head of a config::

            head=dict(type='mmdgdm.WSOLHead', num_classes=200, in_channels=2048,
                      background_loss=dict(type='mmdgdm.BackgroundLoss'))
    """

    def __init__(
        self,
        loss_weight: float = 1.0,
        bg_threshold: float = 1.0,
        *,
        bg_rule: str = "mean",
        detach_features: bool = False,
    ) -> None:
        super().__init__()
        self.loss_weight = check_non_negative("loss_weight", loss_weight)
        self.bg_threshold = check_share("bg_threshold", bg_threshold, low_open=True)
        self.bg_rule = check_choice("bg_rule", bg_rule, choices=BACKGROUND_RULES)
        self.detach_features = check_choice(
            "detach_features", detach_features, choices=(False, True)
        )

    def forward(self, maps: Tensor, feat: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            maps: Maps of the true classes, (N, H, W).
            feat: The features that they are made from, (N, C, H, W).

        Returns:
            The loss, a scalar, in float32 for half precision input.
        """
        maps = maps.to(wide_dtype(maps.dtype))
        attention = spatial_attention(feat.detach())
        background = background_region(
            attention, self.bg_threshold, bg_rule=self.bg_rule
        )[:, 0]
        raised = maps - maps.detach().amin(dim=(1, 2), keepdim=True)
        total = raised.sum(dim=(1, 2))
        constant = total.detach() <= 0
        share = (raised * background).sum(dim=(1, 2)) / total.masked_fill(constant, 1.0)
        return self.loss_weight * share.masked_fill(constant, 0.0).mean()

    def extra_repr(self) -> str:
        """The settings, for ``repr``."""
        return (
            f"loss_weight={self.loss_weight}, bg_threshold={self.bg_threshold}, "
            f"bg_rule={self.bg_rule!r}, detach_features={self.detach_features}"
        )
