"""What a resumed run takes from its checkpoint."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import (
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    OptimWrapper,
    OptimWrapperDict,
    StepLR,
)
from torch import nn

from mmdgdm.engine.setup.resume import check_resume
from mmdgdm.errors import CheckpointError

STEP = dict(type=StepLR, step_size=2, gamma=0.1)


def _runner(
    optimizer="SGD", schedules=(STEP,), layers=1, groups=1, several=False, **settings
):
    """A Runner whose optimizer and schedules are built."""
    torch.manual_seed(0)
    parameters = [p for _ in range(layers) for p in nn.Linear(2, 3).parameters()]
    per_group = len(parameters) // groups
    split = [parameters[i * per_group :][:per_group] for i in range(groups)]
    settings = {"lr": 0.1, **settings}
    made = getattr(torch.optim, optimizer)([dict(params=p) for p in split], **settings)
    wrapper = OptimWrapper(made)
    kinds = [dict(item) for item in schedules]
    built = [kind.pop("type")(made, **kind) for kind in kinds]
    part = dict(optimizer=dict(type=optimizer, **settings))
    return SimpleNamespace(
        cfg=Config(dict(optim_wrapper=part)),
        optim_wrapper=OptimWrapperDict(a=wrapper) if several else wrapper,
        param_schedulers=dict(a=built) if several else (built or None),
        parameters=parameters,
    )


def _checkpoint(runner, steps=1, text=True):
    """What mmengine writes after some steps."""
    wrapper = runner.optim_wrapper
    wrapper = wrapper["a"] if isinstance(wrapper, OptimWrapperDict) else wrapper
    several = isinstance(runner.param_schedulers, dict)
    schedulers = runner.param_schedulers["a"] if several else runner.param_schedulers
    for _ in range(steps):
        for parameter in runner.parameters:
            parameter.grad = torch.ones_like(parameter)
        wrapper.step()
        for scheduler in schedulers or ():
            scheduler.step()
    states = [scheduler.state_dict() for scheduler in schedulers or ()]
    state = dict(
        meta=dict(epoch=1, iter=1),
        message_hub={},
        optimizer=runner.optim_wrapper.state_dict(),
        param_schedulers=dict(a=states) if several else states,
    )
    if text:
        state["meta"]["cfg"] = runner.cfg.pretty_text
    return copy.deepcopy(state)


@pytest.mark.parametrize(
    "settings",
    [
        dict(),
        dict(schedules=()),
        dict(optimizer="AdamW", groups=2, layers=2),
        dict(several=True),
        dict(
            schedules=[
                dict(type=LinearLR, start_factor=0.5, end=3),
                dict(type=MultiStepLR, milestones=[4, 5]),
            ]
        ),
    ],
)
def test_the_same_run_differs_in_nothing(settings):
    checkpoint = _checkpoint(_runner(**settings), steps=3)
    assert check_resume(_runner(**settings), checkpoint, source="a.pth") == ""


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        (dict(lr=0.5), "lr of the optimizer 0.1 (config: 0.5)"),
        (dict(momentum=0.9), "momentum of the optimizer 0 (config: 0.9)"),
        (
            dict(schedules=[dict(type=StepLR, step_size=3, gamma=0.1)]),
            "step_size of StepLR 2 (config: 3)",
        ),
        (dict(schedules=[{**STEP, "end": 7}]), "(config: 7)"),
    ],
)
def test_other_settings_are_kept_and_named(settings, kept):
    checkpoint = _checkpoint(_runner(), steps=3)
    assert kept in check_resume(_runner(**settings), checkpoint, source="a.pth")


def test_rate_without_a_schedule_is_compared_too():
    checkpoint = _checkpoint(_runner(schedules=()))
    kept = check_resume(_runner(schedules=(), lr=0.5), checkpoint, source="a.pth")
    assert kept == "lr of the optimizer 0.1 (config: 0.5)"


def test_many_groups_are_told_in_short():
    checkpoint = _checkpoint(_runner(layers=3, groups=3))
    kept = check_resume(_runner(layers=3, groups=3, lr=0.5), checkpoint, source="a.pth")
    assert kept == "lr of the optimizer 0.1 (config: 0.5) and 2 more"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (dict(optimizer="AdamW"), "its optimizer is SGD, that of the config AdamW"),
        (
            dict(layers=2),
            r"has 1 groups of 2 parameters, that of the config 1 of 4 .*paramwise_cfg",
        ),
        (dict(groups=2), "has 1 groups of 2 parameters, that of the config 2 of 2"),
        (dict(schedules=[STEP, STEP]), r"\(gamma, step_size\), .*are StepLR, StepLR"),
        (dict(schedules=()), r"\(gamma, step_size\), that of the config are none"),
        (
            dict(schedules=[dict(type=ExponentialLR, gamma=0.9)]),
            r"\(gamma, step_size\), that of the config are ExponentialLR",
        ),
    ],
)
def test_what_cannot_be_resumed_is_refused(settings, reason):
    checkpoint = _checkpoint(_runner())
    message = rf"a\.pth cannot be resumed: .*{reason}.*load_from=.* without `--resume`"
    with pytest.raises(CheckpointError, match=message):
        check_resume(_runner(**settings), checkpoint, source="a.pth")


def test_optimizers_of_the_same_settings_are_told_apart():
    checkpoint = _checkpoint(_runner("Adam"))
    with pytest.raises(CheckpointError, match=r"its optimizer is Adam, .* AdamW"):
        check_resume(_runner("AdamW"), checkpoint, source="a.pth")


def test_without_the_text_of_a_config_settings_tell_the_optimizer():
    checkpoint = _checkpoint(_runner(), text=False)
    with pytest.raises(CheckpointError, match="has the settings dampening, momentum"):
        check_resume(_runner("AdamW"), checkpoint, source="a.pth")


def test_a_setting_that_a_newer_torch_adds_is_no_difference():
    checkpoint = _checkpoint(_runner(), text=False)
    for group in checkpoint["optimizer"]["param_groups"]:
        del group["fused"]
    assert check_resume(_runner(), checkpoint, source="a.pth") == ""


def test_checkpoint_without_schedules_is_refused_where_the_config_has_some():
    checkpoint = _checkpoint(_runner(schedules=()))
    with pytest.raises(CheckpointError, match=r"settings of none, .* are StepLR"):
        check_resume(_runner(), checkpoint, source="a.pth")


def test_other_names_of_optimizers_are_refused():
    checkpoint = _checkpoint(_runner(several=True))
    checkpoint["optimizer"]["b"] = checkpoint["optimizer"].pop("a")
    with pytest.raises(CheckpointError, match=r"optimizers are \['b'\].*\['a'\]"):
        check_resume(_runner(several=True), checkpoint, source="a.pth")


@pytest.mark.parametrize(
    "changes", [{"meta": None}, {"meta": {"epoch": 1}}, {"optimizer": None}]
)
def test_weights_alone_cannot_be_resumed(changes):
    whole = _checkpoint(_runner())
    part = {k: v for k, v in {**whole, **changes}.items() if v is not None}
    with pytest.raises(CheckpointError, match=r"weights alone.*load_from"):
        check_resume(_runner(), part, source="a.pth")
