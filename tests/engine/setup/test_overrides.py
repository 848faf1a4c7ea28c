"""What the options of the command line change in a config."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmdgdm.engine.setup import overrides
from mmdgdm.engine.setup.overrides import (
    disable_validation,
    enable_amp,
    enable_auto_scale_lr,
    set_hook,
    set_record_file,
    set_resume,
    use_val_split,
)
from mmdgdm.errors import CheckpointError, ConfigError
from mmdgdm.evaluation.metrics import WSOLMetric


@pytest.fixture
def work_dir(tmp_path):
    """An output folder whose newest checkpoint is epoch_2.pth."""
    state = dict(meta={}, message_hub={}, optimizer={}, state_dict={})
    torch.save(state, tmp_path / "epoch_2.pth")
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / "epoch_2.pth"))
    return tmp_path


def test_auto_resume_takes_the_newest_checkpoint(work_dir):
    cfg = Config(dict(work_dir=str(work_dir), load_from="pretrained.pth"))
    set_resume(cfg, "auto")
    assert cfg.resume is True
    assert cfg.load_from == str(work_dir / "epoch_2.pth")


def test_auto_resume_without_a_checkpoint_starts_as_the_config_says(tmp_path):
    cfg = Config(dict(work_dir=str(tmp_path), load_from="pretrained.pth", resume=True))
    set_resume(cfg, "auto")
    assert cfg.resume is False
    assert cfg.load_from == "pretrained.pth"


def test_auto_resume_from_a_deleted_checkpoint_is_an_error(work_dir):
    (work_dir / "epoch_2.pth").unlink()
    with pytest.raises(CheckpointError, match=r"epoch_2\.pth does not exist"):
        set_resume(Config(dict(work_dir=str(work_dir))), "auto")


def test_resume_takes_the_named_checkpoint(work_dir):
    cfg = Config(dict(work_dir="elsewhere"))
    set_resume(cfg, str(work_dir / "epoch_2.pth"))
    assert cfg.resume is True
    assert cfg.load_from == str(work_dir / "epoch_2.pth")


@pytest.mark.parametrize(
    ("wrapper", "loss_scale"),
    [
        (dict(optimizer=dict(type="SGD")), "dynamic"),
        (dict(type="OptimWrapper", loss_scale=512.0), 512.0),
        (dict(type="AmpOptimWrapper"), "dynamic"),
    ],
)
def test_amp_replaces_the_plain_wrapper(wrapper, loss_scale, monkeypatch):
    monkeypatch.setattr(overrides, "get_device", lambda: "cuda")
    cfg = Config(dict(optim_wrapper=wrapper))
    enable_amp(cfg)
    expected = {**wrapper, "type": "AmpOptimWrapper", "loss_scale": loss_scale}
    assert cfg.optim_wrapper == expected


def test_amp_is_bfloat16_on_cpus(monkeypatch):
    monkeypatch.setattr(overrides, "get_device", lambda: "cpu")
    amp = dict(type="AmpOptimWrapper", loss_scale="dynamic", dtype="float16")
    for wrapper in (dict(), dict(type="OptimWrapper"), amp):
        cfg = Config(dict(optim_wrapper=dict(accumulative_counts=2, **wrapper)))
        for _ in range(2):
            enable_amp(cfg)
            expected = dict(type="mmdgdm.BFloat16OptimWrapper", accumulative_counts=2)
            assert cfg.optim_wrapper == expected


def test_amp_refuses_other_wrappers():
    cfg = Config(dict(optim_wrapper=dict(type="ApexOptimWrapper")))
    with pytest.raises(ConfigError, match="to be OptimWrapper for `--amp`, but got Ap"):
        enable_amp(cfg)


def test_learning_rate_is_scaled_if_the_base_is_known():
    cfg = Config(dict(auto_scale_lr=dict(base_batch_size=32)))
    enable_auto_scale_lr(cfg)
    assert cfg.auto_scale_lr == dict(base_batch_size=32, enable=True)


@pytest.mark.parametrize("keys", [dict(), dict(auto_scale_lr=dict(enable=False))])
def test_learning_rate_needs_a_base(keys):
    with pytest.raises(ConfigError, match=r"auto_scale_lr\.base_batch_size"):
        enable_auto_scale_lr(Config(keys))


def test_validation_is_left_out_with_the_choice_of_the_best():
    hooks = dict(checkpoint=dict(interval=1, save_best="auto"))
    cfg = Config(
        dict(val_dataloader=1, val_cfg=1, val_evaluator=1, default_hooks=hooks)
    )
    disable_validation(cfg)
    assert cfg.val_dataloader is cfg.val_cfg is cfg.val_evaluator is None
    assert cfg.default_hooks.checkpoint == dict(interval=1)


def test_validation_is_left_out_of_a_config_without_hooks():
    cfg = Config(dict())
    disable_validation(cfg)
    assert cfg.val_cfg is None


def _splits(**changes) -> Config:
    keys = dict(
        val_dataloader=dict(name="val"),
        val_evaluator=dict(name="val"),
        val_cfg=dict(type="ValLoop", fp16=True),
        test_dataloader=dict(name="test"),
        test_evaluator=dict(name="test"),
        test_cfg=dict(),
    )
    return Config({**keys, **changes})


def test_val_split_takes_the_place_of_the_test():
    cfg = _splits()
    use_val_split(cfg)
    assert cfg.test_dataloader.name == "val"
    assert cfg.test_evaluator.name == "val"
    assert cfg.test_cfg == dict(fp16=True)
    # The threshold that val itself chose says nothing about val.
    hook = dict(type="mmdgdm.CalibrationHook", use_in_test=False)
    assert cfg.custom_hooks == [hook]


@pytest.mark.parametrize("key", ["val_dataloader", "val_evaluator", "val_cfg"])
def test_val_split_must_be_in_the_config(key):
    with pytest.raises(ConfigError, match=rf"to set `{key}` for `--split val`"):
        use_val_split(_splits(**{key: None}))


@pytest.mark.parametrize(
    ("number", "settings"),
    [(None, dict(out_dir="d")), (3, dict(out_dir="d", num_images=3))],
)
def test_a_hook_is_added_with_what_is_set(number, settings):
    cfg = Config(dict(custom_hooks=[dict(type="EMAHook")]))
    set_hook(cfg, "mmdgdm.WSOLVisualizationHook", out_dir="d", num_images=number)
    hook = dict(type="mmdgdm.WSOLVisualizationHook", **settings)
    assert cfg.custom_hooks == [dict(type="EMAHook"), hook]


def test_a_hook_that_the_config_has_keeps_its_other_settings():
    hook = dict(type="mmdgdm.WSOLVisualizationHook", out_dir="old", threshold=0.2)
    cfg = Config(dict(custom_hooks=[hook]))
    set_hook(cfg, hook["type"], out_dir="new", threshold=None)
    assert cfg.custom_hooks == [{**hook, "out_dir": "new"}]


def test_record_files_of_the_metrics_of_this_package():
    kinds = ["Accuracy", "mmdgdm.WSOLMetric", "mmdgdm.PxAP", "mmdgdm.MaxBoxAcc"]
    metrics = [dict(type=kind) for kind in kinds]
    metrics[2]["record_file"] = "earlier.npz"  # the config was left by another test
    cfg = Config(dict(test_evaluator=metrics))
    set_record_file(cfg, Path("out/a.records.npz"))
    assert [metric.get("record_file") for metric in cfg.test_evaluator] == [
        None,
        "out/a.records.npz",
        "out/a.records_2.npz",
        "out/a.records_3.npz",
    ]
    cfg = Config(dict(test_evaluator=dict(type=WSOLMetric)))
    set_record_file(cfg, Path("a.npz"))
    assert cfg.test_evaluator.record_file == "a.npz"
