"""Boxes in the files of other programs: COCO, Pascal VOC, YOLO and tables.

Coordinates become the package's: x0, y0, x1, y1 in pixels of the stored image. Where a
form gives a width, x1 = x0 + width, as the benchmark reads CUB; ends past the last
pixel are clipped to it by the one rule for all forms
(:func:`mmdgdm.evaluation.functional.boxes.fit_box`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.utils.faults import Faults, is_hidden, parse_numbers, read_lines
from mmdgdm.utils.json_files import read_json
from mmdgdm.utils.xml_files import read_xml
from mmdgdm.utils.yaml_files import read_yaml

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_COLUMNS = ("image", "x0", "y0", "x1", "y1")
_FORMS = (
    "a COCO file (.json), a table (.csv), a folder of VOC's .xml files, or a folder of "
    "YOLO's .txt files with `classes.txt` or `data.yaml`"
)


class FoundBox(NamedTuple):
    """A box as a file gives it.

    Attributes:
        where: The file.
        line: Its line, where it has lines.
        image: The image as the file calls it: a path, with or without its ending.
        name: Its class; ``None`` if the file tells none.
        box: x0, y0, x1, y1.
        relative: Whether the box is in shares of the image's width and height.
    """

    where: Path
    line: Optional[int]
    image: str
    name: Optional[str]
    box: tuple[float, ...]
    relative: bool = False


def read_boxes(path: Path, faults: Faults) -> list[FoundBox]:
    """Read the boxes of a file or a folder, whatever its form.

    Args:
        path: A COCO file, a table with the columns image, x0, y0, x1, y1 and, if
            wanted, name, or a folder of VOC or YOLO files.
        faults: Takes what is malformed.

    Returns:
        The boxes.

    Raises:
        ConfigError: If the path is of no known form.
    """
    return list(_reader(path)(path, faults))


def _reader(path: Path) -> Callable[[Path, Faults], Iterator[FoundBox]]:
    if path.is_file() and path.suffix == ".json":
        return read_coco
    if path.is_file() and path.suffix == ".csv":
        return _read_table
    if path.is_dir() and next(path.rglob("*.xml"), None):
        return _read_voc
    if path.is_dir() and _find_yolo_names(path):
        return _read_yolo
    raise ConfigError(f"Expected `--boxes` to be {_FORMS}, but got {path}.")


def read_coco(path: Path, faults: Faults) -> Iterator[FoundBox]:
    """Read the boxes of a COCO file.

    Args:
        path: The file, with ``images``, ``annotations`` and ``categories``.
        faults: Takes what is malformed.

    Yields:
        The boxes, with the names of their categories.
    """
    try:
        content: Any = read_json(path)
        names = {item["id"]: item["name"] for item in content["categories"]}
        images = {item["id"]: item["file_name"] for item in content["images"]}
        rows = [
            (images[row["image_id"]], names[row["category_id"]], row["bbox"])
            for row in content["annotations"]
        ]
        known = (*names.values(), *images.values())
        if not all(isinstance(text, str) for text in known):
            raise TypeError("Expected `name` and `file_name` to be texts")
    except (OSError, ValueError, KeyError, TypeError) as error:
        faults.add("malformed file", path, message=f"is no COCO file ({error!r})")
        return
    for image, name, numbers in rows:
        try:
            texts = map(str, numbers if isinstance(numbers, list) else [numbers])
            x, y, width, height = parse_numbers(texts, "x y width height")
        except DataError as error:
            faults.add("wrong box", path, message=f"{error}", image_id=image)
            continue
        yield FoundBox(path, None, image, name, (x, y, x + width, y + height))


def _read_table(path: Path, faults: Faults) -> Iterator[FoundBox]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            yield from _read_rows(path, csv.DictReader(file), faults)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        faults.add("malformed file", path, message=f"is no readable table ({error})")


def _read_rows(
    path: Path, rows: csv.DictReader[str], faults: Faults
) -> Iterator[FoundBox]:
    lacking = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
    if lacking:
        message = f"Expected the columns {', '.join(_COLUMNS)}, but got "
        message += ", ".join(rows.fieldnames or ["none"])
        faults.add("malformed file", path, message=message, line=1)
        return
    for row in rows:
        line, image = rows.line_num, row["image"] or ""
        try:
            box = parse_numbers([row[c] or "" for c in _COLUMNS[1:]], "x0 y0 x1 y1")
        except DataError as error:
            faults.add("wrong box", path, message=f"{error}", line=line)
            continue
        yield FoundBox(path, line, image, row.get("name"), box)


def _read_voc(folder: Path, faults: Faults) -> Iterator[FoundBox]:
    for path in _list_files(folder, "*.xml"):
        # The file's own name tells the image: what it holds is that of an older place.
        image = path.relative_to(folder).with_suffix("").as_posix()
        try:
            for item in read_xml(path).iter("object"):
                texts = [item.findtext(f"bndbox/{corner}") or "" for corner in _CORNERS]
                box = parse_numbers(texts, " ".join(_CORNERS))
                name = (item.findtext("name") or "").strip()
                yield FoundBox(path, None, image, name, box)
        except DataError as error:
            faults.add("wrong annotation", path, message=f"{error}", image_id=image)


def _read_yolo(folder: Path, faults: Faults) -> Iterator[FoundBox]:
    listing = _find_yolo_names(folder)
    names = _read_yolo_names(listing, faults) if listing else {}
    labels = folder / "labels" if (folder / "labels").is_dir() else folder
    for path in _list_files(labels, "*.txt"):
        if path == listing:
            continue
        image = path.relative_to(labels).with_suffix("").as_posix()
        for line, text in read_lines(path, faults):
            kind, *texts = text.split()
            try:
                x, y, width, height = parse_numbers(texts, "x y width height")
                name = names[int(kind)]
            except (DataError, ValueError, KeyError) as error:
                message = f"Expected `class x y width height`, but got {text!r}"
                message += f" ({error})" if isinstance(error, DataError) else ""
                faults.add("malformed line", path, message=message, line=line)
                continue
            # Shares are rounded: a border may come out a trace outside.
            starts = (x - width / 2, y - height / 2)
            left, top = (0.0 if -1e-4 < start < 0 else start for start in starts)
            box = (left, top, x + width / 2, y + height / 2)
            yield FoundBox(path, line, image, name, box, relative=True)


def _find_yolo_names(folder: Path) -> Optional[Path]:
    places = [folder / n for n in ("data.yaml", "classes.txt", "labels/classes.txt")]
    return next((path for path in places if path.is_file()), None)


def _read_yolo_names(path: Path, faults: Faults) -> dict[int, str]:
    if path.suffix == ".txt":
        return dict(enumerate(text.strip() for _, text in read_lines(path, faults)))
    try:
        names = read_yaml(path)["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        found = {int(key): name for key, name in pairs}
        # Of anything else the text may fill the memory: YAML repeats by reference.
        if not all(isinstance(name, (str, int, float)) for name in found.values()):
            raise TypeError("Expected names of classes as texts")
        return {key: str(name) for key, name in found.items()}
    except (OSError, ValueError, LookupError, TypeError, OverflowError) as error:
        faults.add("malformed file", path, message=f"gives no `names` ({error!r})")
        return {}


def _list_files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.rglob(pattern) if not is_hidden(path))
