"""The console leaves out mmengine's lists; the log file has them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_before_the_first_iteration_stand_few_lines(tmp_path):
    small = ["train_dataloader.dataset.num_images=32", "train_cfg.max_epochs=1"]
    small += ["val_dataloader.dataset.num_images=8", "default_hooks.logger.interval=1"]
    small += ["optim_wrapper.paramwise_cfg.custom_keys.head.lr_mult=10.0"]
    small += ["model.backbone.frozen_stages=1"]
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "tools" / "train.py"),
            *(ROOT / "configs" / "cam" / "cam_resnet18_1xb32-12e_toy.py",),
            *("--work-dir", tmp_path, "--cfg-options", *small),
        ],
        text=True,
        capture_output=True,
        check=True,
    )
    before, train, _ = done.stdout.partition("Epoch(train)")
    assert train
    assert len(before.splitlines()) <= 30, before
    assert "System environment" not in before
    assert "paramwise_options" not in before
    named = re.search(r"stand in (\S+\.log)\.", before)
    assert named is not None, before
    log = Path(named[1]).read_text()
    for kept in (
        "System environment:",
        "Config:\n",
        "Hooks will be executed",
        "paramwise_options -- head",
        "is skipped since its requires_grad=False",
    ):
        assert kept in log
