"""Processes that start together on a new machine, where yapf has no cache yet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# In place of the first pause the cache is made whole, or left broken.
IMPORT = """
import sys
from pathlib import Path
import mmdgdm.yapf_import as first
broken, mended = Path(sys.argv[1]), sys.argv[2] == "mended"
def pause(seconds):
    print("paused", flush=True)
    if mended:
        broken.unlink()
first.time.sleep = pause
import mmdgdm
from mmengine.config import Config
print(Config({"a": 1}).a)
"""


def import_config(tmp_path: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", IMPORT, *args],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
    )


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """One of yapf's two files, cut as a process finds it while another writes."""
    import_config(tmp_path, "none", "broken")
    written = next((tmp_path / "YAPF").rglob("PatternGrammar*.pickle"), None)
    if written is None:
        pytest.skip("this version of yapf, or this system, keeps its cache elsewhere")
    written.write_bytes(written.read_bytes()[:0])
    return written


def test_a_cache_that_is_being_written_is_read_again(tmp_path, cache):
    done = import_config(tmp_path, str(cache), "mended")
    assert done.stdout.split() == ["paused", "1"], done.stderr


def test_a_cache_that_stays_broken_is_named(tmp_path, cache):
    done = import_config(tmp_path, str(cache), "broken")
    assert done.stdout.split() == ["paused"] * 3
    assert f"Delete the folder {tmp_path / 'YAPF'}" in done.stderr
