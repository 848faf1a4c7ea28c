"""Weights sharded over processes (FSDP), with layers inside the backbone.

torch's first FSDP, which mmengine wraps, refuses machines without an accelerator; its
second one, ``fully_shard``, takes them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from mmengine.model import MMFullyShardedDataParallel
from torch import nn

CONFIG = Path(__file__).resolve().parents[2] / "configs/_base_/models/resnet18_toy.py"
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
#: Trains a narrow network sharded by the way that is asked for, and one left whole, on
#: the same batches; prints how often the layers acted and how far the weights differ.
SCRIPT = """
import functools, sys
import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.model import MMFullyShardedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS, init_default_scope
from mmpretrain.structures import DataSample
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.fsdp.wrap import lambda_auto_wrap_policy

config, way = sys.argv[1:]
device = "cuda" if way == "mmengine_cuda" else "cpu"
if device == "cuda":
    torch.cuda.set_device(0)
dist.init_process_group("nccl" if device == "cuda" else "gloo")
rank, world = dist.get_rank(), dist.get_world_size()
init_default_scope("mmpretrain")

def build():
    torch.manual_seed(0)
    cfg = Config.fromfile(config).model
    # torch's second FSDP shards rows of weights that lie row by row.
    cfg.channels_last = False
    norm = dict(type="GN", num_groups=4)
    cfg.backbone.update(stem_channels=8, base_channels=8, norm_cfg=norm)
    cfg.head.update(num_classes=4, in_channels=64)
    cfg.stage_necks = [dict(type="mmdgdm.DGDM", after="layer4.1")]
    model = MODELS.build(cfg).train().to(device)
    # Nothing is drawn: importance maps are those of each image alone.
    model.stage_necks[0].neck.strength = 0.0
    return model

def shard(model):
    blocks = [model.backbone.layer3, model.backbone.get_submodule("layer4.1")]
    if way == "fully_shard":
        for module in (*blocks, model):
            fully_shard(module)
        return model
    policy = functools.partial(lambda_auto_wrap_policy, lambda_fn=blocks.__contains__)
    return MMFullyShardedDataParallel(
        module=model, use_orig_params=True, auto_wrap_policy=policy)

def train(model, places):
    sgd = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    wrapper = OptimWrapper(sgd)
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        images = torch.rand(4, 3, 32, 32, generator=generator) * 255
        samples = [DataSample().set_gt_label(i) for i in range(4)]
        data = dict(inputs=images[places].to(device), data_samples=samples[places])
        model.train_step(data, wrapper)

whole, inner = build(), build()
sharded = shard(inner)
calls = []
inner.stage_necks[0].neck.register_forward_pre_hook(lambda *_: calls.append(1))
part = 4 // world
train(whole, slice(0, 4))
train(sharded, slice(rank * part, (rank + 1) * part))
expected = whole.state_dict()
found = sharded.state_dict()
worst = 0.0
for name, value in found.items():
    full = value.full_tensor() if hasattr(value, "full_tensor") else value
    worst = max(worst, (full.cpu() - expected[name].cpu()).abs().max().item())
start = build().state_dict()["head.fc.weight"]
moved = (expected["head.fc.weight"] - start).abs().max().item()
assert len(found) == len(expected)
if rank == 0:
    print("RESULT", len(calls), worst, moved)
dist.destroy_process_group()
"""


def run(way, processes):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = dict(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, WORLD_SIZE=str(processes))
    shared.update(OMP_NUM_THREADS="1")
    if way == "fully_shard":
        shared["CUDA_VISIBLE_DEVICES"] = ""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(CONFIG), way],
            env={**os.environ, **shared, "RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(processes)
    ]
    try:
        return [(*run.communicate(timeout=240), run.returncode) for run in runs]
    finally:
        for process in runs:
            process.kill()


def check_result(ended):
    for _, error, code in ended:
        assert code == 0, error[-2000:]
    calls, worst, moved = map(float, ended[0][0].partition("RESULT")[2].split())
    # Once a step: neither lost in the wrapper nor there twice.
    assert calls == 3
    assert moved > 1e-3
    assert worst < 1e-5


@pytest.mark.slow
def test_two_processes_with_sharded_weights_train_as_one():
    check_result(run("fully_shard", 2))


@pytest.fixture
def lone_process():
    """A group of this process alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.skipif(torch.cuda.is_available(), reason="tells what lacks without a GPU")
def test_mmengines_wrapper_needs_a_gpu(lone_process):
    with pytest.raises(RuntimeError, match="FSDP needs a non-CPU accelerator device"):
        MMFullyShardedDataParallel(module=nn.Linear(2, 2), use_orig_params=True)


@pytest.mark.cuda
@GPU
def test_mmengines_wrapper_trains_on_a_gpu():
    check_result(run("mmengine_cuda", 1))
