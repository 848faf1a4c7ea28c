"""Faults of the machine and of the data stop a training with one sentence."""

from __future__ import annotations

import errno
import os
import socket

import pytest
import torch
from mmengine.fileio import LocalBackend
from mmengine.model import BaseModel

from mmdgdm.datasets.toy import write_toy
from mmdgdm.utils.checkpoint import load_checkpoint_file

pytestmark = pytest.mark.faults

CONFIG = """
_base_ = {base!r}
pipeline = [dict(type="mmdgdm.LoadWSOLImage"), dict(type="mmdgdm.PackWSOLInputs")]
data = dict(_delete_=True, type="mmdgdm.WSOLDataset", data_root={root!r},
            num_classes=2, pipeline=pipeline)
model = dict(head=dict(num_classes=2))
train_dataloader = dict(batch_size=4, num_workers=2,
    dataset=dict(ann_file="metadata/train", **data))
val_dataloader = dict(dataset=dict(ann_file="metadata/val", test_mode=True, **data))
test_dataloader = dict(dataset=dict(ann_file="metadata/val", test_mode=True, **data))
train_cfg = dict(max_epochs=2, val_interval=2)
"""


@pytest.fixture
def broken_set(tmp_path, repo_root):
    """A config for a few drawn images on disk, of which one cannot be read."""
    root = tmp_path / "data"
    sizes = dict(train=12, val=4)
    write_toy(root, sizes, num_classes=2, image_size=32)
    broken = root / "toy" / "train" / "000003.png"
    broken.write_bytes(broken.read_bytes()[:100])
    base = repo_root / "configs" / "cam" / "cam_resnet18_1xb32-12e_toy.py"
    config = tmp_path / "broken.py"
    config.write_text(CONFIG.format(base=str(base), root=str(root)))
    return str(config), broken


def _last_line(capsys) -> str:
    return capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "the disk is full: make room"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EDQUOT, "your quota of disk space is used up"),
        (errno.EIO, "the disk failed"),
    ],
)
def test_what_stops_a_checkpoint_is_said_and_the_one_before_is_kept(
    tiny_folder, run_train, tmp_path, monkeypatch, capsys, number, remedy
):
    put, calls = LocalBackend.put, []

    def put_half(self, data, path):
        calls.append(path)
        if len(calls) < 2:
            put(self, data, path)
            return
        put(self, data[: len(data) // 2], path)
        raise OSError(number, os.strerror(number))

    argv = [str(tiny_folder / "tiny.py"), "--work-dir", str(tmp_path)]
    with monkeypatch.context() as patch:
        patch.setattr(LocalBackend, "put", put_half)
        assert run_train(argv) == 2
    error = _last_line(capsys)
    assert error.startswith(f"error: Cannot write {tmp_path}")
    assert remedy in error
    kept = load_checkpoint_file(tmp_path / "epoch_1.pth")
    assert kept["meta"]["epoch"] == 1
    assert sorted(p.name for p in tmp_path.glob("*.pt*")) == ["epoch_1.pth"]
    assert (tmp_path / "last_checkpoint").read_text() == str(tmp_path / "epoch_1.pth")


def _loss_that_breaks(after: int):
    calls = []

    def train_step(self, data, optim_wrapper):
        calls.append(data)
        losses = step(self, data, optim_wrapper)
        return {"loss": losses["loss"] * float("nan")} if len(calls) > after else losses

    step = BaseModel.train_step
    return train_step


def test_loss_that_is_not_finite_stops_and_names_the_images(
    tiny_folder, run_train, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(BaseModel, "train_step", _loss_that_breaks(after=4))
    argv = [str(tiny_folder / "tiny.py"), "--work-dir", str(tmp_path)]
    assert run_train(argv) == 2
    error = _last_line(capsys)
    assert "error: `loss` is nan in iteration 5" in error
    assert error.count(".png") == 4
    assert sorted(p.name for p in tmp_path.glob("*.pth")) == ["epoch_1.pth"]


def test_weights_that_are_not_finite_are_never_saved(
    tiny_folder, run_train, tmp_path, monkeypatch, capsys
):
    step = BaseModel.train_step

    def train_step(self, data, optim_wrapper):
        losses = step(self, data, optim_wrapper)
        self.head.fc.bias.data[0] = float("inf")
        return losses

    monkeypatch.setattr(BaseModel, "train_step", train_step)
    argv = [str(tiny_folder / "tiny.py"), "--work-dir", str(tmp_path), "--cfg-options"]
    assert run_train([*argv, "train_dataloader.batch_size=8"]) == 2
    assert "`head.fc.bias` holds numbers that are not finite" in _last_line(capsys)
    assert list(tmp_path.glob("*.pth")) == []


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MemoryError(), "The memory of this machine is used up: lower the batch size"),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
            "The memory of the GPU is used up: lower `train_dataloader.batch_size`",
        ),
        (
            RuntimeError("CUDA error: invalid device ordinal"),
            "There is no such GPU on this machine",
        ),
        (OSError(errno.EMFILE, "Too many open files"), "too many files are open"),
        (
            RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."),
            "A worker of the data loader was ended for want of memory",
        ),
    ],
)
def test_want_of_memory_gpus_and_files_is_one_sentence(
    tiny_folder, run_train, tmp_path, monkeypatch, capsys, error, sentence
):
    def train_step(self, data, optim_wrapper):
        raise error

    monkeypatch.setattr(BaseModel, "train_step", train_step)
    argv = [str(tiny_folder / "tiny.py"), "--work-dir", str(tmp_path)]
    assert run_train(argv) == 2
    shown = _last_line(capsys)
    assert shown.startswith("error: ")
    assert sentence in shown
    assert "`--resume` goes on" in shown


@pytest.mark.skipif(torch.cuda.is_available(), reason="gloo is for CPUs")
def test_port_in_use_is_one_sentence(tiny_folder, run_train, monkeypatch, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        settings = dict(RANK="0", WORLD_SIZE="1", LOCAL_RANK="0", MASTER_PORT=port)
        for name, value in {**settings, "MASTER_ADDR": "127.0.0.1"}.items():
            monkeypatch.setenv(name, value)
        argv = [str(tiny_folder / "tiny.py"), "--launcher", "pytorch"]
        assert run_train(argv) == 2
    assert f"The port {port} is in use on this machine: name a free" in _last_line(
        capsys
    )


def test_image_that_cannot_be_read_stops_with_its_path(
    broken_set, run_train, tmp_path, capsys
):
    config, broken = broken_set
    assert run_train([config, "--work-dir", str(tmp_path / "run")]) == 2
    error = _last_line(capsys)
    assert error.startswith(f"error: Expected {broken} to be an image file")


def test_image_that_cannot_be_read_is_left_out_counted_and_listed(
    broken_set, run_train, tmp_path
):
    config, broken = broken_set
    skip = "train_dataloader.dataset.on_error=skip"
    argv = [config, "--work-dir", str(tmp_path / "run"), "--cfg-options", skip]
    assert run_train(argv) == 0
    head, line = (tmp_path / "run/left_out_images.txt").read_text().splitlines()
    assert head == "image\ttimes\treason"
    image, times, reason = line.split("\t")
    assert (image, times) == ("toy/train/000003.png", "2")
    assert str(broken) in reason


def test_images_of_val_and_test_are_never_left_out(
    broken_set, run_train, tmp_path, capsys
):
    config, _ = broken_set
    key = "val_dataloader.dataset.on_error=skip"
    argv = [config, "--work-dir", str(tmp_path / "run"), "--cfg-options", key]
    assert run_train(argv) == 2
    assert "Expected `on_error` to be 'raise' for validation and test" in _last_line(
        capsys
    )
