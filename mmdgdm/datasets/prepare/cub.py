"""Check CUB-200-2011, or any data set in its layout, with the benchmark's val."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

from mmdgdm.datasets.prepare.images import Images
from mmdgdm.datasets.prepare.metadata_check import (
    check_overlap,
    check_split_images,
    find_image_root,
    read_metadata,
)
from mmdgdm.datasets.prepare.report import Report, first_names
from mmdgdm.datasets.prepare.sources import PUBLISHED, SOURCES
from mmdgdm.datasets.prepare.text_files import Entry, read_table

FOLDER = "CUB_200_2011"
SPLITS = {"1": "train", "0": "test"}
#: The first class of the real set, by which it is recognised.
_FIRST_CLASS = "001.Black_footed_Albatross"

_Table = Mapping[int, Entry]


def find_cub(root: Path) -> Path:
    """The folder ``CUB_200_2011``: the given one, or within it."""
    inner = root / FOLDER
    if not (root / "images.txt").is_file() and inner.is_dir():
        return inner
    return root


def check_cub(root: Path, images: Images) -> Report:
    """Check the raw layout and, where it is there, the val split.

    Args:
        root: The folder ``CUB_200_2011``, or the one that holds it.
        images: Opens the image files.

    Returns:
        What was found.
    """
    report = Report("cub", str(root))
    raw = find_cub(root)
    if not (raw / "images.txt").is_file() and not (raw / "images").is_dir():
        message = f"there is no {FOLDER}; get {SOURCES['cub']['archive']}"
        report.add("missing part", root, message)
        return report
    tables = _read_tables(raw, report)
    classes = _check_classes(raw, tables["classes.txt"], report)
    _check_labels(raw, tables, classes, report)
    splits = _check_splits(raw, tables["train_test_split.txt"], report)
    paths = _check_files(raw, tables["images.txt"], images, report)
    _check_boxes(raw, tables, paths, images, report)
    parts: dict[str, dict[str, Path]] = {"train": {}, "test": {}}
    for key, entry in tables["images.txt"].items():
        if key in splits:
            parts[splits[key]][entry.text] = paths[key]
    report.counts = {name: {"images": len(part)} for name, part in parts.items()}
    report.counts["classes.txt"] = {"classes": len(classes)}
    base = root if raw != root else raw.parent
    parts.update(_check_metadata(base, raw, len(classes), images, report))
    check_overlap(parts, images, report)
    if tables["classes.txt"].get(1, Entry(0, "")).text == _FIRST_CLASS:
        _compare_counts(raw, report)
    return report


def _read_tables(raw: Path, report: Report) -> dict[str, _Table]:
    names = ("images", "image_class_labels", "train_test_split", "bounding_boxes")
    tables: dict[str, _Table] = {}
    read = {}
    for name in (*names, "classes"):
        read[name] = read_table(raw / f"{name}.txt", report)
        tables[f"{name}.txt"] = read[name] or {}
    images = tables["images.txt"]
    for name in names[1:]:
        table = read[name]
        if table is None or read["images"] is None:
            continue
        path = raw / f"{name}.txt"
        for key, entry in images.items():
            if key not in table:
                message = f"has no line for id {key}"
                report.add("missing line", path, message, entry.text)
        for key, entry in table.items():
            if key not in images:
                message = f"id {key} is not in images.txt"
                report.add("unknown id", path, message, line=entry.line)
    return tables


def _check_classes(raw: Path, table: _Table, report: Report) -> set[int]:
    for key in range(1, max(table, default=0)):
        if key not in table:
            message = f"has no line for class id {key}"
            report.add("missing class", raw / "classes.txt", message)
    if 0 in table:
        message = "class ids count from 1, but got 0"
        report.add("missing class", raw / "classes.txt", message, line=table[0].line)
    return set(table)


def _check_labels(
    raw: Path, tables: Mapping[str, _Table], classes: set[int], report: Report
) -> None:
    """Report labels without a class, apart from those that classes.txt lacks."""
    path = raw / "image_class_labels.txt"
    images = tables["images.txt"]
    lacking: dict[int, list[str]] = {}
    for key, entry in tables["image_class_labels.txt"].items():
        image = images[key].text if key in images else None
        label = int(entry.text) if entry.text.isdecimal() else None
        if label in classes or not classes:
            continue
        folder = (image or "").split("/")[0].partition(".")[0]
        if label is not None and image and folder.isdecimal() and int(folder) == label:
            # The image's folder agrees: it is the class that is missing.
            lacking.setdefault(label, []).append(image)
            continue
        message = (
            f"id {key}: Expected a class id of classes.txt ({min(classes)} to "
            f"{max(classes)}), but got {entry.text!r}"
        )
        report.add("label out of range", path, message, image, entry.line)
    for label, names in lacking.items():
        message = (
            f"has no line for class id {label}, which {len(names)} images have: "
            f"{first_names(names)}"
        )
        report.add("missing class", raw / "classes.txt", message)


def _check_splits(raw: Path, table: _Table, report: Report) -> dict[int, str]:
    splits = {}
    for key, entry in table.items():
        if entry.text in SPLITS:
            splits[key] = SPLITS[entry.text]
        else:
            message = f"id {key}: Expected 1 (train) or 0 (test), but got "
            path = raw / "train_test_split.txt"
            report.add(
                "wrong split", path, message + repr(entry.text), None, entry.line
            )
    return splits


def _check_files(
    raw: Path, table: _Table, images: Images, report: Report
) -> dict[int, Path]:
    """Open all images; report those that are listed twice, missing or broken."""
    first: dict[str, tuple[int, Entry]] = {}
    for key, entry in table.items():
        before, _ = first.setdefault(entry.text, (key, entry))
        if before != key:
            message = f"id {key} names the image of id {before}"
            report.add(
                "duplicate image", raw / "images.txt", message, entry.text, entry.line
            )
    paths = {key: raw / "images" / entry.text for key, entry in table.items()}
    images.check({name: raw / "images" / name for name in first}, report)
    listed = set(paths.values())
    extra = [
        str(path.relative_to(raw))
        for path in sorted((raw / "images").glob("*/*"))
        if path not in listed and not path.name.startswith(".")
    ]
    if extra:
        report.notes.append(
            f"{len(extra)} files are not in images.txt: {first_names(extra)}"
        )
    return paths


def _check_boxes(
    raw: Path,
    tables: Mapping[str, _Table],
    paths: Mapping[int, Path],
    images: Images,
    report: Report,
) -> None:
    path = raw / "bounding_boxes.txt"
    beyond = []
    for key, entry in tables["bounding_boxes.txt"].items():
        if key not in paths:
            continue
        name = tables["images.txt"][key].text
        try:
            x, y, width, height = map(float, entry.text.split())
        except ValueError:
            x = y = width = height = math.nan
        found = _judge_box(x, y, width, height, images.size(paths[key]))
        if found is None:
            continue
        kind, message = found
        if kind:
            text = f"id {key}: {message}, but got {entry.text!r}"
            report.add(kind, path, text, name, entry.line)
        else:
            beyond.append(name)
    if beyond:
        report.notes.append(
            f"{len(beyond)} boxes reach past their image and are clipped when read: "
            f"{first_names(beyond)}"
        )


def _judge_box(
    x: float, y: float, width: float, height: float, size: Optional[tuple[int, int]]
) -> Optional[tuple[str, str]]:
    """(kind, what was expected) of a wrong box; an empty kind if it is clipped."""
    if not all(map(math.isfinite, (x, y, width, height))):
        return "malformed line", "Expected '<x> <y> <width> <height>' as numbers"
    if width <= 0 or height <= 0:
        return "box of no size", "Expected width and height above 0"
    if x < 0 or y < 0:
        return "box outside image", "Expected x and y of at least 0"
    if size is None:
        return None
    inside = f"Expected the box within its image of {size[0]} x {size[1]} pixels"
    if x > size[0] - 1 or y > size[1] - 1:
        return "box outside image", inside
    seen = min(width, size[0] - x) * min(height, size[1] - y)
    if seen < 0.5 * width * height:
        return "box outside image", inside
    return None if seen == width * height else ("", "")


def _check_metadata(
    base: Path, raw: Path, num_classes: int, images: Images, report: Report
) -> dict[str, dict[str, Path]]:
    """Check text files beside the raw layout; return the images of val."""
    folders = [base / "metadata" / "CUB", base / "metadata"]
    roots = [base / "CUBV2", raw / "images", base, base / "CUB"]
    found = {}
    for split in ("train", "val", "test"):
        folder = next((f / split for f in folders if (f / split).is_dir()), None)
        if folder is None:
            continue
        content = read_metadata(folder, report, num_classes or None, split != "train")
        root = find_image_root(content, roots)
        paths = check_split_images(content, root, images, report)
        report.counts[f"metadata of {split}"] = {"images": len(content.lines)}
        if split == "val":
            found["val"] = paths
    if "val" not in found:
        _tell_missing_val((base / "CUBV2").is_dir(), base, report)
    return found


def _tell_missing_val(has_images: bool, base: Path, report: Report) -> None:
    source = SOURCES["cub"]
    if has_images:
        message = f"there are images in CUBV2, but no val; get {source['val metadata']}"
        report.add("missing part", base / "metadata", message)
        return
    report.notes.append(
        f"there is no val split; for it get {source['val images']}, and "
        f"{source['val metadata']}"
    )


def _compare_counts(raw: Path, report: Report) -> None:
    """Compare the real set with its published numbers."""
    published = PUBLISHED["cub"]
    found = {
        "classes": report.counts["classes.txt"]["classes"],
        "train": report.counts["train"]["images"],
        "test": report.counts["test"]["images"],
    }
    if "metadata of val" in report.counts:
        found["val"] = report.counts["metadata of val"]["images"]
    for name, number in found.items():
        if number != published[name]:
            what = "classes" if name == "classes" else f"images of {name}"
            message = f"Expected {published[name]:,} {what}, but got {number:,}"
            report.add("wrong count", raw, message)
