"""The newest whole checkpoint is resumed, and what is skipped is said."""

from __future__ import annotations

import os

import pytest
import torch

from mmdgdm.engine.setup import newest_checkpoint
from mmdgdm.engine.setup.newest_checkpoint import find_newest_checkpoint
from mmdgdm.errors import CheckpointError

pytestmark = pytest.mark.faults


@pytest.fixture
def work_dir(tmp_path):
    """An output folder with two checkpoints of a training, and its best one."""
    state = dict(meta={}, message_hub={}, optimizer={}, state_dict={"a": torch.ones(9)})
    for age, name in enumerate(("best_a_epoch_2", "epoch_2", "epoch_1")):
        torch.save(state, tmp_path / f"{name}.pth")
        os.utime(tmp_path / f"{name}.pth", (1000 - age, 1000 - age))
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / "epoch_2.pth"))
    return tmp_path


@pytest.fixture
def said(monkeypatch):
    """What the log says."""
    lines = []
    monkeypatch.setattr(
        newest_checkpoint, "print_log", lambda text, *_: lines.append(text)
    )
    return lines


def _cut(path):
    path.write_bytes(path.read_bytes()[:-200])


def _flip(path):
    content = bytearray(path.read_bytes())
    place = content.index(torch.ones(9).numpy().tobytes())
    content[place] ^= 1
    path.write_bytes(content)


def _strip(path):
    torch.save({"state_dict": {}}, path)


def test_newest_is_taken(work_dir, said):
    assert find_newest_checkpoint(work_dir) == str(work_dir / "epoch_2.pth")
    assert said == []


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_cut, "cannot be read"),
        (_flip, "is damaged (a check sum is wrong)"),
        (_strip, "holds weights alone"),
        (os.truncate, ""),
        (os.remove, "does not exist"),
    ],
)
def test_damaged_one_is_skipped_and_named(work_dir, said, damage, reason):
    path = work_dir / "epoch_2.pth"
    damage(path, 0) if damage is os.truncate else damage(path)
    os.path.exists(path) and os.utime(path, (1000, 1000))
    assert find_newest_checkpoint(work_dir) == str(work_dir / "epoch_1.pth")
    assert str(path) in said[0]
    assert reason in said[0]
    assert "epoch_1.pth is taken" in said[0]


def test_newer_than_the_named_one_is_taken(work_dir, said):
    (work_dir / "last_checkpoint").write_text(str(work_dir / "epoch_1.pth"))
    assert find_newest_checkpoint(work_dir) == str(work_dir / "epoch_2.pth")


def test_none_that_is_whole_is_an_error(work_dir):
    for path in work_dir.glob("epoch_*.pth"):
        _cut(path)
    with pytest.raises(CheckpointError, match="None of the checkpoints"):
        find_newest_checkpoint(work_dir)


def test_empty_folder_has_none(tmp_path):
    (tmp_path / "last_checkpoint").write_text("")
    assert find_newest_checkpoint(tmp_path) is None
