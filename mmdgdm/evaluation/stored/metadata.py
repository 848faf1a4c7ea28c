"""Read a split of a data set in the WSOL benchmark's metadata text form."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.metadata import (
    Box,
    parse_boxes,
    parse_class_labels,
    parse_image_ids,
    parse_image_sizes,
    parse_mask_paths,
)

IMAGE_IDS = "image_ids.txt"
CLASS_LABELS = "class_labels.txt"
IMAGE_SIZES = "image_sizes.txt"
LOCALIZATION = "localization.txt"


@dataclass(frozen=True)
class SplitMetadata:
    """What is known about the images of a split.

    Attributes:
        image_ids: Paths of the images below the data set's root, in file order.
        labels: Class of each image, counted from 0.
        image_sizes: (width, height) of each image in pixels; empty if not read,
            or if a data set with masks gives none.
        boxes: Boxes of each image, x0, y0, x1, y1 in pixels of the original image
            with 0 <= x0 <= x1 <= width - 1 and likewise in y; empty if not read,
            or for a data set with masks.
        masks: (mask path, ignore path or ``""``) of each image's masks; ``None``
            if not read, or for a data set with boxes.
    """

    image_ids: list[str]
    labels: dict[str, int]
    image_sizes: dict[str, tuple[int, int]]
    boxes: dict[str, list[Box]]
    masks: Optional[dict[str, list[tuple[str, str]]]]


def read_split(
    folder: Union[str, os.PathLike[str]],
    num_classes: Optional[int] = None,
    with_boxes: bool = True,
) -> SplitMetadata:
    """Read the metadata of a split and check that its files agree.

    The folder holds (see :mod:`mmdgdm.evaluation.functional.metadata`)::

        image_ids.txt      id
        class_labels.txt   id,label
        image_sizes.txt    id,width,height
        localization.txt   id,x0,y0,x1,y1  or  id,mask_path,ignore_path

    Whether a data set has boxes or masks is read off the first line of
    ``localization.txt``. With masks, ``image_sizes.txt`` may be empty.

    Args:
        folder: Folder of the split, such as ``metadata/CUB/test``.
        num_classes: If given, labels must be smaller.
        with_boxes: Whether to read ``image_sizes.txt`` and ``localization.txt``.
            If not, neither needs to exist: training is from image labels alone.

    Returns:
        The split's metadata.

    Raises:
        DataError: If a file is missing or no text, a line is malformed, an image
            comes twice or in one file but not in another, a label is out of range,
            a box is outside its image, or an image has neither box nor mask.
    """
    root = Path(folder)
    path = root / IMAGE_IDS
    image_ids = parse_image_ids(_read_lines(path), str(path))
    if not image_ids:
        raise DataError(f"Expected {path} to name at least one image, but got none.")
    path = root / CLASS_LABELS
    labels = parse_class_labels(_read_lines(path), str(path), num_classes)
    _check_same_images(image_ids, labels, path)
    if not with_boxes:
        return SplitMetadata(image_ids, labels, {}, {}, None)

    path = root / IMAGE_SIZES
    sizes = parse_image_sizes(_read_lines(path), str(path))
    if sizes:
        _check_same_images(image_ids, sizes, path)
    path = root / LOCALIZATION
    lines = _read_lines(path)
    if _holds_masks(lines):
        masks = parse_mask_paths(lines, str(path))
        _check_same_images(image_ids, masks, path)
        return SplitMetadata(image_ids, labels, sizes, {}, masks)
    if not sizes:
        raise DataError(
            f"Expected {root / IMAGE_SIZES} to give the sizes of the images, since "
            f"{path} holds boxes, but got an empty file."
        )
    boxes = parse_boxes(lines, str(path), sizes)
    _check_same_images(image_ids, boxes, path)
    return SplitMetadata(image_ids, labels, sizes, boxes, None)


def write_split(
    folder: Union[str, os.PathLike[str]],
    labels: Mapping[str, int],
    image_sizes: Mapping[str, tuple[int, int]],
    boxes: Mapping[str, Iterable[Box]],
) -> None:
    """Write the metadata of a split with boxes, for :func:`read_split`.

    Args:
        folder: Folder of the split; made if missing, its files are replaced.
        labels: Class of each image, counted from 0, in the order to be written.
        image_sizes: (width, height) of each image in pixels.
        boxes: Boxes of each image, x0, y0, x1, y1 in pixels of the original image.

    Raises:
        DataError: If an image id holds a comma or a line break, or a file cannot be
            written.
    """
    for image_id in labels:
        if "," in image_id or image_id.splitlines() != [image_id]:
            raise DataError(
                "Expected image ids without commas and line breaks, which part the "
                f"fields of metadata, but got {image_id!r}."
            )
    texts = {
        IMAGE_IDS: list(labels),
        CLASS_LABELS: [f"{name},{label}" for name, label in labels.items()],
        IMAGE_SIZES: ["{},{},{}".format(name, *image_sizes[name]) for name in labels],
        LOCALIZATION: [
            ",".join([name, *(_shortest(value) for value in box)])
            for name in labels
            for box in boxes[name]
        ],
    }
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for file_name, lines in texts.items():
            path = Path(folder) / file_name
            path.write_text("\n".join(lines), encoding="utf-8")
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error}).") from error


def _shortest(value: float) -> str:
    """The shortest text that reads back as the same number."""
    return repr(float(value)).removesuffix(".0")


def _read_lines(path: Path) -> list[str]:
    try:
        # Iterated, since str.splitlines also breaks at rarer characters.
        with path.open(encoding="utf-8") as file:
            return list(file)
    except (OSError, UnicodeDecodeError) as err:
        raise DataError(
            f"Expected {path} to be a readable UTF-8 text, but got: {err}."
        ) from err


def _holds_masks(lines: Iterable[str]) -> bool:
    return next(iter(lines), "").count(",") == 2


def _check_same_images(
    image_ids: list[str], described: Collection[str], path: Path
) -> None:
    """Check that a file describes the images of ``image_ids.txt`` and no others."""
    ids_path = path.with_name(IMAGE_IDS)
    for number, image_id in enumerate(image_ids, start=1):
        if image_id not in described:
            raise DataError(
                f"{ids_path}, line {number}: Expected each image to have a line in "
                f"{path}, but got none for {image_id!r}."
            )
    if len(described) == len(image_ids):
        return
    known = set(image_ids)
    for number, line in enumerate(_read_lines(path), start=1):
        image_id = line.split(",")[0]
        if image_id not in known:
            raise DataError(
                f"{path}, line {number}: Expected only images of {ids_path}, but "
                f"got {image_id!r}."
            )
