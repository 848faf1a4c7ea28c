"""A training that goes on and on takes no more memory than at its start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.slow]
#: Iterations to the first measure, in the short and the long form, and what may be
#: taken in twice as many after it: the log keeps some hundred bytes of each.
WARM_UP, MOST_MB = {False: 100, True: 3000}, 25
SCRIPT = """
import gc, sys
from pathlib import Path
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmdgdm.apis.runner import run_training

config, folder, warm_up = sys.argv[1], sys.argv[2], int(sys.argv[3])

@HOOKS.register_module()
class Watch(Hook):
    found = {}
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 in (warm_up, 3 * warm_up):
            gc.collect()
            text = Path("/proc/self/status").read_text()
            memory = int(text.partition("VmRSS:")[2].split()[0]) / 1024
            self.found[runner.iter + 1] = memory

cfg = Config.fromfile(config)
cfg.merge_from_dict({
    "work_dir": folder,
    "train_dataloader.batch_size": 8,
    "train_dataloader.dataset.num_images": 8 * 50,
    "val_dataloader.dataset.num_images": 16,
    "train_cfg.max_epochs": 3 * warm_up // 50,
    "train_cfg.val_interval": 1,
    "default_hooks.checkpoint.interval": 1,
    "default_hooks.checkpoint.max_keep_ckpts": 1,
    "default_hooks.logger.interval": 10,
    "model.backbone.base_channels": 8,
    "model.backbone.stem_channels": 8,
    "model.head.in_channels": 64,
})
cfg.custom_hooks = [*cfg.get("custom_hooks", []), dict(type="mmengine.Watch")]
run_training(cfg)
print("MEMORY", Watch.found[warm_up], Watch.found[3 * warm_up])
"""


def test_training_keeps_its_memory(repo_root, tmp_path, is_long, record_property):
    if not Path("/proc/self/status").exists():
        pytest.skip("needs a system that tells the memory of a process")
    config = repo_root / "configs/dgdm/dgdm_resnet18_1xb32-12e_toy.py"
    arguments = [str(config), str(tmp_path), str(WARM_UP[is_long])]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, last = map(float, done.stdout.rpartition("MEMORY")[2].split())
    record_property("megabytes", last - first)
    assert last - first < MOST_MB
