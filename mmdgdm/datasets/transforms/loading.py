"""Load images and masks; a file that cannot be used is an error that names it."""

from __future__ import annotations

from functools import partial
from typing import Any, Optional

import cv2
import mmengine.fileio as fileio
import numpy as np
from mmcv.transforms import BaseTransform

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.pxap import merge_masks
from mmdgdm.registry import TRANSFORMS
from mmdgdm.utils.argument_checks import check_choice
from mmdgdm.utils.image_files import DECODERS, read_image, read_mask

#: Names of what an image becomes; mmcv's names for "as stored" mean the same here.
_COLOR_TYPES = {
    "color": False,
    "color_ignore_orientation": False,
    "grayscale": True,
    "grayscale_ignore_orientation": True,
}


@TRANSFORMS.register_module()
class LoadWSOLImage(BaseTransform):
    """Load an image as it is stored, and name the file if that fails.

    It differs from mmcv's ``LoadImageFromFile``:

    - The EXIF orientation is ignored, since the boxes, masks and sizes of
      localization data sets are given for the stored pixels.
    - Files of all formats, depths and palettes become 8-bit colours in one way, see
      :func:`~mmdgdm.utils.image_files.read_image`.
    - A missing, empty, truncated or undecodable file raises an error with its path.
      Nothing is skipped: mmengine would put another image in its place.
    - An image that is there already is taken, as mmpretrain's inferencers give it.

    **Required Keys:**

    - img_path, or img: (H, W, 3) uint8, BGR, or (H, W) uint8, grey

    **Added Keys:**

    - img: (H, W, 3) uint8, BGR
    - img_shape: (H, W)
    - ori_shape: (H, W)

    Args:
        to_float32: Whether to turn the image into float32.
        color_type: ``'color'``, or ``'grayscale'`` for ``img`` of shape (H, W).
        imdecode_backend: The decoder of JPEG files, ``'cv2'`` or ``'pillow'``.
        backend_args: Arguments of mmengine's file backend.

    Raises:
        ConfigError: If ``color_type`` or ``imdecode_backend`` is another one, or the
            results hold neither ``img`` nor ``img_path``.
        DataError: If the file is missing, empty or not decodable, or ``img`` is not
            of the form above.
    """

    def __init__(
        self,
        to_float32: bool = False,
        color_type: str = "color",
        *,
        imdecode_backend: str = "cv2",
        backend_args: Optional[dict] = None,
    ) -> None:
        self.to_float32 = to_float32
        self.color_type = check_choice("color_type", color_type, choices=_COLOR_TYPES)
        self.imdecode_backend = check_choice(
            "imdecode_backend", imdecode_backend, choices=DECODERS
        )
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Load ``results['img_path']`` into ``results['img']``."""
        if results.get("img") is not None:
            image = _check_image(results["img"])
        elif "img_path" in results:
            image = read_image(
                results["img_path"],
                decoder=self.imdecode_backend,
                read=partial(fileio.get, backend_args=self.backend_args),
            )
        else:
            raise ConfigError(
                "Expected `results` to hold 'img_path' or 'img' for LoadWSOLImage, but "
                f"got only {sorted(results)}."
            )
        if _COLOR_TYPES[self.color_type]:
            image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        results["img"] = image.astype(np.float32) if self.to_float32 else image
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(to_float32={self.to_float32}, "
            f"color_type={self.color_type!r}, "
            f"imdecode_backend={self.imdecode_backend!r}, "
            f"backend_args={self.backend_args})"
        )


def _check_image(image: Any) -> np.ndarray:
    """Return a given image as BGR."""
    is_image = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.size
    if is_image and image.ndim == 2:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    if is_image and image.ndim == 3 and image.shape[2] == 3:
        return image
    raise DataError(
        "Expected the given `img` to be a uint8 array (H, W, 3), BGR, or (H, W), grey, "
        f"but got {getattr(image, 'dtype', type(image).__name__)} of shape "
        f"{np.shape(image)}."
    )


@TRANSFORMS.register_module()
class LoadWSOLMask(BaseTransform):
    """Load the masks of an image and merge them into one.

    The merged mask is 1 where any object mask is set, else 255 (to be left out of
    the evaluation) where any ignore mask is set, else 0: object pixels win over
    ignored ones, as in the WSOL benchmark (Choe et al., arXiv 2007.04178). See
    :func:`~mmdgdm.utils.image_files.read_mask` for where a file is set. An image alone
    (with neither ``image_id`` nor ``img_path``), such as mmpretrain's inferencers
    give, has no masks and is passed on.

    **Required Keys:**

    - ori_gt_mask_paths: list of (mask path, ignore mask path or ``''``)

    **Added Keys:**

    - ori_gt_mask: (H, W) uint8 of {0, 1, 255}, at the masks' stored size

    Args:
        backend_args: Arguments of mmengine's file backend.

    Raises:
        ConfigError: If the results hold no ``ori_gt_mask_paths``.
        DataError: If a file is missing, empty or no mask, or the masks of one image
            differ in size.
    """

    def __init__(self, backend_args: Optional[dict] = None) -> None:
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Merge ``results['ori_gt_mask_paths']`` into ``results['ori_gt_mask']``."""
        if not {"image_id", "img_path", "ori_gt_mask_paths"} & results.keys():
            return results
        if not results.get("ori_gt_mask_paths"):
            raise ConfigError(
                "Expected `results` to hold 'ori_gt_mask_paths' for LoadWSOLMask, but "
                f"got only {sorted(results)}; build the data set with with_boxes=True "
                "on metadata that lists masks."
            )
        objects, ignored = zip(*results["ori_gt_mask_paths"])
        paths = [path for path in (*objects, *ignored) if path]
        read = partial(fileio.get, backend_args=self.backend_args)
        masks = [read_mask(path, read=read) for path in paths]
        for path, mask in zip(paths, masks):
            if mask.shape != masks[0].shape:
                raise DataError(
                    f"Expected {path} to have the (H, W) {masks[0].shape} of the "
                    f"image's first mask, but got {mask.shape}."
                )
        height, width = masks[0].shape
        results["ori_gt_mask"] = merge_masks(
            masks[: len(objects)],
            ignore=np.any(masks[len(objects) :], axis=0) if any(ignored) else None,
            size=(width, height),
        )
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(backend_args={self.backend_args})"
