"""ACoLHead: two branches, the second one without what the first one relies on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import torch
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmdgdm.models.functional.self_guidance import min_max
from mmdgdm.models.heads.base import ConvHead, apply_branch, check_map
from mmdgdm.registry import MODELS
from mmdgdm.utils.argument_checks import check_positive_int, check_share


class _Embedded(NamedTuple):
    feat: Tensor
    maps_a: Tensor  # of all classes


@MODELS.register_module()
class ACoLHead(ConvHead):
    r"""Adversarial complementary learning.

    On the feature map F of the last stage two branches of convolutions (3 x 3, ReLU,
    3 x 3, ReLU, 1 x 1) give class maps :math:`M^A` and :math:`M^B`, whose means over
    places are class scores. Branch B sees F with zeros where the map of one class,
    :math:`M^A_k` stretched to [0, 1], reaches ``erase_threshold``, so that it must find
    other parts.

    - In training k is the true class, and the loss is
      :math:`CE(\overline{M^A}) + CE(\overline{M^B})`.
    - The localization map of class k is the larger of the stretched :math:`M^A_k` and
      :math:`M^B_k` at each place. Each class asked for erases by its own map, which
      takes a pass of branch B.
    - The class scores are those of branch A.

    Source: Zhang, Wei, Feng, Yang, Huang, Adversarial Complementary Learning for
    Weakly Supervised Object Localization, CVPR 2018, arXiv 1804.06962. The default
    threshold is that of the WSOL benchmark (Choe et al., CVPR 2020).

    Args:
        num_classes: Number of classes.
        in_channels: Channels of F.
        mid_channels: Channels of the 3 x 3 convolutions.
        erase_threshold: Of the attention that is erased, in (0, 1].
        cam_targets: As for :class:`WSOLHead`.
        **kwargs: As for mmpretrain's ``ClsHead``: ``loss``, ``topk``, ``cal_acc``,
            ``init_cfg``.

    Raises:
        ConfigError: If an argument is impossible, or training labels are soft.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        mid_channels: int = 1024,
        erase_threshold: float = 0.7,
        cam_targets: Sequence[str] = ("gt", "top1"),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_classes = check_positive_int("num_classes", num_classes)
        self.in_channels = check_positive_int("in_channels", in_channels)
        self.erase_threshold = check_share(
            "erase_threshold", erase_threshold, low_open=True
        )
        width = check_positive_int("mid_channels", mid_channels)
        self.branch_a = self._branch(width)
        self.branch_b = self._branch(width)
        self.set_cam_targets(cam_targets)

    def _branch(self, width: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(self.in_channels, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, self.num_classes, 1),
        )

    def embed(self, feats: Sequence[Tensor]) -> _Embedded:
        """The last feature map and branch A's maps of all classes."""
        feat = check_map(feats[-1], self.in_channels, owner=type(self).__name__)
        return _Embedded(feat, apply_branch(self.branch_a, feat))

    def scores(self, embedded: _Embedded) -> Tensor:
        """Branch A's scores, (N, num_classes)."""
        return embedded.maps_a.mean(dim=(2, 3))

    def maps(self, embedded: _Embedded, labels: Optional[Tensor]) -> Tensor:
        """Maps (N, K, H, W) float32 of labels (N, K), or of all classes."""
        if labels is None:
            count = embedded.feat.shape[0]
            every = torch.arange(self.num_classes, device=embedded.feat.device)
            labels = every.expand(count, -1)
        columns = []
        for column in labels.unbind(dim=1):
            attention = min_max(_chosen(embedded.maps_a, column))
            erased = self._erase(embedded.feat, attention)
            maps_b = apply_branch(self.branch_b, erased)
            other = min_max(_chosen(maps_b, column))
            columns.append(torch.maximum(attention, other))
        return torch.cat(columns, dim=1)

    def _erase(self, feat: Tensor, attention: Tensor) -> Tensor:
        """Zeros where an attention (N, 1, H, W) in [0, 1] reaches the threshold."""
        return feat * (attention < self.erase_threshold).to(feat.dtype)

    def loss(
        self, feats: Sequence[Tensor], data_samples: list[DataSample], **kwargs: Any
    ) -> dict:
        """Losses of both branches.

        Returns:
            ``loss_a`` and ``loss_b``, and branch A's accuracy if ``cal_acc``.
        """
        labels = self.hard_labels(data_samples)
        embedded = self.embed(feats)
        attention = min_max(_chosen(embedded.maps_a, labels).detach())
        scores_b = self.branch_b(self._erase(embedded.feat, attention)).mean((2, 3))
        losses = self._get_loss(self.scores(embedded), data_samples, **kwargs)
        losses["loss_a"] = losses.pop("loss")
        losses["loss_b"] = self.loss_module(
            scores_b, labels, avg_factor=len(labels), **kwargs
        )
        return losses


def _chosen(maps: Tensor, labels: Tensor) -> Tensor:
    """The map of one class per sample, (N, 1, H, W)."""
    return maps[torch.arange(len(labels), device=maps.device), labels][:, None]
