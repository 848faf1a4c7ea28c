"""The process that gathers 50,000 images takes little memory for them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.slow]
NUM_IMAGES, MOST_MB = 50_000, 50
SCRIPT = """
import gc, sys
from pathlib import Path
import numpy as np
import torch
import torch.distributed as dist
from mmengine.logging import MMLogger
from mmdgdm.evaluation.metrics.wsol_metric import WSOLMetric

total, distinct, rank, world, folder = *map(int, sys.argv[1:5]), Path(sys.argv[5])
if world > 1:
    store = (folder / "store").as_uri()
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=world)
MMLogger.get_instance("memory", log_level="ERROR")
rng = np.random.default_rng(rank)
metric = WSOLMetric(record_file=str(folder / "a.records.npz"))
metric.dataset_meta = {"classes": [f"class {i}" for i in range(1000)]}

def sample(name):
    x, y = rng.integers(0, 240, 2)
    return dict(
        image_id=name, gt_label=torch.tensor([x]), cam_labels=torch.tensor([x]),
        cam=torch.from_numpy(rng.random((1, 7, 7), dtype=np.float32)),
        pred_score=torch.from_numpy(rng.random(1000, dtype=np.float32)),
        gt_bboxes=torch.tensor([[x, y, x + 200, y + 120]]), ori_shape=(375, 500),
    )

def work(names):
    for start in range(0, len(names), 32):
        metric.process(None, [sample(name) for name in names[start : start + 32]])
    metric.wait()

def memory(kind):
    text = Path("/proc/self/status").read_text()
    return int(text.partition(kind)[2].split()[0]) / 1024

work([f"first {rank} {i}" for i in range(64)])
metric.evaluate(64 * world)
gc.collect()
Path("/proc/self/clear_refs").write_text("5")
before = memory("VmRSS:")
own = total // world
names = [f"val/ILSVRC2012_val_{rank + world * i:08d}.JPEG" for i in range(own)]
work(names[: min(own, distinct)])
known = list(metric.results)
for i in range(len(known), own):  # others like them, in memory of their own
    record = bytes(bytearray(known[i % len(known)][1]))
    metric.results.append((names[i], record))
del known, names
scores = metric.evaluate(total)
if rank == 0:
    print(memory("VmHWM:") - before, len(np.load(folder / "a.records.npz")["ends"]))
"""


@pytest.mark.parametrize("world", [1, 2])
def test_gathering_takes_little_memory(tmp_path, world, is_long, record_property):
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("needs a system that tells the memory of a process at its highest")
    # The long form evaluates every image, the short one some and copies of these.
    distinct = NUM_IMAGES if is_long else 512
    arguments = [str(NUM_IMAGES), str(distinct)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *arguments, str(rank), str(world), tmp_path],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        )
        for rank in range(world)
    ]
    printed = [process.communicate(timeout=400) for process in processes]
    assert [process.returncode for process in processes] == [0] * world, printed
    megabytes, records = map(float, printed[0][0].split()[-2:])
    record_property("megabytes", megabytes)
    assert records == NUM_IMAGES
    assert megabytes < MOST_MB
