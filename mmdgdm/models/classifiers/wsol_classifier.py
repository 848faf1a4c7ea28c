"""WSOLClassifier: a mmpretrain classifier with layers inside its backbone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import torch
from mmengine.model import BaseModule
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor

from mmdgdm.errors import DataError
from mmdgdm.models.backbones.base import SizedBackbone
from mmdgdm.models.classifiers.localized import ChooseClasses, Localized
from mmdgdm.models.heads.base import pad_labels
from mmdgdm.models.utils.gradient_maps import check_cam_method, classifier_maps
from mmdgdm.models.utils.memory_format import to_channels_last
from mmdgdm.models.utils.pretrained import check_pretrained
from mmdgdm.models.utils.stage_necks import build_stage_necks, check_fired
from mmdgdm.registry import MODELS


@MODELS.register_module()
class WSOLClassifier(ImageClassifier):
    """Image classifier whose backbone carries attention guided layers.

    It is mmpretrain's :class:`ImageClassifier` with two more arguments. The layers
    act on the outputs of named submodules through forward hooks (what mmdet and
    mmyolo users know as ``plugins``), so any backbone will do and no key of its
    state dict changes. Without ``stage_necks`` it is the plain CAM baseline.

    Args:
        *args: As for ``ImageClassifier``.
        stage_necks: Layers and where they act, for example
            ``[dict(type='mmdgdm.DGDM', after='layer3.0')]``; see
            :func:`mmdgdm.models.utils.stage_necks.build_stage_necks`.
        channels_last: Whether convolutions hold their weights with the channels as
            the last dimension in memory, so that feature maps follow. Results are the
            same up to rounding, and so are the keys and shapes of the state dict; on
            CPUs, and on GPUs in mixed precision, training is often faster
            (``benchmarks/memory_format.py`` tells by how much). Convolutions for which
            this crashes on CPUs keep theirs
            (:func:`mmdgdm.models.utils.memory_format.to_channels_last`).
        cam_method: How predictions make maps: ``"cam"``, as the head does it, or by
            the gradient family of the library pytorch-grad-cam, from the last feature
            map: ``"gradcam"``, ``"gradcam++"``, ``"xgradcam"``, ``"layercam"`` or
            ``"scorecam"``. Scores are the same.
        **kwargs: As for ``ImageClassifier``: ``backbone``, ``neck``, ``head``,
            ``data_preprocessor``, ``train_cfg``, ``init_cfg``.

    Raises:
        ConfigError: If ``stage_necks`` is malformed or names no submodule, or
            ``cam_method`` is unknown or its library not installed; at a forward
            pass, if a named submodule is not called, so that its layer would silently
            do nothing, or its output has not the stated layout.
    """

    def __init__(
        self,
        *args: Any,
        stage_necks: Optional[Sequence[Mapping[str, Any]]] = None,
        channels_last: bool = False,
        cam_method: str = "cam",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.cam_method = check_cam_method(cam_method)
        self.stage_necks = build_stage_necks(self.backbone, stage_necks)
        # Here and not later: DDP lays out its buckets by the strides it finds.
        if channels_last:
            to_channels_last(self)

    def init_weights(self) -> None:
        """Initialize the weights as ``init_cfg`` says.

        Raises:
            CheckpointError: If nothing in a pretrained file fits its module.
        """
        for module in self.modules():
            # Ours check their own.
            if isinstance(module, BaseModule) and not isinstance(module, SizedBackbone):
                check_pretrained(module)
        super().init_weights()

    def extract_feat(self, inputs: Tensor, stage: str = "neck") -> Any:
        """Extract features as ``ImageClassifier`` does, with the layers at work.

        Args:
            inputs: Batch of images, (N, C, H, W).
            stage: ``"backbone"``, ``"neck"`` or ``"pre_logits"``.

        Returns:
            The features: a tuple of maps, or a tensor for ``"pre_logits"``.

        Raises:
            ConfigError: If a stage neck has not acted.
        """
        if torch.compiler.is_compiling():
            return super().extract_feat(inputs, stage)
        neck: Any
        for neck in self.stage_necks:
            neck.attach(self.backbone)
        feats = super().extract_feat(inputs, stage)
        check_fired(self.stage_necks, self.backbone)
        return feats

    def predict(
        self,
        inputs: Tensor,
        data_samples: Optional[list[DataSample]] = None,
        **kwargs: Any,
    ) -> list[DataSample]:
        """Predict as ``ImageClassifier`` does, from images that fill their input.

        Args:
            inputs: Batch of images, (N, C, H, W).
            data_samples: Samples with the meta field ``img_shape``, or ``None``.
            **kwargs: Passed on to the head.

        Returns:
            The samples with scores and maps.

        Raises:
            DataError: If an image was padded to the size of others in its batch: its
                map would be stretched against it.
        """
        for sample in data_samples or ():
            shape = tuple(sample.get("img_shape", inputs.shape[2:]))[:2]
            if shape[0] < inputs.shape[2] or shape[1] < inputs.shape[3]:
                raise DataError(
                    f"Expected the image {sample.get('image_id')!r} to fill the "
                    f"batch's {tuple(inputs.shape[2:])}, but it has the size {shape} "
                    "and was padded: give all images of a batch one size "
                    "(`Resize` without `keep_ratio`), or take `batch_size=1` and no "
                    "`pad_size_divisor`."
                )
        if self.cam_method == "cam":
            return super().predict(inputs, data_samples, **kwargs)
        feats = self.extract_feat(inputs)
        samples = self.head.predict(feats, data_samples, **kwargs)
        rows = [sample.cam_labels.tolist() for sample in samples]
        labels = pad_labels(rows, inputs.device)
        maps = classifier_maps(self, inputs, feats=feats, labels=labels)
        for sample, row, cam in zip(samples, rows, maps):
            sample.set_field(cam[: len(row)], "cam")
        return samples

    def localize(self, inputs: Tensor, choose: ChooseClasses) -> Localized:
        """Score classes, and map those that are chosen by their scores.

        Args:
            inputs: Batch of images as the data preprocessor gives them, (N, C, H, W).
            choose: Takes the scores (N, num_classes), before the softmax, and returns
                the classes to map, (N, K) int64.

        Returns:
            Scores, classes and maps.
        """
        feats = self.extract_feat(inputs)
        embedded = self.head.embed(feats)
        scores = self.head.scores(embedded).float()
        labels = choose(scores)
        if self.cam_method == "cam":
            return Localized(scores, labels, self.head.maps(embedded, labels))
        maps = classifier_maps(self, inputs, feats=feats, labels=labels)
        return Localized(scores, labels, maps)
