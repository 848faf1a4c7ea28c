"""Maps that are the true masks score 100 on every data set that has masks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmdgdm.datasets import Toy
from mmdgdm.evaluation.functional.boxes import scale_boxes
from mmdgdm.evaluation.functional.records import make_box_record
from mmdgdm.evaluation.functional.scoremaps import (
    EVAL_SIZE,
    make_thresholds,
    normalize_scoremap,
)
from mmdgdm.evaluation.functional.summary import summarize_boxes
from mmdgdm.evaluation.stored.metadata import read_split


def score(pairs):
    """MaxBoxAcc and MaxBoxAccV2 of (mask, boxes, (width, height)) triples."""
    records = [
        make_box_record(
            normalize_scoremap(mask.astype(np.float64)),
            scale_boxes(np.asarray(boxes, np.float64), size, target_size=EVAL_SIZE),
            label=0,
        )
        for mask, boxes, size in pairs
    ]
    cuts = make_thresholds(0.01)
    metrics = summarize_boxes(records, thresholds=cuts).metrics
    return metrics["max_box_acc"], metrics["max_box_acc_v2"]


@pytest.mark.parametrize("split", ["val", "test"])
def test_toy(split):
    toy = Toy(split=split, num_images=80, test_mode=True)
    items = (toy[i] for i in range(len(toy)))
    pairs = [(d["ori_gt_mask"], d["ori_gt_bboxes"], d["image_size"]) for d in items]
    assert score(pairs) == (100.0, 100.0)


def test_stamps(shared_data):
    root = shared_data / "stamps"
    boxes = read_split(root / "metadata/test")
    masks = read_split(root / "metadata_masks/test").masks
    pairs = []
    for image_id in boxes.image_ids[::8]:
        mask = cv2.imread(str(root / masks[image_id][0][0]), cv2.IMREAD_GRAYSCALE)
        pairs.append((mask, boxes.boxes[image_id], boxes.image_sizes[image_id]))
    assert score(pairs) == (100.0, 100.0)
