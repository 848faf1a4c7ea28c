"""Read the boxes of ILSVRC's test images, past every entry that is wrong."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple, Optional
from xml.etree import ElementTree

from mmdgdm.datasets.prepare.report import Report
from mmdgdm.datasets.prepare.text_files import read_lines

Box = tuple[float, float, float, float]
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class Annotation(NamedTuple):
    """Class and boxes of an image.

    Attributes:
        where: The file that says so.
        line: Its line, if it describes several images.
        wnid: WordNet id of the class.
        boxes: x0, y0, x1, y1 in pixels of the original image.
    """

    where: Path
    line: Optional[int]
    wnid: str
    boxes: list[Box]


def read_xml_folder(folder: Path, report: Report) -> dict[str, Annotation]:
    """Read one XML file per image; an image's name is that of its file.

    Args:
        folder: The folder of the files.
        report: Takes the problems.

    Returns:
        The annotation of each image by its name without ending.
    """
    found = {}
    for path in sorted(folder.glob("*.xml")):
        try:
            tree = ElementTree.parse(path)
        except (ElementTree.ParseError, OSError, UnicodeDecodeError) as error:
            report.add("malformed annotation", path, f"{error}", path.stem)
            continue
        texts = [
            (
                item.findtext("name", ""),
                [item.findtext(f"bndbox/{c}") for c in _CORNERS],
            )
            for item in tree.iter("object")
        ]
        annotation = _make(path, None, path.stem, texts, report)
        if annotation is not None:
            found[path.stem] = annotation
    return found


def read_solution(path: Path, report: Report) -> dict[str, Annotation]:
    """Read Kaggle's ``<image>,<wnid> <x0> <y0> <x1> <y1> ...``, a line an image.

    Args:
        path: The file ``LOC_val_solution.csv``.
        report: Takes the problems.

    Returns:
        The annotation of each image by its name without ending.
    """
    found: dict[str, Annotation] = {}
    for number, line in enumerate(read_lines(path, report) or [], start=1):
        name, _, rest = line.partition(",")
        if number == 1 and name == "ImageId":
            continue
        words = rest.split()
        if not name or not words or len(words) % 5:
            message = f"Expected '<image>,<wnid> <x0> <y0> <x1> <y1> ...', got {line!r}"
            report.add("malformed line", path, message, line=number)
            continue
        if name in found:
            message = f"comes again (first on line {found[name].line})"
            report.add("duplicate id", path, message, name, number)
            continue
        texts = [
            (words[i], list(words[i + 1 : i + 5])) for i in range(0, len(words), 5)
        ]
        annotation = _make(path, number, name, texts, report)
        if annotation is not None:
            found[name] = annotation
    return found


def _make(
    path: Path,
    line: Optional[int],
    name: str,
    texts: list[tuple[str, list]],
    report: Report,
) -> Optional[Annotation]:
    wnids = {wnid for wnid, _ in texts}
    if len(wnids) != 1:
        got = ", ".join(sorted(wnids)) or "none"
        message = f"Expected objects of one class, but got {got}"
        report.add("malformed annotation", path, message, name, line)
        return None
    boxes: list[Box] = []
    for _, corners in texts:
        try:
            x0, y0, x1, y1 = (float(text) for text in corners)
        except (TypeError, ValueError):
            x0 = y0 = x1 = y1 = math.nan
        if all(map(math.isfinite, (x0, y0, x1, y1))):
            boxes.append((x0, y0, x1, y1))
        else:
            message = f"Expected a box of four numbers, but got {corners}"
            report.add("malformed annotation", path, message, name, line)
    return Annotation(path, line, wnids.pop(), boxes)


def check_boxes(
    name: str,
    annotation: Annotation,
    size: Optional[tuple[int, int]],
    report: Report,
) -> bool:
    """Report boxes of no size and those that lie outside their image.

    Args:
        name: The image.
        annotation: Its boxes.
        size: (width, height), if known.
        report: Takes the problems.

    Returns:
        Whether a box reaches past the last pixel and is clipped when read.
    """
    clipped = False
    for box in annotation.boxes:
        x0, y0, x1, y1 = box
        text = ",".join(f"{value:g}" for value in box)
        where, line = annotation.where, annotation.line
        if x1 <= x0 or y1 <= y0:
            message = f"Expected x0 < x1 and y0 < y1, but got {text}"
            report.add("box of no size", where, message, name, line)
        elif size is not None and not (
            0 <= x0 < size[0] and 0 <= y0 < size[1] and x1 <= size[0] and y1 <= size[1]
        ):
            message = f"the box {text} leaves its image of {size[0]} x {size[1]}"
            report.add("box outside image", where, message, name, line)
        elif size is not None and (x1 == size[0] or y1 == size[1]):
            clipped = True
    return clipped
