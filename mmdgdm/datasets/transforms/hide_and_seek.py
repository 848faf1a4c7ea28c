"""HideAndSeek: hide random cells of a grid in training images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from numpy.typing import NDArray

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.registry import TRANSFORMS
from mmdgdm.utils.argument_checks import check_share


@TRANSFORMS.register_module()
class HideAndSeek(BaseTransform):
    r"""Hide random cells of a grid, so that no single part gives the class away.

    For each image a cell size S is drawn from ``grid_sizes``. The image is cut
    into cells of S x S pixels from the upper left corner on, those at the right and
    lower frame being smaller, and each cell is filled with ``fill`` with probability
    ``drop_prob``, independently of the others. It belongs at the end of the training
    pipeline, after cropping, and nowhere else.

    On images that are not square the public benchmark code takes the height as the
    limit of the columns and the width as that of the rows, so that some cells are
    never hidden; here every cell can be.

    Source: Singh and Lee, Hide-and-Seek: Forcing a Network to be Meticulous for
    Weakly-supervised Object and Action Localization, ICCV 2017, whose sizes for
    images of 224 pixels are the default here.

    **Required Keys:**

    - img

    **Modified Keys:**

    - img

    Args:
        fill: What hides a cell, one value per channel of ``img``, which is BGR when
            loaded by mmcv. Take the ``mean`` of the ``data_preprocessor``, in the
            order of ``img``: it becomes zero there, as the method asks, but for the
            rounding to whole pixel values.
        grid_sizes: Sizes S in pixels; 0 stands for the whole image left as it is.
        drop_prob: Probability that a cell is hidden, in [0, 1].

    Raises:
        ConfigError: If an argument is impossible; the message names it.
        DataError: If ``fill`` does not fit the channels of an image.

    Example:
        >>> hide = HideAndSeek(fill=(0, 0, 0), grid_sizes=(2,), drop_prob=1.0)
        >>> int(hide(dict(img=np.ones((3, 5, 3), np.uint8)))['img'].sum())
        0
    """

    def __init__(
        self,
        fill: Sequence[float],
        grid_sizes: Sequence[int] = (0, 16, 32, 44, 56),
        *,
        drop_prob: float = 0.5,
    ) -> None:
        sizes = list(grid_sizes) if not isinstance(grid_sizes, int) else []
        if not sizes or not all(isinstance(size, int) and size >= 0 for size in sizes):
            raise ConfigError(
                "Expected `grid_sizes` to be a list of whole numbers >= 0, but got "
                f"{grid_sizes!r}."
            )
        self.fill = tuple(fill)
        self.grid_sizes = sizes
        self.drop_prob = check_share("drop_prob", drop_prob)

    @cache_randomness
    def draw_size(self) -> int:
        """Draw the cell size of one image."""
        return int(np.random.choice(self.grid_sizes))

    @cache_randomness
    def draw_cells(self, rows: int, columns: int) -> NDArray[np.bool_]:
        """Draw which cells are hidden, (rows, columns)."""
        return np.random.random((rows, columns)) < self.drop_prob

    def transform(self, results: dict) -> Optional[dict]:
        """Hide cells of ``results['img']``, (H, W, C)."""
        image = results["img"]
        if image.ndim != 3 or image.shape[2] != len(self.fill):
            raise DataError(
                f"Expected `img` to be of shape (H, W, {len(self.fill)}), as `fill` of "
                f"HideAndSeek has {len(self.fill)} values, but got {image.shape} for "
                f"{results.get('img_path')!r}."
            )
        size = self.draw_size()
        if size == 0:
            return results
        height, width = image.shape[:2]
        cells = self.draw_cells(-(-height // size), -(-width // size))
        hidden = cells.repeat(size, axis=0).repeat(size, axis=1)[:height, :width]
        fill = np.asarray(self.fill)
        if image.dtype.kind in "iu":
            fill = np.rint(fill)
        results["img"] = np.where(hidden[..., None], fill.astype(image.dtype), image)
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(fill={self.fill}, grid_sizes={self.grid_sizes}, "
            f"drop_prob={self.drop_prob})"
        )
