"""Boxes on the pixel grid: scaling and overlap.

A box is x0, y0, x1, y1 and contains the pixels at both of its ends, so that its
width is x1 - x0 + 1.

Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods
Right, CVPR 2020.
"""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdgdm.errors import DataError

Box = tuple[float, float, float, float]
#: No pixel lies farther from the first one.
_FARTHEST = 1 << 30


def fit_box(box: tuple[float, ...], image_size: Optional[tuple[int, int]]) -> Box:
    """Fit an annotated box into its image, as the benchmark's own files do.

    The far ends become x1 = min(x1, width - 1) and y1 = min(y1, height - 1). So a box
    whose ends are counted from outside (0, 0, width, height) fills the image.

    Args:
        box: x0, y0, x1, y1 in pixels, ends included; finite.
        image_size: (width, height); ``None`` if unknown.

    Returns:
        The box within the image.

    Raises:
        DataError: If the box is reversed, does not start within the image, or lies
            mostly, by more than half of its area, outside.

    Example:
        >>> fit_box((0, 0, 500, 335), (500, 335))
        (0, 0, 499, 334)
    """
    x0, y0, x1, y1 = box
    if not (0 <= x0 <= x1 and 0 <= y0 <= y1):
        raise DataError(
            "Expected a box x0,y0,x1,y1 with 0 <= x0 <= x1 and 0 <= y0 <= y1, but got "
            f"{_box_text(box)}."
        )
    if image_size is None:
        return x0, y0, x1, y1
    width, height = image_size
    right, bottom = min(x1, width - 1), min(y1, height - 1)
    # One past the last pixel is a way to count, not a part that lies outside.
    seen = (min(x1, width) - x0 + 1) * (min(y1, height) - y0 + 1)
    if x0 > right or y0 > bottom or 2 * seen < (x1 - x0 + 1) * (y1 - y0 + 1):
        raise DataError(
            f"Box {_box_text(box)} lies outside of its image of {width} x {height} "
            "pixels by more than half. Its ends x1,y1 are pixels of the box; the last "
            f"pixel of the image is {width - 1},{height - 1}."
        )
    return x0, y0, right, bottom


def _box_text(box: tuple[float, ...]) -> str:
    return ",".join(f"{value:g}" for value in box)


def check_boxes(boxes: ArrayLike, name: str) -> NDArray[Any]:
    """Check that boxes are numbers of shape (N, 4), not reversed, up to 2^30 pixels.

    Args:
        boxes: x0, y0, x1, y1.
        name: What they are called, for the message.

    Returns:
        The boxes, as int64 if they are integers, else as float64.

    Raises:
        DataError: If they are not.
    """
    array = np.asarray(boxes)
    if array.ndim != 2 or array.shape[1] != 4 or array.dtype.kind not in "iuf":
        raise DataError(
            f"Expected `{name}` to be numbers of shape (N, 4), but got shape "
            f"{array.shape} of {array.dtype}."
        )
    # Beyond that no area is a number; NaN compares false.
    small = ((array >= -_FARTHEST) & (array <= _FARTHEST)).all(axis=1)
    ordered = small & (array[:, :2] <= array[:, 2:]).all(axis=1)
    if not ordered.all():
        raise DataError(
            f"Expected `{name}` to be finite, up to {_FARTHEST} pixels, with x0 <= x1 "
            f"and y0 <= y1, but got {array[~ordered][0].tolist()}."
        )
    return array.astype(np.float64 if array.dtype.kind == "f" else np.int64)


def scale_boxes(
    boxes: ArrayLike, image_size: tuple[int, int], *, target_size: tuple[int, int]
) -> NDArray[np.int64]:
    r"""Move boxes from one image size to another.

    Each coordinate becomes :math:`\lfloor x \cdot w_{target} / w_{image} \rfloor`,
    computed in float64 from left to right and truncated.

    Args:
        boxes: (K, 4), x0, y0, x1, y1 in pixels of an image of ``image_size``.
        image_size: (width, height) that the boxes refer to.
        target_size: (width, height) wanted.

    Returns:
        (K, 4) int64, in pixels of an image of ``target_size``.

    Raises:
        DataError: If boxes are malformed or do not lie within the image, or a
            side is not positive.

    Example:
        >>> boxes = [[60, 27, 385, 331]]
        >>> scale_boxes(boxes, (500, 335), target_size=(224, 224)).tolist()
        [[26, 18, 172, 221]]
    """
    for name, size in (("image_size", image_size), ("target_size", target_size)):
        if len(size) != 2 or min(size) < 1:
            raise DataError(
                f"Expected `{name}` to be (width, height) of at least one pixel, "
                f"but got {tuple(size)}."
            )
    array = check_boxes(boxes, "boxes").astype(np.float64)
    limits = np.array(image_size, dtype=np.float64) - 1
    outside = (array[:, :2] < 0).any(axis=1) | (array[:, 2:] > limits).any(axis=1)
    if outside.any():
        raise DataError(
            "Expected `boxes` to lie within the image, 0 <= x0 <= x1 <= width - 1 "
            f"and likewise in y, of (width, height) {tuple(image_size)}, but got "
            f"{array[outside][0].tolist()}."
        )
    target = np.array(target_size * 2, dtype=np.float64)
    image = np.array(image_size * 2, dtype=np.float64)
    # Multiply first: the order decides how the quotient rounds.
    return (array * target / image).astype(np.int64)


def stretch_boxes(
    boxes: ArrayLike, grid_size: tuple[int, int], *, image_size: tuple[int, int]
) -> NDArray[np.float64]:
    r"""Move boxes that were found on a grid back to the image.

    Each coordinate becomes :math:`x \cdot w_{image} / w_{grid}`. Nothing is rounded:
    :func:`scale_boxes` truncates on the way to the grid, so that a place in the image
    within one cell of the grid is all that is known.

    Args:
        boxes: (K, 4), x0, y0, x1, y1 in pixels of an image of ``grid_size``.
        grid_size: (width, height) that the boxes refer to.
        image_size: (width, height) of the image.

    Returns:
        (K, 4) float64, in pixels of the image.

    Example:
        >>> stretch_boxes([[56, 28, 112, 223]], (224, 224), image_size=(448, 112))
        array([[112. ,  14. , 224. , 111.5]])
    """
    image = np.array(image_size * 2, dtype=np.float64)
    grid = np.array(grid_size * 2, dtype=np.float64)
    stretched: NDArray[np.float64] = np.asarray(boxes, np.float64) * image / grid
    return stretched


def box_areas(boxes: NDArray[Any]) -> NDArray[Any]:
    """Pixels of each of (..., 4) boxes, both ends included."""
    areas: NDArray[Any] = (boxes[..., 2:] - boxes[..., :2] + 1).prod(axis=-1)
    return areas


def shared_areas(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Pixels that each of (N, 4) boxes shares with each of (M, 4): (N, M)."""
    low = np.maximum(a[:, None, :2], b[:, :2])
    high = np.minimum(a[:, None, 2:], b[:, 2:])
    shared: NDArray[Any] = np.maximum(0, high - low + 1).prod(axis=-1)
    return shared


def box_iou(boxes_a: ArrayLike, boxes_b: ArrayLike) -> NDArray[np.float64]:
    r"""Intersection over union of all pairs, counted in pixels.

    With :math:`|a| = (x_1 - x_0 + 1)(y_1 - y_0 + 1)`,
    :math:`IoU = |a \cap b| / (|a| + |b| - |a \cap b|)`.

    Args:
        boxes_a: (N, 4), x0, y0, x1, y1, both ends included.
        boxes_b: (M, 4), likewise.

    Returns:
        (N, M) float64 in [0, 1].

    Raises:
        DataError: If boxes are malformed or reversed.

    Example:
        >>> box_iou([[0, 0, 1, 1]], [[0, 0, 1, 1], [1, 1, 2, 2]]).tolist()
        [[1.0, 0.14285714285714285]]
    """
    a, b = check_boxes(boxes_a, "boxes_a"), check_boxes(boxes_b, "boxes_b")
    shared = shared_areas(a, b)
    iou: NDArray[np.float64] = shared / (box_areas(a)[:, None] + box_areas(b) - shared)
    return iou
