"""The toy: a data set that is drawn on demand, and its form on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Optional, Union

import cv2
import numpy as np

from mmdgdm.datasets.functional.toy_scene import Scene, ToySpec, class_names, draw_scene
from mmdgdm.datasets.wsol_dataset import BaseWSOLDataset
from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.stored.metadata import LOCALIZATION, write_split
from mmdgdm.registry import DATASETS
from mmdgdm.utils.argument_checks import check_choice

#: Number of images of each split, unless a constructor says otherwise.
NUM_IMAGES = {"train": 1600, "val": 240, "test": 480}


@DATASETS.register_module()
class Toy(BaseWSOLDataset):
    """Small creatures with telltale heads, drawn in memory; nothing to download.

    See :mod:`mmdgdm.datasets.functional.toy_scene` for what the images show and why
    they are hard to localize. Image ``index`` of a split is drawn from the seed
    ``(seed, split, index)`` alone: the same on every machine and in every worker,
    whatever the order. Classes take turns, so that every run of ``num_classes``
    images is balanced; shuffle in the data loader.

    A data info holds ``image_id`` such as ``'toy/test/000123'``, ``gt_label`` and,
    with boxes, ``ori_gt_bboxes`` (1, 4) float32 and ``image_size`` (W, H). ``img``
    (H, W, 3) uint8 BGR, ``img_shape``, ``ori_shape`` and, with boxes,
    ``ori_gt_mask`` (H, W) uint8 {0, 1} are added when a sample is fetched: the
    pipeline needs **no loading transform**, and there is no ``img_path``.

    Args:
        split: ``'train'``, ``'val'`` or ``'test'``; no two share an image.
        num_images: Number of images; ``None`` stands for 1600, 240 or 480.
        num_classes: Number of classes, 2 to 16.
        image_size: Side of the images in pixels.
        seed: Chooses another toy altogether.
        spec: Further dials of
            :class:`~mmdgdm.datasets.functional.toy_scene.ToySpec`, for example
            ``dict(body_cue=0.5)``.
        cache: Whether to keep drawn scenes in memory (about 20 kB each at 64 px;
            each worker of a data loader keeps its own).
        metainfo: Further meta information.
        **kwargs: Arguments of :class:`BaseWSOLDataset`; ``with_boxes`` also loads
            masks.

    Raises:
        ConfigError: If an argument is out of range or unknown, or boxes are loaded
            and the pipeline crops, flips or turns.

    Example:
        >>> from mmdgdm.datasets import Toy
        >>> toy = Toy(split='test', num_images=16, test_mode=True)
        >>> toy[5]['img'].shape, toy[5]['gt_label']
        ((64, 64, 3), 5)
    """

    def __init__(
        self,
        split: str = "train",
        num_images: Optional[int] = None,
        *,
        num_classes: int = 8,
        image_size: int = 64,
        seed: int = 0,
        spec: Optional[Mapping[str, Any]] = None,
        cache: bool = False,
        metainfo: Optional[dict] = None,
        **kwargs: Any,
    ) -> None:
        self.split = check_choice("split", split, choices=NUM_IMAGES)
        num_images = NUM_IMAGES[split] if num_images is None else num_images
        for name, value, low in (("num_images", num_images, 1), ("seed", seed, 0)):
            if value < low:
                raise ConfigError(f"Expected `{name}` to be >= {low}, but got {value}.")
        self.seed, self.num_images = seed, num_images
        self.spec = _make_spec(num_classes, image_size, spec or {})
        self.cache = cache
        self._scenes: dict[int, Scene] = {}
        super().__init__(
            ann_file="",
            metainfo={"classes": class_names(num_classes), **(metainfo or {})},
            num_classes=num_classes,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """List the images; with boxes, each is drawn once for its box."""
        infos = []
        for index in range(self.num_images):
            info: dict[str, Any] = {
                "image_id": f"toy/{self.split}/{index:06d}",
                "gt_label": index % self.spec.num_classes,
                "scene_index": index,
            }
            if self.with_boxes:
                box = self.draw(index).box
                info["ori_gt_bboxes"] = np.array([box], dtype=np.float32)
                info["image_size"] = (self.spec.image_size, self.spec.image_size)
            infos.append(info)
        return infos

    def complete_info(self, info: dict) -> dict:
        """Add the image and, with boxes, the mask."""
        scene = self.draw(info.pop("scene_index"))
        # Copies, since transforms may write into them and scenes may be cached.
        info["img"] = scene.image.copy()
        info["img_shape"] = info["ori_shape"] = scene.image.shape[:2]
        if self.with_boxes:
            info["ori_gt_mask"] = scene.mask.copy()
        return info

    def draw(self, index: int) -> Scene:
        """Draw image ``index`` of the split, as numbered before ``indices``."""
        if index in self._scenes:
            return self._scenes[index]
        number = list(NUM_IMAGES).index(self.split)
        rng = np.random.default_rng((self.seed, number, index))
        scene = draw_scene(rng, index % self.spec.num_classes, spec=self.spec)
        if self.cache:
            self._scenes[index] = scene
        return scene

    def extra_repr(self) -> list[str]:
        """Return the lines that ``repr`` adds to the class name and counts."""
        return [
            f"Split: \t{self.split}, seed {self.seed}",
            f"With boxes or masks: \t{self.with_boxes}",
            f"Dials: \t{self.spec}",
        ]


def _make_spec(num_classes: int, image_size: int, dials: Mapping[str, Any]) -> ToySpec:
    own = {"num_classes", "image_size"}
    names = [field.name for field in fields(ToySpec) if field.name not in own]
    unknown = sorted(set(dials) - set(names))
    if unknown:
        raise ConfigError(
            f"Expected `spec` to hold only keys of {names}, but got {unknown}."
        )
    return ToySpec(num_classes=num_classes, image_size=image_size, **dials)


def write_toy(
    root: Union[str, os.PathLike],
    num_images: Optional[Mapping[str, int]] = None,
    **kwargs: Any,
) -> None:
    """Write the toy to disk, in the form that :class:`WSOLDataset` reads.

    It holds the same pixels, labels and boxes as :class:`Toy`; image ids gain the
    ending of their file::

        root
        ├── classes.txt                 one name per line
        ├── metadata/<split>/           the WSOL benchmark's text files, with boxes
        ├── metadata_masks/<split>/     the same with masks
        ├── toy/<split>/000000.png      images
        └── masks/<split>/000000.png    masks, 0 or 255

    Args:
        root: Folder to write into; made if missing.
        num_images: Number of images by split; ``None`` stands for 1600, 240 and 480.
        **kwargs: Arguments of :class:`Toy` that shape the images: ``num_classes``,
            ``image_size``, ``seed``, ``spec``.

    Raises:
        ConfigError: If an argument is out of range or unknown.
        OSError: If an image cannot be written.
        DataError: If a text file cannot be written.
    """
    root = Path(root)
    for split, count in (NUM_IMAGES if num_images is None else num_images).items():
        toy = Toy(split=split, num_images=count, **kwargs)
        labels, sizes, boxes, masks = {}, {}, {}, []
        for index in range(toy.num_images):
            info, scene = toy.get_data_info(index), toy.draw(index)
            image_id = f"{info['image_id']}.png"
            mask_id = f"masks/{split}/{index:06d}.png"
            _write_png(root / image_id, scene.image)
            _write_png(root / mask_id, scene.mask * np.uint8(255))
            labels[image_id] = info["gt_label"]
            sizes[image_id] = (toy.spec.image_size, toy.spec.image_size)
            boxes[image_id] = [scene.box]
            masks.append(f"{image_id},{mask_id},")
        write_split(root / "metadata" / split, labels, image_sizes=sizes, boxes=boxes)
        folder = root / "metadata_masks" / split
        write_split(folder, labels, image_sizes=sizes, boxes={})
        (folder / LOCALIZATION).write_text("\n".join(masks), encoding="utf-8")
        names = "\n".join(toy.metainfo["classes"])
        (root / "classes.txt").write_text(names, encoding="utf-8")


def _write_png(path: Path, image: np.ndarray) -> None:
    # cv2.imwrite reports a full disk or a bad path by False alone.
    done, data = cv2.imencode(".png", image)
    if not done:
        raise OSError(f"Expected {path} to be writable as PNG, but encoding failed.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())
