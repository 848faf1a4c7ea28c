"""ILSVRC CLS-LOC (ImageNet-1k) in its own layouts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional, Union

from mmdgdm.datasets.functional.ilsvrc_files import (
    IMAGE_FOLDERS,
    SOLUTION,
    XML_FOLDERS,
    find_annotation,
    find_images,
    has_boxes,
    read_classes,
    read_ilsvrc,
)
from mmdgdm.datasets.wsol_dataset import BaseWSOLDataset
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.registry import DATASETS
from mmdgdm.utils.argument_checks import check_choice


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

    (``train`` and ``val`` may lie in a folder ``ILSVRC`` below the root), and Kaggle's,
    where ``ILSVRC/`` may also be the root itself, beside the text files::

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

    Boxes hold the numbers of the annotation as they are, but for
    :func:`~mmdgdm.evaluation.functional.boxes.fit_box`; an image keeps all of its
    boxes. The image's size W x H comes from the XML file
    (:class:`PackWSOLInputs` compares it to the image itself), or, where the annotation
    has none, as the csv file, from the image's header.

    An ``image_id`` is the path below the folder with ``train`` and ``val``, as in the
    benchmark. The split for model selection (ImageNetV2) is not part of ILSVRC, whose
    val is the benchmark's test; read it with :class:`WSOLDataset`.

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
        metainfo: Further meta information; ``classes`` and ``wnids`` come from the
            data.
        **kwargs: Arguments of :class:`BaseWSOLDataset`.

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

    def __init__(
        self,
        data_root: Union[str, os.PathLike],
        split: str = "train",
        *,
        ann_file: str = "",
        metainfo: Optional[dict] = None,
        **kwargs: Any,
    ) -> None:
        self.split = check_choice("split", split, choices=("train", "val"))
        root = Path(data_root).expanduser()
        images = find_images(root, split)
        if images is None:
            tried = ", ".join(str(root / folder / split) for folder in IMAGE_FOLDERS)
            raise DataError(
                f"The images of split {split!r} lie in none of the folders {tried}."
            )
        if split == "val" and not ann_file:
            found = find_annotation(root)
            if found is None:
                raise DataError(
                    f"{root} holds no annotation of val, neither {XML_FOLDERS[0]} nor "
                    f"{SOLUTION}; `ann_file` names another place."
                )
            ann_file = os.path.abspath(found)
        names = read_classes(root)
        self.labels = {wnid: label for label, wnid in enumerate(names)}
        classes = {"classes": tuple(names.values()), "wnids": tuple(names)}
        super().__init__(
            data_root=str(root),
            ann_file=ann_file,
            data_prefix=images,
            metainfo={**classes, **(metainfo or {})},
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Read the annotation into one data info per image of the split."""
        annotation = Path(self.ann_file) if self.ann_file else None
        readable = self.split == "val" and annotation and has_boxes(annotation)
        if self.with_boxes and not readable:
            raise ConfigError(
                f"Expected `with_boxes` to be False for split {self.split!r} with "
                f"annotation {self.ann_file!r}, which has no boxes, but got True."
            )
        split = read_ilsvrc(
            Path(self.img_prefix),
            self.split,
            labels=self.labels,
            annotation=annotation,
            with_boxes=self.with_boxes,
        )
        return self.make_infos(split)
