r"""Maps of several views of an image, brought to the image's frame and averaged.

A view is a window of the image, upright or flipped. Its map, (K, h, w), divides the
window into h x w equal cells. With view v's map turned upright again, :math:`M_v`,
the fused map is

.. math::
    M = \frac{\sum_v R_v M_v C_v^T}{\sum_v r_v c_v^T},

where :math:`R_v` (H, h) and :math:`C_v` (W, w) interpolate linearly from the window's
cells to those of the image that have their centre in the window, and are zero in the
others; :math:`r_v` and :math:`c_v` are the sums of their rows, 1 or 0. So each place
holds the plain mean of the views that see it. Maps are not normalised before.

H x W is the smallest grid on which no view loses resolution:
:math:`H = \max_v \lceil h_v / (y_{1v} - y_{0v}) \rceil`, W likewise. Where the view's
cells are the grid's own, values are copied exactly.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple, Optional

import torch
from torch import Tensor

from mmdgdm.errors import DataError

#: Flipped axes of (K, h, w), by mmcv's name of the direction.
_FLIPPED_DIMS = {None: (), "horizontal": (2,), "vertical": (1,), "diagonal": (1, 2)}
#: Windows are quotients of whole numbers: smaller differences are rounding.
_DIGITS = 6


class View(NamedTuple):
    """What part of an image a view shows, and how.

    Attributes:
        window: x0, y0, x1, y1 as shares of the image's width and height, 0 to 1.
        flip_direction: ``"horizontal"``, ``"vertical"``, ``"diagonal"`` (both), or
            ``None`` for an upright view.
    """

    window: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    flip_direction: Optional[str] = None


@functools.lru_cache(maxsize=256)
@torch.inference_mode(False)
def axis_weights(size: int, length: int, *, start: float, end: float) -> Tensor:
    """Weights that interpolate the cells of a window along one axis of the image.

    Args:
        size: Number of cells of the window.
        length: Number of cells of the whole axis.
        start: Where the window begins, as a share of the axis.
        end: Where it ends.

    Returns:
        (length, size) float32. A row is zero if its cell's centre is outside the
        window, else it sums to 1; beyond the centres of the outer cells their value
        goes on.

    Example:
        >>> axis_weights(2, 4, start=0.5, end=1.0).tolist()
        [[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    """
    centres = (torch.arange(length, dtype=torch.float64) + 0.5) / length
    place = ((centres - start) / (end - start) * size).round(decimals=_DIGITS)
    inside = (place >= 0) & (place <= size)
    place = (place - 0.5).clamp(0, size - 1)
    distance = (place[:, None] - torch.arange(size, dtype=torch.float64)).abs()
    return ((1 - distance).clamp(min=0) * inside[:, None]).float()


def fuse_views(cams: Sequence[Tensor], views: Sequence[View]) -> Tensor:
    """Average the maps of several views in the frame of the image.

    Args:
        cams: (K, h, w) float32 of each view, of the same K classes; h and w may
            differ.
        views: What each of them shows.

    Returns:
        (K, H, W) float32.

    Raises:
        DataError: If there is no view, the numbers of maps differ, a window is no
            part of the image, a place of the image is in no window, or a direction is
            unknown.
    """
    _check_views(cams, views)
    height = width = 1
    for cam, view in zip(cams, views):
        x0, y0, x1, y1 = view.window
        height = max(height, math.ceil(round(cam.shape[1] / (y1 - y0), _DIGITS)))
        width = max(width, math.ceil(round(cam.shape[2] / (x1 - x0), _DIGITS)))
    total = cams[0].new_zeros(cams[0].shape[0], height, width)
    count = cams[0].new_zeros(height, width)
    for cam, view in zip(cams, views):
        x0, y0, x1, y1 = view.window
        rows = axis_weights(cam.shape[1], height, start=y0, end=y1).to(cam)
        columns = axis_weights(cam.shape[2], width, start=x0, end=x1).to(cam)
        # Mixed precision would round maps that thresholds are to be read from.
        with torch.autocast(cam.device.type, enabled=False):
            total += rows @ cam.flip(_FLIPPED_DIMS[view.flip_direction]) @ columns.T
        count += torch.outer(rows.sum(1).round(), columns.sum(1).round())
    uncovered = int((count == 0).sum())
    if uncovered:
        raise DataError(
            "Expected the views to cover the whole image, but got windows "
            f"{[view.window for view in views]} that leave out {uncovered} of the "
            f"{count.numel()} places of the map."
        )
    return total / count


def _check_views(cams: Sequence[Tensor], views: Sequence[View]) -> None:
    if not cams or len(cams) != len(views):
        raise DataError(
            f"Expected as many maps as views, at least one, but got {len(cams)} maps "
            f"of {len(views)} views."
        )
    shapes = [tuple(cam.shape) for cam in cams]
    if any(len(shape) != 3 or shape[0] != shapes[0][0] for shape in shapes):
        raise DataError(
            "Expected the maps of all views to be (K, h, w) of the same K classes, "
            f"but got {shapes}."
        )
    for view in views:
        x0, y0, x1, y1 = view.window
        if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
            raise DataError(
                "Expected `window` to be shares x0 < x1 and y0 < y1 in [0, 1], but "
                f"got {view.window}."
            )
        if view.flip_direction not in _FLIPPED_DIMS:
            raise DataError(
                "Expected `flip_direction` to be None, 'horizontal', 'vertical' or "
                f"'diagonal', but got {view.flip_direction!r}."
            )
