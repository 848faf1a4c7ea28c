"""Trainings in 1, 2 and 3 processes and on two nodes; processes that die."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.slow]

GLOBAL_BATCH = 12
STEPS = 12
CONFIG = """
_base_ = {base!r}
custom_imports = dict(imports=["watch"])
image = dict(image_size=32, num_classes=4)
model = dict(
    backbone=dict(
        stem_channels=8, base_channels=8, norm_cfg=dict(type="GN", num_groups=4)),
    head=dict(num_classes=4, in_channels=64,
              background_loss=dict(type="mmdgdm.BackgroundLoss", loss_weight=1.0)))
train_dataloader = dict(dataset=dict(
    num_images=48, pipeline=[dict(type="mmdgdm.PackWSOLInputs")], **image))
val_dataloader = dict(dataset=dict(num_images=8, **image))
test_dataloader = dict(dataset=dict(num_images=8, **image))
train_cfg = dict(max_epochs=3, val_interval=3)
custom_hooks = [dict(type="Watch")]
"""
#: Writes what each process lost and drew; a process can be told to die.
WATCH = """
import json, os, signal
import torch
from mmengine.dist import all_gather_object, get_rank, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmdgdm.errors import DataError
from mmdgdm.models.necks import ADL, DGDM, DropBlock

FEATURES = torch.rand(4, 16, 12, 12, generator=torch.Generator().manual_seed(0))

@HOOKS.register_module()
class Watch(Hook):
    def before_train(self, runner):
        self.layers = [
            ADL(drop_rate=0.5), DropBlock(drop_prob=0.3, block_size=3), DGDM()]
        self.seen = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        fate = os.environ.get("FATE", "")
        if get_rank() == 1 and runner.iter == 2 and fate == "raises":
            raise DataError("photos/cat.jpg cannot be read.")
        if get_rank() == 1 and runner.iter == 2 and fate == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        draws = [layer.train()(FEATURES).double().sum().item() for layer in self.layers]
        seen = all_gather_object((outputs["loss"].item(), draws))
        self.seen.append(seen)
        if is_main_process():
            with open(os.environ["SEEN"], "w") as file:
                json.dump(self.seen, file)
"""


class Seen:
    """What the processes of a training wrote: by step and process."""

    def __init__(self, path: Path) -> None:
        steps = json.loads(path.read_text())
        self.losses = [sum(loss for loss, _ in step) / len(step) for step in steps]
        #: Sums of erased features, of each layer by step and process.
        self.draws = [[draws for _, draws in step] for step in steps]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """A training without batch norm, dropping and augmentation."""
    path = tmp_path_factory.mktemp("processes")
    base = repo_root / "configs" / "cam" / "cam_resnet18_1xb32-12e_toy.py"
    (path / "small.py").write_text(CONFIG.format(base=str(base)))
    (path / "watch.py").write_text(WATCH)
    return path


def start(folder: Path, name: str, number: int, **more: Any) -> subprocess.Popen:
    """Start a training in ``number`` processes, of a group of several if ``more``."""
    root = Path(__file__).resolve().parents[2]
    total = number * int(more.get("NNODES", 1))
    env = dict(CUDA_VISIBLE_DEVICES="", SEEN=str(folder / f"{name}.json"))
    env.update(
        PYTHON=sys.executable, PYTHONPATH=f"{folder}:{root}", OMP_NUM_THREADS="1"
    )
    command = [str(root / "tools/dist_train.sh"), str(folder / "small.py"), str(number)]
    if total == 1:
        command = [sys.executable, str(root / "tools/train.py"), command[1]]
    options = [f"train_dataloader.batch_size={GLOBAL_BATCH // total}"]
    return subprocess.Popen(
        [*command, "--work-dir", str(folder / name), "--cfg-options", *options],
        env={**os.environ, **env, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(*runs: subprocess.Popen) -> None:
    for run in runs:
        text, _ = run.communicate(timeout=300)
        assert run.returncode == 0, text[-3000:]


@pytest.fixture(scope="module")
def one(folder: Path) -> Seen:
    end(start(folder, "one", 1))
    return Seen(folder / "one.json")


@pytest.fixture(scope="module")
def two(folder: Path) -> Seen:
    end(start(folder, "two", 2))
    return Seen(folder / "two.json")


def test_two_processes_lose_what_one_does(one, two):
    assert len(one.losses) == STEPS
    assert one.losses[-1] != one.losses[0]
    assert two.losses == pytest.approx(one.losses, abs=1e-5)


def test_three_processes_lose_what_one_does(folder, one):
    end(start(folder, "three", 3))
    assert Seen(folder / "three.json").losses == pytest.approx(one.losses, abs=1e-5)


def test_draws_differ_between_processes_and_steps(two):
    adl = [[process[0] for process in step] for step in two.draws]
    # ADL draws between two ways to change a map.
    assert len({value for step in adl for value in step}) == 2
    assert any(first != second for first, second in adl)
    for layer in (1, 2):
        draws = [process[layer] for step in two.draws for process in step]
        assert len(set(draws)) == len(draws) == 2 * STEPS


def test_two_nodes_lose_and_draw_what_two_processes_do(folder, two):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    nodes = [
        start(folder, "nodes", 1, NNODES="2", NODE_RANK=str(rank), PORT=port)
        for rank in range(2)
    ]
    end(*nodes)
    seen = Seen(folder / "nodes.json")
    assert seen.losses == two.losses
    assert seen.draws == two.draws


@pytest.mark.parametrize(
    ("fate", "reason"),
    [("raises", r"error: photos/cat\.jpg cannot be read\."), ("killed", "SIGKILL")],
)
def test_a_process_that_dies_ends_the_others_with_its_reason(folder, fate, reason):
    begin = time.monotonic()
    run = start(folder, fate, 3, FATE=fate)
    text, _ = run.communicate(timeout=300)
    assert run.returncode != 0
    last = text[text.index("Root Cause") :]
    assert re.search(rf"rank +: 1 .*{reason}", last, flags=re.DOTALL), text[-5000:]
    if fate == "raises":
        told = "error: Another process of this run has ended; its own message tells why"
        assert told in text.replace(" (process 2)", "")
        assert "gloo" not in text
    took = time.monotonic() - begin
    assert took < 60 + 30, f"{took:.0f} s, a start included"
