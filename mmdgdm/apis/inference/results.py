"""What localizing an image gives: plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from mmdgdm.evaluation.functional.boxes import stretch_boxes
from mmdgdm.evaluation.functional.scoremaps import EVAL_SIZE, predict_boxes


@dataclass(frozen=True, eq=False)
class LocalizedClass:
    """Where a class is in an image.

    Attributes:
        label: Index of the class.
        name: Name of the class.
        score: Its probability, in [0, 1].
        boxes: (n, 4) float64, x0, y0, x1, y1 in pixels of the upright image; that of
            the largest contour first.
        scoremap: (h, w) float32, not normalised; it shows the whole image.
    """

    label: int
    name: str
    score: float
    boxes: NDArray[np.float64]
    scoremap: NDArray[np.float32] = field(repr=False)

    @property
    def box(self) -> NDArray[np.float64]:
        """The box of the largest contour, (4,)."""
        box: NDArray[np.float64] = self.boxes[0]
        return box


@dataclass(frozen=True, eq=False)
class Localization:
    """What an image shows, and where.

    Attributes:
        source: Path or address of the image; ``None`` for one from memory.
        width: Pixels of the upright image, that is, with its EXIF orientation applied.
        height: Likewise.
        classes: The classes asked for, in the order asked, or by falling score.
        threshold: Share of a map's range above which its boxes lie.
        threshold_source: Where the threshold comes from, in words.
        num_frames: Images in the file; of several, the first was taken.
    """

    source: Optional[str]
    width: int
    height: int
    classes: tuple[LocalizedClass, ...]
    threshold: float
    threshold_source: str
    num_frames: int = 1

    @property
    def best(self) -> LocalizedClass:
        """The first class: the one of highest score, unless classes were asked for."""
        return self.classes[0]

    def to_dict(self) -> dict[str, Any]:
        """The same as numbers, text and lists, for JSON; without the maps."""
        return {
            "image": self.source,
            "width": self.width,
            "height": self.height,
            "threshold": self.threshold,
            "threshold_source": self.threshold_source,
            "classes": [
                {
                    "label": found.label,
                    "name": found.name,
                    "score": found.score,
                    "boxes": found.boxes.tolist(),
                }
                for found in self.classes
            ],
        }


def find_boxes(
    scoremap: NDArray[Any],
    threshold: float,
    *,
    image_size: tuple[int, int],
    all_contours: bool = False,
) -> NDArray[np.float64]:
    """Find the boxes of a map in its image, by the rules of the evaluation.

    Args:
        scoremap: (h, w), floating point, not normalised; stretched over the image.
        threshold: In [0, 1).
        image_size: (width, height).
        all_contours: Whether to return the boxes of all contours, as MaxBoxAccV2
            takes them, those of holes included, or that of the largest alone.

    Returns:
        (n, 4), x0, y0, x1, y1 in pixels of the image, that of the largest contour
        first.

    Raises:
        DataError: If the map is malformed.

    Example:
        >>> scoremap = np.zeros((4, 4), dtype=np.float32)
        >>> scoremap[:, :2] = 1
        >>> find_boxes(scoremap, 0.5, image_size=(448, 224)).tolist()
        [[0.0, 0.0, 224.0, 223.0]]
    """
    found = predict_boxes(scoremap, threshold)
    order = [found.largest]
    if all_contours:
        order += [i for i in range(len(found.boxes)) if i != found.largest]
    return stretch_boxes(found.boxes[order], EVAL_SIZE, image_size=image_size)
