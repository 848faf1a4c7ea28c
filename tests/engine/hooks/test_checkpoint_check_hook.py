"""Comparing a checkpoint with the model."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.runner import get_priority
from torch import nn

from mmdgdm.engine.hooks.checkpoint_check_hook import (
    CheckpointCheckHook,
    check_weights,
)
from mmdgdm.errors import CheckpointError


class _Model(nn.Module):
    def __init__(self, num_classes=3, width=4):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width))
        self.head = nn.Module()
        self.head.fc = nn.Linear(width, num_classes)


class _Renaming(_Model):
    """A model that still reads files in which its head had another name."""

    def _load_from_state_dict(self, state_dict, prefix, *args):
        for name in ("weight", "bias"):
            old = state_dict.pop(f"{prefix}classifier.{name}", None)
            if old is not None:
                state_dict[f"{prefix}head.fc.{name}"] = old
        super()._load_from_state_dict(state_dict, prefix, *args)


def _runner(model):
    messages = []
    logger = SimpleNamespace(warning=messages.append)
    return SimpleNamespace(model=model, logger=logger, messages=messages)


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("nested", [True, False])
def test_checkpoint_of_the_same_model_passes(prefix, nested):
    state = {prefix + k: v for k, v in _Model().state_dict().items()}
    check_weights(_Model(), {"state_dict": state} if nested else state, source="a.pth")


def test_number_of_batches_may_be_missing():
    state = _Model().state_dict()
    del state["backbone.1.num_batches_tracked"]
    check_weights(_Model(), state, source="a.pth")


def test_additional_weights_pass():
    state = {**_Model().state_dict(), "other": torch.zeros(1)}
    check_weights(_Model(), state, source="a.pth")


def test_other_number_of_classes_names_key_shapes_and_setting():
    message = (
        r"a\.pth was made for another model: `head\.fc\.weight` has shape \(3, 4\) in "
        r"the checkpoint but \(5, 4\) in the model, and 1 more differ; is "
        r"`model\.head\.num_classes` right\?"
    )
    with pytest.raises(CheckpointError, match=message):
        check_weights(_Model(5), _Model(3).state_dict(), source="a.pth")


def test_other_backbone_names_key_and_shapes():
    message = r"`backbone\.0\.weight`.*\(8, 2\).*\(4, 2\).*is it the config"
    with pytest.raises(CheckpointError, match=message):
        check_weights(_Model(), _Model(width=8).state_dict(), source="a.pth")


def test_missing_head_is_named():
    state = {k: v for k, v in _Model().state_dict().items() if "head" not in k}
    message = r"no weights for `head\.fc\.weight`, and lacks 2 of the model's 9 entries"
    with pytest.raises(CheckpointError, match=message):
        check_weights(_Model(), state, source="a.pth")


def test_what_a_model_converts_while_loading_is_not_missing():
    state = _Model().state_dict()
    for name in ("weight", "bias"):
        state[f"classifier.{name}"] = state.pop(f"head.fc.{name}")
    check_weights(_Renaming(), state, source="a.pth")
    assert "classifier.weight" in state  # the caller's dict is not changed


def test_hook_is_strict_for_tests():
    runner = _runner(_Model(5))
    hook = CheckpointCheckHook("a.pth", strict=True)
    with pytest.raises(CheckpointError, match="another model"):
        hook.after_load_checkpoint(runner, {"state_dict": _Model(3).state_dict()})


def test_hook_asks_for_a_training_state_to_resume():
    hook = CheckpointCheckHook("a.pth", strict=True, resume=True)
    with pytest.raises(CheckpointError, match="weights alone"):
        hook.after_load_checkpoint(_runner(_Model()), _Model().state_dict())


def test_hook_warns_of_what_fine_tuning_does_not_load():
    runner = _runner(_Model(5))
    hook = CheckpointCheckHook("a.pth", strict=False)
    hook.after_load_checkpoint(runner, _Model(3).state_dict())
    [text] = runner.messages
    assert text.startswith("a.pth fills 6 of 8 weights")
    assert text.endswith(": head.fc.weight, head.fc.bias")


def test_hook_is_silent_if_all_is_loaded():
    runner = _runner(_Model())
    hook = CheckpointCheckHook("a.pth", strict=False)
    hook.after_load_checkpoint(runner, _Model().state_dict())
    assert runner.messages == []


def test_hook_refuses_a_checkpoint_of_which_nothing_fits():
    state = nn.Linear(2, 2).state_dict()
    hook = CheckpointCheckHook("a.pth", strict=False)
    with pytest.raises(CheckpointError, match=r"fits no weight.*init_cfg"):
        hook.after_load_checkpoint(_runner(_Model()), state)


def test_hook_runs_before_the_moving_average_reads_the_checkpoint():
    hook = CheckpointCheckHook("a.pth", strict=True)
    assert get_priority(hook.priority) < get_priority(EMAHook.priority)
