"""Errors of building registered classes, told in one sentence."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner

import mmdgdm.registry as mmdgdm_registry
from mmdgdm.engine.setup.build_errors import explain_build_errors
from mmdgdm.errors import ConfigError, DataError


@MODELS.register_module()
class BuildErrorsPart:
    """A part that fails in a chosen way."""

    def __init__(self, width=1, error=None):
        self.width = width
        if error is not None:
            raise error


@MODELS.register_module()
class BuildErrorsChild(BuildErrorsPart):
    """A subclass that hands its arguments on."""

    def __init__(self, height=1, **kwargs):
        super().__init__(**kwargs)


@MODELS.register_module()
class BuildErrorsWhole:
    """A class that builds its part itself."""

    def __init__(self, part, parts=()):
        self.part = MODELS.build(part)
        self.parts = [MODELS.build(item) for item in parts]


@mmdgdm_registry.MODELS.register_module()
class BuildErrorsScoped:
    """A class that needs its prefix."""


def _build(**part):
    cfg = Config(dict(model=dict(type="BuildErrorsWhole", part=part)))
    with explain_build_errors(cfg):
        MODELS.build(cfg.model)


def test_what_can_be_built_is_built():
    _build(type="BuildErrorsPart")


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("BuildErrorPart", "did you mean `BuildErrorsPart`"),
        ("BuildErrorsScoped", r"did you mean `mmdgdm\.BuildErrorsScoped`\?"),
        ("mmdgdm.BuildErrorsScope", r"did you mean `mmdgdm\.BuildErrorsScoped`"),
        ("mmdgm.BuildErrorsScoped", r"did you mean `mmdgdm\.BuildErrorsScoped`"),
    ],
)
def test_unknown_type_names_its_place_and_a_guess(name, guess):
    message = (
        rf"`model\.part\.type` to be a registered model, but got `{name}`; {guess}"
    )
    with pytest.raises(ConfigError, match=message):
        _build(type=name)


def test_unknown_type_far_from_all_others_has_no_guess():
    with pytest.raises(ConfigError, match="but got `Qqqqqqqqqqqqq`\\."):
        _build(type="Qqqqqqqqqqqqq")


@pytest.mark.parametrize(
    ("part", "key", "guess"),
    [
        ("BuildErrorsPart", "widht", "width"),
        ("BuildErrorsChild", "widht", "width"),
        ("BuildErrorsChild", "heigth", "height"),
    ],
)
def test_unexpected_key_names_place_class_and_guess(part, key, guess):
    message = (
        rf"keys of `model\.part` to be arguments of {part}, but got `{key}`; "
        rf"did you mean `{guess}`\?"
    )
    with pytest.raises(ConfigError, match=message):
        _build(type=part, **{key: 1})


def test_part_in_a_list_is_named_by_its_index():
    parts = [dict(type="BuildErrorsPart"), dict(type="BuildErrorsPart", hue=1)]
    whole = dict(type="BuildErrorsWhole", part=parts[0], parts=parts)
    cfg = Config(dict(model=whole))
    with (
        pytest.raises(ConfigError, match=r"`model\.parts\.1`.*`hue`"),
        explain_build_errors(cfg),
    ):
        MODELS.build(cfg.model)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("Expected `a` to be 1,\n but got 2."), "Expected `a` to be 1, but"),
        (KeyError("a"), "KeyError: a"),
        (FileNotFoundError(2, "No such file", "x"), "FileNotFoundError: .*x"),
        (AssertionError(), "AssertionError"),
        (
            TypeError("f() got an unexpected keyword argument 'other'"),
            r"f\(\).*'other'",
        ),
        (RuntimeError("Found 0 files"), "Found 0 files"),
        (ValueError("a" * 1000), r"a{400}\.\.\. "),
    ],
)
def test_other_errors_keep_their_reason(error, reason):
    message = rf"Cannot build `BuildErrorsPart` of `model\.part`: {reason}"
    with pytest.raises(ConfigError, match=message) as caught:
        _build(type="BuildErrorsPart", error=error)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [DataError("bad line"), ImportError("timm"), torch.OutOfMemoryError("no memory")],
)
def test_some_errors_pass_as_they_are(error):
    with pytest.raises(type(error)) as caught:
        _build(type="BuildErrorsPart", error=error)
    assert caught.value is error


def test_missing_type_is_told():
    with pytest.raises(ConfigError, match=r'of `model\.part`: .*the key "type"'):
        _build(width=3)


def test_errors_of_other_origin_pass():
    error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError), explain_build_errors(Config(dict())):
        raise error


@DATASETS.register_module()
class BuildErrorsData(list):
    """A data set."""


def test_unexpected_key_of_a_data_loader_is_named():
    loader = dict(dataset=dict(type="BuildErrorsData"), batch_sise=2)
    loader["sampler"] = dict(type="DefaultSampler")
    cfg = Config(dict(train_dataloader=loader))
    with (
        pytest.raises(ConfigError, match=r"keys of `train_dataloader`.*`batch_sise`"),
        explain_build_errors(cfg),
    ):
        Runner.build_dataloader(cfg.train_dataloader)
