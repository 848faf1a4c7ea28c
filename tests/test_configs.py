"""Every config builds, trains one step, predicts, and loads two of its samples."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, HOOKS, MODELS, init_default_scope
from mmpretrain.structures import DataSample

REPO_ROOT = Path(__file__).resolve().parents[1]
LEAVES = sorted(
    str(path.relative_to(REPO_ROOT))
    for path in (REPO_ROOT / "configs").glob("*/*.py")
    if path.parent.name != "_base_"
)
every_config = pytest.mark.parametrize("name", LEAVES)


@pytest.fixture
def load(monkeypatch):
    monkeypatch.chdir(REPO_ROOT)

    def load(name):
        config = Config.fromfile(name)
        init_default_scope(config.default_scope)
        # Weights are a matter of the machine, not of the config.
        config.model.backbone.pop("init_cfg", None)
        return config

    return load


def test_there_are_configs_of_every_method():
    methods = {"acol", "adl", "cam", "cutmix", "dgdm", "dropblock", "has", "spg"}
    assert {name.split("/")[1] for name in LEAVES} == methods


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


@every_config
def test_schedule_spans_the_epochs(name, load):
    config = load(name)
    for scheduler in config.param_scheduler:
        if scheduler.type == "CosineAnnealingLR":
            assert scheduler.T_max == config.train_cfg.max_epochs


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
