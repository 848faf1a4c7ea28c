"""A training that is killed and resumed ends as one that was left alone."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.fileio import LocalBackend
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer

from mmdgdm.utils.checkpoint import load_checkpoint_file

pytestmark = pytest.mark.faults

#: Kinds of loops and checkpoints.
EPOCHS = ["train_cfg.max_epochs=3", "train_cfg.val_interval=1"]
BY_ITERATION = [*EPOCHS, "default_hooks.checkpoint.interval=5"]
BY_EPOCH = [
    *EPOCHS,
    "default_hooks.checkpoint.by_epoch=True",
    "default_hooks.checkpoint.interval=1",
    "optim_wrapper.accumulative_counts=5",
    "train_dataloader.num_workers=0",
]
ITERATIONS = [
    "train_cfg._delete_=True",
    "train_cfg.by_epoch=False",
    "train_cfg.max_iters=30",
    "train_cfg.val_interval=8",
    "param_scheduler.1.by_epoch=False",
    "default_hooks.checkpoint.interval=4",
    "optim_wrapper.accumulative_counts=3",
    "train_dataloader.sampler.type=InfiniteSampler",
]

CONFIG = """
_base_ = {base!r}
image = dict(image_size=32, num_classes=4)
flip = dict(type="RandomFlip", prob=0.5, direction="horizontal")
pack = dict(type="mmdgdm.PackWSOLInputs")
model = dict(head=dict(num_classes=4))
train_dataloader = dict(
    batch_size=4, num_workers=2, persistent_workers=True,
    dataset=dict(num_images=48, pipeline=[flip, pack], **image))
val_dataloader = dict(dataset=dict(num_images=8, **image))
test_dataloader = dict(dataset=dict(num_images=8, **image))
train_cfg = dict(by_epoch=True, max_epochs=8, val_interval=1)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, by_epoch=False, end=20),
    dict(type="MultiStepLR", milestones=[2, 4], by_epoch=True)]
default_hooks = dict(
    logger=dict(interval=1),
    checkpoint=dict(by_epoch=False, interval=3, save_best="auto"))
custom_hooks = [
    dict(type="mmdgdm.NumClassesCheckHook"),
    dict(type="mmdgdm.CalibrationHook"),
    dict(type="mmdgdm.DropRampHook", end=0.5),
    dict(type="EMAHook", momentum=0.1),
    dict(type="EarlyStoppingHook", monitor="wsol/gt_known", rule="greater",
         patience=99)]
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """DGDM on a few drawn images, with all that a run keeps in memory."""
    path = tmp_path_factory.mktemp("killed") / "small.py"
    base = repo_root / "configs" / "dgdm" / "dgdm_resnet18_1xb32-12e_toy.py"
    path.write_text(CONFIG.format(base=str(base)))
    return path


def start(
    root: Path, config: Path, work_dir: Path, *more: str, processes: int = 1
) -> subprocess.Popen:
    """Start a training in processes of its own; its log comes line by line."""
    command = [sys.executable, "-u", str(root / "tools/train.py"), str(config)]
    if processes > 1:
        command = [str(root / "tools/dist_train.sh"), str(config), str(processes)]
    own = dict(OMP_NUM_THREADS="1", PYTHONPATH=str(root), PYTHON=sys.executable)
    own["PYTHONUNBUFFERED"] = "1"  # a launcher does not pass on `-u`
    return subprocess.Popen(
        [*command, "--work-dir", str(work_dir), *more],
        env={**os.environ, **own, "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def same(one: object, other: object) -> bool:
    """Whether two parts of checkpoints are equal to the last bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and list(one) == list(other)
            and all(same(one[key], other[key]) for key in one)
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def differences(one: Path, other: Path) -> list[str]:
    """Parts in which two checkpoints differ."""
    a, b = load_checkpoint_file(one), load_checkpoint_file(other)
    keys = ("state_dict", "ema_state_dict", "optimizer", "param_schedulers")
    found = [key for key in keys if key in a and not same(a[key], b.get(key))]
    for key in ("best_score", "iter", "epoch"):
        infos = [c["message_hub"]["runtime_info"].get(key) for c in (a, b)]
        found += [key] if infos[0] != infos[1] else []
    for key in ("train/loss", "val/wsol/gt_known"):
        logs = [c["message_hub"]["log_scalars"].get(key) for c in (a, b)]
        values = [log and log.data[0].tolist() for log in logs]
        found += [key] if values[0] != values[1] else []
    for key in ("wsol_thresholds", "early_stopping"):
        parts = [c["meta"].get(key) for c in (a, b)]
        found += [key] if parts[0] != parts[1] else []
    return found


def names(folder: Path) -> set[str]:
    """Names of the files of a run, those of its logs left out."""
    return {path.name for path in folder.iterdir() if path.is_file()}


def _disk_states(work_dir: Path, copies: Path, monkeypatch) -> list[Path]:
    """Gets a copy of the output folder after each change of a checkpoint file."""
    found: list[Path] = []
    replace, remove = os.replace, LocalBackend.remove

    def keep() -> None:
        found.append(copies / str(len(found)))
        shutil.copytree(work_dir, found[-1], ignore=shutil.ignore_patterns("2*"))

    def replace_and_keep(part: Any, target: Any) -> None:
        replace(part, target)
        keep()

    def remove_and_keep(self: Any, path: Any) -> None:
        remove(self, path)
        keep()

    monkeypatch.setattr(os, "replace", replace_and_keep)
    monkeypatch.setattr(LocalBackend, "remove", remove_and_keep)
    return found


def _forget_runs() -> None:
    """mmengine knows a run by its config and second alone."""
    for kind in (DefaultScope, MessageHub, MMLogger, Visualizer):
        kind._instance_dict.clear()


def _newest(folder: Path) -> Path:
    return folder / Path((folder / "last_checkpoint").read_text()).name


@pytest.mark.parametrize("options", [BY_ITERATION, BY_EPOCH, ITERATIONS])
def test_from_each_state_of_the_disk_it_ends_bit_for_bit_the_same(
    config, run_train, tmp_path, monkeypatch, options, is_long
):
    work_dir = tmp_path / "alone"
    argv = [str(config), "--resume", "--work-dir"]
    more = ["--cfg-options", *options]
    with monkeypatch.context() as patch:
        states = _disk_states(work_dir, tmp_path / "copies", patch)
        assert run_train([*argv, str(work_dir), *more]) == 0
    assert len(states) >= 6
    # In short two: the newest checkpoint is saved again after a validation, and the
    # last one is written but not yet named.
    final = next(s for s in states if (s / _newest(work_dir).name).is_file())
    chosen = states if is_long else [states[5], final]
    for state in chosen:
        _forget_runs()
        # Checkpoints name files by the path of the folder.
        shutil.move(work_dir, tmp_path / "kept")
        shutil.move(state, work_dir)
        assert run_train([*argv, str(work_dir), *more]) == 0
        shutil.move(work_dir, state)
        shutil.move(tmp_path / "kept", work_dir)
        assert differences(_newest(work_dir), _newest(state)) == [], state
        assert names(work_dir) == names(state), state


def _family(pid: int) -> list[int]:
    """A process and what it started; torch's launcher gives each a group of its own."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for file in lists for child in file.read_text().split()]
    return [pid, *(member for child in children for member in _family(child))]


def _interrupt(run: subprocess.Popen, number: int, moments: random.Random) -> str:
    """Send a signal to all processes of a run at a random moment; gives its log."""
    steps, lines = moments.randint(1, 6), []
    for line in run.stdout:
        lines.append(line)
        steps -= "Epoch(train)" in line
        if steps == 0:
            time.sleep(moments.uniform(0, 0.15))
            break
    assert run.poll() is None, "the training ended before it was interrupted"
    groups = {os.getpgid(pid) for pid in _family(run.pid)}
    for group in groups:
        os.killpg(group, number)
    return "".join(lines) + run.communicate(timeout=120)[0]


@pytest.mark.slow
def test_interrupted_at_random_moments_it_ends_bit_for_bit_the_same(
    config, repo_root, tmp_path, is_long
):
    alone, cut = tmp_path / "alone", tmp_path / "cut"
    signals = [signal.SIGKILL, signal.SIGTERM]
    if is_long:
        signals = [signal.SIGKILL] * 10 + [signal.SIGTERM, signal.SIGUSR1]
    run = start(repo_root, config, alone)
    log, _ = run.communicate(timeout=600)
    assert run.returncode == 0, log[-3000:]
    moments = random.Random(0)
    for number in signals:
        run = start(repo_root, config, cut, "--resume")
        log = _interrupt(run, number, moments)
        if number != signal.SIGKILL:
            assert run.returncode == 75, log[-3000:]
            assert f"stopped: {number.name} asked to stop after iteration" in log
            assert (cut / "last_checkpoint").read_text() == str(cut / "stopped.pth")
    run = start(repo_root, config, cut, "--resume")
    log, _ = run.communicate(timeout=600)
    assert run.returncode == 0, log[-3000:]
    assert names(alone) == names(cut)
    for name in names(cut):
        if name.endswith(".pth"):
            assert differences(alone / name, cut / name) == []


@pytest.mark.slow
def test_two_processes_that_are_killed_end_bit_for_bit_the_same(
    config, repo_root, tmp_path, is_long
):
    if not is_long:
        pytest.skip("five runs of two processes: `make test-faults` has them")
    alone, cut = tmp_path / "alone", tmp_path / "cut"
    more = ["--cfg-options", "train_cfg.max_epochs=20"]
    run = start(repo_root, config, alone, *more, processes=2)
    log, _ = run.communicate(timeout=600)
    assert run.returncode == 0, log[-3000:]
    moments = random.Random(1)
    for _ in range(3):
        run = start(repo_root, config, cut, "--resume", *more, processes=2)
        _interrupt(run, signal.SIGKILL, moments)
    run = start(repo_root, config, cut, "--resume", *more, processes=2)
    log, _ = run.communicate(timeout=600)
    assert run.returncode == 0, log[-3000:]
    assert names(alone) == names(cut)
    assert differences(_newest(alone), _newest(cut)) == []
