"""WSOLHead: class scores and class activation maps in one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import torch
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.nn.functional import one_hot

from mmdgdm.models.functional import channel_attention
from mmdgdm.models.heads.base import CAMHead, apply_branch, check_map
from mmdgdm.registry import MODELS
from mmdgdm.utils.argument_checks import check_non_negative


@MODELS.register_module()
class WSOLHead(CAMHead, LinearClsHead):
    r"""Linear head that scores classes and maps where each class is.

    On the feature map F, (N, C, H, W), of the last stage, with weights W and bias
    b of ``fc``:

    - scores :math:`y_k = b_k + \sum_c W_{kc}\,\overline{F_c}`, the mean taken over
      H and W (no ``GlobalAveragePooling`` neck must stand before),
    - maps :math:`M_k(h, w) = \sum_c W_{kc} F_c(h, w)`, so that
      :math:`y_k = b_k + \overline{M_k}`.

    Maps are computed only for the classes asked for. Parameters are named as in
    mmpretrain's ``LinearClsHead`` (``fc.weight``, ``fc.bias``), whose weights load
    as they are.

    With ``attention_power`` :math:`\gamma > 0` maps are weighted by the spatial
    attention :math:`s = \overline{F}` over channels, which tells the object from the
    background: :math:`(M_k - \min M_k)\,\max(s, 0)^\gamma`. Such maps are no plain
    CAMs: results must say so.

    Source: Zhou et al., Learning Deep Features for Discriminative Localization,
    CVPR 2016 (class activation mapping). The weighting by attention is a choice of this
    project.

    Args:
        num_classes: Number of classes.
        in_channels: C.
        cam_targets: Whose maps :meth:`predict` keeps: ``"gt"``, the ground-truth
            class of every sample that carries one, and ``"topK"``, the K classes
            of highest score.
        background_loss: Config of a second loss in training,
            :class:`mmdgdm.models.BackgroundLoss`, which keeps the maps of the true
            classes off the background; ``None`` for none.
        attention_power: :math:`\gamma`, >= 0; 0 gives plain CAMs.
        **kwargs: As for ``LinearClsHead``: ``loss``, ``topk``, ``cal_acc``,
            ``init_cfg``.

    Raises:
        ConfigError: If ``cam_targets`` or ``attention_power`` is malformed.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        cam_targets: Sequence[str] = ("gt", "top1"),
        background_loss: Optional[dict] = None,
        attention_power: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        self.set_cam_targets(cam_targets)
        self.attention_power = check_non_negative("attention_power", attention_power)
        self.background_loss: Optional[nn.Module] = None
        if background_loss is not None:
            self.background_loss = MODELS.build(background_loss)

    def loss(
        self, feats: Sequence[Tensor], data_samples: list[DataSample], **kwargs: Any
    ) -> dict[str, Tensor]:
        """Compute the loss of classification, and that of the background if asked for.

        Args:
            feats: Maps of the backbone's or neck's stages, (N, C, H, W) each.
            data_samples: Samples with a ``gt_label``, or with the ``gt_score`` of
                mixed images, whose map is then the mixture of their classes' maps.
            **kwargs: For the loss of classification.

        Returns:
            ``loss``, ``loss_background`` and, if asked for, accuracies.
        """
        losses: dict[str, Tensor] = super().loss(feats, data_samples, **kwargs)
        if self.background_loss is not None:
            feat = self.embed(feats)
            if "gt_score" in data_samples[0]:
                target = torch.stack([sample.gt_score for sample in data_samples])
            else:
                labels = torch.cat([sample.gt_label for sample in data_samples])
                target = one_hot(labels, self.num_classes)
            with torch.autocast(feat.device.type, enabled=False):
                weight = target.to(self.fc.weight) @ self.fc.weight
                detached = self.background_loss.detach_features
                places = (feat.detach() if detached else feat).float()
                maps = torch.einsum("nc,nchw->nhw", weight.float(), places)
            losses["loss_background"] = self.background_loss(maps, feat)
        return losses

    def pre_logits(self, feats: Sequence[Tensor]) -> Tensor:
        """The means of the last feature map over places, (N, C)."""
        return self.embed(feats).mean(dim=(2, 3))

    def embed(self, feats: Sequence[Tensor]) -> Tensor:
        """The last feature map, (N, C, H, W).

        Raises:
            ConfigError: If it is no map of ``in_channels`` channels.
        """
        return check_map(feats[-1], self.in_channels, owner=type(self).__name__)

    def scores(self, embedded: Tensor) -> Tensor:
        """Class scores before the softmax, (N, num_classes), float32 in evaluation."""
        return apply_branch(self.fc, channel_attention(embedded))

    def maps(self, embedded: Tensor, labels: Optional[Tensor]) -> Tensor:
        """Maps (N, K, H, W) float32 of labels (N, K), or of all classes."""
        # Mixed precision would round maps that thresholds are to be read from.
        with torch.autocast(embedded.device.type, enabled=False):
            places = embedded.float().flatten(2)
            weight = self.fc.weight.float()
            chosen = weight if labels is None else weight[labels]
            maps = chosen @ places
            if self.attention_power > 0:
                attention = places.mean(dim=1, keepdim=True).clamp_min(0)
                maps = maps - maps.amin(dim=2, keepdim=True)
                maps = maps * attention**self.attention_power
        return maps.unflatten(2, embedded.shape[2:])
