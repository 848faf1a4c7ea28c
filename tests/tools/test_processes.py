"""Trainings in 1, 2 and 3 processes and on two nodes; processes that die."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.slow]

GLOBAL_BATCH = 12
STEPS = 12
#: In which processes end that another one has left.
MOST_SECONDS = 60
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
default_hooks = dict(logger=dict(interval=1))
auto_scale_lr = dict(base_batch_size=48)
env_cfg = dict(dist_cfg=dict(timeout=300))
custom_hooks = [dict(type="Watch", priority="LOWEST")]
"""
#: Writes what each process lost and drew; in the end the second one can meet its fate.
WATCH = """
import json, os, signal, time
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
        draws = [layer.train()(FEATURES).double().sum().item() for layer in self.layers]
        seen = all_gather_object((outputs["loss"].item(), draws))
        self.seen.append(seen)
        if is_main_process():
            with open(os.environ["SEEN"], "w") as file:
                json.dump(self.seen, file)
        if get_rank() == 1 and runner.iter == 11:
            self.meet(os.environ.get("FATE"))

    def meet(self, fate):
        if fate == "raises":
            raise DataError("photos/cat.jpg cannot be read.")
        if fate == "fails":
            raise KeyError("of a program")
        if fate == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        while fate == "hangs":
            time.sleep(1)
"""


class Seen:
    """What a training wrote: by step, and what was drawn by process too."""

    def __init__(self, folder: Path, name: str) -> None:
        steps = json.loads((folder / f"{name}.json").read_text())
        assert all(len({loss for loss, _ in step}) == 1 for step in steps)
        self.losses = [step[0][0] for step in steps]
        #: Sums of erased features, of each layer by step and process.
        self.draws = [[draws for _, draws in step] for step in steps]
        (log,) = (folder / name).glob("*/vis_data/scalars.json")
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        self.logged = [line["loss"] for line in lines if "loss" in line]
        assert len(self.losses) == len(self.logged) == STEPS

    def loses_as(self, other: Seen) -> bool:
        return self.losses == pytest.approx(other.losses, abs=1e-5) and (
            self.logged == pytest.approx(other.logged, abs=1e-5)
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """A training without batch norm, dropping and augmentation."""
    path = tmp_path_factory.mktemp("processes")
    base = repo_root / "configs" / "cam" / "cam_resnet18_1xb32-12e_toy.py"
    (path / "small.py").write_text(CONFIG.format(base=str(base)))
    (path / "watch.py").write_text(WATCH)
    return path


def _common(folder: Path, name: str) -> list[str]:
    # The learning rate follows from the batch of all processes.
    return ["--work-dir", str(folder / name), "--auto-scale-lr", "--cfg-options"]


def start(
    folder: Path, name: str, number: int, *options: str, **more: str
) -> subprocess.Popen:
    """Start a training in ``number`` processes, on one of several nodes if ``more``."""
    root = Path(__file__).resolve().parents[2]
    total = number * int(more.get("NNODES", 1))
    env = dict(CUDA_VISIBLE_DEVICES="", SEEN=str(folder / f"{name}.json"))
    env.update(
        PYTHON=sys.executable, PYTHONPATH=f"{folder}:{root}", OMP_NUM_THREADS="1"
    )
    command = [str(root / "tools/dist_train.sh"), str(folder / "small.py"), str(number)]
    options = (f"train_dataloader.batch_size={GLOBAL_BATCH // total}", *options)
    return subprocess.Popen(
        [*command, *_common(folder, name), *options],
        env={**os.environ, **env, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(run: subprocess.Popen, code: int = 0) -> list[str]:
    """Wait for the end of a run; gives the lines that it printed."""
    text, _ = run.communicate(timeout=300)
    assert run.returncode == code, text[-5000:]
    return text.strip().splitlines()


def after_its_last_step(folder: Path, name: str) -> float:
    """Seconds since the processes of a run last wrote what they saw."""
    return time.time() - (folder / f"{name}.json").stat().st_mtime


@pytest.fixture(scope="module")
def one(folder: Path, run_train: Callable) -> Seen:
    """A training in this process."""
    batch = f"train_dataloader.batch_size={GLOBAL_BATCH}"
    argv = [str(folder / "small.py"), *_common(folder, "one"), batch]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEEN", str(folder / "one.json"))
        patch.syspath_prepend(str(folder))
        assert run_train(argv) == 0
    return Seen(folder, "one")


@pytest.fixture(scope="module")
def two(folder: Path) -> Seen:
    end(start(folder, "two", 2))
    return Seen(folder, "two")


def test_two_processes_lose_what_one_does(one, two):
    assert one.losses[-1] != one.losses[0]
    assert two.loses_as(one)


def test_draws_differ_between_processes_and_steps(two):
    adl = [[process[0] for process in step] for step in two.draws]
    # ADL draws between two ways to change a map.
    assert len({value for step in adl for value in step}) == 2
    assert any(first != second for first, second in adl)
    for layer in (1, 2):
        draws = [process[layer] for step in two.draws for process in step]
        assert len(set(draws)) == len(draws) == 2 * STEPS


def test_three_processes_lose_what_one_does_and_one_that_fails_is_heard(folder, one):
    lines = end(start(folder, "three", 3, FATE="raises"), code=2)
    assert after_its_last_step(folder, "three") < MOST_SECONDS
    assert Seen(folder, "three").loses_as(one)
    assert lines[-1] == "error (process 1): photos/cat.jpg cannot be read."
    said = [line for line in lines if line.startswith("error")]
    left = "Another process of this run has ended; its own message tells why."
    assert set(said) <= {lines[-1], f"error: {left}", f"error (process 2): {left}"}
    assert not any("gloo" in line or "Traceback" in line for line in lines)


def test_two_nodes_do_what_two_processes_do_and_end_together(folder, two):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    first, second = (
        start(folder, "nodes", 1, NNODES="2", NODE_RANK=rank, PORT=port, FATE="killed")
        for rank in "01"
    )
    assert "error: Process 1 was ended by SIGKILL." in end(second, code=137)[-1]
    assert "Another process of this run has ended" in "".join(end(first, code=2))
    assert after_its_last_step(folder, "nodes") < MOST_SECONDS
    seen = Seen(folder, "nodes")
    assert seen.losses == two.losses
    assert seen.draws == two.draws


@pytest.mark.parametrize(
    ("fate", "code", "last"),
    [
        ("killed", 137, "error: Process 1 was ended by SIGKILL. If nobody sent it"),
        ("fails", 1, "error (process 1): KeyError: 'of a program'"),
        ("hangs", 2, "did not answer in time"),
    ],
)
def test_however_a_process_ends_the_others_end_too(folder, fate, code, last, is_long):
    if not is_long:
        pytest.skip("three runs of three processes: `make test-faults` has them")
    wait = "env_cfg.dist_cfg.timeout=15"
    lines = end(start(folder, fate, 3, wait, FATE=fate), code=code)
    assert last in lines[-1]
    assert after_its_last_step(folder, fate) < MOST_SECONDS


def test_asked_to_stop_the_launcher_waits_for_all_and_says_so(folder, is_long):
    if not is_long:
        pytest.skip("a run of two processes: `make test-faults` has it")
    for number in (signal.SIGTERM, signal.SIGUSR1):
        name = number.name
        run = start(folder, name, 2, "train_cfg.max_epochs=1000")
        while not (folder / f"{name}.json").exists():
            assert run.poll() is None
            time.sleep(0.2)
        run.send_signal(number)
        assert "stopped: " in "".join(end(run, code=75))
        assert (folder / name / "stopped.pth").is_file()


#: Fills the caches of numba, matplotlib and yapf.
FIRST_USE = """
import numpy as np
import mmdgdm.registry
from mmengine.config import Config
from mmdgdm.evaluation.functional.records import make_box_record

Config(dict(a=1)).pretty_text
scores = np.linspace(0, 1, 224 * 224).reshape(224, 224)
settings = dict(label=0, rank=0, iou_thresholds=(0.5,), threshold=None)
print(make_box_record(scores, np.array([[9, 9, 99, 99]]), **settings).hex(), flush=True)
import matplotlib.pyplot
"""
_CACHES = (
    "HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "NUMBA_CACHE_DIR",
    "MPLCONFIGDIR",
)


def test_processes_that_start_together_on_a_new_machine_agree(tmp_path, is_long):
    if not is_long:
        pytest.skip("thirty starts without any cache: `make test-faults` has them")
    for number in range(10):
        caches = {name: str(tmp_path / f"{number}" / name) for name in _CACHES}
        env = {**os.environ, **caches, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", FIRST_USE]
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        runs = [subprocess.Popen(command, env=env, **pipes) for _ in range(3)]
        texts = {end(run)[0] for run in runs}
        assert len(texts) == 1, texts
