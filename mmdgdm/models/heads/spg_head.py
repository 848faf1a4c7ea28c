"""SPGHead: masks that the network makes of its own attention guide lower layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import torch
import torch.nn.functional as F  # noqa: N812
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmdgdm.errors import ConfigError
from mmdgdm.models.functional.self_guidance import min_max, seed_loss, seed_mask
from mmdgdm.models.heads.base import ConvHead, apply_branch, check_map
from mmdgdm.registry import MODELS
from mmdgdm.utils.argument_checks import check_positive_int

Thresholds = Sequence[Sequence[float]]


class _Embedded(NamedTuple):
    low: Tensor
    high: Tensor
    top: Tensor
    maps: Tensor  # of all classes


def _check_thresholds(thresholds: Any) -> list[tuple[float, float]]:
    pairs = thresholds if isinstance(thresholds, (list, tuple)) else ()
    valid = len(pairs) == 3 and all(
        isinstance(pair, (list, tuple))
        and len(pair) == 2
        and 0 <= pair[1] < pair[0] <= 1
        for pair in pairs
    )
    if not valid:
        raise ConfigError(
            "Expected `thresholds` to be three pairs (high, low) with "
            f"0 <= low < high <= 1, but got {thresholds!r}."
        )
    return [(float(high), float(low)) for high, low in pairs]


@MODELS.register_module()
class SPGHead(ConvHead):
    r"""Self-produced guidance.

    Of the last two feature maps :math:`F_1, F_2`, the second one goes through two
    3 x 3 convolutions to T and a 1 x 1 convolution to the class maps, whose means over
    places are the scores. Three more outputs of one channel say where an object is:
    :math:`B_1` and :math:`B_2`, from :math:`F_1` and :math:`F_2` by a convolution of
    their own and two shared ones, and C from T. In training the true class's map,
    stretched to [0, 1], seeds the mask of :math:`B_2`; :math:`\sigma(B_2)` that of
    :math:`B_1`; the mean of :math:`\sigma(B_1), \sigma(B_2)` that of C. Seeds are
    object above a high threshold and background below a low one; what lies between is
    ignored. With the binary cross-entropy over seeds, the loss is
    :math:`CE + BCE(B_2) + BCE(B_1) + BCE(C)`.

    In testing only the class maps are used.

    Source: Zhang, Wei, Kang, Yang, Huang, Self-produced Guidance for Weakly-supervised
    Object Localization, ECCV 2018, arXiv 1807.08902. Thresholds, the size of the masks
    and the least number of seeds are those of the WSOL benchmark (Choe et al., CVPR
    2020).

    Args:
        num_classes: Number of classes.
        in_channels: Channels of :math:`F_1` and :math:`F_2`, the last two maps of the
            backbone's ``out_indices``.
        mid_channels: Channels of the convolutions.
        thresholds: High and low ones for :math:`B_2`, :math:`B_1` and C.
        mask_size: Side of the masks in pixels; maps are enlarged bilinearly.
        min_seeds: Least number of object pixels; a mask with fewer takes 0.7 of its
            attention's maximum for the high threshold.
        cam_targets: As for :class:`WSOLHead`.
        **kwargs: As for mmpretrain's ``ClsHead``: ``loss``, ``topk``, ``cal_acc``,
            ``init_cfg``.

    Raises:
        ConfigError: If an argument is impossible, or training labels are soft.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: Sequence[int],
        *,
        mid_channels: int = 512,
        thresholds: Thresholds = ((0.7, 0.01), (0.5, 0.05), (0.7, 0.1)),
        mask_size: int = 224,
        min_seeds: int = 30,
        cam_targets: Sequence[str] = ("gt", "top1"),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(in_channels, (list, tuple)) or len(in_channels) != 2:
            raise ConfigError(
                "Expected `in_channels` of SPGHead to be those of the last two feature "
                f"maps, but got {in_channels!r}."
            )
        self.num_classes = check_positive_int("num_classes", num_classes)
        self.in_channels = tuple(
            check_positive_int("in_channels", channels) for channels in in_channels
        )
        self.thresholds = _check_thresholds(thresholds)
        side = check_positive_int("mask_size", mask_size)
        self.mask_size = (side, side)
        self.min_seeds = check_positive_int("min_seeds", min_seeds)
        mid_channels = check_positive_int("mid_channels", mid_channels)
        self.attend = nn.Sequential(
            *_convolution(self.in_channels[1], mid_channels),
            *_convolution(mid_channels, mid_channels),
        )
        self.classify = nn.Conv2d(mid_channels, num_classes, 1)
        self.guide_1 = _convolution(self.in_channels[0], mid_channels)
        self.guide_2 = _convolution(self.in_channels[1], mid_channels)
        self.guide_shared = nn.Sequential(
            *_convolution(mid_channels, mid_channels), nn.Conv2d(mid_channels, 1, 1)
        )
        self.guide_c = nn.Sequential(
            *_convolution(mid_channels, mid_channels), nn.Conv2d(mid_channels, 1, 1)
        )
        self.set_cam_targets(cam_targets)

    def embed(self, feats: Sequence[Tensor]) -> _Embedded:
        """The last two feature maps, T, and the maps of all classes.

        Raises:
            ConfigError: If there are fewer than two maps, or of other channels.
        """
        name = type(self).__name__
        if len(feats) < 2:
            raise ConfigError(
                f"Expected {name} to be given two feature maps, but got {len(feats)}: "
                "set two `out_indices` of the backbone."
            )
        low = check_map(feats[-2], self.in_channels[0], owner=name)
        high = check_map(feats[-1], self.in_channels[1], owner=name)
        top = apply_branch(self.attend, high)
        return _Embedded(low, high, top, apply_branch(self.classify, top))

    def scores(self, embedded: _Embedded) -> Tensor:
        """Class scores before the softmax, (N, num_classes)."""
        return embedded.maps.mean(dim=(2, 3))

    def maps(self, embedded: _Embedded, labels: Optional[Tensor]) -> Tensor:
        """Maps (N, K, H, W) float32 of labels (N, K), or of all classes."""
        maps = embedded.maps.float()
        if labels is None:
            return maps
        return maps[torch.arange(len(labels), device=maps.device)[:, None], labels]

    def loss(
        self, feats: Sequence[Tensor], data_samples: list[DataSample], **kwargs: Any
    ) -> dict:
        """Loss of the scores and of the three guided outputs.

        Returns:
            ``loss_cls``, ``loss_b2``, ``loss_b1``, ``loss_c``, and the accuracy if
            ``cal_acc``.
        """
        labels = self.hard_labels(data_samples)
        embedded = self.embed(feats)
        losses = self._get_loss(self.scores(embedded), data_samples, **kwargs)
        losses["loss_cls"] = losses.pop("loss")
        attention = min_max(self._enlarge(self.maps(embedded, labels[:, None])))
        b1 = self._enlarge(self.guide_shared(self.guide_1(embedded.low)))
        b2 = self._enlarge(self.guide_shared(self.guide_2(embedded.high)))
        c = self._enlarge(self.guide_c(embedded.top))
        fused = (b1.sigmoid() + b2.sigmoid()) / 2
        guides = (("b2", b2, attention), ("b1", b1, b2.sigmoid()), ("c", c, fused))
        for (name, logits, guide), (high, low) in zip(guides, self.thresholds):
            mask = seed_mask(guide, high=high, low=low, min_seeds=self.min_seeds)
            losses[f"loss_{name}"] = seed_loss(logits, mask)
        return losses

    def _enlarge(self, maps: Tensor) -> Tensor:
        return F.interpolate(
            maps.float(), self.mask_size, mode="bilinear", align_corners=False
        )


def _convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.ReLU())
