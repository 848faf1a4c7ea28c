"""A file is whole or not there."""

from __future__ import annotations

import resource

import pytest
import torch

from mmdgdm.errors import ResourceError
from mmdgdm.utils.image_files import read_image
from mmdgdm.utils.resources import explain_fault
from mmdgdm.utils.whole_files import whole_file, write_whole_text

pytestmark = pytest.mark.faults


@pytest.fixture
def small_files():
    """No file may grow beyond 4096 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_file_that_cannot_be_written_leaves_the_old_one(tmp_path, small_files):
    path = tmp_path / "a.txt"
    write_whole_text(path, "old")
    with pytest.raises(ResourceError, match=r"Cannot write .*a\.txt: it is larger"):
        write_whole_text(path, "x" * 10000)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_interrupt_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half():
        with whole_file(path) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_part_of_a_killed_run_is_no_hindrance(tmp_path):
    (tmp_path / "a.txt.part").write_text("half of another one")
    write_whole_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert not (tmp_path / "a.txt.part").exists()


def test_image_is_not_called_broken_when_files_run_out(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, before[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            opened.extend(path.open("rb") for _ in range(64))
        with pytest.raises(
            ResourceError, match=r"Cannot open .*a\.png: too many files"
        ):
            read_image(path)
    finally:
        for file in opened:
            file.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_memory_that_torch_cannot_have_is_explained():
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 50)
    assert "memory of this machine is used up" in str(explain_fault(raised.value))


def test_other_errors_are_left_alone():
    assert explain_fault(KeyError("CUDA out of memory")) is None
    assert explain_fault(RuntimeError("shapes differ")) is None
    assert explain_fault(FileNotFoundError(2, "No such file", "a")) is None
