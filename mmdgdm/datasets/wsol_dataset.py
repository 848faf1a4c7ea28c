"""Data sets of weakly supervised object localization in the metadata text form."""

from __future__ import annotations

import gc
import os
import pickle
from collections.abc import Sequence
from typing import Any, Optional, Union

import numpy as np
from mmpretrain.datasets import BaseDataset

from mmdgdm.datasets.transforms import check_pipeline
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.stored.metadata import (
    SplitMetadata,
    read_class_names,
    read_split,
)
from mmdgdm.registry import DATASETS
from mmdgdm.utils.argument_checks import check_choice
from mmdgdm.utils.samples import Unreadable


class BaseWSOLDataset(BaseDataset):
    """Base of the data sets: mmpretrain's ``BaseDataset`` with localization rules.

    - Boxes and masks are loaded for testing only, unless ``with_boxes`` says
      otherwise: training is from image labels alone.
    - With boxes loaded, the pipeline may resize but not crop, flip or turn.
    - Nothing is put in the place of a sample that fails, whatever ``test_mode``: an
      image that cannot be read is an error, or left out if ``on_error`` says so, and a
      pipeline that returns ``None`` is an error.

    A data info holds ``img_path``, ``image_id``, ``gt_label`` from 0 and, with boxes,
    ``ori_gt_bboxes`` (K, 4) float32 x0 y0 x1 y1 in pixels of the original image, with
    x1 <= W - 1 and y1 <= H - 1, and ``image_size`` (W, H), or, with masks,
    ``ori_gt_mask_paths``.

    Args:
        with_boxes: Whether to load boxes or masks; ``None`` stands for ``test_mode``.
        num_classes: Number of classes; may be left out where class names are given.
        pipeline: The transforms, as configs or objects.
        test_mode: Whether the data set serves validation or test.
        on_error: ``"raise"`` stops at an image that cannot be read; ``"skip"`` leaves
            it out of its batch, which is then smaller, in every epoch; the run lists
            such images at its end. For training alone.
        lazy_init: Whether to postpone reading the annotation.
        **kwargs: Further arguments of ``BaseDataset``: ``data_root``, ``ann_file``,
            ``data_prefix``, ``metainfo``, ``classes``, ``indices``,
            ``serialize_data``.

    Raises:
        ConfigError: If neither ``num_classes`` nor class names are given, if they
            contradict each other, or if boxes are loaded and ``pipeline`` moves
            pixels.
    """

    #: Name of the split, where the data set itself tells the splits apart.
    split = ""

    def __init__(
        self,
        *,
        with_boxes: Optional[bool] = None,
        num_classes: Optional[int] = None,
        pipeline: Sequence[Any] = (),
        test_mode: bool = False,
        on_error: str = "raise",
        lazy_init: bool = False,
        **kwargs: Any,
    ) -> None:
        self.on_error = check_choice("on_error", on_error, choices=("raise", "skip"))
        if on_error == "skip" and test_mode:
            raise ConfigError(
                "Expected `on_error` to be 'raise' for validation and test, whose "
                "numbers are those of all images, but got 'skip': mend or remove the "
                "image and its lines in the metadata."
            )
        super().__init__(
            pipeline=pipeline, test_mode=test_mode, lazy_init=True, **kwargs
        )
        self.with_boxes = test_mode if with_boxes is None else bool(with_boxes)
        names = self.CLASSES
        if num_classes is None and names is None:
            raise ConfigError(
                "Expected `num_classes`, `classes` or metainfo['classes'] to be "
                f"given for {type(self).__name__}, but got none of them."
            )
        if num_classes is None:
            num_classes = len(names)
        elif names is not None and num_classes != len(names):
            raise ConfigError(
                f"Expected `num_classes` to be {len(names)}, the number of class "
                f"names, but got {num_classes}."
            )
        self.num_classes = num_classes
        if self.with_boxes:
            check_pipeline(self.pipeline.transforms)
        if not lazy_init:
            self.full_init()

    def make_infos(self, split: SplitMetadata, mask_root: str = "") -> list[dict]:
        """Turn what a reader found into one data info per image.

        Args:
            split: The split, with image ids below ``img_prefix``.
            mask_root: Folder that mask paths start from, relative to ``data_root``;
                ``''`` stands for the image folder.

        Returns:
            The data infos.
        """
        folder = self.img_prefix
        if mask_root:
            folder = os.path.join(self.data_root, mask_root)
        infos = []
        for image_id in split.image_ids:
            info: dict[str, Any] = {
                "img_path": os.path.join(self.img_prefix, image_id),
                "image_id": image_id,
                "gt_label": split.labels[image_id],
            }
            if image_id in split.image_sizes:
                info["image_size"] = split.image_sizes[image_id]
            if image_id in split.boxes:
                boxes = np.array(split.boxes[image_id], dtype=np.float32)
                info["ori_gt_bboxes"] = boxes
            if split.masks is not None:
                info["ori_gt_mask_paths"] = [
                    (os.path.join(folder, m), os.path.join(folder, i) if i else "")
                    for m, i in split.masks[image_id]
                ]
            infos.append(info)
        return infos

    def _serialize_data(self) -> tuple[np.ndarray, np.ndarray]:
        """Pickle the data infos into one buffer, which data loader workers share.

        The result is mmengine's. Its own method holds an array per image beside the
        buffer, which for ILSVRC takes hundreds of MB more while loading.
        """
        buffer = bytearray()
        ends = np.empty(len(self.data_list), dtype=np.int64)
        for index, info in enumerate(self.data_list):
            buffer += pickle.dumps(info, protocol=4)
            ends[index] = len(buffer)
        # Workers would copy what they touch, be it only to count references.
        self.data_list.clear()
        gc.collect()
        return np.frombuffer(buffer, dtype=np.uint8), ends

    def prepare_data(self, idx: int) -> Any:
        """Return sample ``idx`` after the pipeline.

        Returns:
            What the pipeline makes of it, or, with ``on_error="skip"``,
            :class:`~mmdgdm.utils.samples.Unreadable` for an image that cannot be read.

        Raises:
            DataError: If the image cannot be read, or the pipeline returns ``None``.
        """
        info = self.complete_info(self.get_data_info(idx))
        image_id = info["image_id"]
        try:
            data = self.pipeline(info)
        except DataError as error:
            if self.on_error == "raise" or not _is_lasting(error):
                raise
            return Unreadable(image_id, str(error))
        if data is None:
            raise DataError(
                f"Expected the pipeline to return a sample for image {image_id!r}, but "
                "got None; no other image is put in its place."
            )
        return data

    def complete_info(self, info: dict) -> dict:
        """Add to a data info what is made when a sample is fetched; here nothing."""
        return info

    def extra_repr(self) -> list[str]:
        """Return the lines that ``repr`` adds to the class name and counts."""
        shown = {
            "Split": self.split,
            "Labels": f"0 to {self.num_classes - 1}",
            "Annotation": self.ann_file,
            "Prefix of images": self.img_prefix,
            "With boxes or masks": self.with_boxes,
        }
        return [f"{name}: \t{value}" for name, value in shown.items() if value != ""]


def _is_lasting(error: DataError) -> bool:
    """Whether an image fails each time: it is missing, forbidden or damaged.

    A disk or a network that failed once may give it the next time.
    """
    cause = error.__cause__
    lasting = (FileNotFoundError, PermissionError, IsADirectoryError)
    is_of_system = isinstance(cause, OSError) and cause.errno is not None
    return not is_of_system or isinstance(cause, lasting)


@DATASETS.register_module()
class WSOLDataset(BaseWSOLDataset):
    """A split in the WSOL benchmark's metadata text form.

    The benchmark (Choe et al., CVPR 2020 and arXiv 2007.04178) describes each split
    of CUB, ILSVRC and OpenImages by four text files::

        data_root
        ├── metadata
        │   ├── train
        │   ├── val
        │   └── test
        │       ├── image_ids.txt       <image id>
        │       ├── class_labels.txt    <image id>,<label from 0>
        │       ├── image_sizes.txt     <image id>,<width>,<height>
        │       └── localization.txt    <image id>,<x0>,<y0>,<x1>,<y1>
        └── <image id>                  or data_prefix/<image id>

    An image id is the image's path below ``data_root/data_prefix``, and may hold
    commas. Several boxes take several lines. Both ends of a box are pixels of it; one
    that counts them from outside (0,0,W,H) is clipped. In the mask form (OpenImages)
    ``localization.txt`` holds ``<image id>,<mask path>,<ignore mask path or nothing>``
    and ``image_sizes.txt`` may be empty; put ``dict(type='mmdgdm.LoadWSOLMask')`` into
    the pipeline there.

    Args:
        data_root: Root folder.
        ann_file: Folder of the split's text files, relative to ``data_root`` or
            absolute.
        mask_root: Folder that mask paths start from, relative to ``data_root``;
            ``''`` stands for the image folder.
        class_file: File of the class names, relative to ``data_root``: a line
            ``<id> <class name>`` a class, in the order of the labels, as in CUB's
            ``classes.txt`` and ILSVRC's ``LOC_synset_mapping.txt``. ``''`` gives none.
        metainfo: Further meta information.
        **kwargs: Arguments of :class:`BaseWSOLDataset`: ``num_classes``,
            ``data_prefix`` (image folder, relative to ``data_root``), ...

    Raises:
        ConfigError: If the number of classes is not given, or boxes are loaded and
            the pipeline crops, flips or turns.
        DataError: If the metadata are missing or malformed; names file and line.

    Example:
        >>> from mmdgdm.datasets import WSOLDataset
        >>> WSOLDataset('data/CUB', 'metadata/test', num_classes=200,
        ...             test_mode=True)  # doctest: +SKIP
        Dataset WSOLDataset
            Number of samples:  5794
            ...
    """

    def __init__(
        self,
        data_root: Union[str, os.PathLike],
        ann_file: str,
        *,
        mask_root: str = "",
        class_file: str = "",
        metainfo: Optional[dict] = None,
        **kwargs: Any,
    ) -> None:
        self.mask_root = mask_root
        root = os.path.expanduser(data_root)
        names = {}
        if class_file:
            names = {"classes": read_class_names(os.path.join(root, class_file))}
        super().__init__(
            data_root=root,
            ann_file=ann_file,
            metainfo={**names, **(metainfo or {})},
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Read the split's text files into one data info per image."""
        split = read_split(self.ann_file, self.num_classes, with_boxes=self.with_boxes)
        return self.make_infos(split, self.mask_root)
