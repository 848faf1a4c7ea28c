"""CUB-200-2011 in its own layout."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from mmdgdm.datasets.wsol_dataset import BaseWSOLDataset
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.registry import DATASETS
from mmdgdm.utils.image_files import read_image_size

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

    Boxes are turned into the WSOL benchmark's form: x0 = x, y0 = y,
    x1 = min(x + width, W - 1), y1 = min(y + height, H - 1), truncated to whole
    pixels. The minimum is not a formality: some of CUB's boxes reach past their
    image. The images' sizes W x H are read from their headers, and that only where
    boxes are loaded; the orientation that EXIF may give is ignored.

    A data info holds ``img_path``, ``image_id`` (the path below ``images/``),
    ``gt_label`` from 0 and, with boxes, ``ori_gt_bboxes`` (1, 4) float32 and
    ``image_size`` (W, H). The split for model selection (CUBV2) is not part of the
    archive; read it with :class:`WSOLDataset`.

    Args:
        data_root: The folder ``CUB_200_2011``.
        split: ``'train'`` or ``'test'``.
        with_boxes: Whether to load boxes; ``None`` stands for ``test_mode``.
        pipeline: The transforms.
        test_mode: Whether the data set serves validation or test.
        metainfo: Further meta information; the class names come from
            ``classes.txt``.
        **kwargs: Further arguments of mmpretrain's ``BaseDataset``: ``indices``,
            ``serialize_data``, ``lazy_init``.

    Raises:
        ConfigError: If ``split`` is unknown, or boxes are loaded and the pipeline
            crops, flips or turns.
        DataError: If a file is missing or malformed; names file and line.
    """

    SPLITS = {"train": "1", "test": "0"}

    def __init__(
        self,
        data_root: Union[str, os.PathLike],
        split: str = "train",
        with_boxes: Optional[bool] = None,
        pipeline: Sequence[Any] = (),
        test_mode: bool = False,
        metainfo: Optional[dict] = None,
        **kwargs: Any,
    ) -> None:
        if split not in self.SPLITS:
            raise ConfigError(
                f"Expected `split` to be one of {sorted(self.SPLITS)}, but got "
                f"{split!r}."
            )
        self.split = split
        root = os.path.expanduser(data_root)
        super().__init__(
            data_root=root,
            ann_file="",
            data_prefix="images",
            metainfo={"classes": _read_classes(Path(root)), **(metainfo or {})},
            with_boxes=with_boxes,
            pipeline=pipeline,
            test_mode=test_mode,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Read the text files into one data info per image of the split."""
        root = Path(self.data_root)
        images = _read_table(root / "images.txt")
        labels = _read_table(root / "image_class_labels.txt", images)
        flags = _read_table(root / "train_test_split.txt", images)
        boxes = (
            _read_table(root / "bounding_boxes.txt", images) if self.with_boxes else {}
        )
        data_list = []
        for index, (_, image_id) in images.items():
            label = self._parse_label(root / "image_class_labels.txt", labels[index])
            if not self._is_in_split(root / "train_test_split.txt", flags[index]):
                continue
            path = os.path.join(self.img_prefix, image_id)
            info = {"img_path": path, "image_id": image_id, "gt_label": label}
            if boxes:
                size = read_image_size(path)
                box = _parse_box(root / "bounding_boxes.txt", boxes[index], size)
                info["image_size"] = size
                info["ori_gt_bboxes"] = np.array([box], dtype=np.float32)
            data_list.append(info)
        if not data_list:
            raise DataError(
                f"Expected {root / 'train_test_split.txt'} to put images into the "
                f"split {self.split!r}, but got none."
            )
        return data_list

    def _parse_label(self, path: Path, entry: tuple[int, str]) -> int:
        line, text = entry
        if not text.isdecimal() or not 1 <= int(text) <= self.num_classes:
            raise DataError(
                f"{path}, line {line}: Expected a class id within [1, "
                f"{self.num_classes}] (classes.txt names so many), but got {text!r}."
            )
        return int(text) - 1

    def _is_in_split(self, path: Path, entry: tuple[int, str]) -> bool:
        line, text = entry
        if text not in self.SPLITS.values():
            raise DataError(
                f"{path}, line {line}: Expected 1 (train) or 0 (test), but got "
                f"{text!r}."
            )
        return text == self.SPLITS[self.split]

    def extra_repr(self) -> list[str]:
        """Return the lines that ``repr`` adds to the class name and counts."""
        return [
            f"Root of dataset: \t{self.data_root}",
            f"Split: \t{self.split}",
            f"With boxes or masks: \t{self.with_boxes}",
        ]


def _read_table(path: Path, images: Optional[_Table] = None) -> _Table:
    """Read lines ``<id> <text>``; with ``images``, exactly their ids must occur."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"Expected {path} to be a text file of the CUB_200_2011 layout, but got "
            f"{type(error).__name__}: {error}."
        ) from error
    table: _Table = {}
    for number, line in enumerate(lines, start=1):
        key, _, text = line.strip().partition(" ")
        if not key.isdecimal() or not text.strip():
            raise DataError(
                f"{path}, line {number}: Expected '<id> <value>', but got {line!r}."
            )
        if int(key) in table:
            raise DataError(
                f"{path}, line {number}: Expected each id once, but got {key} again "
                f"(first on line {table[int(key)][0]})."
            )
        if images is not None and int(key) not in images:
            raise DataError(
                f"{path}, line {number}: Expected an id of images.txt, but got {key}."
            )
        table[int(key)] = (number, text.strip())
    missing = [key for key in images or {} if key not in table]
    if missing or not table:
        raise DataError(
            f"{path}, line {len(lines) + 1}: Expected a line for every id, but the "
            f"file ends without id {missing[0] if missing else 1}."
        )
    return table


def _read_classes(root: Path) -> tuple[str, ...]:
    path = root / "classes.txt"
    table = _read_table(path)
    for expected, (key, (line, _)) in enumerate(table.items(), start=1):
        if key != expected:
            raise DataError(
                f"{path}, line {line}: Expected class id {expected}, but got {key}."
            )
    return tuple(name for _, name in table.values())


def _parse_box(
    path: Path, entry: tuple[int, str], size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Turn ``x y width height`` into the benchmark's x0, y0, x1, y1."""
    line, text = entry
    try:
        x, y, width, height = map(float, text.split())
    except ValueError:
        x = y = width = height = math.nan
    if not all(map(math.isfinite, (x, y, width, height))):
        raise DataError(
            f"{path}, line {line}: Expected '<x> <y> <width> <height>' as finite "
            f"numbers, but got {text!r}."
        )
    right, bottom = size[0] - 1, size[1] - 1
    if not (0 <= x <= right and 0 <= y <= bottom and width > 0 and height > 0):
        raise DataError(
            f"{path}, line {line}: Expected a box of positive size that starts inside "
            f"its image of {size[0]} x {size[1]} pixels, but got {text!r}."
        )
    return int(x), int(y), int(min(x + width, right)), int(min(y + height, bottom))
