"""A tiny experiment in a folder of its own, and the tools to run on it."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Callable

import cv2
import numpy as np
import pytest
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader, runner
from mmengine.visualization import Visualizer

CONFIG = """
data_root = {root!r}
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(32, 32)),
    dict(type='PackInputs'),
]
loader = dict(batch_size=4, num_workers=0, collate_fn=dict(type='default_collate'))
classes = ['dark', 'light', 'red']
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        mean=[127.5] * 3, std=[64.0] * 3, to_rgb=True, num_classes=3),
    backbone=dict(type='ResNet', depth=18, stem_channels=4, base_channels=4),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead', num_classes=3, in_channels=32,
        loss=dict(type='CrossEntropyLoss')),
)
train_dataloader = dict(
    dataset=dict(type='CustomDataset', data_root=data_root, data_prefix='train',
                 pipeline=pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True), drop_last=True, **loader)
val_dataloader = dict(
    dataset=dict(type='CustomDataset', data_root=data_root, data_prefix='val',
                 pipeline=pipeline, test_mode=True),
    sampler=dict(type='DefaultSampler', shuffle=False), **loader)
test_dataloader = dict(
    dataset=dict(type='CustomDataset', data_root=data_root, data_prefix='test',
                 pipeline=pipeline, test_mode=True),
    sampler=dict(type='DefaultSampler', shuffle=False), **loader)
val_evaluator = dict(type='Accuracy', topk=(1, 2))
test_evaluator = dict(type='Accuracy', topk=(1, 2))
train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9))
param_scheduler = [dict(type='LinearLR', start_factor=0.5, by_epoch=False, end=2),
                   dict(type='MultiStepLR', milestones=[1], by_epoch=True)]
default_hooks = dict(logger=dict(type='LoggerHook', interval=1))
custom_hooks = [dict(type='mmdgdm.NumClassesCheckHook')]
auto_scale_lr = dict(base_batch_size=8)
default_scope = 'mmpretrain'
randomness = dict(seed=0)
"""

ADAMW_WITH_EMA = """
_base_ = ['tiny.py']
optim_wrapper = dict(_delete_=True, optimizer=dict(type='AdamW', lr=0.001))
custom_hooks = [dict(type='EMAHook', momentum=0.1)]
"""


def _draw_images(root: Path) -> None:
    rng = np.random.default_rng(0)
    colours = {"dark": (20, 20, 20), "light": (230, 230, 230), "red": (20, 20, 220)}
    for split, counts in dict(train=(4, 4, 4), val=(2, 2, 2), test=(5, 4, 4)).items():
        for (name, colour), count in zip(colours.items(), counts):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                noise = rng.integers(-20, 20, (24, 24, 3))
                image = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
                cv2.imwrite(str(folder / f"{i}.png"), image)


def _load_tool(repo_root: Path, name: str) -> Callable[[list[str]], int]:
    """``main`` of a tool, which leaves mmengine's loaders as they were."""
    path = repo_root / "tools" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"mmdgdm_tools_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def main(argv: list[str]) -> int:
        before = CheckpointLoader._schemes.copy()
        try:
            return module.main(argv)
        finally:
            CheckpointLoader._schemes = before

    return main


@pytest.fixture(scope="session", autouse=True)
def no_environment_report() -> Iterator[None]:
    """Leave out mmengine's report of compilers and drivers, a second per run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "collect_env", dict)
        yield


@pytest.fixture(autouse=True)
def separate_runs() -> None:
    """Forget earlier runs: mmengine knows a run by its config and second alone."""
    for kind in (DefaultScope, MessageHub, MMLogger, Visualizer):
        kind._instance_dict.clear()


@pytest.fixture(scope="session")
def run_train(repo_root: Path) -> Callable[[list[str]], int]:
    """``main`` of tools/train.py."""
    return _load_tool(repo_root, "train")


@pytest.fixture(scope="session")
def run_test(repo_root: Path) -> Callable[[list[str]], int]:
    """``main`` of tools/test.py."""
    return _load_tool(repo_root, "test")


@pytest.fixture(scope="session")
def run_localize(repo_root: Path) -> Callable[[list[str]], int]:
    """``main`` of tools/localize.py."""
    return _load_tool(repo_root, "localize")


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder, with a space in its name, that holds images and two configs."""
    folder = tmp_path_factory.mktemp("tiny run")
    _draw_images(folder / "data")
    (folder / "tiny.py").write_text(CONFIG.format(root=str(folder / "data")))
    (folder / "tiny_ema.py").write_text(ADAMW_WITH_EMA)
    return folder


@pytest.fixture(scope="session")
def trained(tiny_folder: Path, run_train: Callable) -> SimpleNamespace:
    """The tiny experiment after two epochs: config, work_dir and checkpoint."""
    work_dir = tiny_folder / "trained"
    config = str(tiny_folder / "tiny.py")
    assert run_train([config, "--work-dir", str(work_dir)]) == 0
    checkpoint = str(work_dir / "epoch_2.pth")
    return SimpleNamespace(config=config, work_dir=work_dir, checkpoint=checkpoint)


@pytest.fixture(scope="session")
def script_environment() -> dict[str, str]:
    """The environment for the shell scripts: this Python, no job of their own."""
    job = ("SLURM_", "RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_", "PORT", "NNODES")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(job)}
    return {**kept, "PYTHON": sys.executable}
