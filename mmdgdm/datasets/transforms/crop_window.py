"""Cut a window out of an image and remember where it was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from mmdgdm.datasets.transforms.formatting import check_resized_as_whole
from mmdgdm.errors import ConfigError
from mmdgdm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class CropWindow(BaseTransform):
    """Cut one given window out of an image, for a view of a ``TestTimeAug``.

    Unlike other crops it records the window in the frame of the whole image, by which
    :class:`~mmdgdm.models.tta.WSOLTTAModel` puts the view's map back. It stands after
    a resize of the whole image, if there is one, and before a flip; the window itself
    may be resized afterwards.

    **Required Keys:**

    - img
    - img_shape
    - ori_shape

    **Modified Keys:**

    - img
    - img_shape: (h, w) of the window
    - scale_factor: (1, 1); it counts from the window on

    **Added Keys:**

    - view_window: x0, y0, x1, y1 as shares of the image's sides, after rounding to
      pixels
    - view_shape: (h, w) of the window

    Args:
        window: x0, y0, x1, y1 as shares of the image's width and height, for example
            ``(0, 0, 0.875, 0.875)`` for the upper left 224 of 256 pixels.

    Raises:
        ConfigError: If the window is no part of the image, holds no pixel, or the
            image was flipped or cropped before.
    """

    def __init__(self, window: Sequence[float]) -> None:
        window = tuple(window)
        if len(window) != 4 or not (
            0 <= window[0] < window[2] <= 1 and 0 <= window[1] < window[3] <= 1
        ):
            raise ConfigError(
                "Expected `window` to be x0, y0, x1, y1 with x0 < x1 and y0 < y1 in "
                f"[0, 1], but got {window}."
            )
        self.window = window

    def transform(self, results: dict) -> dict:
        """Cut the window out of ``results['img']``."""
        for key in ("flip", "view_window"):
            if results.get(key):
                raise ConfigError(
                    "Expected CropWindow to be given the whole image upright, but got "
                    f"{key}={results[key]!r}: put it before RandomFlip, and only once."
                )
        check_resized_as_whole(results)
        height, width = results["img"].shape[:2]
        x0, y0, x1, y1 = (
            round(share * side)
            for share, side in zip(self.window, (width, height, width, height))
        )
        if x0 == x1 or y0 == y1:
            raise ConfigError(
                f"Expected `window` {self.window} to hold a pixel of an image of "
                f"{width} x {height} pixels, but got none."
            )
        results["img"] = np.ascontiguousarray(results["img"][y0:y1, x0:x1])
        results["img_shape"] = results["view_shape"] = (y1 - y0, x1 - x0)
        results["scale_factor"] = (1.0, 1.0)
        results["view_window"] = (x0 / width, y0 / height, x1 / width, y1 / height)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(window={self.window})"
