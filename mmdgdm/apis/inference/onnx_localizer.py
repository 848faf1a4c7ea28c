"""Localize with an exported model: onnxruntime, numpy and OpenCV, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Optional, Union

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmdgdm.apis.inference.localizer import (
    DEFAULT_THRESHOLD,
    UNCALIBRATED,
    check_topk,
    find_classes,
)
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
from mmdgdm.utils.model_facts import FACTS_KEY, INPUT, OUTPUTS, ModelFacts
from mmdgdm.utils.notes import tell

#: mmcv's names of ways to resize, by what resizes.
_CV2 = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos": cv2.INTER_LANCZOS4,
}
_PILLOW = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX,
    "lanczos": Image.Resampling.LANCZOS,
    "hamming": Image.Resampling.HAMMING,
}


class OnnxLocalizer:
    """Say what images show, and where, with a file of ``tools/export.py``.

    Args:
        path: The ``.onnx`` file.
        threshold: Share of a map's range above which its boxes lie, in [0, 1); ``None``
            takes that of the file, else 0.2.
        providers: What onnxruntime runs on; ``None`` for the CPU.

    Attributes:
        facts: What the file says of its model.
        classes: Names of the classes.
        threshold: As it is used.
        threshold_source: Where it comes from, in words.
        cam_method: ``"cam"``: others cannot be exported.

    Raises:
        ConfigError: If onnxruntime is not installed or ``threshold`` out of range.
        DataError: If the file is none of ``tools/export.py``.
    """

    cam_method = "cam"

    def __init__(
        self,
        path: Union[str, Path],
        threshold: Optional[float] = None,
        *,
        providers: Sequence[str] = ("CPUExecutionProvider",),
    ) -> None:
        if threshold is not None:
            check_share("threshold", threshold, high_open=True)
        self.session = _open_session(path, providers)
        known = self.session.get_modelmeta().custom_metadata_map
        if FACTS_KEY not in known:
            raise DataError(
                f"Expected {path} to be a model that `tools/export.py` wrote, with "
                f"metadata {FACTS_KEY!r}, but it has none."
            )
        self.facts = ModelFacts.from_json(known[FACTS_KEY], source=str(path))
        ways = _PILLOW if self.facts.backend == "pillow" else _CV2
        if self.facts.interpolation not in ways:
            raise DataError(
                f"Expected {path} to resize by one of {', '.join(ways)}, but got "
                f"{self.facts.interpolation!r}."
            )
        self.classes = list(self.facts.classes)
        if threshold is not None:
            self.threshold, self.threshold_source = float(threshold), "the argument"
        elif self.facts.threshold is not None:
            self.threshold = self.facts.threshold
            self.threshold_source = "val chose it, says the exported file"
        else:
            self.threshold, self.threshold_source = DEFAULT_THRESHOLD, UNCALIBRATED
            tell(f"Threshold of boxes: {UNCALIBRATED}.")

    def __call__(
        self, inputs: Any, batch_size: int = 1, **kwargs: Any
    ) -> list[Localization]:
        """Localize images, as :meth:`stream` does, all at once."""
        return [found for _, found in self.stream(inputs, batch_size, **kwargs)]

    def stream(
        self,
        inputs: Any,
        batch_size: int = 1,
        *,
        topk: int = 1,
        classes: Optional[Sequence[Union[str, int]]] = None,
        all_contours: bool = False,
        channel_order: str = "bgr",
        unreadable: Any = None,
    ) -> Iterator[tuple[Picture, Localization]]:
        """Localize images one batch after the other, with few of them in memory.

        Args:
            inputs: Paths, folders, patterns, arrays, images of Pillow, or an iterator
                of single ones.
            batch_size: Images in one pass.
            topk: The number of classes of highest score to map.
            classes: Those to map instead, by name or index.
            all_contours: Whether to give the boxes of all contours of a map and not
                that of the largest alone.
            channel_order: Of arrays, ``"bgr"`` or ``"rgb"``.
            unreadable: Called with source and error of an image that cannot be read,
                which is left out then.

        Yields:
            Each image as it was read, and what was found in it.

        Raises:
            ConfigError: If an argument does not fit.
            DataError: If an image cannot be read and ``unreadable`` is not given.
        """
        check_positive_int("batch_size", batch_size)
        check_choice("channel_order", channel_order, choices=CHANNEL_ORDERS)
        check_topk(topk, len(self.classes))
        labels = None if classes is None else find_classes(classes, self.classes)
        sources = inputs if isinstance(inputs, Iterator) else list_sources(inputs)
        pictures = read_sources(sources, channel_order, unreadable=unreadable)
        while chunk := list(islice(pictures, batch_size)):
            images = np.stack([self.prepare(picture.pixels) for picture in chunk])
            scores, maps = self.session.run(list(OUTPUTS), {INPUT: images})
            for picture, row, cams in zip(chunk, _softmax(scores), maps):
                mapped = labels
                if mapped is None:
                    mapped = np.argsort(-row, kind="stable")[:topk].tolist()
                found = self._localization(
                    picture, row, cams=cams, labels=mapped, all_contours=all_contours
                )
                yield picture, found

    def prepare(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Resize and normalise an image as the model was tested.

        Args:
            pixels: (H, W, 3) uint8, BGR.

        Returns:
            (3, height, width) float32.
        """
        facts = self.facts
        if facts.backend == "pillow":
            image = Image.fromarray(pixels)
            filtered = image.resize(facts.input_size, _PILLOW[facts.interpolation])
            resized = np.asarray(filtered)
        else:
            way = _CV2[facts.interpolation]
            resized = cv2.resize(pixels, facts.input_size, interpolation=way)
        ordered = resized[..., ::-1] if facts.to_rgb else resized
        mean, std = np.array([facts.mean, facts.std], dtype=np.float32)
        normalised = (ordered.astype(np.float32) - mean) / std
        return np.ascontiguousarray(normalised.transpose(2, 0, 1))

    def _localization(
        self,
        picture: Picture,
        scores: NDArray[np.float32],
        *,
        cams: NDArray[np.float32],
        labels: Sequence[int],
        all_contours: bool,
    ) -> Localization:
        height, width = picture.pixels.shape[:2]
        found = []
        for label in labels:
            boxes = find_boxes(
                cams[label],
                self.threshold,
                image_size=(width, height),
                all_contours=all_contours,
            )
            name, score = self.classes[label], float(scores[label])
            found.append(LocalizedClass(label, name, score, boxes, cams[label]))
        return Localization(
            source=picture.source,
            width=width,
            height=height,
            classes=tuple(found),
            threshold=self.threshold,
            threshold_source=self.threshold_source,
            num_frames=picture.num_frames,
        )


def _open_session(path: Union[str, Path], providers: Sequence[str]) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            f"{path} needs onnxruntime to run, but it is not installed: install it "
            "with `pip install onnxruntime`."
        ) from error
    if not Path(path).is_file():
        raise ConfigError(f"Model {path} does not exist.")
    try:
        return onnxruntime.InferenceSession(str(path), providers=list(providers))
    except Exception as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"Expected {path} to be an ONNX file, but onnxruntime says: {reason}"
        ) from error


def _softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float32)
