"""``--cfg-options``: how values are read, and which keys are refused."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from mmdgdm.engine.setup.overrides import (
    leave_out_idle_workers,
    merge_cfg_options,
    read_option,
)
from mmdgdm.errors import ConfigError


def _config(**changes) -> Config:
    keys = {
        "model": dict(type="M", head=dict(num_classes=3)),
        "train_dataloader": dict(dataset=dict(data_root="data", ann_file="")),
        "test_dataloader": dict(dataset=dict(data_root="data")),
        "param_scheduler": [dict(end=1), dict(end=2)],
        "data_root": "data",
        "vis_backends": [dict(type="LocalVisBackend")],
        "visualizer": dict(vis_backends=[dict(type="LocalVisBackend")]),
        "tta_model": dict(type="T"),
        "lonely": 7.25,
    }
    return Config({**keys, **changes})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("my data/a b.pth", "my data/a b.pth"),
        ("'quoted'", "quoted"),
        ("'5'", "5"),
        ("None", None),
        ("true", True),
        ("1e-3", 0.001),
        ("", ""),
        ("a,b", ["a", "b"]),
        ("(1,)", (1,)),
        ("'[1,2]'", [1, 2]),
    ],
)
def test_values_are_read_as_numbers_and_lists(text, value):
    assert read_option("a.b", text) == value


@pytest.mark.parametrize(
    "key",
    [
        "work_dir",
        "load_from",
        "a.data_root",
        "a.ann_file",
        "a.img_prefix",
        "a.0.path",
        "experiment_name",
        "init_cfg.checkpoint",
        "metric.out_file",
        "a.prefix",
    ],
)
@pytest.mark.parametrize("text", ["2024_01", "/a/x,y.pth", "1e5", "true", "[a]"])
def test_paths_and_names_stay_text(key, text):
    assert read_option(key, text) == text


@pytest.mark.parametrize("text", ["2024_01", "x,y", "1", "nan", "false"])
def test_text_of_the_config_stays_text(text):
    assert read_option("a.split", text, current="train") == text
    assert read_option("a.split", "None", current="train") is None


def test_a_list_in_brackets_may_take_the_place_of_text():
    assert read_option("a.save_best", "[x,y]", current="auto") == ["x", "y"]


def test_brackets_that_do_not_match_are_refused():
    with pytest.raises(ConfigError, match=r"brackets of `--cfg-options a=\[\(1,2\]`"):
        read_option("a", "[(1,2]")


def test_options_override_values_in_dicts_and_lists():
    cfg = _config()
    options = {"model.head.num_classes": "5", "param_scheduler.1.end": 7}
    read = merge_cfg_options(cfg, options)
    assert cfg.model.head.num_classes == 5
    assert [item.end for item in cfg.param_scheduler] == [1, 7]
    assert read == {"model.head.num_classes": 5, "param_scheduler.1.end": 7}


def test_options_keep_the_text_of_the_config():
    cfg = _config()
    options = {
        "load_from": "/a/x,y.pth",
        "work_dir": "2024_01",
        "model.type": "1e3",
        "train_dataloader.dataset.ann_file": "2024",
    }
    merge_cfg_options(cfg, options)
    assert cfg.load_from == "/a/x,y.pth"
    assert cfg.work_dir == "2024_01"
    assert cfg.model.type == "1e3"
    assert cfg.train_dataloader.dataset.ann_file == "2024"


def test_option_may_add_an_argument_of_the_runner():
    cfg = _config()
    merge_cfg_options(cfg, {"resume": "true", "env_cfg.cudnn_benchmark": True})
    assert cfg.resume is True
    assert cfg.env_cfg.cudnn_benchmark is True


@pytest.mark.parametrize("options", [None, {}])
def test_no_options_change_nothing(options):
    cfg = _config()
    assert merge_cfg_options(cfg, options) == {}
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
        ({"model.type.x": 1}, "cannot inherit"),
    ],
)
def test_path_that_does_not_fit_is_refused(options, reason):
    with pytest.raises(ConfigError, match=rf"does not fit the config: .*{reason}"):
        merge_cfg_options(_config(), options)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        (
            "data_root",
            r"set `train_dataloader\.dataset\.data_root` or "
            r"`test_dataloader\.dataset\.data_root` instead\.",
        ),
        ("vis_backends", r"set `visualizer\.vis_backends` instead\."),
        ("vis_backends.0.type", r"set `visualizer\.vis_backends\.0\.type` instead\."),
        ("lonely", "set the keys that were made from it instead"),
    ],
)
def test_variable_of_the_config_file_is_refused_with_the_right_key(key, hint):
    cfg = _config()
    with pytest.raises(ConfigError, match=rf"`--cfg-options {key}=.*{hint}"):
        merge_cfg_options(cfg, {key: "elsewhere"})
    assert cfg.to_dict() == _config().to_dict()


def test_the_right_key_takes_effect():
    cfg = _config()
    merge_cfg_options(cfg, {"visualizer.vis_backends.0.type": "TensorboardVisBackend"})
    assert cfg.visualizer.vis_backends == [dict(type="TensorboardVisBackend")]


def test_keys_that_a_tool_or_a_runner_of_its_own_reads_pass():
    cfg = _config(runner_type="Mine")
    merge_cfg_options(cfg, {"lonely": 1})
    merge_cfg_options(_config(), {"tta_model.type": "U"})
    assert cfg.lonely == 1


def test_loaders_without_workers_keep_none_of_their_settings():
    workers = dict(persistent_workers=True, prefetch_factor=4, batch_size=2)
    cfg = Config(
        dict(
            train_dataloader=dict(num_workers=0, **workers),
            val_dataloader=dict(num_workers=2, **workers),
            test_dataloader=None,
        )
    )
    leave_out_idle_workers(cfg)
    assert cfg.train_dataloader == dict(num_workers=0, batch_size=2)
    assert cfg.val_dataloader == dict(num_workers=2, **workers)
