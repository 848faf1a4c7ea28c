"""The progress bar of the tools, on a terminal and off it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

SCRIPT = """
from mmdgdm.cli.progress import progress_bar
with progress_bar("pictures") as progress:
    for done in range(1, 4):
        progress(done, 3)
        print("line", done)
"""


def run_on_a_terminal(**streams: int) -> str:
    """Run the script with a terminal as stderr; return what the terminal got."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stderr=theirs, **streams)
    os.close(theirs)
    found = b""
    try:
        while part := os.read(ours, 4096):
            found += part
    except OSError:  # the terminal is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    return found.decode()


def test_a_terminal_gets_the_bar():
    assert "pictures" in run_on_a_terminal(stdout=subprocess.DEVNULL)
    assert "100%" in run_on_a_terminal(stdout=subprocess.DEVNULL)


def test_what_goes_into_a_file_stays_there(tmp_path):
    file = tmp_path / "out.txt"
    with file.open("w") as out:
        shown = run_on_a_terminal(stdout=out.fileno())
    assert file.read_text() == "line 1\nline 2\nline 3\n"
    assert "line" not in shown


def test_no_terminal_no_bar():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, check=True, text=True
    )
    assert done.stderr.strip() == ""
    assert done.stdout == "line 1\nline 2\nline 3\n"
