"""Metrics of other maps than the ground truth's, through mmengine's evaluator."""

from __future__ import annotations

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmpretrain.structures import DataSample

from mmdgdm.errors import ConfigError, DataError

LEFT, RIGHT = (20, 20, 80, 80), (140, 140, 200, 200)


def square(x0, y0, x1, y1):
    cam = torch.zeros(224, 224)
    cam[y0:y1, x0:x1] = 1.0
    return cam


def sample(scores=(0.6, 0.4, 0.0)):
    """Class 1 is true and lies right, where the object is; class 0 lies left."""
    out = DataSample().set_gt_label(1).set_pred_score(torch.tensor(scores))
    out.set_field(torch.stack([square(*RIGHT), square(*LEFT)]), "cam")
    out.set_field(torch.tensor([1, 0]), "cam_labels")
    out.set_field(torch.tensor([RIGHT], dtype=torch.float32), "gt_bboxes")
    out.set_field(square(*RIGHT).to(torch.uint8), "gt_mask")
    out.set_metainfo(dict(image_id="a", ori_shape=(224, 224)))
    return out


def evaluate(samples, kind="WSOLMetric", **arguments):
    if kind == "WSOLMetric":
        arguments = dict(topk=(1,), **arguments)
    evaluator = Evaluator(dict(type=f"mmdgdm.{kind}", interval=0.1, **arguments))
    evaluator.process(data_samples=samples, data_batch=None)
    return evaluator.evaluate(len(samples))


def test_which_map_decides_the_score():
    assert evaluate([sample()])["wsol/gt_known"] == 100
    assert evaluate([sample()], cam_target="top1")["wsol_top1/max_box_acc"] == 0
    right = sample(scores=(0.4, 0.6, 0.0))
    assert evaluate([right], cam_target="top1")["wsol_top1/max_box_acc"] == 100


def test_the_mean_holds_both_and_weights_decide_between_them():
    plain = evaluate([sample()], cam_target="mean_top2")
    # Of two contours of one size, the largest is the first that OpenCV finds.
    assert plain["wsol_mean_top2/max_box_acc_v2_50"] == 100
    # The left one weighs 0.6: above 2/3 of the maximum it stands alone.
    weighted = evaluate([sample()], cam_target="weighted_top2", threshold=0.8)
    assert weighted["wsol_weighted_top2/val_threshold/max_box_acc_v2_50"] == 0
    right = sample(scores=(0.3, 0.7, 0.0))
    weighted = evaluate([right], cam_target="weighted_top2", threshold=0.8)
    assert weighted["wsol_weighted_top2/val_threshold/max_box_acc"] == 100


def test_the_ground_truths_names_are_unchanged():
    assert evaluate([sample()], cam_target="gt") == evaluate([sample()])


@pytest.mark.parametrize("target", ["top1", "mean_top2", "weighted_top2"])
@pytest.mark.parametrize("prefix", [None, "val"])
def test_nothing_is_called_gt_known_and_every_name_tells_the_map(target, prefix):
    plain = evaluate([sample()], classwise=True, threshold=0.5)
    found = evaluate(
        [sample()], classwise=True, threshold=0.5, cam_target=target, prefix=prefix
    )
    start = f"{prefix or 'wsol'}_{target}/"
    assert all(name.startswith(start) for name in found)
    assert not any("gt_known" in name for name in found)
    names = {name.replace("gt_known", "max_box_acc") for name in plain}
    assert {f"wsol/{name[len(start) :]}" for name in found} == names


def test_metrics_of_one_score_alone_pass_it_on():
    found = evaluate([sample()], "MaxBoxAcc", cam_target="top1")
    assert set(found) == {
        "wsol_top1/max_box_acc",
        "wsol_top1/threshold/max_box_acc",
        "wsol_top1/threshold_by_median/max_box_acc",
    }


def test_pixels_too():
    assert evaluate([sample()], "PxAP")["wsol/pixel_iou"] == 100
    found = evaluate([sample()], "PxAP", cam_target="top1")
    assert found["wsol_top1/pixel_iou"] < 10
    assert set(found) == {
        "wsol_top1/pxap",
        "wsol_top1/pixel_iou",
        "wsol_top1/threshold/pixel_iou",
    }


@pytest.mark.parametrize("kind", ["WSOLMetric", "PxAP"])
def test_a_target_that_the_head_does_not_map_is_an_error(kind):
    with pytest.raises(DataError, match=r"'a'.*Add 'top3' to `cam_targets`"):
        evaluate([sample()], kind, cam_target="mean_top3")


@pytest.mark.parametrize("kind", ["WSOLMetric", "PxAP"])
def test_an_unknown_target_is_an_error(kind):
    with pytest.raises(ConfigError, match="`cam_target`"):
        evaluate([sample()], kind, cam_target="best")
