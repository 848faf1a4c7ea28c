"""ILSVRC CLS-LOC (ImageNet-1k) in its own layouts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from mmdgdm.datasets.functional.ilsvrc_annotations import (
    WNID,
    BoxTexts,
    make_boxes,
    parse_label_list,
    parse_solution,
    parse_synset_mapping,
    parse_train_list,
    parse_xml,
)
from mmdgdm.datasets.wsol_dataset import BaseWSOLDataset
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.registry import DATASETS
from mmdgdm.utils.image_files import read_image_size

#: Where the folders ``train`` and ``val`` may lie below the root.
IMAGE_FOLDERS = ("", "Data/CLS-LOC", "ILSVRC/Data/CLS-LOC")
#: Where the XML files of val may lie below the root.
XML_FOLDERS = ("Annotations/CLS-LOC/val", "ILSVRC/Annotations/CLS-LOC/val")
SYNSET_MAPPING = "LOC_synset_mapping.txt"
SOLUTION = "LOC_val_solution.csv"
IMAGE_ENDINGS = (".jpeg", ".jpg", ".png", ".bmp", ".webp")


@DATASETS.register_module()
class ILSVRC(BaseWSOLDataset):
    """ILSVRC CLS-LOC (Russakovsky et al., 2015) in the layouts that it comes in.

    The plain layout::

        data_root
        ├── train
        │   └── n01440764
        │       └── n01440764_18.JPEG
        ├── val
        │   └── ILSVRC2012_val_00000001.JPEG
        └── Annotations/CLS-LOC/val
            └── ILSVRC2012_val_00000001.xml

    and Kaggle's, where ``ILSVRC/`` may also be the root itself::

        data_root
        ├── LOC_synset_mapping.txt      <wnid> <class name>
        ├── LOC_val_solution.csv        <image>,<wnid> <x0> <y0> <x1> <y1> ...
        └── ILSVRC
            ├── Data/CLS-LOC/{train, val}
            └── Annotations/CLS-LOC/val

    Sets of the same layout with fewer classes work as well. Labels are the ranks of
    the sorted wnids, as in mmpretrain and in the WSOL benchmark. The wnids are those
    of ``LOC_synset_mapping.txt``; where it is missing, the folders of ``train``, and
    the wnids then also serve as class names.

    Boxes hold the numbers of the annotation as they are, in pixels of the original
    image, but for x1 = min(x1, W - 1) and y1 = min(y1, H - 1); an image keeps all of
    its boxes. The image's size W x H comes from the XML file
    (:class:`PackWSOLInputs` compares it to the image itself), or, for the csv file,
    which has no sizes, from the image's header.

    A data info holds ``img_path``, ``image_id`` (the path below the folder with
    ``train`` and ``val``, as in the benchmark), ``gt_label`` and, with boxes,
    ``ori_gt_bboxes`` (K, 4) float32 and ``image_size`` (W, H). The split for model
    selection (ImageNetV2) is not part of ILSVRC, whose val is the benchmark's test;
    read it with :class:`WSOLDataset`.

    Args:
        data_root: Root folder.
        split: ``'train'`` or ``'val'``.
        ann_file: Annotation, relative to ``data_root`` or absolute. For train: a
            list, ``<wnid>/<name> <running number>`` (``train_cls.txt``) or
            ``<wnid>/<name>.JPEG <label>`` (``meta/train.txt``), whose images are not
            looked up; ``''`` stands for all images in the folders of ``train``. For
            val: a folder of XML files, a file in the form of
            ``LOC_val_solution.csv`` (ending ``.csv``), or, without boxes, a list
            ``<name>.JPEG <label>`` (``meta/val.txt``); ``''`` stands for the folder
            of XML files if there is one, else ``LOC_val_solution.csv``. ``repr``
            tells which one was taken.
        with_boxes: Whether to load boxes; ``None`` stands for ``test_mode``.
        pipeline: The transforms.
        test_mode: Whether the data set serves validation or test.
        metainfo: Further meta information; ``classes`` and ``wnids`` come from the
            data.
        **kwargs: Further arguments of mmpretrain's ``BaseDataset``: ``indices``,
            ``serialize_data``, ``lazy_init``.

    Raises:
        ConfigError: If ``split`` is unknown, boxes are asked of an annotation that
            has none, or boxes are loaded and the pipeline crops, flips or turns.
        DataError: If a file or folder is missing or malformed, or images and
            annotation of val do not pair up; names file and line.

    Example:
        >>> from mmdgdm.datasets import ILSVRC
        >>> ILSVRC('data/ILSVRC', split='val', test_mode=True)  # doctest: +SKIP
        Dataset ILSVRC
            Number of samples:  50000
            ...
    """

    SPLITS = ("train", "val")

    def __init__(
        self,
        data_root: Union[str, os.PathLike],
        split: str = "train",
        ann_file: str = "",
        with_boxes: Optional[bool] = None,
        pipeline: Sequence[Any] = (),
        test_mode: bool = False,
        metainfo: Optional[dict] = None,
        **kwargs: Any,
    ) -> None:
        if split not in self.SPLITS:
            raise ConfigError(
                f"Expected `split` to be one of {list(self.SPLITS)}, but got {split!r}."
            )
        self.split = split
        root = Path(os.path.expanduser(data_root))
        images = _find_image_folder(root, split)
        names = _read_classes(root, root / images / "train")
        self.labels = {wnid: label for label, wnid in enumerate(names)}
        classes = {"classes": tuple(names.values()), "wnids": tuple(names)}
        super().__init__(
            data_root=str(root),
            ann_file=ann_file or ("" if split == "train" else _find_annotation(root)),
            data_prefix=images,
            metainfo={**classes, **(metainfo or {})},
            with_boxes=with_boxes,
            pipeline=pipeline,
            test_mode=test_mode,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Read the annotation into one data info per image of the split."""
        if self.split == "val" and os.path.isdir(self.ann_file):
            return list(self._load_xml())
        if self.split == "val" and self.ann_file.endswith(".csv"):
            return list(self._load_solution())
        if self.with_boxes:
            raise ConfigError(
                f"Expected `with_boxes` to be False for {self._describe_source()}, "
                "which has no boxes, but got True."
            )
        return self._load_labels()

    def _describe_source(self) -> str:
        return f"split {self.split!r} with annotation {self.ann_file!r}"

    def _load_labels(self) -> list[dict]:
        """Read images and labels alone, from the list or the folders."""
        folder = Path(self.img_prefix, self.split)
        if not self.ann_file:
            images = _scan_class_folders(folder, self.labels)
        elif self.split == "train":
            lines = _read_lines(Path(self.ann_file))
            images = parse_train_list(lines, self.ann_file, self.labels)
        else:
            lines = _read_lines(Path(self.ann_file))
            images = parse_label_list(lines, self.ann_file, self.num_classes)
        if not images:
            raise DataError(
                f"Expected {self.ann_file or folder} to name at least one image, but "
                "got none."
            )
        return [self._make_info(path, label) for path, label in images.items()]

    def _make_info(self, path: str, label: int) -> dict:
        image_id = f"{self.split}/{path}"
        return {
            "img_path": os.path.join(self.img_prefix, image_id),
            "image_id": image_id,
            "gt_label": label,
        }

    def _add_boxes(
        self, info: dict, texts: BoxTexts, size: tuple[int, int], where: str
    ) -> dict:
        boxes = make_boxes(texts, size, where)
        info["image_size"] = size
        info["ori_gt_bboxes"] = np.array(boxes, dtype=np.float32)
        return info

    def _load_xml(self) -> Iterator[dict]:
        folder = Path(self.ann_file)
        stems = {path.stem for path in folder.glob("*.xml")}
        images = _pair_images(Path(self.img_prefix, self.split), stems, str(folder))
        for stem, name in images.items():
            path = folder / f"{stem}.xml"
            label, size, texts = parse_xml(_read_bytes(path), str(path), self.labels)
            info = self._make_info(name, label)
            if self.with_boxes:
                self._add_boxes(info, texts, size, str(path))
            yield info

    def _load_solution(self) -> Iterator[dict]:
        lines = _read_lines(Path(self.ann_file))
        solution = parse_solution(lines, self.ann_file, self.labels)
        folder = Path(self.img_prefix, self.split)
        for stem, name in _pair_images(folder, set(solution), self.ann_file).items():
            line, label, texts = solution[stem]
            info = self._make_info(name, label)
            if self.with_boxes:
                size = read_image_size(info["img_path"])
                self._add_boxes(info, texts, size, f"{self.ann_file}, line {line}")
            yield info

    def extra_repr(self) -> list[str]:
        """Return the lines that ``repr`` adds to the class name and counts."""
        return [
            f"Root of dataset: \t{self.data_root}",
            f"Split: \t{self.split}",
            f"Annotation: \t{self.ann_file or 'folders of the classes'}",
            f"With boxes or masks: \t{self.with_boxes}",
        ]


def _find_image_folder(root: Path, split: str) -> str:
    for folder in IMAGE_FOLDERS:
        if (root / folder / split).is_dir():
            return folder
    tried = ", ".join(str(root / folder / split) for folder in IMAGE_FOLDERS)
    raise DataError(
        f"Expected the images of split {split!r} in one of the folders {tried}, but "
        "got none of them."
    )


def _find_annotation(root: Path) -> str:
    """Return the annotation of val, relative to the root."""
    for folder in XML_FOLDERS:
        if (root / folder).is_dir():
            return folder
    if (root / SOLUTION).is_file():
        return SOLUTION
    raise DataError(
        f"Expected {root} to hold the annotation of val, {XML_FOLDERS[0]} or "
        f"{SOLUTION}, but got neither; `ann_file` names another place."
    )


def _read_classes(root: Path, train: Path) -> dict[str, str]:
    """Return the name of each class by its wnid, sorted by wnid."""
    path = root / SYNSET_MAPPING
    if path.exists():
        return parse_synset_mapping(_read_lines(path), str(path))
    wnids = _list_wnids(train) if train.is_dir() else []
    if not wnids:
        raise DataError(
            f"Expected {path}, or folders of classes such as {train / 'n01440764'}, to "
            "tell the classes, but got neither."
        )
    return {wnid: wnid for wnid in wnids}


def _list_wnids(train: Path) -> list[str]:
    with os.scandir(train) as entries:
        return sorted(
            entry.name
            for entry in entries
            if WNID.fullmatch(entry.name) and entry.is_dir()
        )


def _list_images(folder: Path) -> list[str]:
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise DataError(
            f"Expected {folder} to be a readable folder of images, but got "
            f"{type(error).__name__}: {error}."
        ) from error
    return sorted(name for name in names if name.lower().endswith(IMAGE_ENDINGS))


def _scan_class_folders(train: Path, labels: dict[str, int]) -> dict[str, int]:
    """Return the label of each image by its path below ``train``."""
    unknown = [wnid for wnid in _list_wnids(train) if wnid not in labels]
    if unknown:
        raise DataError(
            f"Expected {train} to hold folders of the {len(labels)} known wnids only, "
            f"but got {unknown[0]!r}."
        )
    images: dict[str, int] = {}
    for wnid, label in labels.items():
        names = _list_images(train / wnid)
        if not names:
            raise DataError(
                f"Expected {train / wnid} to hold at least one image ("
                f"{', '.join(IMAGE_ENDINGS)}), but got none."
            )
        images.update((f"{wnid}/{name}", label) for name in names)
    return images


def _pair_images(folder: Path, stems: set[str], annotation: str) -> dict[str, str]:
    """Return each image's file name by its stem; exactly ``stems`` must occur."""
    images: dict[str, str] = {}
    for name in _list_images(folder):
        stem = os.path.splitext(name)[0]
        if stem in images:
            raise DataError(
                f"Expected {folder} to hold one image file a name, but got "
                f"{images[stem]!r} and {name!r}."
            )
        if stem not in stems:
            raise DataError(
                f"Expected {annotation} to describe each image of {folder}, but got "
                f"nothing for {name!r}."
            )
        images[stem] = name
    missing = sorted(stems - set(images))
    if missing:
        raise DataError(
            f"Expected {folder} to hold the images that {annotation} describes, but "
            f"got none for {missing[0]!r}."
        )
    if not images:
        raise DataError(f"Expected {folder} to hold at least one image, but got none.")
    return images


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"Expected {path} to be a readable file, but got "
            f"{type(error).__name__}: {error}."
        ) from error


def _read_lines(path: Path) -> list[str]:
    try:
        # Iterated, since str.splitlines also breaks at rarer characters.
        with path.open(encoding="utf-8") as file:
            return list(file)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"Expected {path} to be a readable UTF-8 text, but got "
            f"{type(error).__name__}: {error}."
        ) from error
