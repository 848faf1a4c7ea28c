"""Parsers of the WSOL benchmark's metadata text form.

A split is described by four texts, one entry a line, fields parted by commas:

- image ids: ``id``,
- class labels: ``id,label`` with labels counted from 0,
- image sizes: ``id,width,height`` in pixels,
- localization: ``id,x0,y0,x1,y1``, one line per box, or, for data sets with
  masks, ``id,mask_path,ignore_path``, one line per mask.

Boxes are x0, y0, x1, y1 in pixels of the original image, with
0 <= x0 <= x1 <= width - 1 and 0 <= y0 <= y1 <= height - 1.

The parsers take lines, so they serve files, archives and tests alike. ``source``
names where the lines come from and opens every error message, together with the
line number, counted from 1.

Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods
Right, CVPR 2020.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NoReturn, Optional

from mmdgdm.errors import DataError

Box = tuple[float, float, float, float]

_NON_NEGATIVE_INTEGER = re.compile(r"[0-9]+")


def _fail(source: str, number: int, problem: str) -> NoReturn:
    raise DataError(f"{source}, line {number}: {problem}")


def _split_lines(
    lines: Iterable[str], source: str, form: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each line and its fields, as many as ``form`` has."""
    num_fields = form.count(",") + 1
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        fields = text.split(",")
        if len(fields) != num_fields or not fields[0].strip():
            _fail(source, number, f"Expected `{form}`, but got {text!r}.")
        yield number, fields


def _parse_integer(text: str, source: str, number: int, name: str) -> int:
    if not _NON_NEGATIVE_INTEGER.fullmatch(text):
        _fail(
            source,
            number,
            f"Expected `{name}` to be an integer >= 0, but got {text!r}.",
        )
    return int(text)


def _parse_coordinate(text: str, source: str, number: int, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        _fail(source, number, f"Expected `{name}` to be a number, but got {text!r}.")
    return value


def _check_new(
    image_id: str, known: Mapping[str, object], source: str, number: int
) -> None:
    if image_id in known:
        # One line an image, so the position in the mapping is the line.
        first = list(known).index(image_id) + 1
        _fail(
            source,
            number,
            f"Expected each image once, but got {image_id!r} again, which line "
            f"{first} has already.",
        )


def parse_image_ids(lines: Iterable[str], source: str) -> list[str]:
    """Parse image ids, which are paths below the data set's root.

    Args:
        lines: Lines ``id``, with or without their line ends.
        source: Name of the text in error messages, such as its path.

    Returns:
        The ids in the order of the lines.

    Raises:
        DataError: If a line is empty, holds a comma or repeats an id.

    Example:
        >>> parse_image_ids(["a/1.jpg", "b/2.jpg"], "image_ids.txt")
        ['a/1.jpg', 'b/2.jpg']
    """
    image_ids: dict[str, None] = {}
    for number, (image_id,) in _split_lines(lines, source, "id"):
        _check_new(image_id, image_ids, source, number)
        image_ids[image_id] = None
    return list(image_ids)


def parse_class_labels(
    lines: Iterable[str], source: str, num_classes: Optional[int] = None
) -> dict[str, int]:
    """Parse class labels.

    Args:
        lines: Lines ``id,label``.
        source: Name of the text in error messages.
        num_classes: If given, labels must be smaller.

    Returns:
        The label of each image, in the order of the lines.

    Raises:
        DataError: If a line is malformed, a label is out of range, or an image
            comes twice.

    Example:
        >>> parse_class_labels(["a/1.jpg,0", "b/2.jpg,7"], "class_labels.txt")
        {'a/1.jpg': 0, 'b/2.jpg': 7}
    """
    labels: dict[str, int] = {}
    for number, (image_id, text) in _split_lines(lines, source, "id,label"):
        _check_new(image_id, labels, source, number)
        label = _parse_integer(text, source, number, "label")
        if num_classes is not None and label >= num_classes:
            _fail(
                source,
                number,
                f"Expected `label` to be in [0, {num_classes - 1}], since there are "
                f"{num_classes} classes, but got {label}.",
            )
        labels[image_id] = label
    return labels


def parse_image_sizes(lines: Iterable[str], source: str) -> dict[str, tuple[int, int]]:
    """Parse image sizes.

    Args:
        lines: Lines ``id,width,height``.
        source: Name of the text in error messages.

    Returns:
        (width, height) of each image in pixels, in the order of the lines.

    Raises:
        DataError: If a line is malformed, a side is 0, or an image comes twice.

    Example:
        >>> parse_image_sizes(["a/1.jpg,500,375"], "image_sizes.txt")
        {'a/1.jpg': (500, 375)}
    """
    sizes: dict[str, tuple[int, int]] = {}
    for number, (image_id, *texts) in _split_lines(lines, source, "id,width,height"):
        _check_new(image_id, sizes, source, number)
        width, height = (
            _parse_integer(text, source, number, name)
            for text, name in zip(texts, ("width", "height"))
        )
        if not width or not height:
            _fail(
                source,
                number,
                f"Expected width and height to be positive, but got {width} x "
                f"{height}.",
            )
        sizes[image_id] = (width, height)
    return sizes


def parse_boxes(
    lines: Iterable[str],
    source: str,
    image_sizes: Optional[Mapping[str, tuple[int, int]]] = None,
) -> dict[str, list[Box]]:
    """Parse boxes; an image may have several.

    Args:
        lines: Lines ``id,x0,y0,x1,y1`` in pixels of the original image.
        source: Name of the text in error messages.
        image_sizes: (width, height) of every image. If given, each box must
            lie within its image.

    Returns:
        The boxes of each image, in the order of the lines.

    Raises:
        DataError: If a line is malformed, a box is reversed or outside its image,
            or an image is not among ``image_sizes``.

    Example:
        >>> parse_boxes(["a.jpg,3,4,10,20", "a.jpg,0,0,5,5"], "localization.txt")
        {'a.jpg': [(3.0, 4.0, 10.0, 20.0), (0.0, 0.0, 5.0, 5.0)]}
    """
    boxes: dict[str, list[Box]] = {}
    for number, (image_id, *texts) in _split_lines(lines, source, "id,x0,y0,x1,y1"):
        x0, y0, x1, y1 = (
            _parse_coordinate(text, source, number, name)
            for text, name in zip(texts, ("x0", "y0", "x1", "y1"))
        )
        limit_x = limit_y = math.inf
        bounds = ""
        if image_sizes is not None:
            if image_id not in image_sizes:
                _fail(source, number, f"Image {image_id!r} has no known size.")
            width, height = image_sizes[image_id]
            limit_x, limit_y = width - 1, height - 1
            bounds = f" within the image's {width} x {height} pixels"
        if not (0 <= x0 <= x1 <= limit_x and 0 <= y0 <= y1 <= limit_y):
            _fail(
                source,
                number,
                f"Expected a box x0,y0,x1,y1 with 0 <= x0 <= x1 and 0 <= y0 <= "
                f"y1{bounds}, but got {','.join(texts)}.",
            )
        boxes.setdefault(image_id, []).append((x0, y0, x1, y1))
    return boxes


def parse_mask_paths(
    lines: Iterable[str], source: str
) -> dict[str, list[tuple[str, str]]]:
    """Parse the paths of masks; an image may have several.

    Args:
        lines: Lines ``id,mask_path,ignore_path``. Only an image's first line may
            name the mask of its ignored region.
        source: Name of the text in error messages.

    Returns:
        (mask path, ignore path or ``""``) of each image's masks, in the order of
        the lines.

    Raises:
        DataError: If a line is malformed or an image names two ignore masks.

    Example:
        >>> parse_mask_paths(["a.jpg,m1.png,i.png", "a.jpg,m2.png,"], "loc.txt")
        {'a.jpg': [('m1.png', 'i.png'), ('m2.png', '')]}
    """
    masks: dict[str, list[tuple[str, str]]] = {}
    form = "id,mask_path,ignore_path"
    for number, (image_id, mask, ignore) in _split_lines(lines, source, form):
        if not mask.strip():
            _fail(source, number, "Expected `mask_path` to be a path, but got ''.")
        if image_id in masks and ignore:
            _fail(
                source,
                number,
                f"Expected `ignore_path` on the first line of image {image_id!r} "
                f"only, but got {ignore!r} on a further one.",
            )
        masks.setdefault(image_id, []).append((mask, ignore))
    return masks
