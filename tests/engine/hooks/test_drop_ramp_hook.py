"""DropRampHook."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from torch import nn

from mmdgdm.engine.hooks import DropRampHook
from mmdgdm.errors import ConfigError
from mmdgdm.models.necks import ADL, DGDM
from mmdgdm.utils.erasing import Erasing


class _Wrapped(nn.Module):
    """Holds a model as the wrappers for several processes do."""

    def __init__(self, module):
        super().__init__()
        self.module = module


def _runner(model, iteration, max_iters=10):
    return SimpleNamespace(model=model, iter=iteration, max_iters=max_iters)


@pytest.mark.parametrize(
    ("begin", "end", "strengths"),
    [
        (0.0, 1.0, {0: 0.0, 30: 0.3, 100: 1.0}),
        (0.2, 0.6, {10: 0.0, 20: 0.0, 60: 1.0, 90: 1.0}),
        (0.2, 0.4, {20: 0.0, 30: 0.5}),
        # A ramp of no length is a step.
        (0.5, 0.5, {49: 0.0, 50: 1.0}),
        (0.0, 0.0, {0: 1.0}),
    ],
)
def test_ramp_by_hand(begin, end, strengths):
    layer = ADL()
    found = {}
    for iteration in strengths:
        runner = _runner(nn.Sequential(layer), iteration, max_iters=100)
        DropRampHook(begin, end).before_train_iter(runner, 0)
        found[iteration] = layer.strength
    assert found == pytest.approx(strengths)


@pytest.mark.parametrize("wrap", [lambda model: model, _Wrapped])
def test_every_layer_gets_the_strength_of_the_iteration(wrap):
    model = nn.Sequential(nn.Conv2d(1, 1, 1), DGDM(), nn.Sequential(ADL()))
    hook = DropRampHook(begin=0.2, end=0.7)
    seen = []
    for iteration in (0, 2, 4, 7, 9):
        hook.before_train_iter(_runner(wrap(model), iteration), 0)
        layers = (model[1], model[1].cagd, model[1].sagd, model[2][0])
        assert len({layer.strength for layer in layers}) == 1
        seen.append(model[1].strength)
    assert seen == pytest.approx([0.0, 0.0, 0.4, 1.0, 1.0])
    assert not hasattr(model[0], "strength")


def test_other_models_keep_their_strength():
    DropRampHook().before_train_iter(_runner(nn.Sequential(ADL()), 0), 0)
    assert ADL().strength == 1.0


def test_a_strength_of_another_meaning_is_left_alone(caplog):
    class Stylize(nn.Module):
        strength = 7.0

    model = nn.Sequential(Stylize(), ADL())
    DropRampHook().before_train_iter(_runner(model, 0), 0)
    assert (model[0].strength, model[1].strength) == (7.0, 0.0)
    runner = _runner(nn.Sequential(Stylize()), 0)
    runner.logger = logging.getLogger("plain")
    DropRampHook().before_train(runner)
    assert "found no layer" in caplog.text


def test_a_layer_of_ones_own_takes_part():
    class Mine(Erasing, nn.Module):
        pass

    model = nn.Sequential(Mine())
    DropRampHook().before_train_iter(_runner(model, 3), 0)
    assert model[0].strength == pytest.approx(0.3)


def test_a_model_without_layers_is_told(caplog):
    runner = _runner(nn.Conv2d(1, 1, 1), 0)
    runner.logger = logging.getLogger("plain")
    DropRampHook().before_train(runner)
    assert "found no layer in the model that erases" in caplog.text


@pytest.mark.parametrize("span", [(-0.1, 1), (0.5, 0.4), (0, 1.1), ("a", 1), (0, True)])
def test_impossible_spans_are_refused(span):
    with pytest.raises(
        ConfigError,
        match=r"`(begin|end)` to be (a number in \[0, 1\]|at most `end`), but got",
    ):
        DropRampHook(*span)
