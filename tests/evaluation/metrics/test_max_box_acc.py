"""The benchmark's two scores as metrics of their own."""

from __future__ import annotations

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmpretrain.structures import DataSample

from mmdgdm.errors import ConfigError


def sample(boxes, square):
    """An image without class scores whose map is a square of ones."""
    cam = torch.zeros(1, 224, 224)
    x0, y0, x1, y1 = square
    cam[0, y0 : y1 + 1, x0 : x1 + 1] = 1.0
    out = DataSample(metainfo=dict(image_id="a", ori_shape=(224, 224)))
    out.set_gt_label(2)
    out.set_field(cam, "cam")
    out.set_field(torch.tensor([2]), "cam_labels")
    out.set_field(torch.tensor(boxes, dtype=torch.float32), "gt_bboxes")
    return out


SAMPLES = [
    sample([(10, 10, 60, 60)], (10, 10, 59, 59)),  # IoU 1
    sample([(10, 10, 60, 30)], (10, 10, 59, 59)),  # 21 of 51 rows: 0.41
]


def evaluate(*metrics):
    evaluator = Evaluator(list(metrics))
    evaluator.process(data_samples=SAMPLES)
    return evaluator.evaluate(len(SAMPLES))


def test_max_box_acc():
    assert evaluate(dict(type="mmdgdm.MaxBoxAcc")) == {
        "wsol/max_box_acc": 50.0,
        "wsol/threshold/max_box_acc": 0.0,
    }


def test_max_box_acc_at_a_fixed_threshold():
    scores = evaluate(dict(type="mmdgdm.MaxBoxAcc", threshold=0.7, interval=0.1))
    assert set(scores) == {
        "wsol/max_box_acc",
        "wsol/threshold/max_box_acc",
        "wsol/val_threshold/max_box_acc",
        "wsol/threshold/val_max_box_acc",
    }
    assert scores["wsol/val_threshold/max_box_acc"] == 50


def test_max_box_acc_v2():
    assert evaluate(dict(type="mmdgdm.MaxBoxAccV2", threshold=0.2)) == {
        "wsol/max_box_acc_v2_30": 100.0,
        "wsol/max_box_acc_v2_50": 50.0,
        "wsol/max_box_acc_v2_70": 50.0,
        "wsol/max_box_acc_v2": 200 / 3,
        "wsol/threshold/max_box_acc_v2_30": 0.0,
        "wsol/threshold/max_box_acc_v2_50": 0.0,
        "wsol/threshold/max_box_acc_v2_70": 0.0,
        "wsol/val_threshold/max_box_acc_v2": 200 / 3,
        "wsol/val_threshold/max_box_acc_v2_30": 100.0,
        "wsol/val_threshold/max_box_acc_v2_50": 50.0,
        "wsol/val_threshold/max_box_acc_v2_70": 50.0,
    }


def test_other_overlaps():
    scores = evaluate(dict(type="mmdgdm.MaxBoxAccV2", iou_thresholds=(0.4, 0.5)))
    assert scores["wsol/max_box_acc_v2_40"] == 100
    assert scores["wsol/max_box_acc_v2"] == 75


def test_both_side_by_side():
    scores = evaluate(dict(type="mmdgdm.MaxBoxAcc"), dict(type="mmdgdm.MaxBoxAccV2"))
    assert {"wsol/max_box_acc", "wsol/max_box_acc_v2"} <= set(scores)


@pytest.mark.parametrize("name", ["MaxBoxAcc", "MaxBoxAccV2"])
def test_they_agree_with_the_whole_metric(name):
    whole = evaluate(dict(type="mmdgdm.WSOLMetric", topk=(), threshold=0.4))
    alone = evaluate(dict(type=f"mmdgdm.{name}", threshold=0.4))
    assert alone == {key: whole[key] for key in alone}


@pytest.mark.parametrize("name", ["MaxBoxAcc", "MaxBoxAccV2"])
def test_malformed_threshold(name):
    with pytest.raises(ConfigError, match="`threshold`"):
        evaluate(dict(type=f"mmdgdm.{name}", threshold=1.5))
