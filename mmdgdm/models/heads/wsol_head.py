"""WSOLHead: class scores and class activation maps in one forward pass."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import torch
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.registry import MODELS


class CAMOutput(NamedTuple):
    """Scores and maps of a batch.

    Attributes:
        score: Class scores before the softmax, (N, num_classes).
        cam: Class activation maps, (N, K, H, W), not normalised.
    """

    score: Tensor
    cam: Tensor


def _parse_targets(cam_targets: Sequence[str], num_classes: int) -> tuple[bool, int]:
    """Return whether the ground truth is asked for, and how many top classes."""
    if isinstance(cam_targets, str) or not cam_targets:
        raise ConfigError(
            "Expected `cam_targets` to be a non-empty list of 'gt' and 'topK', "
            f"but got {cam_targets!r}."
        )
    with_gt, top = False, 0
    for target in cam_targets:
        match = re.fullmatch(r"top([1-9]\d*)", str(target))
        if target == "gt":
            with_gt = True
        elif match and int(match.group(1)) <= num_classes:
            top = max(top, int(match.group(1)))
        else:
            raise ConfigError(
                "Expected every entry of `cam_targets` to be 'gt' or 'topK' with "
                f"K <= num_classes ({num_classes}), but got {target!r}."
            )
    return with_gt, top


@MODELS.register_module()
class WSOLHead(LinearClsHead):
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

    Source: Zhou et al., Learning Deep Features for Discriminative Localization,
    CVPR 2016 (class activation mapping).

    Args:
        num_classes: Number of classes.
        in_channels: C.
        cam_targets: Whose maps :meth:`predict` keeps: ``"gt"``, the ground-truth
            class of every sample that carries one, and ``"topK"``, the K classes
            of highest score.
        **kwargs: As for ``LinearClsHead``: ``loss``, ``topk``, ``cal_acc``,
            ``init_cfg``.

    Raises:
        ConfigError: If ``cam_targets`` is malformed.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        cam_targets: Sequence[str] = ("gt", "top1"),
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        self.cam_targets = tuple(cam_targets)
        self._with_gt, self._top = _parse_targets(cam_targets, num_classes)

    def feature_map(self, feats: Sequence[Tensor]) -> Tensor:
        """Return the last feature map, checked.

        Args:
            feats: Maps of the backbone's or neck's stages.

        Returns:
            The last one, (N, C, H, W).

        Raises:
            TypeError: If it is no map of ``in_channels`` channels.
        """
        feat = feats[-1]
        if not isinstance(feat, Tensor) or feat.dim() != 4:
            seen = tuple(feat.shape) if isinstance(feat, Tensor) else type(feat)
            raise TypeError(
                "Expected the last feature given to WSOLHead to be a map "
                f"(N, C, H, W), but got {seen}. WSOLHead averages over places "
                "itself: leave `GlobalAveragePooling` out of `neck`."
            )
        if feat.shape[1] != self.in_channels:
            raise TypeError(
                f"Expected {self.in_channels} channels (`in_channels` of WSOLHead), "
                f"but got a map of shape {tuple(feat.shape)}."
            )
        return feat

    def pre_logits(self, feats: Sequence[Tensor]) -> Tensor:
        """Average the last feature map over places.

        Args:
            feats: Maps of the backbone's or neck's stages.

        Returns:
            The pooled features, (N, C).
        """
        return self.feature_map(feats).mean(dim=(2, 3))

    def forward_cam(
        self, feats: Sequence[Tensor], labels: Optional[Tensor] = None
    ) -> CAMOutput:
        """Compute scores and maps in one pass.

        Args:
            feats: Maps of the backbone's or neck's stages.
            labels: Classes whose maps are wanted, (N, K) int64; ``None`` for all
                classes.

        Returns:
            Scores (N, num_classes) and maps (N, K, H, W), float32.
        """
        return CAMOutput(self(feats), self._maps(self.feature_map(feats), labels))

    def _maps(self, feat: Tensor, labels: Optional[Tensor]) -> Tensor:
        # Mixed precision would round maps that thresholds are to be read from.
        with torch.autocast(feat.device.type, enabled=False):
            places = feat.float().flatten(2)
            weight = self.fc.weight.float()
            chosen = weight if labels is None else weight[labels]
            maps = chosen @ places
        return maps.unflatten(2, feat.shape[2:])

    def predict(
        self,
        feats: Sequence[Tensor],
        data_samples: Optional[list[Optional[DataSample]]] = None,
    ) -> list[DataSample]:
        """Predict classes and maps.

        Args:
            feats: Maps of the backbone's or neck's stages.
            data_samples: Samples to fill; those with a ``gt_label`` also get that
                class's map if ``"gt"`` is among the targets.

        Returns:
            The samples with ``pred_score`` (num_classes,), ``pred_label``,
            ``cam`` (K, H, W) float32, not normalised, and ``cam_labels`` (K,): the
            ground-truth class first, then the top classes, each class once.

        Raises:
            DataError: If a sample carries more than one ground-truth label or one
                out of range, or nothing is left to map because none carries one.
        """
        feat = self.feature_map(feats)
        scores = self(feats)
        samples = self._get_predictions(scores, data_samples)
        targets = self._target_labels(scores, samples)
        width = max(len(row) for row in targets)
        padded = [row + row[:1] * (width - len(row)) for row in targets]
        labels = torch.tensor(padded, device=scores.device)
        maps = self._maps(feat, labels)
        for sample, row, cam in zip(samples, targets, maps):
            sample.set_field(cam[: len(row)], "cam")
            sample.set_field(torch.tensor(row), "cam_labels")
        return samples

    def _target_labels(
        self, scores: Tensor, samples: list[DataSample]
    ) -> list[list[int]]:
        top = scores.topk(self._top, dim=1).indices.tolist()
        rows = []
        for sample, best in zip(samples, top):
            row = self._gt_label(sample) if self._with_gt else []
            row = list(dict.fromkeys(row + best))
            if not row:
                raise DataError(
                    "Expected every sample to carry `gt_label`, since `cam_targets` "
                    "of WSOLHead asks for 'gt' alone, but one has none. Add 'top1' "
                    "to `cam_targets` to localize pictures without labels."
                )
            rows.append(row)
        return rows

    def _gt_label(self, sample: DataSample) -> list[int]:
        label = sample.get("gt_label")
        if label is None:
            return []
        if label.numel() != 1:
            raise DataError(
                "Expected `gt_label` to hold one class, but got "
                f"{label.tolist()} for {sample.get('img_path')!r}."
            )
        if not 0 <= int(label) < self.num_classes:
            raise DataError(
                f"Expected `gt_label` to be in [0, {self.num_classes}), but got "
                f"{int(label)} for {sample.get('img_path')!r}."
            )
        return [int(label)]
