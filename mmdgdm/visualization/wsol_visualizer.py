"""WSOLVisualizer: mmpretrain's visualizer, which also shows localization."""

from __future__ import annotations

from typing import Optional

import numpy as np
from mmpretrain.structures import DataSample
from mmpretrain.visualization import UniversalVisualizer

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.boxes import (
    box_iou,
    scale_boxes,
    stretch_boxes,
)
from mmdgdm.evaluation.functional.scoremaps import (
    EVAL_SIZE,
    normalize_scoremap,
    predict_box,
)
from mmdgdm.registry import VISUALIZERS
from mmdgdm.visualization.panel import contact_sheet, localization_panel, save_image


@VISUALIZERS.register_module()
class WSOLVisualizer(UniversalVisualizer):
    """Visualizer that draws, arranges and saves what localization finds.

    All arguments are those of mmpretrain's ``UniversalVisualizer``.
    """

    contact_sheet = staticmethod(contact_sheet)
    save_image = staticmethod(save_image)

    def draw_localization(
        self,
        image: np.ndarray,
        data_sample: DataSample,
        *,
        threshold: float,
        classes: Optional[list[str]] = None,
    ) -> tuple[np.ndarray, Optional[float]]:
        """Draw heatmap, ground-truth boxes and predicted box of one sample.

        The map shown is the first of ``cam`` (the ground-truth class where it is
        known). Its box is found as the metrics find it: at ``threshold`` of the
        map's maximum, single contour, on the 224 x 224 grid.

        Args:
            image: (H, W, 3) uint8, RGB, of any size: it shows the whole
                original image.
            data_sample: With ``cam``, ``cam_labels``; ``gt_bboxes`` and
                ``ori_shape`` for ground-truth boxes; ``pred_label``.
            threshold: Share of the map's maximum, in [0, 1).
            classes: Class names for the caption.

        Returns:
            The drawing, (H', W', 3) uint8, RGB, and the IoU of the predicted box
            with the best ground-truth box on the 224 x 224 grid (``None`` without
            ground truth).

        Raises:
            DataError: If the sample has no ``cam``.
        """
        if data_sample.get("cam") is None:
            raise DataError(
                "Expected a sample with `cam` to draw (a head such as "
                "mmdgdm.WSOLHead), but it has none."
            )
        scoremap = normalize_scoremap(data_sample.cam[0].float().cpu().numpy())
        box = predict_box(scoremap, threshold)
        height, width = image.shape[:2]
        (shown,) = stretch_boxes(box[None], EVAL_SIZE, image_size=(width, height))
        gt_boxes, iou = np.zeros((0, 4)), None
        if data_sample.get("gt_bboxes") is not None and len(data_sample.gt_bboxes):
            original = np.asarray(data_sample.gt_bboxes.cpu(), np.float64)
            ori_h, ori_w = data_sample.get("ori_shape")[:2]
            scaled = scale_boxes(original, (ori_w, ori_h), target_size=EVAL_SIZE)
            iou = float(box_iou(box[None], scaled).max())
            gt_boxes = original * np.array([width / ori_w, height / ori_h] * 2)
        caption = _caption(data_sample, iou, classes)
        return localization_panel(
            image, scoremap, gt_boxes=gt_boxes, pred_box=shown, caption=caption
        ), iou


def _caption(
    sample: DataSample, iou: Optional[float], classes: Optional[list[str]]
) -> str:
    def name(label: int) -> str:
        return classes[label] if classes else f"class {label}"

    parts = []
    if sample.get("gt_label") is not None:
        parts.append(f"true: {name(int(sample.gt_label))}")
    if sample.get("pred_label") is not None:
        parts.append(f"predicted: {name(int(sample.pred_label))}")
    if iou is not None:
        parts.append(f"IoU {iou:.2f}")
    return ", ".join(parts)
