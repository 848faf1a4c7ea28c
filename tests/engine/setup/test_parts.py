"""Parts of a config: checked before they are built, and named if they fail."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS, MODELS, TRANSFORMS, Registry

import mmdgdm.registry as mmdgdm_registry
from mmdgdm.engine.setup.parts import check_parts, explain_build_errors
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

    def __init__(self, width=1):
        self.width = width


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
        (ImportError("Please install timm"), "Please install timm "),
    ],
)
def test_other_errors_keep_their_reason(error, reason):
    message = rf"Cannot build `BuildErrorsPart` of `model\.part`: {reason}"
    with pytest.raises(ConfigError, match=message) as caught:
        _build(type="BuildErrorsPart", error=error)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [DataError("bad line"), torch.OutOfMemoryError("no memory")],
)
def test_some_errors_pass_as_they_are(error):
    with pytest.raises(type(error)) as caught:
        _build(type="BuildErrorsPart", error=error)
    assert caught.value is error


def test_missing_type_is_told():
    with pytest.raises(ConfigError, match=r'build `model\.part`: .*the key "type"'):
        _build(width=3)


def test_errors_of_other_origin_pass():
    error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError), explain_build_errors(Config(dict())):
        raise error


def test_a_missing_package_is_one_sentence():
    with (
        pytest.raises(ConfigError, match=r"package is missing: .*pip install tensorb"),
        explain_build_errors(Config(dict())),
    ):
        raise ImportError('Please run "pip install tensorboard"')


def test_registries_are_as_before_after_an_error():
    before = Registry.build
    with pytest.raises(ConfigError):
        _build(type="BuildErrorsPart", error=ValueError("a"))
    assert Registry.build is before


def test_the_part_that_failed_is_told_from_others_of_its_type():
    parts = [dict(type="BuildErrorsPart", width=w, keep=w) for w in (1, 2, 3)]
    parts[1]["error"] = ValueError("bad")
    cfg = Config(dict(model=dict(type="BuildErrorsWhole", parts=parts)))
    # As a class may do that takes some keys for itself.
    taken = {k: v for k, v in cfg.model.parts[1].items() if k != "keep"}
    with (
        pytest.raises(ConfigError, match=r"of `model\.parts\.1`: bad"),
        explain_build_errors(cfg),
    ):
        MODELS.build(taken)


@DATASETS.register_module()
class BuildErrorsData(list):
    """A data set that takes what it knows."""

    def __init__(self, root, pipeline=(), split="train"):
        super().__init__()


@HOOKS.register_module()
class BuildErrorsHook(Hook):
    """A hook that takes anything."""

    def __init__(self, **kwargs):
        pass


def _whole_config(**changes):
    data = dict(type="BuildErrorsData", root="a", pipeline=[dict(type="Compose")])
    data["pipeline"][0]["transforms"] = [dict(type="BuildErrorsStep", size=3)]
    loader = dict(
        dataset=data,
        sampler=dict(type="DefaultSampler", shuffle=True),
        batch_size=2,
        num_batch_per_epoch=3,
    )
    keys = dict(
        model=dict(type="BuildErrorsPart", width=3),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=1),
        val_cfg=dict(fp16=True),
        optim_wrapper=dict(
            optimizer=dict(type="SGD", lr=0.1),
            clip_grad=None,
            paramwise_cfg=dict(norm_decay_mult=0.0),
        ),
        param_scheduler=[
            dict(type="LinearLR", start_factor=0.1, convert_to_iter_based=True)
        ],
        default_hooks=dict(logger=dict(type="LoggerHook", interval=1)),
        custom_hooks=[dict(type="BuildErrorsHook", anything=1)],
        visualizer=dict(type="Visualizer", vis_backends=[dict(type="LocalVisBackend")]),
        test_evaluator=[dict(type="DumpResults", out_file_path="a.pkl")],
    )
    cfg = Config(keys)
    cfg.merge_from_dict(changes)
    return cfg


@TRANSFORMS.register_module()
class BuildErrorsStep:
    """A step."""

    def __init__(self, size):
        self.size = size


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"train_cfg": dict(_delete_=True, by_epoch=False, max_iters=3)},
        {"train_cfg.type": "EpochBasedTrainLoop"},
        {"model.type": BuildErrorsPart},
        {"model.type": "mmdgdm.BuildErrorsScoped", "model.width": 1},
        {"model": dict(type="BuildErrorsScoped", _scope_="mmdgdm")},
        {"optim_wrapper.constructor": "Mine", "optim_wrapper.other": 1},
        {"default_scope": "mmdgdm", "train_dataloader.sampler.seed": 3},
        {"default_hooks.logger.priority": "LOW"},  # mmengine takes it out
    ],
)
def test_what_can_be_built_passes_the_check(changes):
    check_parts(_whole_config(**changes))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.type=X", r"`model\.type` to be a registered model, but got `X`\."),
        ("model.widht=1", r"keys of `model` to be .*; did you mean `width`\?"),
        ("train_dataloader.batch_sise=1", "`train_dataloader` to be .*`batch_size`"),
        (
            "train_dataloader.dataset.pipeline.0.transforms.0.sise=1",
            r"`train_dataloader\.dataset\.pipeline\.0\.transforms\.0` .*`size`\?",
        ),
        ("train_dataloader.sampler.type=No", r"sampler\.type` to be .* data sampler"),
        ("train_cfg.max_epochss=1", r"keys of `train_cfg` .*`max_epochs`\?"),
        ("val_cfg.fp=1", "keys of `val_cfg` to be arguments of ValLoop"),
        ("optim_wrapper.clip_grads=1", "`optim_wrapper` .*`clip_grad`"),
        ("optim_wrapper.optimizer.momentun=1", r"optimizer` .*`momentum`\?"),
        ("param_scheduler.0.type=LinarLR", r"param_scheduler\.0\.type` .*`LinearLR`"),
        ("default_hooks.logger.intervall=1", r"default_hooks\.logger` .*`interval`"),
        ("custom_hooks.0.type=No", r"custom_hooks\.0\.type` to be a registered hook"),
        ("visualizer.vis_backends.0.type=No", r"vis_backends\.0\.type` .*vis_backend"),
        (
            "test_evaluator.0.type=a.b.C",
            r"test_evaluator\.0\.type` .*metric.* `a\.b\.C`",
        ),
        ("runner_type=Runer", "`runner_type` to be a registered runner.*`Runner`"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(change, message):
    key, value = change.split("=")
    with pytest.raises(ConfigError, match=message):
        check_parts(_whole_config(**{key: value}))


def test_every_shipped_config_passes_the_check(repo_root):
    paths = sorted((repo_root / "configs").glob("[!_]*/*.py"))
    assert paths
    for path in paths:
        check_parts(Config.fromfile(path))


def test_a_class_of_ours_is_guessed_before_it_was_ever_imported():
    code = (
        "from mmengine.config import Config\n"
        "import mmdgdm.registry\n"
        "from mmdgdm.engine.setup.parts import check_parts\n"
        "check_parts(Config(dict(model=dict(type='ImageClassifier', "
        "neck=dict(type='DGDM')), default_scope='mmpretrain')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "did you mean `mmdgdm.DGDM`?" in done.stderr
