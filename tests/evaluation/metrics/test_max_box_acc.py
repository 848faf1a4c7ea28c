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


SIZES = ((10, 10, 60, 60), (10, 10, 40, 40))
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
        "wsol/threshold_by_median/max_box_acc": 0.499,
    }
    plain = evaluate(dict(type="mmdgdm.MaxBoxAcc", calibration="argmax"))
    assert set(plain) == {"wsol/max_box_acc", "wsol/threshold/max_box_acc"}


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
        "wsol/threshold/max_box_acc_v2": 0.0,
        "wsol/threshold/val_max_box_acc_v2": 0.2,
        "wsol/threshold/max_box_acc_v2_30": 0.0,
        "wsol/threshold/max_box_acc_v2_50": 0.0,
        "wsol/threshold/max_box_acc_v2_70": 0.0,
        "wsol/val_threshold/max_box_acc_v2": 200 / 3,
        "wsol/val_threshold/max_box_acc_v2_30": 100.0,
        "wsol/val_threshold/max_box_acc_v2_50": 50.0,
        "wsol/val_threshold/max_box_acc_v2_70": 50.0,
    }


def test_the_score_comes_first():
    # save_best="auto" of mmengine's CheckpointHook takes it.
    for name, key in (("MaxBoxAcc", "max_box_acc"), ("MaxBoxAccV2", "max_box_acc_v2")):
        assert next(iter(evaluate(dict(type=f"mmdgdm.{name}")))) == f"wsol/{key}"


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
    own = {"wsol/threshold/max_box_acc_v2", "wsol/threshold/val_max_box_acc_v2"}
    assert alone.keys() - whole.keys() <= own
    assert all(alone[key] == whole[key] for key in alone.keys() & whole.keys())


@pytest.mark.parametrize("kind", ["MaxBoxAccV2", "WSOLMetric"])
def test_overlaps_without_one_half(kind):
    topk = dict(topk=()) if kind == "WSOLMetric" else {}
    scores = evaluate(dict(type=f"mmdgdm.{kind}", iou_thresholds=(0.4, 0.9), **topk))
    assert scores["wsol/max_box_acc_v2_40"] == 100
    assert scores["wsol/max_box_acc_v2_90"] == 50
    assert scores["wsol/max_box_acc_v2"] == 75
    assert "wsol/max_box_acc_v2_50" not in scores
    if kind == "WSOLMetric":
        assert scores["wsol/gt_known"] == scores["wsol/max_box_acc"] == 50
        assert scores["wsol/max_box_acc_40"] == 100


def test_the_threshold_of_version_2_is_best_for_the_mean():
    # Below 0.5 the map shows 51 x 51 pixels, above it 31 x 31 of them.
    two = torch.zeros(1, 224, 224)
    two[0, 10:60, 10:60] = 0.5
    two[0, 10:40, 10:40] = 1.0
    large, small = (sample([box], (0, 0, 0, 0)) for box in SIZES)
    for out in (large, small):
        out.set_field(two, "cam")
    found, rule = {}, {}
    for name, images in (("large", [large] * 2), ("mixed", [large, small, small])):
        evaluator = Evaluator(dict(type="mmdgdm.MaxBoxAccV2", interval=0.1))
        evaluator.process(data_samples=images)
        scores = evaluator.evaluate(len(images))
        found[name] = scores["wsol/threshold/max_box_acc_v2"]
        rule[name] = scores["wsol/threshold_by_median/max_box_acc_v2"]
    # At 0.5 of the maximum the large square is gone: 127 > 0.5 * 255 fails.
    assert found == {"large": 0.0, "mixed": 0.5}
    # Of 0, ..., 0.4 the middle. Mixed, the means are 5/9 below 0.5 and 7/9 from there
    # on, the variance there 8/81: z^2 is 1.5, and five weights of 0.47 and the first
    # two of five ones pass half of the sum.
    assert rule == pytest.approx({"large": 0.2, "mixed": 0.6})


def test_the_threshold_for_test_does_not_depend_on_the_overlaps_scored():
    whole = evaluate(dict(type="mmdgdm.WSOLMetric", topk=(), iou_thresholds=(0.4,)))
    alone = evaluate(dict(type="mmdgdm.MaxBoxAcc"))
    key = "wsol/threshold_by_median/max_box_acc"
    assert whole[key] == alone[key]


def test_malformed_rule():
    with pytest.raises(ConfigError, match=r"`calibration`.*'median'.*got 'mean'"):
        evaluate(dict(type="mmdgdm.WSOLMetric", calibration="mean"))


@pytest.mark.parametrize("name", ["MaxBoxAcc", "MaxBoxAccV2"])
def test_malformed_threshold(name):
    with pytest.raises(ConfigError, match="`threshold`"):
        evaluate(dict(type=f"mmdgdm.{name}", threshold=1.5))
