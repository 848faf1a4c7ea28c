"""Load images and masks; a file that cannot be used is an error that names it."""

from __future__ import annotations

from typing import Optional

import cv2
import mmcv
import mmengine.fileio as fileio
import numpy as np
from mmcv.transforms import BaseTransform, LoadImageFromFile

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.registry import TRANSFORMS


def _read_image(
    path: str, color_type: str, backend: str, backend_args: Optional[dict]
) -> np.ndarray:
    """Read and decode an image file; whatever goes wrong becomes a DataError."""
    try:
        content = fileio.get(path, backend_args=backend_args)
    except OSError as error:
        raise DataError(
            f"Expected {path} to be a readable image file, but got "
            f"{type(error).__name__}: {error}."
        ) from error
    if not content:
        raise DataError(f"Expected {path} to be an image file, but got an empty file.")
    try:
        image = mmcv.imfrombytes(content, flag=color_type, backend=backend)
    except (cv2.error, OSError, SyntaxError, ValueError) as error:
        # pillow reports broken files as OSError, SyntaxError or ValueError.
        raise DataError(
            f"Expected {path} to be an image file, but it cannot be decoded: {error}."
        ) from error
    if image is None:
        raise DataError(
            f"Expected {path} to be an image file, but it cannot be decoded "
            f"({len(content)} bytes, truncated or of no known format)."
        )
    return image


@TRANSFORMS.register_module()
class LoadWSOLImage(LoadImageFromFile):
    """Load an image as it is stored, and name the file if that fails.

    It differs from mmcv's ``LoadImageFromFile`` in two ways:

    - The EXIF orientation is ignored by default, since the boxes and sizes of
      localization data sets are given for the stored pixels.
    - A missing, empty, truncated or undecodable file raises an error with its path.
      Nothing is skipped: mmengine would put another image in its place.

    **Required Keys:**

    - img_path

    **Added Keys:**

    - img: (H, W, 3) uint8, BGR
    - img_shape: (H, W)
    - ori_shape: (H, W)

    Args:
        to_float32: Whether to turn the image into float32.
        color_type: The flag for :func:`mmcv.imfrombytes`.
        imdecode_backend: The decoder, ``'cv2'``, ``'pillow'``, ``'turbojpeg'`` or
            ``'tifffile'``.
        backend_args: Arguments of mmengine's file backend.

    Raises:
        ConfigError: If the results hold no ``img_path``.
        DataError: If the file is missing, empty or not decodable.
    """

    def __init__(
        self,
        to_float32: bool = False,
        color_type: str = "color_ignore_orientation",
        imdecode_backend: str = "cv2",
        backend_args: Optional[dict] = None,
    ) -> None:
        super().__init__(
            to_float32=to_float32,
            color_type=color_type,
            imdecode_backend=imdecode_backend,
            backend_args=backend_args,
        )

    def transform(self, results: dict) -> dict:
        """Load ``results['img_path']`` into ``results['img']``."""
        if "img_path" not in results:
            raise ConfigError(
                "Expected `results` to hold 'img_path' for LoadWSOLImage, but got "
                f"only {sorted(results)}; data sets that make their images in memory "
                "need no loading transform."
            )
        image = _read_image(
            results["img_path"],
            self.color_type,
            self.imdecode_backend,
            self.backend_args,
        )
        results["img"] = image.astype(np.float32) if self.to_float32 else image
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        return results


@TRANSFORMS.register_module()
class LoadWSOLMask(BaseTransform):
    """Load the masks of an image and merge them into one.

    The merged mask is 1 where any object mask is set, else 255 (to be left out of
    the evaluation) where any ignore mask is set, else 0: object pixels win over
    ignored ones, as in the WSOL benchmark (Choe et al., arXiv 2007.04178). A mask
    file is set where its grey level is above 0.

    **Required Keys:**

    - ori_gt_mask_paths: list of (mask path, ignore mask path or ``''``)

    **Added Keys:**

    - ori_gt_mask: (H, W) uint8 of {0, 1, 255}, at the masks' stored size

    Args:
        backend_args: Arguments of mmengine's file backend.

    Raises:
        ConfigError: If the results hold no ``ori_gt_mask_paths``.
        DataError: If a file is missing, empty or not decodable, or the masks of one
            image differ in size.
    """

    def __init__(self, backend_args: Optional[dict] = None) -> None:
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Merge ``results['ori_gt_mask_paths']`` into ``results['ori_gt_mask']``."""
        if not results.get("ori_gt_mask_paths"):
            raise ConfigError(
                "Expected `results` to hold 'ori_gt_mask_paths' for LoadWSOLMask, but "
                f"got only {sorted(results)}; build the data set with with_boxes=True "
                "on metadata that lists masks."
            )
        paths = results["ori_gt_mask_paths"]
        first = self._load(paths[0][0], None)
        objects, ignored = np.zeros_like(first), np.zeros_like(first)
        for mask_path, ignore_path in paths:
            objects |= self._load(mask_path, first.shape)
            if ignore_path:
                ignored |= self._load(ignore_path, first.shape)
        mask = objects.astype(np.uint8)
        mask[ignored & ~objects] = 255
        results["ori_gt_mask"] = mask
        return results

    def _load(self, path: str, shape: Optional[tuple[int, ...]]) -> np.ndarray:
        mask = _read_image(path, "grayscale", "cv2", self.backend_args) > 0
        if shape is not None and mask.shape != shape:
            raise DataError(
                f"Expected {path} to have the (H, W) {shape} of the image's first "
                f"mask, but got {mask.shape}."
            )
        return mask

    def __repr__(self) -> str:
        return f"{type(self).__name__}(backend_args={self.backend_args})"
