"""Parsers of the annotation texts that ILSVRC CLS-LOC comes with.

- synset mapping: ``<wnid> <class name>``, a line a class (``LOC_synset_mapping.txt``),
- training list: ``<wnid>/<name> <running number>`` (``train_cls.txt``) or
  ``<wnid>/<name>.JPEG <label>`` (``meta/train.txt``),
- label list: ``<name>.JPEG <label>`` (``meta/val.txt``),
- solution: ``<image>,<wnid> <x0> <y0> <x1> <y1> ...`` (``LOC_val_solution.csv``),
- XML: one file an image, one ``object`` a box (``Annotations/CLS-LOC/val``).

A wnid is a WordNet id such as ``n01440764``; a label is the rank of a class among the
sorted wnids, from 0. The parsers take texts, not files; ``source`` names the text in
error messages, together with the line number, counted from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NoReturn
from xml.etree import ElementTree

from mmdgdm.errors import DataError

Box = tuple[int, int, int, int]
#: Text of the boxes of an image as the file has it, before they are checked.
BoxTexts = list[tuple[str, ...]]

WNID = re.compile(r"n[0-9]{8}")
SOLUTION_HEADER = "ImageId,PredictionString"
#: The ending that ILSVRC's own lists leave out.
IMAGE_ENDING = ".JPEG"

_INTEGER = re.compile(r"-?[0-9]+")


def _fail(source: str, number: int, problem: str) -> NoReturn:
    raise DataError(f"{source}, line {number}: {problem}")


def _check_new(
    key: str, known: Mapping[str, object], source: str, number: int, what: str
) -> None:
    if key in known:
        _fail(source, number, f"Expected each {what} once, but got {key!r} again.")


def find_label(wnid: str, labels: Mapping[str, int], where: str) -> int:
    """Return the label of a wnid.

    Args:
        wnid: The WordNet id.
        labels: The label of each known wnid.
        where: File, and line if there is one, for the error message.

    Raises:
        DataError: If the wnid is unknown.
    """
    label = labels.get(wnid)
    if label is None:
        raise DataError(
            f"{where}: Expected one of the {len(labels)} known wnids, but got {wnid!r}."
        )
    return label


def parse_synset_mapping(lines: Iterable[str], source: str) -> dict[str, str]:
    """Parse ``<wnid> <class name>`` lines.

    Args:
        lines: The lines, with or without their ends.
        source: Name of the text in error messages.

    Returns:
        The name of each class by its wnid, sorted by wnid.

    Raises:
        DataError: If a line is malformed or repeats a wnid, or there is none.

    Example:
        >>> parse_synset_mapping(["n02 b, c", "n01440764 tench"], "map.txt")
        Traceback (most recent call last):
        mmdgdm.errors.DataError: map.txt, line 1: Expected '<wnid> <class name>' with \
a wnid such as n01440764, but got 'n02 b, c'.
    """
    names: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        wnid, _, name = line.strip().partition(" ")
        if not WNID.fullmatch(wnid) or not name.strip():
            _fail(
                source,
                number,
                "Expected '<wnid> <class name>' with a wnid such as n01440764, but got "
                f"{line.strip()!r}.",
            )
        _check_new(wnid, names, source, number, "wnid")
        names[wnid] = name.strip()
    if not names:
        raise DataError(f"Expected {source} to name at least one class, but got none.")
    return dict(sorted(names.items()))


def _split_list(lines: Iterable[str], source: str) -> Iterator[tuple[int, str, int]]:
    """Yield number, path and integer of each line ``<path> <integer>``."""
    for number, line in enumerate(lines, start=1):
        path, _, text = line.strip().rpartition(" ")
        if not path or not (text.isascii() and text.isdecimal()):
            _fail(
                source,
                number,
                f"Expected '<path> <integer>', but got {line.strip()!r}.",
            )
        yield number, path, int(text)


def parse_train_list(
    lines: Iterable[str], source: str, labels: Mapping[str, int]
) -> dict[str, int]:
    """Parse a list of training images, whose folders tell their classes.

    A path without an ending takes ``.JPEG``; the integer after it is then a running
    number. After a path with an ending it is the label, and must agree with the folder.

    Args:
        lines: Lines ``<wnid>/<name> <integer>``.
        source: Name of the text in error messages.
        labels: The label of each known wnid.

    Returns:
        The label of each image by its path below the training folder.

    Raises:
        DataError: If a line is malformed, repeats an image, names an unknown wnid, or
            gives a label that contradicts its folder.

    Example:
        >>> parse_train_list(["n01440764/n01440764_18 1"], "train_cls.txt",
        ...                  {"n01440764": 0})
        {'n01440764/n01440764_18.JPEG': 0}
    """
    images: dict[str, int] = {}
    for number, path, value in _split_list(lines, source):
        wnid, _, name = path.partition("/")
        label = labels.get(wnid)
        if label is None or not name:
            _fail(
                source,
                number,
                f"Expected '<wnid>/<image>' with one of the {len(labels)} known wnids, "
                f"but got {path!r}.",
            )
        if "." not in name:
            path += IMAGE_ENDING
        elif value != label:
            _fail(
                source,
                number,
                f"Expected label {label}, the rank of {wnid} among the sorted wnids, "
                f"but got {value}.",
            )
        if path in images:
            _check_new(path, images, source, number, "image")
        images[path] = label
    return images


def parse_label_list(
    lines: Iterable[str], source: str, num_classes: int
) -> dict[str, int]:
    """Parse a list of images and labels.

    Args:
        lines: Lines ``<path> <label>``.
        source: Name of the text in error messages.
        num_classes: Labels must be smaller.

    Returns:
        The label of each image by its path.

    Raises:
        DataError: If a line is malformed, repeats an image, has a path without an
            ending (such lists hold running numbers, not labels), or a label is out of
            range.

    Example:
        >>> parse_label_list(["a.JPEG 65", "b.JPEG 970"], "val.txt", 1000)
        {'a.JPEG': 65, 'b.JPEG': 970}
    """
    images: dict[str, int] = {}
    for number, path, label in _split_list(lines, source):
        if "." not in path.rpartition("/")[2]:
            _fail(
                source,
                number,
                f"Expected '<image>{IMAGE_ENDING} <label>', but got {path!r}; lists "
                "without the ending hold running numbers in place of labels.",
            )
        if label >= num_classes:
            _fail(
                source,
                number,
                f"Expected a label in [0, {num_classes - 1}], but got {label}.",
            )
        _check_new(path, images, source, number, "image")
        images[path] = label
    return images


def parse_solution(
    lines: Iterable[str], source: str, labels: Mapping[str, int]
) -> dict[str, tuple[int, int, BoxTexts]]:
    """Parse the solution of the localization task.

    Args:
        lines: The header and lines ``<image>,<wnid> <x0> <y0> <x1> <y1> ...``, where
            wnid and box are repeated for each box.
        source: Name of the text in error messages.
        labels: The label of each known wnid.

    Returns:
        (line number, label, boxes as texts) of each image, named without ending.

    Raises:
        DataError: If the header is missing, a line is malformed, repeats an image, or
            names an unknown wnid or several.

    Example:
        >>> lines = ["ImageId,PredictionString", "a,n01440764 1 2 3 4 "]
        >>> parse_solution(lines, "solution.csv", {"n01440764": 0})
        {'a': (2, 0, [('1', '2', '3', '4')])}
    """
    images: dict[str, tuple[int, int, BoxTexts]] = {}
    number = 0
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if number == 1:
            if text != SOLUTION_HEADER:
                _fail(source, 1, f"Expected {SOLUTION_HEADER!r}, but got {text!r}.")
            continue
        image, comma, prediction = text.partition(",")
        fields = prediction.split()
        if not image or not comma or not fields or len(fields) % 5:
            _fail(
                source,
                number,
                "Expected '<image>,<wnid> <x0> <y0> <x1> <y1>' with wnid and box "
                f"repeated for each box, but got {text!r}.",
            )
        _check_new(image, images, source, number, "image")
        label = _common_label(fields[::5], labels, f"{source}, line {number}")
        boxes = [tuple(fields[k : k + 4]) for k in range(1, len(fields), 5)]
        images[image] = (number, label, boxes)
    if not images:
        _fail(source, number + 1, "Expected at least one image, but the text ends.")
    return images


def _common_label(wnids: list[str], labels: Mapping[str, int], where: str) -> int:
    """Return the label that all objects of an image share."""
    if len(set(wnids)) > 1:
        raise DataError(
            f"{where}: Expected all objects of an image to be of one class, but got "
            f"{sorted(set(wnids))}."
        )
    return find_label(wnids[0], labels, where)


def parse_xml(
    text: bytes, source: str, labels: Mapping[str, int]
) -> tuple[int, tuple[int, int], BoxTexts]:
    """Parse the XML annotation of an image.

    Args:
        text: Content of the file.
        source: Name of the text in error messages.
        labels: The label of each known wnid.

    Returns:
        Label, (width, height) of the image, and boxes as texts.

    Raises:
        DataError: If the text is no XML, an element is missing, the size is not
            positive, there is no object, or the objects' wnids are unknown or differ.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DataError(f"{source}: Expected an XML annotation ({error}).") from error
    sides = [_find_text(root, f"size/{name}", source) for name in ("width", "height")]
    if not all(side.isascii() and side.isdecimal() and int(side) for side in sides):
        raise DataError(
            f"{source}: Expected `size` to be a positive width and height, but got "
            f"{sides[0]!r} x {sides[1]!r}."
        )
    objects = root.findall("object")
    if not objects:
        raise DataError(f"{source}: Expected at least one `object`, but got none.")
    wnids = [_find_text(item, "name", source) for item in objects]
    boxes = [
        tuple(
            _find_text(item, f"bndbox/{name}", source)
            for name in ("xmin", "ymin", "xmax", "ymax")
        )
        for item in objects
    ]
    label = _common_label(wnids, labels, source)
    return label, (int(sides[0]), int(sides[1])), boxes


def _find_text(item: ElementTree.Element, path: str, source: str) -> str:
    text = (item.findtext(path) or "").strip()
    if not text:
        raise DataError(
            f"{source}: Expected `{item.tag}` to hold `{path}`, but got none."
        )
    return text


def make_boxes(texts: BoxTexts, size: tuple[int, int], where: str) -> list[Box]:
    """Turn the texts of an image's boxes into boxes inside the image.

    The numbers stay as stored, as in the WSOL benchmark (Choe et al., CVPR 2020), but
    for x1 = min(x1, W - 1) and y1 = min(y1, H - 1).

    Args:
        texts: (x0, y0, x1, y1) of each box.
        size: (W, H) of the image in pixels.
        where: File, and line if there is one, for the error message.

    Returns:
        The boxes, x0, y0, x1, y1 in pixels with 0 <= x0 <= x1 <= W - 1 and
        0 <= y0 <= y1 <= H - 1.

    Raises:
        DataError: If a coordinate is no whole number, or a box is reversed or starts
            outside its image.

    Example:
        >>> make_boxes([("85", "1", "500", "272")], (500, 360), "a.xml")
        [(85, 1, 499, 272)]
    """
    right, bottom = size[0] - 1, size[1] - 1
    boxes = []
    for box in texts:
        if not all(map(_INTEGER.fullmatch, box)):
            raise DataError(
                f"{where}: Expected a box of whole numbers, but got {' '.join(box)!r}."
            )
        x0, y0, x1, y1 = map(int, box)
        if not (0 <= x0 <= min(x1, right) and 0 <= y0 <= min(y1, bottom)):
            raise DataError(
                f"{where}: Expected a box x0 y0 x1 y1 with x0 <= x1 and y0 <= y1 that "
                f"starts inside its image of {size[0]} x {size[1]} pixels, but got "
                f"{' '.join(box)!r}."
            )
        boxes.append((x0, y0, min(x1, right), min(y1, bottom)))
    return boxes
