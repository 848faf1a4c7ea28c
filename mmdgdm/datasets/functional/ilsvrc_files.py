"""ILSVRC CLS-LOC in its own layouts: where its parts lie, and their one reader.

The forms are those that :class:`~mmdgdm.datasets.ILSVRC` describes. A wnid is a
WordNet id such as ``n01440764``; a label is the rank of a class among the sorted
wnids, from 0.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Optional
from xml.etree import ElementTree

from mmdgdm.datasets.functional.images import IMAGE_ENDINGS, Images, list_images
from mmdgdm.errors import DataError
from mmdgdm.evaluation.stored.metadata import SplitMetadata
from mmdgdm.utils.faults import (
    RAISE,
    Faults,
    is_hidden,
    parse_integer,
    parse_numbers,
    read_lines,
    same_file_name,
)
from mmdgdm.utils.xml_files import read_xml

#: Where the folders ``train`` and ``val`` may lie below the root.
IMAGE_FOLDERS = ("", "Data/CLS-LOC", "ILSVRC/Data/CLS-LOC", "ILSVRC")
#: Where the XML files of val may lie below the root.
XML_FOLDERS = ("Annotations/CLS-LOC/val", "ILSVRC/Annotations/CLS-LOC/val")
SYNSET_MAPPING = "LOC_synset_mapping.txt"
SOLUTION = "LOC_val_solution.csv"

_WNID = re.compile(r"n[0-9]{8}")
_SOLUTION_HEADER = "ImageId,PredictionString"
#: The ending that ILSVRC's own lists leave out.
_IMAGE_ENDING = ".JPEG"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class Annotation(NamedTuple):
    """Class and boxes of an image.

    Attributes:
        where: The file that says so.
        line: Its line, if it describes several images.
        label: The class.
        boxes: x0, y0, x1, y1 of each box, as texts.
        size: (width, height) of the image, if the file tells.
    """

    where: Path
    line: Optional[int]
    label: int
    boxes: list[list[str]]
    size: Optional[tuple[int, int]] = None


def find_images(root: Path, split: str) -> Optional[str]:
    """The folder, relative to the root, that holds the folder ``train`` or ``val``."""
    return next((f for f in IMAGE_FOLDERS if (root / f / split).is_dir()), None)


def find_text(root: Path, name: str) -> Optional[Path]:
    """One of Kaggle's text files: in the root, or beside the folder ``ILSVRC``."""
    folders = [root]
    if Path(os.path.abspath(root)).name == "ILSVRC":
        folders.append(Path(os.path.abspath(root)).parent)
    return next((f / name for f in folders if (f / name).is_file()), None)


def find_annotation(root: Path) -> Optional[Path]:
    """The boxes of val: the folder of XML files if there is one, else the solution."""
    folder = next((root / f for f in XML_FOLDERS if (root / f).is_dir()), None)
    return folder or find_text(root, SOLUTION)


def read_classes(root: Path, faults: Faults = RAISE) -> dict[str, str]:
    """Read the classes: from the synset mapping, else from the folders of ``train``.

    Returns:
        The name of each class by its wnid, sorted by wnid.
    """
    path = find_text(root, SYNSET_MAPPING)
    if path is None:
        folder = find_images(root, "train")
        wnids = [] if folder is None else _list_wnids(root / folder / "train")[0]
        if not wnids:
            message = (
                f"has neither {SYNSET_MAPPING} nor folders of classes such as "
                "train/n01440764, which would tell the classes"
            )
            faults.add("missing classes", root, message=message)
        return {wnid: wnid for wnid in wnids}
    names: dict[str, str] = {}
    for number, line in read_lines(path, faults):
        wnid, _, name = line.strip().partition(" ")
        if not _WNID.fullmatch(wnid) or not name.strip():
            message = (
                "Expected '<wnid> <class name>' with a wnid such as n01440764, but got "
                f"{line!r}"
            )
            faults.add("malformed line", path, message=message, line=number)
        elif wnid in names:
            message = f"names class {wnid!r} again"
            faults.add("duplicate id", path, message=message, line=number)
        else:
            names[wnid] = name.strip()
    if not names:
        faults.add("empty file", path, message="names no class")
    return dict(sorted(names.items()))


def _list_wnids(train: Path) -> tuple[list[str], list[str]]:
    """The folders of ``train`` that are named as classes, and the other ones."""
    names = [p.name for p in sorted(train.iterdir()) if not is_hidden(p) and p.is_dir()]
    wnids = [name for name in names if _WNID.fullmatch(name)]
    return wnids, [name for name in names if not _WNID.fullmatch(name)]


def read_ilsvrc(
    folder: Path,
    split: str,
    *,
    labels: Mapping[str, int],
    annotation: Optional[Path],
    with_boxes: bool,
    faults: Faults = RAISE,
    images: Optional[Images] = None,
) -> SplitMetadata:
    """Read a split of ILSVRC and check that images and annotation agree.

    Args:
        folder: The folder that holds ``train`` and ``val``.
        split: ``'train'`` or ``'val'``.
        labels: The label of each known wnid.
        annotation: A folder of XML files or a solution (``.csv``), both of val only,
            or a list; ``None`` stands for the folders of ``train``.
        with_boxes: Whether to read boxes.
        faults: Takes what is wrong.
        images: Opens images where an annotation lacks their sizes; by default headers.

    Returns:
        The split, without what is wrong; image ids start with the split's name.
    """
    if annotation is None:
        found = _scan_class_folders(folder / split, labels, faults)
    elif split == "val" and has_boxes(annotation):
        return _read_val(folder, annotation, labels, with_boxes, faults, images)
    else:
        found = _read_list(annotation, labels, split == "train", faults)
    if not found:
        faults.add(
            "empty split", annotation or folder / split, message="names no image"
        )
    by_id = {f"{split}/{path}": label for path, label in found.items()}
    return SplitMetadata(list(by_id), by_id)


def has_boxes(annotation: Path) -> bool:
    """Whether an annotation of val is of a form that has boxes."""
    return annotation.is_dir() or annotation.suffix == ".csv"


def _scan_class_folders(
    train: Path, labels: Mapping[str, int], faults: Faults
) -> dict[str, int]:
    """Return the label of each image by its path below ``train``."""
    present, others = _list_wnids(train)
    for name in others:
        message = f"Expected folders named as n01440764, but got {name!r}"
        faults.add("unknown class", train, message=message)
    unknown = [wnid for wnid in present if wnid not in labels]
    if unknown:
        message = (
            f"holds a folder {unknown[0]}, which is none of the {len(labels)} classes "
            f"that {SYNSET_MAPPING} names ({len(unknown)} such folders)"
        )
        faults.add("unknown class", train, message=message)
    missing = [wnid for wnid in labels if wnid not in set(present)]
    if missing:
        message = (
            f"lacks folders of {len(missing)} of the {len(labels)} classes that "
            f"{SYNSET_MAPPING} names, such as {missing[0]}; for a set of fewer classes "
            "take the others out of that file, since their ranks in it are the labels"
        )
        faults.add("missing class", train, message=message)
    images: dict[str, int] = {}
    for wnid in present:
        names = list_images(train / wnid, faults)
        if not names:
            message = f"holds no image ({', '.join(IMAGE_ENDINGS)})"
            faults.add("empty class", train / wnid, message=message)
        if wnid in labels:
            images.update((f"{wnid}/{name}", labels[wnid]) for name in names)
    return images


def _read_list(
    path: Path, labels: Mapping[str, int], by_folder: bool, faults: Faults
) -> dict[str, int]:
    """Read lines ``<path> <integer>`` into the label of each image by its path.

    In a list of training images, ``by_folder``, the first folder tells the class, and
    a label must agree.
    """
    images: dict[str, int] = {}
    for number, line in read_lines(path, faults):
        try:
            name, label = _parse_entry(line, labels, by_folder)
            if same_file_name(name) in images:
                raise DataError(f"names image {name!r} again")
        except DataError as error:
            faults.add("malformed line", path, message=f"{error}", line=number)
        else:
            images[same_file_name(name)] = label
    return images


def _parse_entry(
    line: str, labels: Mapping[str, int], by_folder: bool
) -> tuple[str, int]:
    """Return the image's path and its label."""
    name, _, text = line.strip().rpartition(" ")
    value = parse_integer(text)
    if not name or value is None:
        raise DataError(f"Expected '<path> <integer>', but got {line!r}")
    has_ending = "." in name.rpartition("/")[2]
    path = name if has_ending else name + _IMAGE_ENDING
    if not by_folder:
        if not has_ending:
            raise DataError(
                f"Expected '<image>{_IMAGE_ENDING} <label>', but got {name!r}; lists "
                "without the ending hold running numbers in place of labels"
            )
        if value >= len(labels):
            raise DataError(
                f"Expected a label in [0, {len(labels) - 1}], but got {value}"
            )
        return path, value
    wnid, _, rest = name.partition("/")
    label = labels.get(wnid)
    if label is None or not rest:
        raise DataError(
            f"Expected '<wnid>/<image>' with one of the {len(labels)} known wnids, but "
            f"got {name!r}"
        )
    if has_ending and value != label:
        raise DataError(
            f"Expected label {label}, the rank of {wnid} among the sorted wnids, but "
            f"got {value}"
        )
    return path, label


def _read_val(
    folder: Path,
    annotation: Path,
    labels: Mapping[str, int],
    with_boxes: bool,
    faults: Faults,
    images: Optional[Images],
) -> SplitMetadata:
    """Pair the images of val with their annotation."""
    names = _list_stems(folder / "val", faults)
    read = _read_xml_folder if annotation.is_dir() else _read_solution
    entries = read(annotation, labels, faults)
    pairs: dict[str, Annotation] = {}
    for stem, name in names.items():
        entry = entries.get(stem)
        if entry is not None:
            pairs[f"val/{name}"] = entry
        elif stem not in entries:
            message = f"has no entry for image {name!r}"
            faults.add("missing line", annotation, message=message, image_id=stem)
    for stem in entries:
        if names and stem not in names:
            message = f"describes {stem!r}, of which {folder / 'val'} holds no image"
            faults.add("unknown id", annotation, message=message, image_id=stem)
    split = SplitMetadata(list(pairs), {i: e.label for i, e in pairs.items()})
    if with_boxes:
        split.image_sizes = {i: e.size for i, e in pairs.items() if e.size is not None}
        paths = {i: folder / i for i, e in pairs.items() if e.size is None}
        split.image_sizes.update((images or Images()).read_sizes(paths, faults))
        _add_boxes(split, pairs, faults)
    return split


def _add_boxes(
    split: SplitMetadata, entries: Mapping[str, Annotation], faults: Faults
) -> None:
    for image_id, (where, line, _, boxes, _) in entries.items():
        for texts in boxes:
            try:
                split.add_box(image_id, parse_numbers(texts, " ".join(_CORNERS)))
            except DataError as error:
                faults.add(
                    "wrong box", where, message=f"{error}", image_id=image_id, line=line
                )


def _list_stems(folder: Path, faults: Faults) -> dict[str, str]:
    """Return each image's file name by its stem."""
    stems: dict[str, str] = {}
    for name in list_images(folder, faults):
        stem = os.path.splitext(name)[0]
        if stem in stems:
            message = f"holds two files of one image, {stems[stem]!r} and {name!r}"
            faults.add("duplicate image", folder, message=message)
        stems.setdefault(stem, name)
    if not stems and folder.is_dir():
        message = "holds no image"
        if any(path.is_dir() for path in folder.iterdir()):
            message += ", but folders; expected the images themselves"
        faults.add("wrong layout", folder, message=message)
    return stems


def _read_solution(
    path: Path, labels: Mapping[str, int], faults: Faults
) -> dict[str, Optional[Annotation]]:
    """Read lines ``<image>,<wnid> <x0> <y0> <x1> <y1> ...``; the header may lack."""
    found: dict[str, Optional[Annotation]] = {}
    for number, line in read_lines(path, faults):
        if number == 1 and line.strip() == _SOLUTION_HEADER:
            continue
        image, _, prediction = line.strip().rpartition(",")
        fields = prediction.split()
        if not image or not fields or len(fields) % 5:
            message = (
                "Expected '<image>,<wnid> <x0> <y0> <x1> <y1>' with wnid and box "
                f"repeated for each box, but got {line!r}"
            )
            faults.add("malformed line", path, message=message, line=number)
        elif image in found:
            message = f"describes image {image!r} again"
            faults.add("duplicate id", path, message=message, line=number)
        else:
            found[image] = None
            try:
                label = _common_label(fields[::5], labels)
            except DataError as error:
                message = f"{error}"
                faults.add(
                    "wrong class", path, message=message, image_id=image, line=number
                )
                continue
            boxes = [fields[k : k + 4] for k in range(1, len(fields), 5)]
            found[image] = Annotation(path, number, label, boxes)
    if not found and path.is_file():
        faults.add("empty file", path, message="describes no image")
    return found


def _common_label(wnids: Sequence[str], labels: Mapping[str, int]) -> int:
    """Return the label that all objects of an image share."""
    if len(set(wnids)) > 1:
        raise DataError(
            "Expected all objects of an image to be of one class, but got "
            f"{sorted(set(wnids))}."
        )
    if wnids[0] not in labels:
        raise DataError(
            f"Expected one of the {len(labels)} known wnids, but got {wnids[0]!r}."
        )
    return labels[wnids[0]]


def _read_xml_folder(
    folder: Path, labels: Mapping[str, int], faults: Faults
) -> dict[str, Optional[Annotation]]:
    """Read one file an image; an image's name is that of its file."""
    found: dict[str, Optional[Annotation]] = {}
    for path in sorted(folder.glob("*.xml")):
        if is_hidden(path):
            continue
        found[path.stem] = None
        try:
            found[path.stem] = _read_xml(path, labels)
        except DataError as error:
            faults.add("wrong annotation", path, message=f"{error}", image_id=path.stem)
    return found


def _read_xml(path: Path, labels: Mapping[str, int]) -> Annotation:
    root = read_xml(path)
    objects = root.findall("object")
    if not objects:
        raise DataError("Expected at least one `object`, but got none.")
    label = _common_label([_find_text(item, "name") for item in objects], labels)
    boxes = [[_find_text(o, f"bndbox/{c}") for c in _CORNERS] for o in objects]
    sides = [root.findtext(f"size/{name}") or "0" for name in ("width", "height")]
    try:
        width, height = parse_numbers(sides, "width height")
    except DataError as error:
        raise DataError(f"The `size` is malformed: {error}") from error
    # Some tools write no size, or 0 x 0; the image itself has it.
    size = (int(width), int(height)) if min(width, height) > 0 else None
    return Annotation(path, None, label, boxes, size)


def _find_text(item: ElementTree.Element, path: str) -> str:
    text = (item.findtext(path) or "").strip()
    if not text:
        raise DataError(f"Expected `{item.tag}` to hold `{path}`, but got none.")
    return text
