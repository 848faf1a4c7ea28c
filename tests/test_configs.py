"""Every config builds, trains one step, predicts, and loads two of its samples."""

from __future__ import annotations

import copy
import math
import re
from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, HOOKS, MODELS, init_default_scope
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch.utils.data import DataLoader

REPO_ROOT = Path(__file__).resolve().parents[1]
LEAVES = sorted(
    str(path.relative_to(REPO_ROOT))
    for path in (REPO_ROOT / "configs").glob("*/*.py")
    if path.parent.name != "_base_"
)
every_config = pytest.mark.parametrize("name", LEAVES)


@cache
def read(name):
    return Config.fromfile(REPO_ROOT / name)


@pytest.fixture
def load(monkeypatch):
    monkeypatch.chdir(REPO_ROOT)

    def load(name):
        config = copy.deepcopy(read(name))
        init_default_scope(config.default_scope)
        # Weights are a matter of the machine, not of the config.
        config.model.backbone.pop("init_cfg", None)
        if config.model.get("cam_method", "cam") != "cam":
            pytest.importorskip("pytorch_grad_cam", reason="needs the extra `cam`")
        return config

    return load


def test_there_are_configs_of_every_method():
    methods = {"acol", "adl", "cam", "cutmix", "dgdm", "dropblock", "has", "spg"}
    assert {name.split("/")[1] for name in LEAVES} == methods | {"gradcam"}


@every_config
def test_file_name_tells_the_content(name, load):
    config, stem = load(name), Path(name).stem
    batch = config.train_dataloader.batch_size
    epochs = config.train_cfg.max_epochs
    # Variants of a method follow its name after a hyphen.
    assert stem.split("_")[0].split("-")[0] == Path(name).parent.name
    assert f"_1xb{batch}-{epochs}e_" in stem


@every_config
def test_hooks_build_and_dgdm_ramps_its_erasing(name, load):
    config = load(name)
    hooks = [*config.custom_hooks, *config.default_hooks.values()]
    kinds = [type(HOOKS.build(hook)).__name__ for hook in hooks]
    assert ("DropRampHook" in kinds) is (Path(name).parent.name == "dgdm")
    assert ("drop_ramp" in config.default_hooks) is ("DropRampHook" in kinds)


@every_config
def test_a_name_tells_the_parts_of_its_method(name, load):
    config = load(name)
    method, *parts = Path(name).stem.split("_")[0].split("-")
    assert ("background_loss" in config.model.head) is ("bgloss" in parts)
    necks = config.model.get("stage_necks", [])
    assert bool(necks) is (method in ("dgdm", "adl", "dropblock"))
    if method == "dgdm":
        (layer,) = necks
        assert layer.type == "mmdgdm.DGDM"
        has_cagd = layer.get("cagd", {}) is not None
        has_sagd = layer.get("sagd", {}) is not None
        assert (has_cagd, has_sagd) == ("sagd" not in parts, "cagd" not in parts)
        sagd = layer.get("sagd") or {}
        assert (sagd.get("importance") is False) is ("noimportance" in parts)
        assert "nobg" not in parts or not sagd.get("bg_threshold")


@every_config
def test_no_rule_stands_without_the_threshold_that_it_serves(name, load):
    for neck in load(name).model.get("stage_necks", []):
        sagd = neck.get("sagd") or {}
        assert "bg_rule" not in sagd or sagd.bg_threshold > 0


#: What the benchmark trains at the plain rate of 0.001, by backbone. For ACoL and SPG
#: on ResNet-50 that is their heads too: its code looks for a classifier called `fc`.
#: For SPG on VGG16 it is no convolution after pool3: they are not in `features` there.
SLOW = {
    "vgg16": r"backbone\.features\.",
    "spg_vgg16": r"backbone\.features\.[0-8]\.",
    "inception-v3": r"backbone\.(Conv2d_|Mixed_)",
    "resnet50": r"backbone\.(?!layer4\.)",
    "acol_resnet50": r"backbone\.(?!layer4\.)|head\.",
    "spg_resnet50": r"backbone\.(?!layer4\.)|head\.",
    # Backbones that the benchmark does not have.
    "seresnet50": r"backbone\.(?!layer4\.)",
    "mobilenet-v2": r"backbone\.",
    "convnext-tiny": r"backbone\.",
    "efficientnet-lite0": r"backbone\.",
    "efficientnet-lite1": r"backbone\.",
    "efficientnet-lite2": r"backbone\.",
}


@pytest.mark.parametrize(
    "name",
    [n for n in LEAVES if n.endswith("50e_cub.py") or ("cam" in n and "10e_" in n)],
)
def test_rates_are_those_of_the_benchmark(name, load):
    config = load(name)
    model = MODELS.build(config.model)
    optim = build_optim_wrapper(model, config.optim_wrapper)
    rates = {id(g["params"][0]): g["lr"] for g in optim.optimizer.param_groups}
    method, backbone, *_ = Path(name).stem.split("_")
    slow = SLOW.get(f"{method}_{backbone}", SLOW[backbone])
    learning = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert len(rates) == len(learning)
    for key, parameter in learning.items():
        wanted = 0.001 if re.match(slow, key) else 0.01
        assert rates[id(parameter)] == pytest.approx(wanted, rel=1e-12), key
    assert len(set(rates.values())) == 2


@every_config
def test_schedule_spans_the_epochs(name, load):
    config = load(name)
    for scheduler in config.param_scheduler:
        if scheduler.type == "CosineAnnealingLR":
            # Without a length of its own it has that of the loop.
            epochs = config.train_cfg.max_epochs
            assert scheduler.get("T_max", epochs) == epochs


class RateHook(Hook):
    """Notes the rate of every iteration."""

    def __init__(self):
        self.rates = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.rates += runner.optim_wrapper.get_lr()["lr"]


class Slope(BaseModel):
    """A model of one number."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, inputs, mode):
        return {"loss": self.weight * inputs.float().mean()}


@pytest.mark.parametrize("epochs", [2, 3])
@pytest.mark.parametrize(("name", "warm_up"), [("finetune", 10), ("scratch_20e", 0)])
def test_a_schedule_without_a_length_has_that_of_the_training(
    name, warm_up, epochs, tmp_path
):
    cfg = Config.fromfile(REPO_ROOT / f"configs/_base_/schedules/{name}.py")
    hook = RateHook()
    runner = Runner(
        Slope(),
        str(tmp_path),
        train_dataloader=DataLoader([{"inputs": torch.ones(1)}] * 8, batch_size=2),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
        param_scheduler=cfg.param_scheduler,
        train_cfg=dict(cfg.train_cfg, max_epochs=epochs),
        custom_hooks=[hook],
        default_hooks=dict(checkpoint=None, logger=None),
        experiment_name=f"{name}_{epochs}",
    )
    runner.train()
    steps = 4 * epochs
    cosine = [0.05 * (1 + math.cos(math.pi * step / steps)) for step in range(steps)]
    grown = [0.1 + 0.9 * step / (warm_up - 1) for step in range(warm_up)]
    grown += [1.0] * steps
    rates = [rate * share for rate, share in zip(cosine, grown)]
    assert hook.rates == pytest.approx(rates, rel=1e-9)


@every_config
def test_one_training_step_and_one_prediction(name, load):
    config = load(name)
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    samples = [DataSample().set_gt_label(k) for k in (0, 1)]
    # A map must hold the largest block.
    side = 96 if "dropblock" in name else 64
    batch = dict(
        inputs=[torch.randint(0, 256, (3, side, side), dtype=torch.uint8)] * 2,
        data_samples=samples,
    )
    optim = build_optim_wrapper(model, config.optim_wrapper)
    before = {key: value.clone() for key, value in model.head.named_parameters()}
    losses = model.train_step(batch, optim)
    assert bool(torch.isfinite(losses["loss"]))
    for key, value in model.head.named_parameters():
        assert not torch.equal(value, before[key]), key
    out = model.eval().test_step(batch)
    assert out[0].pred_score.shape == (config.model.head.num_classes,)
    assert out[0].cam.shape[0] == len(out[0].cam_labels)


@every_config
def test_evaluators_build(name, load):
    config = load(name)
    for key in ("val_evaluator", "test_evaluator"):
        assert Evaluator(config[key]).metrics


@every_config
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_two_samples_of_every_split(name, split, load):
    config = load(name)
    dataset_cfg = config[f"{split}_dataloader"].dataset
    root = dataset_cfg.get("data_root")
    if root is not None:
        needed = Path(root) / dataset_cfg.get("ann_file", "")
        if not needed.exists():
            pytest.skip(f"{name} needs the data set in {needed}, which is missing")
    dataset = DATASETS.build(dataset_cfg)
    # A data set of mmpretrain knows its classes by name alone.
    num_classes = getattr(dataset, "num_classes", len(dataset.CLASSES or ()))
    assert num_classes == config.model.head.num_classes
    for index in (0, len(dataset) - 1):
        item = dataset[index]
        assert item["inputs"].dtype == torch.uint8
        assert 0 <= int(item["data_samples"].gt_label) < num_classes
        truth = {"gt_bboxes", "gt_mask"} & set(item["data_samples"].keys())
        assert bool(truth) is (split != "train")
