"""CUB-200-2011 in its own layout: its one reader, and the data set."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, Optional, Union

from mmdgdm.datasets.functional.images import Images
from mmdgdm.datasets.wsol_dataset import BaseWSOLDataset
from mmdgdm.errors import DataError
from mmdgdm.evaluation.stored.metadata import (
    IMAGE_IDS,
    SplitMetadata,
    read_image_ids,
)
from mmdgdm.registry import DATASETS
from mmdgdm.utils.argument_checks import check_choice
from mmdgdm.utils.faults import (
    RAISE,
    Faults,
    parse_integer,
    parse_numbers,
    read_lines,
    same_file_name,
)

FOLDER = "CUB_200_2011"
#: The text files; each has a line an image, the last one a class.
IMAGES = "images.txt"
LABELS = "image_class_labels.txt"
SPLIT_FLAGS = "train_test_split.txt"
BOXES = "bounding_boxes.txt"
CLASSES = "classes.txt"
#: Name of each split by its flag in ``train_test_split.txt``.
SPLITS = {"1": "train", "0": "test"}

#: Line number and text after the id, by id.
_Table = dict[int, tuple[int, str]]


@DATASETS.register_module()
class CUB(BaseWSOLDataset):
    """CUB-200-2011 (Wah et al., 2011) in the layout of its archive.

    Data sets of the same layout with other classes work as well::

        data_root
        ├── images.txt               <image id> <path below images/>
        ├── image_class_labels.txt   <image id> <class id from 1>
        ├── train_test_split.txt     <image id> <1 = train, 0 = test>
        ├── bounding_boxes.txt       <image id> <x> <y> <width> <height>
        ├── classes.txt              <class id from 1> <class name>
        └── images
            └── 001.Black_footed_Albatross
                └── Black_Footed_Albatross_0046_18.jpg

    The order of the lines is free. Boxes are turned into the WSOL benchmark's form:
    x0 = x, y0 = y, x1 = min(x + width, W - 1), y1 = min(y + height, H - 1), truncated
    to whole pixels (:func:`mmdgdm.evaluation.functional.boxes.fit_box`). The minimum
    is not a formality: some of CUB's boxes reach past their image. The images' sizes
    W x H are read from their headers, and that only where boxes are loaded; the
    orientation that EXIF may give is ignored.

    An ``image_id`` is the path below ``images/``. The split for model selection
    (CUBV2) is not part of the archive; read it with :class:`WSOLDataset`. Where it was
    taken from the images of train, ``left_out`` keeps them out of the training.

    Args:
        data_root: The folder ``CUB_200_2011``, or the one that holds it.
        split: ``'train'`` or ``'test'``.
        left_out: Folder of metadata, absolute or relative to ``data_root`` as given,
            whose ``image_ids.txt`` names images of the split that are left out: by
            their path below ``images/``, which ``CUB_200_2011/images/`` may precede.
            ``''`` leaves none out.
        metainfo: Further meta information; the class names come from
            ``classes.txt``.
        **kwargs: Arguments of :class:`BaseWSOLDataset`.

    Raises:
        ConfigError: If ``split`` is unknown, or boxes are loaded and the pipeline
            crops, flips or turns.
        DataError: If a file is missing or malformed, or ``left_out`` names an image
            that is not in the split; names file and line.

    Example:
        >>> from mmdgdm.datasets import CUB
        >>> CUB('data/CUB_200_2011', split='train')  # doctest: +SKIP
        Dataset CUB
            Number of samples:  5994
            ...
    """

    def __init__(
        self,
        data_root: Union[str, os.PathLike],
        split: str = "train",
        *,
        left_out: Union[str, os.PathLike] = "",
        metainfo: Optional[dict] = None,
        **kwargs: Any,
    ) -> None:
        self.split = check_choice("split", split, choices=SPLITS.values())
        given = Path(data_root).expanduser()
        self.left_out = given / Path(left_out).expanduser() if left_out else None
        root = find_cub(given)
        super().__init__(
            data_root=str(root),
            ann_file="",
            data_prefix="images",
            metainfo={"classes": read_classes(root), **(metainfo or {})},
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Read the text files into one data info per image of the split."""
        splits = read_cub(
            Path(self.data_root),
            self.num_classes,
            names=(self.split,),
            with_boxes=self.with_boxes,
        )
        split = splits[self.split]
        if self.left_out is not None:
            left_out = _read_left_out(self.left_out, split)
            split.image_ids = [i for i in split.image_ids if i not in left_out]
        return self.make_infos(split)


def _read_left_out(folder: Path, split: SplitMetadata) -> set[str]:
    """The images of a split that metadata name; there must be others."""
    known = {same_file_name(image_id): image_id for image_id in split.image_ids}
    path = folder / IMAGE_IDS
    left_out = set()
    for name in read_image_ids(path):
        image_id = same_file_name(name).removeprefix(f"{FOLDER}/images/")
        if image_id not in known:
            raise DataError(
                f"{path}: Expected only images of the split that they are left out of, "
                f"but got {name!r}."
            )
        left_out.add(known[image_id])
    if len(left_out) == len(known):
        raise DataError(f"{path}: names all images of the split: none would be left.")
    return left_out


def find_cub(root: Path) -> Path:
    """The folder ``CUB_200_2011``: the given one, or within it."""
    inner = root / FOLDER
    return inner if not (root / IMAGES).exists() and inner.is_dir() else root


def read_classes(root: Path, faults: Faults = RAISE) -> tuple[str, ...]:
    """Read the names of the classes from ``classes.txt``, in the order of their ids."""
    path = root / CLASSES
    table = _read_table(path, faults)
    for key, (line, _) in table.items():
        if not 1 <= key <= len(table):
            message = f"Expected class ids 1 to {len(table)}, but got {key}"
            faults.add("missing class", path, message=message, line=line)
    return tuple(name for _, (_, name) in sorted(table.items()))


def read_cub(
    root: Path,
    num_classes: int,
    *,
    names: Collection[str] = tuple(SPLITS.values()),
    with_boxes: bool = True,
    faults: Faults = RAISE,
    images: Optional[Images] = None,
) -> dict[str, SplitMetadata]:
    """Read splits of CUB-200-2011 and check that its files agree.

    Args:
        root: The folder ``CUB_200_2011``.
        num_classes: Number of classes that ``classes.txt`` names.
        names: The splits.
        with_boxes: Whether to read boxes, and for them the images' sizes.
        faults: Takes what is wrong.
        images: Opens the images; by default their headers.

    Returns:
        The splits by name, without what is wrong.
    """
    table = _read_table(root / IMAGES, faults)
    labels = _read_table(root / LABELS, faults, table)
    flags = _read_table(root / SPLIT_FLAGS, faults, table)
    boxes = _read_table(root / BOXES, faults, table) if with_boxes else {}
    splits = {name: SplitMetadata() for name in names}
    keys: dict[str, int] = {}
    for key, (line, image_id) in table.items():
        first = keys.setdefault(same_file_name(image_id), key)
        if first != key:
            message = f"id {key} names the image of id {first}"
            faults.add(
                "duplicate image",
                root / IMAGES,
                message=message,
                image_id=image_id,
                line=line,
            )
            continue
        label = _parse_label(root / LABELS, labels.get(key), num_classes, faults)
        flag = _parse_flag(root / SPLIT_FLAGS, flags.get(key), faults)
        split = splits.get(SPLITS.get(flag, "unknown"))
        if split is not None:
            split.image_ids.append(image_id)
            if label is not None:
                split.labels[image_id] = label
    for name, part in splits.items():
        if flags and not part.image_ids:
            message = f"puts no image into the split {name!r}"
            faults.add("empty split", root / SPLIT_FLAGS, message=message)
        if with_boxes:
            paths = {i: root / "images" / i for i in part.image_ids}
            part.image_sizes = (images or Images()).read_sizes(paths, faults)
            entries = {i: boxes.get(keys[same_file_name(i)]) for i in part.image_ids}
            _add_boxes(part, root / BOXES, entries, faults)
    return splits


def _read_table(path: Path, faults: Faults, images: Optional[_Table] = None) -> _Table:
    """Read lines ``<id> <text>``; with ``images``, exactly their ids must occur."""
    table: _Table = {}
    for number, line in read_lines(path, faults):
        first, _, text = line.strip().partition(" ")
        key = parse_integer(first)
        if key is None or not text.strip():
            message = f"Expected '<id> <value>', but got {line!r}"
            faults.add("malformed line", path, message=message, line=number)
        elif key in table:
            message = f"id {key} comes again (first on line {table[key][0]})"
            faults.add("duplicate id", path, message=message, line=number)
        elif images is not None and key not in images:
            message = f"id {key} is not in {IMAGES}"
            faults.add("unknown id", path, message=message, line=number)
        else:
            table[key] = (number, text.strip())
    if not table and path.is_file():
        faults.add("empty file", path, message="has no line '<id> <value>'")
    elif table and images is not None:
        for lacking in sorted(images.keys() - table.keys()):
            message = f"has no line for id {lacking}"
            faults.add(
                "missing line", path, message=message, image_id=images[lacking][1]
            )
    return table


def _parse_label(
    path: Path, entry: Optional[tuple[int, str]], num_classes: int, faults: Faults
) -> Optional[int]:
    if entry is None:
        return None
    line, text = entry
    label = parse_integer(text)
    # Without a readable classes.txt, whose fault is taken, any class will do.
    if label is not None and 1 <= label <= (num_classes or label):
        return label - 1
    message = (
        f"Expected a class id within [1, {num_classes}] ({CLASSES} names so many), but "
        f"got {text!r}"
    )
    faults.add("label out of range", path, message=message, line=line)
    return None


def _parse_flag(path: Path, entry: Optional[tuple[int, str]], faults: Faults) -> str:
    if entry is None:
        return ""
    line, text = entry
    if text not in SPLITS:
        message = f"Expected 1 (train) or 0 (test), but got {text!r}"
        faults.add("wrong split", path, message=message, line=line)
    return text


def _add_boxes(
    split: SplitMetadata,
    path: Path,
    entries: dict[str, Optional[tuple[int, str]]],
    faults: Faults,
) -> None:
    """Turn ``x y width height`` into the benchmark's x0, y0, x1, y1."""
    for image_id, entry in entries.items():
        if entry is None:
            continue
        line, text = entry
        try:
            x, y, width, height = parse_numbers(text.split(), "x y width height")
            if width <= 0 or height <= 0:
                raise DataError(f"Expected width and height above 0, but got {text!r}")
            split.add_box(image_id, (x, y, x + width, y + height), past=1)
        except DataError as error:
            faults.add(
                "wrong box", path, message=f"{error}", image_id=image_id, line=line
            )
    for boxes in split.boxes.values():
        boxes[:] = [(int(x0), int(y0), int(x1), int(y1)) for x0, y0, x1, y1 in boxes]
