"""WSOLTTAModel: class scores and maps, averaged over views of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Union

import torch
from mmengine.model import BaseTTAModel
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.models.functional.cam_fusion import View, fuse_views
from mmdgdm.models.heads.base import CAMHead, pad_labels
from mmdgdm.registry import MODELS

#: What a sample knows about its view alone; the average is of the whole image.
_VIEW_KEYS = ("view_window", "flip", "flip_direction", "scale_factor")


@MODELS.register_module()
class WSOLTTAModel(BaseTTAModel):
    r"""Average scores and class activation maps over flips, crops and scales.

    - Scores: :math:`p = \frac{1}{V} \sum_v \mathrm{softmax}(y_v)`, as
      mmpretrain's ``AverageClsScoreTTA``.
    - Maps: each view's maps are put back where the view was taken, and averaged
      where views overlap; see :mod:`mmdgdm.models.functional.cam_fusion`.

    The classes to map are chosen once per image, from the averaged scores and the
    ground truth, by the head's ``cam_targets``. Every view then gives the maps of
    those classes, whatever its own best class is. Backbone and neck run once per
    view.

    The data come from mmcv's ``TestTimeAug``, whose last transform is
    ``dict(type='mmdgdm.PackWSOLInputs', as_view=True)``.

    Args:
        module: The model, or its config; its head must be a
            :class:`~mmdgdm.models.heads.base.CAMHead`, for example ``WSOLHead``.
        data_preprocessor: Takes the place of the model's own.

    Raises:
        ConfigError: If the model's head gives no maps, or they are not its head's.
    """

    def __init__(
        self,
        module: Union[dict, nn.Module],
        data_preprocessor: Union[dict, nn.Module, None] = None,
    ) -> None:
        super().__init__(module, data_preprocessor)
        head = getattr(self.module, "head", None)
        if not isinstance(head, CAMHead):
            raise ConfigError(
                "Expected the head of the model in WSOLTTAModel to give maps, for "
                f"example mmdgdm.WSOLHead, but got {type(head).__name__}."
            )
        method = getattr(self.module, "cam_method", "cam")
        if method != "cam":
            raise ConfigError(
                "Expected cam_method='cam' of the model in WSOLTTAModel, since maps of "
                f"other methods have no common scale to average, but got {method!r}."
            )

    @property
    def head(self) -> CAMHead:
        """The head of the model."""
        return self.module.head

    def test_step(self, data: Mapping[str, Sequence]) -> list[DataSample]:
        """Predict the images of a batch from their views.

        Args:
            data: ``inputs`` and ``data_samples``, a list of views each, of lists of
                the batch's images.

        Returns:
            A sample per image, as :meth:`merge_preds` describes.

        Raises:
            DataError: If a view lacks its geometry, or the views leave out a place.
        """
        views = [
            self._look({key: value[v] for key, value in data.items()})
            for v in range(len(data["inputs"]))
        ]
        mean = torch.stack([scores for _, scores, _ in views]).mean(dim=0)
        rows = self.head.target_labels(mean, views[0][2])
        labels = pad_labels(rows, mean.device)
        for embedded, scores, samples in views:
            cams = self.head.maps(embedded, labels)
            for sample, score, row, cam in zip(samples, scores, rows, cams):
                sample.set_pred_score(score)
                sample.set_field(cam[: len(row)], "cam")
                sample.set_field(torch.tensor(row), "cam_labels")
        return self.merge_preds(list(zip(*(samples for _, _, samples in views))))

    def _look(self, batch: dict) -> tuple[Any, Tensor, list[DataSample]]:
        """Pass a batch of one view: what maps are made from, scores, samples."""
        batch = self.module.data_preprocessor(batch, False)
        feats = self.module.extract_feat(batch["inputs"])
        embedded = self.head.embed(feats)
        scores = self.head.scores(embedded).softmax(dim=1)
        return embedded, scores, list(batch["data_samples"])

    def merge_preds(
        self, data_samples_list: Sequence[Sequence[DataSample]]
    ) -> list[DataSample]:
        """Average the predictions of the views of each image.

        Args:
            data_samples_list: For each image the samples of its views, with
                ``pred_score``, ``cam`` and ``cam_labels``, the same labels in all.

        Returns:
            For each image its first sample with ``pred_score`` (num_classes,),
            ``pred_label``, ``cam`` (K, H, W) in the frame of the whole image, and
            ``cam_labels`` (K,).

        Raises:
            DataError: If views show other classes than each other or lack their
                geometry, or leave out a place of the image.
        """
        return [_merge(views) for views in data_samples_list]


def _merge(samples: Sequence[DataSample]) -> DataSample:
    labels = [sample.get("cam_labels").tolist() for sample in samples]
    if any(row != labels[0] for row in labels):
        raise DataError(
            "Expected all views of an image to have maps of the same classes, but got "
            f"`cam_labels` {labels}."
        )
    cam = fuse_views(
        [sample.get("cam") for sample in samples], [_view_of(s) for s in samples]
    )
    merged: DataSample = samples[0].new()
    for key in _VIEW_KEYS:
        merged.pop(key, None)
    score = torch.stack([sample.pred_score for sample in samples]).mean(dim=0)
    merged.set_pred_score(score).set_pred_label(score.argmax().reshape(1))
    merged.set_field(cam, "cam")
    return merged


def _view_of(sample: DataSample) -> View:
    window = sample.get("view_window")
    if window is None:
        raise DataError(
            "Expected the samples given to WSOLTTAModel to carry `view_window`, but "
            f"got only {sorted(sample.all_keys())}; let every view in `tta_pipeline` "
            "end with dict(type='mmdgdm.PackWSOLInputs', as_view=True)."
        )
    direction = sample.get("flip_direction") if sample.get("flip") else None
    return View(tuple(window), direction)
