"""What a line of the log shows of an evaluation."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from mmengine.hooks import CheckpointHook
from mmengine.logging import HistoryBuffer
from mmengine.registry import LOG_PROCESSORS
from mmengine.runner import LogProcessor

import mmdgdm.registry  # noqa: F401  its classes are then known by name

SCORES = {
    "wsol/gt_known": 61.5,
    "wsol/max_box_acc": 61.5,
    "wsol/max_box_acc_v2": 50.0,
    "wsol/threshold/gt_known": 0.3,
    "wsol/threshold/max_box_acc": 0.3,
    "wsol/gt_known_small": 10.0,
    "accuracy/top5": 90.0,
    "time": 0.5,
}


class Hub:
    log_scalars = {f"val/{k}": HistoryBuffer([v], [1]) for k, v in SCORES.items()}
    runtime_info = {"val/wsol/gt_known_classwise": [50.0, 70.0]}


class Runner:
    message_hub = Hub()
    val_loop = SimpleNamespace(dataloader=range(4))
    epoch = 2
    _train_loop = None


@pytest.mark.parametrize("hierarchy", [False, True])
def test_lines_show_main_scores_and_backends_get_all(monkeypatch, hierarchy):
    monkeypatch.setattr(LogProcessor, "_get_epoch", lambda *_: 2)
    kind = dict(type="mmdgdm.WSOLLogProcessor", log_with_hierarchy=hierarchy)
    processor = LOG_PROCESSORS.build(kind)
    values, line = processor.get_log_after_epoch(Runner(), 4, "val")
    before = "val/" if hierarchy else ""
    assert values == {f"{before}{name}": value for name, value in SCORES.items()}
    shown = ["wsol/gt_known: 61.5000", "wsol/max_box_acc_v2: 50.0000"]
    shown += ["wsol/threshold/gt_known: 0.3000", "accuracy/top5: 90.0000"]
    shown = [f"{before}{text}" for text in [*shown, "time: 0.5000"]]
    assert line == "Epoch(val) [2][4/4]    " + "  ".join(shown)


@pytest.mark.parametrize("name", ["auto", *SCORES])
def test_every_score_can_choose_the_best_checkpoint(name):
    hook = CheckpointHook(save_best=name, rule="greater")
    hook._init_rule(["greater"], [next(iter(SCORES)) if name == "auto" else name])
    (key,) = hook.key_indicators
    assert hook.is_better_than[key](2, 1)
