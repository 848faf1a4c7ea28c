"""Pack images, labels, boxes and masks for the model and the metrics.

Boxes and masks are given in pixels of the original image, and maps are compared
with them by stretching the map to the image. That holds only if the network saw the
whole image upright: with boxes present a pipeline may resize, and nothing else may
move pixels. Both guards of that rule are here. The views of a ``TestTimeAug`` may also
be flipped and cropped, since a model puts their maps back where they were taken; what
it needs for that is recorded here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile, TestTimeAug
from mmpretrain.datasets.transforms import PackInputs

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.registry import TRANSFORMS

#: Matches the names of transforms that move pixels other than by resizing.
_MOVES_PIXELS = re.compile(
    "Crop|Flip|Rotat|Shear|Transla|Affine|Perspective|Elastic|Pad|"
    "AutoAugment|RandAugment|Albu|Mosaic"
)
#: Those of them after which a view's map can be put back.
_VIEW_TRANSFORMS = frozenset(["RandomFlip", "CropWindow"])
#: What `WSOLTTAModel` reads of a view.
_VIEW_META_KEYS = ("flip", "flip_direction", "view_window")
_RULE = (
    "with boxes or masks loaded, the pipeline must keep the whole image upright "
    "(one Resize at most, for example dict(type='Resize', scale=(224, 224), "
    "keep_ratio=False))"
)


def check_pipeline(transforms: Iterable[Any]) -> None:
    """Refuse pipelines that move pixels, for data sets that load boxes or masks.

    Random crops and rotations leave no trace in the results, so that a sample alone
    does not show them; their names do.

    Args:
        transforms: The built transforms; containers are searched too.

    Raises:
        ConfigError: If a transform crops, flips, pads, turns or shifts, or loads
            images as their EXIF orientation turns them. The message names it. The
            views of a ``TestTimeAug`` may hold one RandomFlip and CropWindow, which
            leave a trace.
    """
    steps = list(_walk(transforms))
    for name in _find_movers(steps):
        raise ConfigError(
            f"Expected `pipeline` to hold no {name}, but got one: {_RULE}; to "
            "train with augmentation, leave the boxes out (with_boxes=False)."
        )
    views = [v for t in steps if isinstance(t, TestTimeAug) for v in t.subroutines]
    for view in views:
        movers = _find_movers(_walk(view.transforms))
        if set(movers) - _VIEW_TRANSFORMS or movers.count("RandomFlip") > 1:
            raise ConfigError(
                "Expected the views of TestTimeAug to move pixels by one RandomFlip "
                f"and one mmdgdm.CropWindow at most, but got {', '.join(movers)}: "
                "others leave no trace by which the view's map finds its place in the "
                "image."
            )


def _find_movers(transforms: Iterable[Any]) -> list[str]:
    """Name the transforms that move pixels; refuse loaders that turn images."""
    movers = []
    for transform in transforms:
        name = type(transform).__name__
        turns = ("color", "grayscale")
        if isinstance(transform, LoadImageFromFile) and transform.color_type in turns:
            raise ConfigError(
                f"{name} with color_type={transform.color_type!r} turns images by "
                "their EXIF orientation, while boxes and masks are given for the "
                "stored pixels: load by dict(type='mmdgdm.LoadWSOLImage')."
            )
        if _MOVES_PIXELS.search(name):
            movers.append(name)
    return movers


def _walk(transforms: Iterable[Any]) -> Iterator[Any]:
    for transform in transforms:
        if isinstance(transform, (list, tuple)):
            yield from _walk(transform)
            continue
        yield transform
        # RandomApply, RandomChoice and Compose; mmpretrain's torchvision wrapper.
        yield from _walk(getattr(transform, "transforms", ()))
        if hasattr(transform, "t"):
            yield transform.t


@TRANSFORMS.register_module()
class PackWSOLInputs(PackInputs):
    """Pack the inputs of weakly supervised object localization.

    It is mmpretrain's ``PackInputs`` with ground truth for localization. Boxes and
    masks travel under names that start with ``ori_``, because mmcv's transforms
    rewrite ``gt_bboxes``; here they reach the data sample untouched, in pixels of
    the original image.

    **Required Keys:**

    - img
    - img_shape
    - ori_shape
    - gt_label (optional)
    - ori_gt_bboxes (optional): (K, 4) x0 y0 x1 y1
    - ori_gt_mask (optional): (H, W) uint8 of {0, 1, 255 = ignore}
    - image_size (optional): (width, height) that the annotation gives
    - flip, flip_direction, view_window, view_shape (optional, of views)

    **Deleted Keys:**

    All other keys in the dict.

    **Added Keys:**

    - inputs: (C, H, W) tensor
    - data_samples (:obj:`~mmpretrain.structures.DataSample`): ``gt_label`` (1,)
      int64; ``gt_bboxes`` (K, 4) float32; ``gt_mask`` (H, W) uint8; the metainfo
      ``image_id``, ``img_path``, ``ori_shape`` and ``img_shape`` (h, w), and the
      other default meta keys of ``PackInputs``. What a sample lacks is left out.

    Args:
        input_key: The key of the image.
        algorithm_keys: Keys of further fields of the data sample.
        meta_keys: Keys of the metainfo.
        as_view: Whether this is a view for
            :class:`~mmdgdm.models.tta.WSOLTTAModel`: it may be flipped, and cropped
            by :class:`~mmdgdm.datasets.transforms.CropWindow`, and the metainfo also
            gets ``view_window``, x0, y0, x1, y1 as shares of the image's sides.

    Raises:
        ConfigError: If there is no image, or if there are boxes or a mask and the
            pipeline cropped, padded or flipped the image, or resized it twice. A
            view is checked with and without boxes.
        DataError: If the image is not of the annotated size, the boxes are not
            (K, 4) finite numbers, or the mask has another aspect ratio than the
            image.
    """

    DEFAULT_META_KEYS = ("image_id", *PackInputs.DEFAULT_META_KEYS)

    def __init__(
        self,
        input_key: str = "img",
        algorithm_keys: Sequence[str] = (),
        *,
        meta_keys: Sequence[str] = DEFAULT_META_KEYS,
        as_view: bool = False,
    ) -> None:
        view_keys = _VIEW_META_KEYS if as_view else ()
        super().__init__(
            input_key=input_key,
            algorithm_keys=tuple(algorithm_keys),
            meta_keys=tuple(dict.fromkeys((*meta_keys, *view_keys))),
        )
        self.as_view = as_view

    def transform(self, results: dict) -> dict:
        """Pack one sample."""
        if self.input_key not in results:
            raise ConfigError(
                f"Expected `results` to hold {self.input_key!r} for PackWSOLInputs, "
                f"but got only {sorted(results)}; does the pipeline start with "
                "dict(type='mmdgdm.LoadWSOLImage')?"
            )
        results = dict(results)
        if "img_shape" in results:
            # Crops of mmpretrain append the channels.
            results["img_shape"] = tuple(results["img_shape"][:2])
        width, height = results.get("image_size", (None, None))
        shape = results.get("ori_shape")
        if width and shape is not None and tuple(shape[:2]) != (height, width):
            raise DataError(
                f"Expected {_describe(results)} to be {width} x {height} pixels as its "
                f"annotation says, but got {shape[1]} x {shape[0]}."
            )
        fields = {}
        if self.as_view:
            check_resized_as_whole(results)
            results.setdefault("view_window", (0.0, 0.0, 1.0, 1.0))
        elif "ori_gt_bboxes" in results or "ori_gt_mask" in results:
            _check_whole_image(results)
        if "ori_gt_bboxes" in results:
            fields["gt_bboxes"] = _to_boxes(results)
        if "ori_gt_mask" in results:
            fields["gt_mask"] = _to_mask(results)
        packed = super().transform(results)
        for name, value in fields.items():
            packed["data_samples"].set_field(value, name)
        return packed


def _describe(results: dict) -> str:
    return f"image {results.get('image_id', results.get('img_path', '?'))!r}"


def _check_whole_image(results: dict) -> None:
    """Check that one resize at most lies between the original image and the input."""
    if results.get("flip"):
        raise ConfigError(
            f"Expected {_describe(results)} not to be flipped, but got flip_direction="
            f"{results.get('flip_direction')!r}: {_RULE}."
        )
    if "view_window" in results:
        raise ConfigError(
            f"Expected {_describe(results)} not to be cropped, but got the window "
            f"{results['view_window']}: {_RULE}; the views of TestTimeAug need "
            "PackWSOLInputs(as_view=True)."
        )
    check_resized_as_whole(results)


def check_resized_as_whole(results: dict) -> None:
    """Check that an image, or the window cut from it, was resized once at most.

    Args:
        results: With ``ori_shape`` and ``img_shape``; ``view_shape`` is the (h, w) of
            the window when it was cut.

    Raises:
        ConfigError: If a key is missing, or the sizes show another crop, padding or
            a second resize.
    """
    for key in ("ori_shape", "img_shape"):
        if key not in results:
            raise ConfigError(
                f"Expected `results` to hold {key!r} where maps are to be compared "
                f"with the image, but got only {sorted(results)}."
            )
    height, width = results.get("view_shape", results["ori_shape"])[:2]
    new_height, new_width = results["img_shape"][:2]
    scale_x, scale_y = results.get("scale_factor", (1.0, 1.0))
    # A transform that crops or pads leaves the scale factor, a second resize
    # overwrites it. Either way the sizes no longer fit; 1 px is rounding.
    if abs(new_width - width * scale_x) > 1 or abs(new_height - height * scale_y) > 1:
        raise ConfigError(
            f"Expected {_describe(results)} of {width} x {height} pixels to be resized "
            f"as a whole, but got {new_width} x {new_height} with scale_factor="
            f"{(scale_x, scale_y)}: {_RULE}."
        )


def _to_boxes(results: dict) -> torch.Tensor:
    boxes = np.asarray(results["ori_gt_bboxes"], dtype=np.float32)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise DataError(
            f"Expected `ori_gt_bboxes` of {_describe(results)} to be finite numbers of "
            f"shape (K, 4), but got {boxes.tolist()}."
        )
    return torch.from_numpy(boxes.copy())


def _to_mask(results: dict) -> torch.Tensor:
    mask = np.asarray(results["ori_gt_mask"])
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise DataError(
            f"Expected `ori_gt_mask` of {_describe(results)} to be uint8 of shape "
            f"(H, W), but got {mask.dtype} of shape {mask.shape}."
        )
    (height, width), (mask_height, mask_width) = results["ori_shape"][:2], mask.shape
    # Masks may be stored at another size, but must show the same field of view.
    scale = mask_width / width
    if abs(mask_height - height * scale) > max(scale, 1):
        raise DataError(
            f"Expected the mask of {_describe(results)} to cover the image of {width} "
            f"x {height} pixels, but got {mask_width} x {mask_height}."
        )
    return torch.from_numpy(mask.copy())
