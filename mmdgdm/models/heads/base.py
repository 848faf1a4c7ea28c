"""What all heads that localize share: whose maps are wanted, and predictions."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Optional

import torch
from mmpretrain.models.heads import ClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmdgdm.errors import ConfigError, DataError


def check_map(feat: Any, channels: int, *, owner: str) -> Tensor:
    """Return a feature map if it is one of so many channels.

    Args:
        feat: What the head received.
        channels: Expected number of channels.
        owner: The head's name, for the message.

    Returns:
        The map, (N, C, H, W).

    Raises:
        ConfigError: If it is no map of that many channels.
    """
    if not isinstance(feat, Tensor) or feat.dim() != 4:
        seen = tuple(feat.shape) if isinstance(feat, Tensor) else type(feat)
        raise ConfigError(
            f"Expected the features given to {owner} to be maps (N, C, H, W), but got "
            f"{seen}. {owner} averages over places itself: leave "
            "`GlobalAveragePooling` out of `neck`."
        )
    if feat.shape[1] != channels:
        raise ConfigError(
            f"Expected {channels} channels (`in_channels` of {owner}), but got a map "
            f"of shape {tuple(feat.shape)}."
        )
    return feat


def apply_branch(branch: nn.Module, feat: Tensor) -> Tensor:
    """Apply a layer, in evaluation in full precision, whatever autocast says.

    Mixed precision would round maps that thresholds are to be read from, and scores
    whose order is asked for.

    Args:
        branch: A module with parameters.
        feat: Its input, (N, C, H, W) or (N, C).

    Returns:
        Its output, in evaluation in float32.
    """
    if branch.training:
        trained: Tensor = branch(feat)
        return trained
    dtype = next(branch.parameters()).dtype
    with torch.autocast(feat.device.type, enabled=False):
        exact: Tensor = branch(feat.to(dtype))
    return exact.float()


class CAMHead:
    """Mixin for mmpretrain's classification heads that gives maps beside scores.

    A subclass says how features become scores and maps: :meth:`embed`,
    :meth:`scores` and :meth:`maps`.
    """

    cam_targets: tuple[str, ...]
    num_classes: int

    def set_cam_targets(self, cam_targets: Sequence[str]) -> None:
        """Choose whose maps :meth:`predict` keeps; see :class:`WSOLHead`.

        Raises:
            ConfigError: If they are malformed.
        """
        if isinstance(cam_targets, str) or not cam_targets:
            raise ConfigError(
                "Expected `cam_targets` to be a non-empty list of 'gt' and 'topK', "
                f"but got {cam_targets!r}."
            )
        self._top = 0
        for target in cam_targets:
            match = re.fullmatch(r"top([1-9]\d*)", str(target))
            if match and int(match.group(1)) <= self.num_classes:
                self._top = max(self._top, int(match.group(1)))
            elif target != "gt":
                raise ConfigError(
                    "Expected every entry of `cam_targets` to be 'gt' or 'topK' with "
                    f"K <= num_classes ({self.num_classes}), but got {target!r}."
                )
        self.cam_targets = tuple(cam_targets)

    @abstractmethod
    def embed(self, feats: Sequence[Tensor]) -> Any:
        """Turn the features of the stages into what scores and maps are made from."""

    @abstractmethod
    def scores(self, embedded: Any) -> Tensor:
        """Class scores before the softmax, (N, num_classes), float32 in evaluation."""

    @abstractmethod
    def maps(self, embedded: Any, labels: Optional[Tensor]) -> Tensor:
        """Maps (N, K, H, W) float32 of labels (N, K), or of all classes."""

    def predict(
        self,
        feats: Sequence[Tensor],
        data_samples: Optional[list[Optional[DataSample]]] = None,
    ) -> list[DataSample]:
        """Predict classes and maps.

        Args:
            feats: Maps of the backbone's or neck's stages, (N, C, H, W) each.
            data_samples: Samples to fill; those with a ``gt_label`` also get that
                class's map if ``"gt"`` is among the targets.

        Returns:
            The samples with ``pred_score`` (num_classes,) float32, ``pred_label``,
            ``cam`` (K, H, W) float32, not normalised, and ``cam_labels`` (K,): the
            ground-truth class first, then the top classes, each class once.

        Raises:
            DataError: If a sample carries more than one ground-truth label or one
                out of range, or nothing is left to map because none carries one.
        """
        embedded = self.embed(feats)
        scores = self.scores(embedded).float()
        samples = self._get_predictions(scores, data_samples)  # type: ignore[attr-defined]
        targets = self.target_labels(scores, samples)
        maps = self.maps(embedded, pad_labels(targets, scores.device))
        for sample, row, cam in zip(samples, targets, maps):
            sample.set_field(cam[: len(row)], "cam")
            sample.set_field(torch.tensor(row), "cam_labels")
        return samples

    def target_labels(
        self, scores: Tensor, samples: list[DataSample]
    ) -> list[list[int]]:
        """Choose the classes to map, by ``cam_targets``.

        Args:
            scores: (N, num_classes), before or after the softmax.
            samples: N samples.

        Returns:
            For each sample the ground-truth class first, then the top classes, each
            class once.

        Raises:
            DataError: As for :meth:`predict`.
        """
        top = scores.topk(self._top, dim=1).indices.tolist()
        rows = []
        for sample, best in zip(samples, top):
            row = self._gt_label(sample) if "gt" in self.cam_targets else []
            row = list(dict.fromkeys(row + best))
            if not row:
                raise DataError(
                    "Expected every sample to carry `gt_label`, since `cam_targets` "
                    f"of {type(self).__name__} asks for 'gt' alone, but one has none. "
                    "Add 'top1' to `cam_targets` to localize images without labels."
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


def pad_labels(rows: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """Put lists of classes into one tensor; short ones repeat their first class.

    Args:
        rows: N lists, none empty.
        device: Where the tensor is wanted.

    Returns:
        (N, K) int64, K the length of the longest.

    Example:
        >>> pad_labels([[4, 2], [3]], torch.device("cpu")).tolist()
        [[4, 2], [3, 3]]
    """
    width = max(len(row) for row in rows)
    padded = [[*row, *[row[0]] * (width - len(row))] for row in rows]
    return torch.tensor(padded, device=device)


class ConvHead(CAMHead, ClsHead):
    """Base of the heads whose convolutions make class maps, and these the scores."""

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Class scores before the softmax, (N, num_classes)."""
        return self.scores(self.embed(feats))

    def hard_labels(self, data_samples: Sequence[DataSample]) -> Tensor:
        """Labels (N,) of a training batch, whose true classes' maps are looked at.

        Raises:
            ConfigError: If labels were mixed, as by CutMix.
            DataError: If a sample carries no label, or several.
        """
        owner = type(self).__name__
        if any("gt_score" in sample for sample in data_samples):
            raise ConfigError(
                f"Expected {owner} to be trained with one class per image, but got "
                "soft labels: leave `augments` out of `train_cfg`."
            )
        for sample in data_samples:
            label = sample.get("gt_label")
            if label is None or label.numel() != 1:
                raise DataError(
                    f"Expected `gt_label` to hold one class for {owner}, but got "
                    f"{None if label is None else label.tolist()} for "
                    f"{sample.get('img_path')!r}."
                )
        return torch.cat([sample.gt_label for sample in data_samples])
