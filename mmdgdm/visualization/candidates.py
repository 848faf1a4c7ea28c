"""Images that wait to be drawn: the threshold of boxes comes after all were seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional, Union

import mmcv
import numpy as np
from mmpretrain.structures import DataSample
from numpy.typing import NDArray

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.image_facts import ImageFacts, describe_image
from mmdgdm.evaluation.functional.scoremaps import (
    normalize_scoremap,
    quantize_scoremap,
)
from mmdgdm.utils.image_files import read_image
from mmdgdm.utils.samples import get_array
from mmdgdm.visualization.canvas import Pixels
from mmdgdm.visualization.sheets import Shot


class Candidate(NamedTuple):
    """One image with its map, before the threshold is known.

    Attributes:
        image: (H, W, 3) uint8, RGB, or the path of its file.
        quantized: (224, 224) uint8, the quantised map.
        known: What :func:`~mmdgdm.evaluation.functional.image_facts.describe_image`
            takes besides.
    """

    image: Union[str, Pixels]
    quantized: NDArray[np.uint8]
    known: dict[str, Any]

    def facts(self, threshold: float) -> ImageFacts:
        """What localization does on the image at a threshold."""
        return describe_image(self.quantized, threshold, **self.known)

    def shot(self, threshold: float) -> Shot:
        """The same with the image's pixels, to be drawn."""
        image = self.image
        if isinstance(image, str):
            image = np.asarray(mmcv.bgr2rgb(read_image(image)))
        return Shot(image, self.quantized, self.facts(threshold))


def make_candidate(
    image: Union[str, Pixels],
    sample: DataSample,
    *,
    classes: Optional[Sequence[str]] = None,
) -> Candidate:
    """Take from a predicted sample what its picture needs.

    The map is the first of ``cam``: that of the true class, where it is known.

    Args:
        image: (H, W, 3) uint8, RGB, of any size, or the path of its file: it shows the
            whole original image.
        sample: With ``cam``, ``cam_labels``, ``ori_shape``; for ground truth
            ``gt_bboxes`` and ``gt_label``, for classes ``pred_score``.
        classes: Names of the classes.

    Returns:
        The image, its map and what is known of it.

    Raises:
        DataError: If the sample has no ``cam`` or another needed field.
    """
    if sample.get("cam") is None:
        raise DataError(
            "Expected a sample with `cam` to draw (a head such as mmdgdm.WSOLHead), "
            "but it has none."
        )
    height, width = get_array(sample, "ori_shape")[:2].tolist()
    known: dict[str, Any] = dict(
        image_id=str(sample.get("image_id") or sample.get("img_path") or "no name"),
        image_size=(int(width), int(height)),
        classes=classes,
        map_label=int(get_array(sample, "cam_labels")[0]),
    )
    if sample.get("gt_bboxes") is not None:
        known["gt_boxes"] = get_array(sample, "gt_bboxes").astype(np.float64)
    if sample.get("gt_label") is not None:
        known["label"] = int(get_array(sample, "gt_label").reshape(-1)[0])
    if sample.get("pred_score") is not None:
        known["scores"] = get_array(sample, "pred_score").astype(np.float32)
    scoremap = get_array(sample, "cam")[0].astype(np.float32)
    return Candidate(image, quantize_scoremap(normalize_scoremap(scoremap)), known)
