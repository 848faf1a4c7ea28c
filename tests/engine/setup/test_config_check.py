"""Reading, overriding and checking configs."""

from __future__ import annotations

import logging

import pytest
from mmengine.config import Config

from mmdgdm.engine.setup import config_check
from mmdgdm.engine.setup.config_check import (
    check_config,
    did_you_mean,
    find_paths,
    load_config,
    merge_cfg_options,
)
from mmdgdm.errors import ConfigError


def _config(**changes) -> Config:
    keys = {
        "model": dict(type="M", head=dict(num_classes=3)),
        "train_dataloader": dict(dataset=dict(data_root="data")),
        "train_cfg": dict(max_epochs=1),
        "optim_wrapper": dict(optimizer=dict(type="SGD")),
        "test_dataloader": dict(dataset=dict(data_root="data")),
        "test_cfg": dict(),
        "test_evaluator": dict(type="Accuracy"),
        "param_scheduler": [dict(end=1), dict(end=2)],
        "data_root": "data",
    }
    return Config({**keys, **changes})


def test_paths_lead_through_dicts_and_lists():
    cfg = _config()
    paths = list(find_paths(cfg, lambda key, value: key == "end" and value == 2))
    assert paths == ["param_scheduler.1.end"]


@pytest.mark.parametrize(
    ("word", "end"),
    [("modl", "; did you mean `model`?"), ("xyz", ".")],
)
def test_close_matches_end_the_sentence(word, end):
    assert did_you_mean(word, ["model", "head"]) == end


def test_config_is_read(tmp_path):
    (tmp_path / "a.py").write_text("x = 3")
    assert load_config(tmp_path / "a.py").x == 3


def test_missing_config_names_its_neighbours(tmp_path):
    (tmp_path / "dgdm_cub.py").write_text("")
    message = r"dgdm_cup\.py does not exist; did you mean `dgdm_cub\.py`\?"
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path / "dgdm_cup.py")


@pytest.mark.parametrize("path", ["", "no/such/folder/a.py"])
def test_missing_config_without_neighbours(path):
    with pytest.raises(ConfigError, match=r"does not exist"):
        load_config(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = (", "SyntaxError"),
        ("x = y", "NameError"),
        ("_base_ = ['gone.py']", "gone.py"),
        ("custom_imports = dict(imports=['no_such_module'])", "no_such_module"),
    ],
)
def test_unreadable_config_says_why(tmp_path, text, reason):
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(ConfigError, match=rf"bad\.py cannot be read .*{reason}"):
        load_config(tmp_path / "bad.py")


def test_config_of_unknown_type_says_why(tmp_path):
    (tmp_path / "bad.txt").write_text("x = 3")
    with pytest.raises(ConfigError, match=r"bad\.txt cannot be read"):
        load_config(tmp_path / "bad.txt")


def test_options_override_values_in_dicts_and_lists():
    cfg = _config()
    merge_cfg_options(cfg, {"model.head.num_classes": 5, "param_scheduler.1.end": 7})
    assert cfg.model.head.num_classes == 5
    assert [item.end for item in cfg.param_scheduler] == [1, 7]


def test_option_may_add_an_argument_of_the_runner():
    cfg = _config()
    merge_cfg_options(cfg, {"load_from": "a.pth", "env_cfg.cudnn_benchmark": True})
    assert cfg.load_from == "a.pth"
    assert cfg.env_cfg.cudnn_benchmark is True


@pytest.mark.parametrize("options", [None, {}])
def test_no_options_change_nothing(options):
    cfg = _config()
    merge_cfg_options(cfg, options)
    assert cfg.to_dict() == _config().to_dict()


@pytest.mark.parametrize(
    ("key", "guess"),
    [("modl.head.num_classes", "model"), ("optim_wraper", "optim_wrapper")],
)
def test_unknown_first_key_is_refused_with_a_guess(key, guess):
    first = key.split(".")[0]
    with pytest.raises(ConfigError, match=rf"got `{first}`; did you mean `{guess}`"):
        merge_cfg_options(_config(), {key: 1})


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"param_scheduler.5.end": 1}, "Index 5 exceeds the length"),
        ({"data_root.x": 1}, "cannot inherit"),
    ],
)
def test_path_that_does_not_fit_is_refused(options, reason):
    with pytest.raises(ConfigError, match=rf"does not fit the config: .*{reason}"):
        merge_cfg_options(_config(), options)


@pytest.fixture
def warnings(monkeypatch):
    """The warnings of a test."""
    messages = []

    def keep(message, logger=None, level=logging.INFO):
        messages.append(message)

    monkeypatch.setattr(config_check, "print_log", keep)
    return messages


def test_variable_of_the_config_file_that_changes_nothing_is_warned_of(warnings):
    merge_cfg_options(_config(), {"data_root": "elsewhere"})
    assert len(warnings) == 1
    assert "`train_dataloader.dataset.data_root`" in warnings[0]
    assert "`test_dataloader.dataset.data_root`" in warnings[0]


def test_arguments_of_the_runner_are_not_warned_of(warnings):
    cfg = _config(work_dir="data")
    merge_cfg_options(cfg, {"work_dir": "elsewhere", "model.type": "N"})
    assert warnings == []


@pytest.mark.parametrize("mode", ["train", "test"])
def test_complete_config_passes(mode):
    check_config(_config(), mode)


@pytest.mark.parametrize(
    ("mode", "key"),
    [("train", "model"), ("train", "optim_wrapper"), ("test", "test_evaluator")],
)
def test_missing_key_is_named(mode, key):
    with pytest.raises(ConfigError, match=rf"to set `{key}`, but it is missing"):
        check_config(_config(**{key: None}), mode)


def test_half_a_validation_is_named():
    cfg = _config(val_dataloader=dict(), val_cfg=dict())
    message = "all or none of val_dataloader, .*, but val_evaluator is missing"
    with pytest.raises(ConfigError, match=message):
        check_config(cfg, "train")


@pytest.mark.parametrize("kind", ["AmpOptimWrapper", "mmengine.AmpOptimWrapper"])
def test_mixed_precision_without_a_gpu_is_refused(monkeypatch, kind):
    monkeypatch.setattr(config_check, "is_cuda_available", lambda: False)
    cfg = _config(optim_wrapper=dict(type=kind))
    with pytest.raises(ConfigError, match=r"`--amp`.*needs a GPU"):
        check_config(cfg, "train")
    check_config(cfg, "test")


def test_mixed_precision_with_a_gpu_passes(monkeypatch):
    monkeypatch.setattr(config_check, "is_cuda_available", lambda: True)
    check_config(_config(optim_wrapper=dict(type="AmpOptimWrapper")), "train")
