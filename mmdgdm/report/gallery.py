"""The images of a report: small, with boxes at every threshold.

A page cannot follow borders as OpenCV does, so it finds no box: it looks each up. What
a threshold selects depends on its integer level alone
(:func:`~mmdgdm.evaluation.functional.scoremaps.threshold_levels`), of which a quantised
map has at most 255. For each level the page holds seven bytes: the box on the grid of
224 x 224, the kind of error, and 10,000 times the IoU. All are the evaluation's own.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.boxes import scale_boxes
from mmdgdm.evaluation.functional.coverage import cover_areas
from mmdgdm.evaluation.functional.error_kinds import (
    ERROR_KINDS,
    box_ious,
    error_kinds,
)
from mmdgdm.evaluation.functional.image_facts import boxes_over_thresholds
from mmdgdm.evaluation.functional.scoremaps import EVAL_SIZE
from mmdgdm.visualization.canvas import Pixels
from mmdgdm.visualization.choosing import spread_over_classes
from mmdgdm.visualization.sheets import Shot

#: Stands for the kind of an image whose boxes are not known.
NO_KIND = 255
#: Longer side of a small image, and sides of a small map, in pixels.
_SIDE, _MAP_SIDE = 256, 56
#: A small image takes no more bytes than this, of a map this many.
_IMAGE_BYTES, _MAP_BYTES = 13_000, 1_900
_QUALITIES = (88, 80, 70, 60, 50, 40, 30, 20, 10, 5)


def level_table(shot: Shot) -> NDArray[np.uint8]:
    """Box, kind of error and IoU at each level of a map.

    Args:
        shot: An image with its map.

    Returns:
        (L, 7) uint8, L the largest value of the map and at least 1: x0, y0, x1, y1 on
        the grid of 224 x 224; the place in ``ERROR_KINDS``, or ``NO_KIND`` without
        ground truth; and 10,000 times the IoU, rounded, in two bytes, high one first.
    """
    facts = shot.facts
    top = max(1, int(shot.quantized.max()))
    # The middle of a level, so that no rounding leads to its neighbour.
    boxes = boxes_over_thresholds(shot.quantized, (np.arange(top) + 0.5) / top)
    table = np.zeros((top, 7), dtype=np.uint8)
    table[:, :4] = boxes
    table[:, 4] = NO_KIND
    if facts.gt_boxes:
        size = (facts.width, facts.height)
        truth = scale_boxes(facts.gt_boxes, size, target_size=EVAL_SIZE)
        areas = cover_areas(boxes.astype(np.int64), truth)
        known = facts.label is not None and facts.predicted is not None
        right = [facts.label == facts.predicted] * top if known else None
        table[:, 4] = [ERROR_KINDS.index(kind) for kind in error_kinds(areas, right)]
        ious = np.rint(box_ious(areas) * 10_000).astype(np.int64)
        table[:, 5], table[:, 6] = ious // 256, ious % 256
    return table


def make_gallery(
    runs: Sequence[Sequence[Shot]], *, most: int
) -> tuple[list[dict[str, Any]], int]:
    """What a page needs of the images that all runs drew.

    Args:
        runs: The images of each run.
        most: How many images to take; of more, some are chosen, spread over classes.

    Returns:
        An entry an image, and how many images all runs drew.

    Raises:
        DataError: If the runs drew no image in common, or of one not the same object.
    """
    by_name = [{shot.facts.image_id: shot for shot in run} for run in runs]
    names = [n for n in by_name[0] if all(n in other for other in by_name[1:])]
    if not names:
        raise DataError(
            "Expected runs that drew some of the same images, but got none in common."
        )
    labels = [by_name[0][name].facts.label for name in names]
    groups = [-1 if label is None else label for label in labels]
    chosen = [names[place] for place in spread_over_classes(groups, most)]
    entries = [_entry([found[name] for found in by_name]) for name in chosen]
    return entries, len(names)


def _entry(shots: Sequence[Shot]) -> dict[str, Any]:
    """One image, and what each run made of it."""
    first = shots[0].facts
    for shot in shots[1:]:
        same = ("label", "gt_boxes", "width", "height")
        if any(getattr(shot.facts, name) != getattr(first, name) for name in same):
            raise DataError(
                f"Expected {first.image_id!r} to have the same class, size and boxes "
                "in all runs, but they differ."
            )
    scale = np.array([*EVAL_SIZE, *EVAL_SIZE]) / np.array(
        [first.width, first.height] * 2
    )
    return dict(
        id=first.image_id,
        width=first.width,
        height=first.height,
        label=first.label,
        name=first.true_class,
        truth=[np.round(np.array(box) * scale, 2).tolist() for box in first.gt_boxes],
        image=small_image(shots[0].image),
        runs=[_run(shot) for shot in shots],
    )


def _run(shot: Shot) -> dict[str, Any]:
    facts = shot.facts
    confidence = facts.confidence
    return dict(
        predicted=facts.predicted_class,
        confidence=None if confidence is None else round(confidence, 4),
        shown=facts.map_class,
        map=small_map(shot.quantized),
        levels=base64.b64encode(level_table(shot).tobytes()).decode(),
    )


def small_image(image: Pixels) -> str:
    """An image in a page: its longer side at most 256 pixels, at most 13,000 bytes.

    Args:
        image: (H, W, 3) uint8, RGB.

    Returns:
        A ``data:`` address of a JPEG, as good as the size allows.
    """
    factor = min(1.0, _SIDE / max(image.shape[:2]))
    size = [max(1, round(side * factor)) for side in image.shape[1::-1]]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return _encode(np.ascontiguousarray(small[..., ::-1]), _IMAGE_BYTES)


def small_map(quantized: NDArray[np.uint8]) -> str:
    """A map in a page, to be seen only: 56 x 56 grey levels, at most 1,900 bytes.

    Returns:
        A ``data:`` address of a JPEG.
    """
    size = (_MAP_SIDE, _MAP_SIDE)
    return _encode(
        cv2.resize(quantized, size, interpolation=cv2.INTER_AREA), _MAP_BYTES
    )


def _encode(pixels: Any, limit: int) -> str:
    for quality in _QUALITIES:
        _, data = cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, quality))
        if len(data) <= limit:
            break
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
