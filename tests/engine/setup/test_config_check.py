"""Reading, overriding and checking configs."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from mmdgdm.engine.setup import config_check
from mmdgdm.engine.setup.config_check import (
    check_config,
    did_you_mean,
    find_paths,
    load_config,
    type_name,
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
    nodes = dict(find_paths(cfg))
    assert nodes["param_scheduler.1.end"] == 2
    assert nodes["model.head"] == dict(num_classes=3)


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
    monkeypatch.setattr(config_check, "get_device", lambda: "cpu")
    cfg = _config(optim_wrapper=dict(type=kind))
    with pytest.raises(ConfigError, match=r"Expected a GPU for.*BFloat16OptimWrapper"):
        check_config(cfg, "train")
    check_config(cfg, "test")


def test_mixed_precision_with_a_gpu_passes(monkeypatch):
    monkeypatch.setattr(config_check, "get_device", lambda: "cuda")
    check_config(_config(optim_wrapper=dict(type="AmpOptimWrapper")), "train")


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (dict(type="mmengine.SGD"), "SGD"),
        (dict(type=dict), "dict"),
        (dict(), ""),
        (None, ""),
    ],
)
def test_type_has_a_name(part, name):
    assert type_name(part) == name
