"""Draw a result on its image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmdgdm.apis.inference.results import Localization
from mmdgdm.visualization.overlay import draw_overlay


def draw_result(image: NDArray[np.uint8], found: Localization) -> NDArray[np.uint8]:
    """Draw the first class's map and all boxes, with names and scores.

    Args:
        image: (H, W, 3) uint8, BGR, upright, as :meth:`WSOLInferencer.stream` gives it.
        found: What was found in it.

    Returns:
        A drawing of the same size, BGR.
    """
    drawn = draw_overlay(
        np.ascontiguousarray(image[..., ::-1]),
        found.best.scoremap,
        boxes=[one.boxes for one in found.classes],
        captions=_captions(found),
    )
    return np.ascontiguousarray(drawn[..., ::-1])


def _captions(found: Localization) -> list[str]:
    """Name and score of each class; of the first also that the map is its own."""
    lines = [f"{one.name.split(',')[0]} {one.score:.2f}" for one in found.classes]
    lines[0] += f", its map, box above {found.threshold:.2f}"
    return lines
