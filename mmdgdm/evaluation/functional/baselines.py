"""Score maps that know nothing of the image: what a method must beat to tell a place.

Each is one map for all images, at the size of evaluation, and goes through the same
evaluator as a method's maps: curves, thresholds of val, groups and PxAP follow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.scoremaps import (
    EVAL_SIZE,
    quantize_scoremap,
    threshold_levels,
)

BASELINES = ("full", "center", "gaussian")
#: Spread of the Gaussian in pixels, a quarter of the side at which maps are compared.
GAUSSIAN_SIGMA = EVAL_SIZE[0] / 4
#: Square rings around the middle.
_NUM_RINGS = EVAL_SIZE[0] // 2


def baseline_map(name: str) -> NDArray[np.float64]:
    r"""Score map of a trivial baseline.

    - ``"full"``: the whole image, one everywhere.
    - ``"center"``: a centred box of any size. Around the middle lie 112 square rings;
      that of index r from outside, from 0, scores :math:`(r + 1) / 112`. At a threshold
      t the box is r, r, 223 - r, 223 - r with :math:`r = \lfloor 112 t \rfloor`, up to
      one ring by 8-bit rounding: exactly centred, both ends included, its sides about
      1 - t of the image's (:func:`center_side`). So the threshold chosen on val is a
      side chosen on val.
    - ``"gaussian"``: :math:`\exp(-d^2 / (2 \sigma^2))` of the distance d to the middle,
      :math:`\sigma` = 56 pixels. Its boxes are centred too; pixels are ordered
      otherwise, which PxAP sees.

    Args:
        name: One of ``BASELINES``.

    Returns:
        (224, 224) float64 in [0, 1].

    Raises:
        ConfigError: If there is no such baseline.

    Example:
        >>> from mmdgdm.evaluation.functional.scoremaps import (
        ...     contour_boxes,
        ...     quantize_scoremap,
        ...     threshold_levels,
        ... )
        >>> quantized = quantize_scoremap(baseline_map("center"))
        >>> (level,) = threshold_levels([0.5], 255)
        >>> contour_boxes(quantized, level).boxes.tolist()
        [[56, 56, 167, 167]]
    """
    if name not in BASELINES:
        raise ConfigError(
            f"Expected `baseline` to be one of {list(BASELINES)}, but got {name!r}."
        )
    if name == "full":
        return np.ones(EVAL_SIZE[::-1])
    # A box reaches one pixel further to the right and below than its mask, unless the
    # frame stops it: for boxes to be centred, masks lie half a pixel before the middle.
    offsets = np.abs(np.arange(EVAL_SIZE[0]) - (_NUM_RINGS - 1))
    if name == "gaussian":
        squares = np.add.outer(offsets**2, offsets**2)
        return np.asarray(np.exp(-squares / (2 * GAUSSIAN_SIGMA**2)))
    rings = np.maximum(_NUM_RINGS - 1 - np.maximum.outer(offsets, offsets), 0)
    return np.asarray((rings + 1) / _NUM_RINGS)


def center_side(threshold: float) -> float:
    """Sides of the box that ``"center"`` has at a threshold, as a share of the image's.

    Args:
        threshold: In [0, 1).

    Returns:
        In (0, 1], a multiple of 1 / 112.

    Raises:
        ConfigError: If ``threshold`` is not in [0, 1).

    Example:
        >>> center_side(0.0), center_side(0.25), round(center_side(0.35), 3)
        (1.0, 0.75, 0.652)
    """
    middle = quantize_scoremap(baseline_map("center"))[_NUM_RINGS - 1]
    (level,) = threshold_levels([threshold], int(middle.max()))
    return 1 - int(np.argmax(middle > level)) / _NUM_RINGS
