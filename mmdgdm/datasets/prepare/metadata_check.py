"""Check a split in the WSOL benchmark's text form, past every line that is wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from mmdgdm.datasets.prepare.images import Images
from mmdgdm.datasets.prepare.report import Report, first_names
from mmdgdm.datasets.prepare.text_files import read_fields
from mmdgdm.evaluation.stored.metadata import (
    CLASS_LABELS,
    IMAGE_IDS,
    IMAGE_SIZES,
    LOCALIZATION,
)
from mmdgdm.utils.image_files import read_mask

#: Ids by which the folder that they start from is found.
_SAMPLE = 200


@dataclass
class Split:
    """What the text files of a split say, as far as it could be read.

    Attributes:
        folder: The folder of the files.
        lines: Line of each image id.
        labels: Class of each image, from 0.
        sizes: (width, height) of each image.
        boxes: (line, box) of each image's boxes.
        masks: (line, mask path, ignore path or ``""``) of each image's masks.
    """

    folder: Path
    lines: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    boxes: dict[str, list[tuple[int, tuple[float, ...]]]] = field(default_factory=dict)
    masks: dict[str, list[tuple[int, str, str]]] = field(default_factory=dict)


def read_metadata(
    folder: Path, report: Report, num_classes: Optional[int], with_boxes: bool
) -> Split:
    """Read a split and report what is wrong in its text files.

    Args:
        folder: The folder of the files.
        report: Takes the problems.
        num_classes: If known, labels must be smaller.
        with_boxes: Whether the files of sizes and localization must exist. Where they
            exist they are read in any case.

    Returns:
        What could be read.
    """
    split = Split(folder)
    path = folder / IMAGE_IDS
    for number, (name,) in read_fields(path, report, (1,)) or ():
        if name in split.lines:
            message = f"comes again (first on line {split.lines[name]})"
            report.add("duplicate id", path, message, name, number)
        else:
            split.lines[name] = number
    _read_labels(split, report, num_classes)
    if with_boxes or (folder / IMAGE_SIZES).is_file():
        _read_sizes(split, report)
    if with_boxes or (folder / LOCALIZATION).is_file():
        _read_localization(split, report)
    if split.boxes and not split.sizes:
        message = "Expected the sizes of the images, since there are boxes"
        report.add("missing size", folder / IMAGE_SIZES, message)
    return split


def _check_ids(
    split: Split, described: dict[str, int], path: Path, report: Report
) -> None:
    """Report ids that one file has and the other lacks."""
    for name in split.lines:
        if name not in described:
            report.add("missing line", path, "has no line", name)
    for name, number in described.items():
        if name not in split.lines:
            message = f"is not in {IMAGE_IDS}"
            report.add("unknown id", path, message, name, number)


def _read_labels(split: Split, report: Report, num_classes: Optional[int]) -> None:
    path = split.folder / CLASS_LABELS
    fields = read_fields(path, report, (2,))
    if fields is None:
        return
    seen: dict[str, int] = {}
    for number, (name, text) in fields:
        if name in seen:
            message = f"comes again (first on line {seen[name]})"
            report.add("duplicate id", path, message, name, number)
            continue
        seen[name] = number
        limit = math.inf if num_classes is None else num_classes
        if not text.isdecimal() or int(text) >= limit:
            wanted = "" if num_classes is None else f" within [0, {num_classes - 1}]"
            message = f"Expected a label{wanted}, but got {text!r}"
            report.add("label out of range", path, message, name, number)
        else:
            split.labels[name] = int(text)
    _check_ids(split, seen, path, report)


def _read_sizes(split: Split, report: Report) -> None:
    path = split.folder / IMAGE_SIZES
    fields = read_fields(path, report, (3,))
    if fields is None:
        return
    seen: dict[str, int] = {}
    for number, (name, *texts) in fields:
        if name in seen:
            message = f"comes again (first on line {seen[name]})"
            report.add("duplicate id", path, message, name, number)
            continue
        seen[name] = number
        if all(text.isdecimal() and int(text) > 0 for text in texts):
            split.sizes[name] = (int(texts[0]), int(texts[1]))
        else:
            message = f"Expected width and height above 0, but got {','.join(texts)}"
            report.add("wrong size", path, message, name, number)
    if seen:  # With masks the file may be empty.
        _check_ids(split, seen, path, report)


def _read_localization(split: Split, report: Report) -> None:
    path = split.folder / LOCALIZATION
    fields = read_fields(path, report, (3, 5))
    if fields is None:
        return
    seen: dict[str, int] = {}
    for number, (name, *rest) in fields:
        seen.setdefault(name, number)
        if len(rest) == 2:
            split.masks.setdefault(name, []).append((number, rest[0], rest[1]))
            continue
        box = _parse_numbers(rest)
        if box is None:
            message = f"Expected x0,y0,x1,y1 as numbers, but got {','.join(rest)}"
            report.add("malformed line", path, message, name, number)
            continue
        split.boxes.setdefault(name, []).append((number, box))
        _check_box(split, name, number, box, report)
    _check_ids(split, seen, path, report)
    if split.boxes and split.masks:
        message = "Expected boxes or masks, but got both"
        report.add("malformed line", path, message)


def _parse_numbers(texts: list[str]) -> Optional[tuple[float, ...]]:
    try:
        values = tuple(map(float, texts))
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) else None


def _check_box(
    split: Split, name: str, number: int, box: tuple[float, ...], report: Report
) -> None:
    path = split.folder / LOCALIZATION
    x0, y0, x1, y1 = box
    text = ",".join(f"{value:g}" for value in box)
    if x1 < x0 or y1 < y0:
        message = f"Expected x0 <= x1 and y0 <= y1, but got {text}"
        report.add("box of no size", path, message, name, number)
        return
    width, height = split.sizes.get(name, (math.inf, math.inf))
    if x0 < 0 or y0 < 0 or x1 > width - 1 or y1 > height - 1:
        size = f"{width} x {height}" if name in split.sizes else "unknown size"
        message = f"the box {text} leaves its image of {size}"
        report.add("box outside image", path, message, name, number)


def find_image_root(split: Split, candidates: list[Path]) -> Path:
    """The folder that image ids start from: the one that holds most of them.

    Args:
        split: The split.
        candidates: Folders, best first; on a tie the first wins.

    Returns:
        One of the candidates.
    """
    names = list(split.lines)
    sample = names[:: max(1, len(names) // _SAMPLE)]
    return max(candidates, key=lambda root: sum((root / n).is_file() for n in sample))


def check_split_images(
    split: Split, root: Path, images: Images, report: Report
) -> dict[str, Path]:
    """Open the images of a split and compare their sizes with the stated ones.

    Args:
        split: The split.
        root: The folder that image ids start from.
        images: Opens the files.
        report: Takes the problems.

    Returns:
        Path of each image by its id.
    """
    paths = {name: root / name for name in split.lines}
    ids_path = split.folder / IMAGE_IDS
    absent = {name for name, path in paths.items() if not path.is_file()}
    for name in sorted(absent, key=split.lines.__getitem__):
        message = f"there is no file {paths[name]}"
        report.add("missing image", ids_path, message, name, split.lines[name])
    present = {name: path for name, path in paths.items() if name not in absent}
    images.check(present, report)
    for name, path in present.items():
        size, stated = images.size(path), split.sizes.get(name)
        if size is not None and stated is not None and size != stated:
            message = (
                f"says {stated[0]} x {stated[1]} pixels, but the image has "
                f"{size[0]} x {size[1]}"
            )
            report.add("wrong size", split.folder / IMAGE_SIZES, message, name)
    return paths


def check_masks(split: Split, root: Path, images: Images, report: Report) -> int:
    """Open the masks of a split and compare their sizes with each other.

    Args:
        split: The split.
        root: The folder that mask paths start from.
        images: Opens the files.
        report: Takes the problems.

    Returns:
        The number of mask files.
    """
    path = split.folder / LOCALIZATION
    by_image = {
        name: [text for _, *texts in rows for text in texts if text]
        for name, rows in split.masks.items()
    }
    paths = [root / text for texts in by_image.values() for text in texts]
    images.look(paths, read_mask)
    for name, texts in by_image.items():
        first = split.masks[name][0][0]
        for text in texts:
            problem = images.facts[str(root / text)].problem
            if problem is not None:
                kind = problem[0].replace("image", "mask")
                message = f"mask {root / text}: {problem[1]}"
                report.add(kind, path, message, name, first)
        # The image itself may be of another size: its pixels are resized.
        sizes = {size for t in texts if (size := images.size(root / t)) is not None}
        if len(sizes) > 1:
            found = first_names(sorted(f"{w} x {h}" for w, h in sizes))
            message = f"its masks differ in size: {found}"
            report.add("mask of wrong size", path, message, name, first)
    return sum(map(len, by_image.values()))


def check_overlap(
    parts: dict[str, dict[str, Path]], images: Images, report: Report
) -> None:
    """Report files that two splits share, and note files with the same content.

    Args:
        parts: Path of each image by id, by split.
        images: Has opened the files.
        report: Takes the problems.
    """
    owner: dict[Path, str] = {}
    contents: dict[bytes, tuple[str, str]] = {}
    same: list[str] = []
    for split, paths in parts.items():
        for name, path in paths.items():
            other = owner.setdefault(path, split)
            if other != split:
                message = f"is in {other} and in {split}"
                report.add("image in two splits", path, message, name)
                continue
            facts = images.facts.get(str(path))
            if facts is None or facts.digest is None:
                continue
            other, twin = contents.setdefault(facts.digest, (split, name))
            if other != split:
                same.append(f"{twin} ({other}) = {name} ({split})")
    if same:
        report.notes.append(
            f"{len(same)} images have the same bytes as one of another split: "
            f"{first_names(same)}"
        )
