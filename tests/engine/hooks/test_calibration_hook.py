"""The threshold that val chooses: stored with checkpoints, taken by tests."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub

from mmdgdm.engine.hooks import CalibrationHook
from mmdgdm.engine.hooks.calibration_hook import META_KEY

SCORES = {
    "wsol/max_box_acc": 60.0,
    "wsol/threshold/max_box_acc": 0.31,
    "wsol/threshold/gt_known": 0.2,
}


def make_runner(path=None, epoch=3, iteration=30):
    hub = MessageHub.get_instance(f"calibration {path} {epoch}")
    if path is not None:
        hub.update_info("last_ckpt", str(path))
    logger = logging.getLogger("calibration")
    return SimpleNamespace(
        message_hub=hub, epoch=epoch, iter=iteration, logger=logger, metrics=[]
    )


def save(path, epoch=3, iteration=30):
    meta = dict(epoch=epoch, iter=iteration)
    torch.save(dict(meta=meta, state_dict={"w": torch.ones(2)}), path)


def thresholds_in(path):
    return torch.load(path, weights_only=True)["meta"].get(META_KEY)


def test_the_checkpoint_of_this_moment_gets_the_threshold(tmp_path):
    path = tmp_path / "epoch_3.pth"
    save(path)
    CalibrationHook().after_val_epoch(make_runner(path), SCORES)
    assert thresholds_in(path) == {"wsol/threshold/max_box_acc": 0.31}
    assert torch.load(path, weights_only=True)["state_dict"]["w"].tolist() == [1, 1]
    assert [p.name for p in tmp_path.iterdir()] == ["epoch_3.pth"]


def test_an_earlier_checkpoint_stays_as_it_is(tmp_path):
    path = tmp_path / "epoch_2.pth"
    save(path, epoch=2, iteration=20)
    CalibrationHook().after_val_epoch(make_runner(path), SCORES)
    assert thresholds_in(path) is None


def test_a_checkpoint_elsewhere_is_left_with_a_warning(tmp_path, caplog):
    runner = make_runner(tmp_path / "gone.pth")
    CalibrationHook().after_val_epoch(runner, SCORES)
    assert "not stored in" in caplog.text


def test_later_checkpoints_carry_the_last_threshold():
    hook = CalibrationHook()
    checkpoint = dict(meta={})
    hook.before_save_checkpoint(None, checkpoint)
    assert checkpoint == dict(meta={})
    for value in (0.1, 0.4):
        hook.after_val_epoch(make_runner(), {"wsol/threshold/max_box_acc": value})
    hook.before_save_checkpoint(None, checkpoint)
    assert checkpoint["meta"][META_KEY] == {"wsol/threshold/max_box_acc": 0.4}


class Metric:
    def __init__(self, *calibrated_by, prefix="wsol", threshold=None):
        self.calibrated_by = calibrated_by
        self.prefix = prefix
        self.threshold = threshold


def run_test(stored, *metrics, **arguments):
    hook = CalibrationHook(**arguments)
    runner = make_runner()
    runner.test_evaluator = SimpleNamespace(metrics=[*metrics, object()])
    hook.after_load_checkpoint(runner, dict(meta={META_KEY: stored} if stored else {}))
    hook.before_test(runner)
    return [metric.threshold for metric in metrics]


BOXES, PIXELS = "threshold/max_box_acc", "threshold/pixel_iou"


def test_metrics_take_the_threshold_of_their_own_kind():
    stored = {"wsol/" + BOXES: 0.3, "wsol/" + PIXELS: 0.6}
    assert run_test(stored, Metric(BOXES), Metric(PIXELS)) == [0.3, 0.6]


def test_a_threshold_in_the_config_wins():
    assert run_test({"wsol/" + BOXES: 0.3}, Metric(BOXES, threshold=0.0)) == [0.0]


@pytest.mark.parametrize(
    ("stored", "prefix", "expected"),
    [
        ({"a/" + BOXES: 0.1, "b/" + BOXES: 0.2}, "b", 0.2),
        ({"a/" + BOXES: 0.1, "b/" + BOXES: 0.2}, "c", None),
    ],
)
def test_prefixes(stored, prefix, expected):
    assert run_test(stored, Metric(BOXES, prefix=prefix)) == [expected]


@pytest.mark.parametrize(
    ("stored", "prefix", "expected"),
    [
        ({"wsol/" + BOXES: 0.1}, "wsol_top1", None),
        ({"wsol_top1/" + BOXES: 0.1}, "wsol", None),
        ({"wsol_top1/" + BOXES: 0.1}, "wsol_mean_top5", None),
        ({"wsol_top1/" + BOXES: 0.1, "wsol/" + BOXES: 0.2}, "wsol_top1", 0.1),
    ],
)
def test_a_threshold_of_other_maps_is_not_taken(stored, prefix, expected):
    assert run_test(stored, Metric(BOXES, prefix=prefix)) == [expected]


def test_a_checkpoint_without_a_threshold_is_named_in_the_log(caplog):
    assert run_test({}, Metric(BOXES)) == [None]
    assert "come with no 'wsol/threshold/max_box_acc'" in caplog.text


def test_of_several_thresholds_the_first_that_is_known_is_taken():
    both = Metric(BOXES, f"{BOXES}_v2"), Metric(BOXES)
    assert run_test({f"wsol/{BOXES}_v2": 0.2}, *both) == [0.2, None]
    stored = {f"wsol/{BOXES}_v2": 0.2, f"wsol/{BOXES}": 0.3}
    both = Metric(BOXES, f"{BOXES}_v2"), Metric(BOXES)
    assert run_test(stored, *both) == [0.3, 0.3]


def test_the_rule_goes_with_the_threshold(caplog):
    caplog.set_level(logging.INFO)
    names = f"threshold_by_median/{BOXES.partition('/')[2]}", BOXES
    new, old = Metric(*names), Metric(*names)
    stored = {f"wsol/{name}": value for name, value in zip(names, (0.2, 0.3))}
    assert run_test(stored, new) == [0.2]
    assert run_test({f"wsol/{BOXES}": 0.3}, old) == [0.3]
    assert (new.threshold_rule, old.threshold_rule) == ("median", "argmax")
    told = [record.getMessage() for record in caplog.records]
    assert "chose by median" in told[0]
    assert "none" not in told[0]
    assert "chose by argmax" in told[1]
    assert told[1].endswith("They come with none by median.")


def test_the_threshold_follows_the_weights_in_memory():
    hook, metric = CalibrationHook(), Metric(BOXES)
    own = Metric(BOXES, threshold=0.9)
    runner = make_runner()
    runner.test_evaluator = SimpleNamespace(metrics=[metric, own])

    def tested():
        hook.before_test(runner)
        return metric.threshold, own.threshold

    assert tested() == (None, 0.9)
    for value in (0.1, 0.4):  # two validations of a training
        hook.after_val_epoch(runner, {"wsol/threshold/max_box_acc": value})
    assert tested() == (0.4, 0.9)
    for stored, expected in (({"wsol/" + BOXES: 0.2}, 0.2), ({}, None)):
        hook.after_load_checkpoint(runner, dict(meta={META_KEY: stored}))
        assert tested() == (expected, 0.9)
        assert tested() == (expected, 0.9)


@pytest.mark.parametrize(("resume", "expected"), [(True, {"a": 0.2}), (False, None)])
def test_a_training_begins_without_thresholds_unless_it_is_resumed(resume, expected):
    hook, runner = CalibrationHook(), SimpleNamespace(_resume=resume)
    hook.after_load_checkpoint(runner, dict(meta={META_KEY: {"a": 0.2}}))
    hook.before_train(runner)
    checkpoint = dict(meta={})
    hook.before_save_checkpoint(runner, checkpoint)
    assert checkpoint["meta"].get(META_KEY) == expected


def test_it_can_be_switched_off():
    assert run_test({"wsol/" + BOXES: 0.3}, Metric(BOXES), use_in_test=False) == [None]
