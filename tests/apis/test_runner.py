"""Building the Runner; whole runs are in tests/tools."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import get_priority

from mmdgdm.apis import runner as runner_module
from mmdgdm.apis.runner import build_runner, run_test, run_training
from mmdgdm.engine.hooks.checkpoint_check_hook import CheckpointCheckHook
from mmdgdm.engine.hooks.finite_loss_hook import FiniteLossHook
from mmdgdm.engine.hooks.mean_loss_hook import MeanLossHook
from mmdgdm.errors import ConfigError


class _Runner(SimpleNamespace):
    """Keeps what it was made from and what was called."""

    def register_hook(self, hook):
        self.hooks.append(hook)

    def train(self):
        self.calls.append("train")

    def test(self):
        self.calls.append("test")
        return {"hooks": self.hooks}


@pytest.fixture(autouse=True)
def no_real_runner(monkeypatch):
    """Build the stand-in above."""

    def from_cfg(cfg):
        return _Runner(cfg=cfg, hooks=[], calls=[])

    monkeypatch.setattr(runner_module.Runner, "from_cfg", from_cfg)


def _config(tmp_path, **changes) -> Config:
    keys = dict(
        model=dict(),
        train_dataloader=dict(),
        train_cfg=dict(),
        optim_wrapper=dict(),
        test_dataloader=dict(),
        test_cfg=dict(),
        test_evaluator=dict(),
        work_dir=str(tmp_path),
    )
    return Config({**keys, **changes})


def _checks(hooks):
    of_all = (FiniteLossHook, MeanLossHook)
    hooks = [hook for hook in hooks if not isinstance(hook, of_all)]
    assert all(isinstance(hook, CheckpointCheckHook) for hook in hooks)
    return [(hook.source, hook.strict, hook.resume) for hook in hooks]


@pytest.mark.parametrize(
    ("mode", "changes", "checks"),
    [
        ("train", dict(), []),
        ("train", dict(load_from="a.pth"), [("a.pth", False, False)]),
        ("train", dict(load_from="a.pth", resume=True), [("a.pth", True, True)]),
        ("test", dict(load_from="a.pth"), [("a.pth", True, False)]),
        ("test", dict(load_from="a.pth", resume=True), [("a.pth", True, False)]),
    ],
)
def test_checkpoint_is_checked_as_the_run_needs_it(tmp_path, mode, changes, checks):
    runner = build_runner(_config(tmp_path, **changes), mode)
    assert _checks(runner.hooks) == checks


def test_resume_in_the_config_takes_the_newest_checkpoint(tmp_path):
    newest = tmp_path / "epoch_3.pth"
    state = dict(meta={}, message_hub={}, optimizer={}, state_dict={})
    torch.save(state, newest)
    (tmp_path / "last_checkpoint").write_text(str(newest))
    runner = build_runner(_config(tmp_path, resume=True))
    assert runner.cfg.load_from == str(newest)
    assert _checks(runner.hooks) == [(str(newest), True, True)]


def test_resume_in_the_config_without_a_checkpoint_starts_anew(tmp_path):
    runner = build_runner(_config(tmp_path, resume=True))
    assert runner.cfg.resume is False
    assert _checks(runner.hooks) == []


def test_incomplete_config_is_refused_first(tmp_path):
    with pytest.raises(ConfigError, match="`train_cfg`"):
        build_runner(_config(tmp_path, train_cfg=None))


def test_unknown_runner_is_named(tmp_path):
    cfg = _config(tmp_path, runner_type="Runer")
    message = (
        "`runner_type` to be a registered runner, but got `Runer`; did you mean `R"
    )
    with pytest.raises(ConfigError, match=message):
        build_runner(cfg)


def test_training_trains(tmp_path):
    assert run_training(_config(tmp_path)).calls == ["train"]


def test_a_test_never_resumes(tmp_path):
    cfg = _config(tmp_path, resume=True, load_from="old.pth")
    reported = []
    metrics = run_test(cfg, "a.pth", report=reported.append)
    *others, report = metrics["hooks"]
    assert _checks(others) == [("a.pth", True, False)]
    # Before the hooks that draw or write.
    assert get_priority(report.priority) < get_priority("LOW")
    report.after_test_epoch(None, {"a": 1.0})
    assert reported == [{"a": 1.0}]
    assert cfg.resume is False
