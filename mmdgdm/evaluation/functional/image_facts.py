"""What localization did on one image, as plain data: for pictures and reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdgdm.evaluation.functional.boxes import Box, scale_boxes, stretch_boxes
from mmdgdm.evaluation.functional.coverage import cover_areas
from mmdgdm.evaluation.functional.error_kinds import box_ious, error_kinds
from mmdgdm.evaluation.functional.max_box_acc import LOC_IOU_THRESHOLD
from mmdgdm.evaluation.functional.scoremaps import (
    EVAL_SIZE,
    contour_boxes,
    threshold_levels,
)


@dataclass(frozen=True)
class ImageFacts:
    """What localization did on one image at one threshold.

    Attributes:
        image_id: Name of the image.
        width: Of the image, in pixels.
        height: Likewise.
        threshold: Share of the map's maximum above which the box lies.
        box: The predicted box, x0, y0, x1, y1 in pixels of the image.
        gt_boxes: The ground-truth boxes, likewise; empty if none is known.
        iou: IoU of the box with the best ground-truth box, as the evaluation counts
            it; ``None`` without ground truth.
        kind: One of :data:`~mmdgdm.evaluation.functional.error_kinds.ERROR_KINDS`;
            ``None`` without ground truth.
        label: The true class; ``None`` if it is not known.
        predicted: The class of highest score; ``None`` if it is not known.
        confidence: The score of that class.
        map_label: The class whose map is shown; ``None`` if it is not known.
        true_class: Name of ``label``.
        predicted_class: Name of ``predicted``.
        map_class: Name of ``map_label``.
    """

    image_id: str
    width: int
    height: int
    threshold: float
    box: Box
    gt_boxes: tuple[Box, ...] = ()
    iou: Optional[float] = None
    kind: Optional[str] = None
    label: Optional[int] = None
    predicted: Optional[int] = None
    confidence: Optional[float] = None
    map_label: Optional[int] = None
    true_class: Optional[str] = None
    predicted_class: Optional[str] = None
    map_class: Optional[str] = None


def class_name(
    label: Optional[int], classes: Optional[Sequence[str]] = None
) -> Optional[str]:
    """The name of a class, ``label 7`` where names are not known.

    Example:
        >>> class_name(1, ["cat", "dog"]), class_name(7), class_name(None)
        ('dog', 'label 7', None)
    """
    if label is None:
        return None
    return str(classes[label]) if classes else f"label {label}"


def boxes_over_thresholds(
    quantized: NDArray[np.uint8],
    thresholds: ArrayLike,
    *,
    image_size: tuple[int, int] = EVAL_SIZE,
) -> NDArray[np.float64]:
    """The box of the largest contour of a map at each threshold.

    Args:
        quantized: (H, W) uint8, the quantised map
            (:func:`~mmdgdm.evaluation.functional.scoremaps.quantize_scoremap`).
        thresholds: (T,), each in [0, 1).
        image_size: (width, height) of the image that the map shows.

    Returns:
        (T, 4), x0, y0, x1, y1 in pixels of the image.

    Raises:
        ConfigError: If a threshold is out of range.
        DataError: If the map is malformed.

    Example:
        >>> quantized = np.array([[0, 100, 255, 0]], dtype=np.uint8)
        >>> boxes_over_thresholds(quantized, [0.1, 0.5], image_size=(4, 1)).tolist()
        [[1.0, 0.0, 3.0, 0.0], [2.0, 0.0, 3.0, 0.0]]
    """
    levels = threshold_levels(thresholds, int(quantized.max(initial=0)))
    found: dict[int, NDArray[np.int64]] = {}
    for level in np.unique(levels).tolist():
        boxes = contour_boxes(quantized, level)
        found[level] = boxes.boxes[boxes.largest]
    grid = (quantized.shape[1], quantized.shape[0])
    rows = np.array([found[level] for level in levels.tolist()]).reshape(-1, 4)
    return stretch_boxes(rows, grid, image_size=image_size)


def describe_image(
    quantized: NDArray[np.uint8],
    threshold: float,
    *,
    image_id: str,
    image_size: tuple[int, int],
    gt_boxes: ArrayLike = (),
    label: Optional[int] = None,
    scores: Optional[ArrayLike] = None,
    map_label: Optional[int] = None,
    classes: Optional[Sequence[str]] = None,
    iou_threshold: float = LOC_IOU_THRESHOLD,
) -> ImageFacts:
    """Localize an object by its map, and say how good that is.

    The box and its IoU are those of the evaluation: single contour, on the grid of
    224 x 224.

    Args:
        quantized: (224, 224) uint8, the quantised map.
        threshold: In [0, 1).
        image_id: Name of the image.
        image_size: (width, height) of the image.
        gt_boxes: (K, 4), x0, y0, x1, y1 in pixels of the image; none if not known.
        label: The true class.
        scores: (C,), the scores of the classes.
        map_label: The class whose map it is.
        classes: Names of the classes.
        iou_threshold: The IoU that the box must reach.

    Returns:
        The facts.

    Raises:
        ConfigError: If a threshold is out of range.
        DataError: If the map or the boxes are malformed.
    """
    (box,) = boxes_over_thresholds(quantized, [threshold])
    truth = np.asarray(gt_boxes, dtype=np.float64).reshape(-1, 4)
    predicted, confidence = None, None
    if scores is not None:
        array = np.asarray(scores)
        predicted = int(array.argmax())
        confidence = float(array[predicted])
    iou, kind = None, None
    if len(truth):
        scaled = scale_boxes(truth, image_size, target_size=EVAL_SIZE)
        areas = cover_areas(box[None].astype(np.int64), scaled)
        known = label is not None and predicted is not None
        right = [label == predicted] if known else None
        iou = float(box_ious(areas)[0])
        (kind,) = error_kinds(areas, right, iou_threshold=iou_threshold)
    (shown,) = stretch_boxes(box[None], EVAL_SIZE, image_size=image_size)
    return ImageFacts(
        image_id=image_id,
        width=image_size[0],
        height=image_size[1],
        threshold=threshold,
        box=_as_box(shown),
        gt_boxes=tuple(map(_as_box, truth)),
        iou=iou,
        kind=kind,
        label=label,
        predicted=predicted,
        confidence=confidence,
        map_label=map_label,
        true_class=class_name(label, classes),
        predicted_class=class_name(predicted, classes),
        map_class=class_name(map_label, classes),
    )


def _as_box(row: NDArray[Any]) -> Box:
    x0, y0, x1, y1 = (float(value) for value in row)
    return x0, y0, x1, y1
