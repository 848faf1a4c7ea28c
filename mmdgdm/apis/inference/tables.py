"""Boxes in the forms that other programs read: COCO and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: In what forms results can be written.
FORMS = ("image", "json", "coco", "csv", "npy")
#: Columns of the table.
COLUMNS = ("image", "label", "name", "score", "x0", "y0", "x1", "y1", "threshold")
Entries = Sequence[Mapping[str, Any]]


def _boxes(entries: Entries) -> Iterator[tuple[int, Mapping, Mapping, list[float]]]:
    """Number and entry of an image, class, and box; boxes without an area are none."""
    for number, entry in enumerate(entries, start=1):
        for found in entry["classes"]:
            for x0, y0, x1, y1 in found["boxes"]:
                if x1 > x0 and y1 > y0:
                    yield number, entry, found, [x0, y0, x1, y1]


def _coco_box(box: Sequence[float]) -> list[float]:
    x0, y0, x1, y1 = box
    return [x0, y0, x1 - x0, y1 - y0]


def coco_results(entries: Entries) -> list[dict[str, Any]]:
    """The boxes as COCO's result files hold them.

    Args:
        entries: One of ``Localization.to_dict()`` for each image.

    Returns:
        For each box ``image_id``, ``category_id``, ``bbox`` (x, y, width, height) and
        ``score``. Images and categories count from 1, as in :func:`coco_ground_truth`.
    """
    return [
        dict(
            image_id=number,
            category_id=found["label"] + 1,
            bbox=_coco_box(box),
            score=found["score"],
        )
        for number, _, found, box in _boxes(entries)
    ]


def coco_ground_truth(
    entries: Entries, file_names: Sequence[str], *, classes: Sequence[str]
) -> dict[str, Any]:
    """The boxes as if they were annotations: pseudo-labels in COCO's form.

    Args:
        entries: One of ``Localization.to_dict()`` for each image.
        file_names: For each image its path below the folder of all.
        classes: Names of all classes.

    Returns:
        ``images``, ``annotations`` and ``categories``; all count from 1.
    """
    annotations: list[dict[str, Any]] = []
    for number, _, found, box in _boxes(entries):
        bbox = _coco_box(box)
        annotations.append(
            dict(
                id=len(annotations) + 1,
                image_id=number,
                category_id=found["label"] + 1,
                bbox=bbox,
                area=bbox[2] * bbox[3],
                iscrowd=0,
            )
        )
    images = [
        dict(id=i, file_name=name, width=entry["width"], height=entry["height"])
        for i, (entry, name) in enumerate(zip(entries, file_names), start=1)
    ]
    categories = [dict(id=i, name=name) for i, name in enumerate(classes, start=1)]
    return dict(images=images, annotations=annotations, categories=categories)


def csv_table(entries: Entries) -> str:
    """The boxes as a table, one a line, with :data:`COLUMNS` as its head.

    Args:
        entries: One of ``Localization.to_dict()`` for each image.

    Returns:
        The text.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for _, entry, found, box in _boxes(entries):
        facts = [entry["image"], found["label"], found["name"], found["score"]]
        writer.writerow([*facts, *box, entry["threshold"]])
    return buffer.getvalue()
