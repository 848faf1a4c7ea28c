"""What the launcher of several processes says last, and its exit code."""

from __future__ import annotations

import json
import signal
from contextlib import nullcontext

import pytest
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import (
    ChildFailedError,
    ProcessFailure,
)

from mmdgdm.cli import launch
from mmdgdm.cli.commands import run_command
from mmdgdm.errors import DataError, LeftAloneError, StoppedError


def _tell(error, who):
    def command():
        raise error

    known = isinstance(error, (DataError, LeftAloneError, StoppedError))
    with nullcontext() if known else pytest.raises(type(error)):
        run_command(command, who)


@pytest.fixture
def end(tmp_path, monkeypatch):
    """Lets the launcher see how processes ended: exit code and error of each."""

    def run(*ends):
        failures = {}
        for rank, (code, error) in enumerate(ends):
            file = tmp_path / str(rank) / "error.json"
            file.parent.mkdir()
            monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(file))
            if error is not None:
                _tell(error, f"process {rank}" if rank else "")
            failures[rank] = ProcessFailure(rank, 100 + rank, code, str(file))
        monkeypatch.delenv("TORCHELASTIC_ERROR_FILE")

        def fail(args):
            raise ChildFailedError("tools/train.py", failures)

        monkeypatch.setattr(launch.run, "run", fail)
        return launch.main(["--nproc-per-node=3", "tools/train.py"])

    return run


ALONE = (2, LeftAloneError("Another process has ended."))
ENDED = (-signal.SIGTERM, None)
SENTENCES = [
    ([ALONE, (2, DataError("No cat.")), ENDED], 2, "error (process 1): No cat."),
    # It crashed in the end, when gloo's threads were taken down.
    (
        [(-signal.SIGABRT, DataError("No cat.")), ALONE, ENDED],
        2,
        "error: No cat.",
    ),
    ([ENDED, ALONE, (1, KeyError("x"))], 1, "error (process 2): KeyError: 'x'"),
    (
        [ALONE, ENDED, (-signal.SIGKILL, None)],
        137,
        "error: Process 2 was ended by SIGKILL. If nobody sent it, the memory of the "
        "machine is used up: lower the batch size or `num_workers`.",
    ),
    (
        [ENDED, (-signal.SIGSEGV, None)],
        139,
        "error: Process 1 was ended by SIGSEGV.",
    ),
    (
        [ENDED, (7, None)],
        7,
        "error: Process 1 ended with code 7; what it said stands above.",
    ),
]


@pytest.mark.faults
@pytest.mark.parametrize(("ends", "code", "sentence"), SENTENCES)
def test_the_process_that_failed_first_has_the_last_word(
    end, capsys, ends, code, sentence
):
    assert end(*ends) == code
    assert capsys.readouterr().err.splitlines()[-1] == sentence


@pytest.mark.faults
def test_processes_that_were_asked_to_stop_end_with_75(end, capsys):
    stop = (75, StoppedError("All is saved."))
    assert end(stop, ENDED) == 75
    assert capsys.readouterr().err == "stopped: All is saved.\n"


@pytest.mark.faults
@pytest.mark.parametrize(("told", "code"), [(75, 75), (2, 143), (None, 143)])
def test_a_launcher_that_is_asked_to_stop_says_whether_all_is_saved(
    monkeypatch, told, code
):
    def stop(args):
        file = launch.Path(args.log_dir) / "error.json"
        if told is not None:
            file.write_text(json.dumps({"code": told}))
        raise SignalException("", signal.SIGTERM)

    monkeypatch.setattr(launch.run, "run", stop)
    assert launch.main(["tools/train.py"]) == code


def test_the_launcher_ends_as_its_processes_do(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("")
    options = ["--standalone", "--local-addr=127.0.0.1"]
    assert launch.main([*options, str(script)]) == 0
    script.write_text("import sys; sys.exit(3)")
    assert launch.main([*options, str(script)]) == 3


@pytest.mark.faults
def test_a_port_in_use_is_one_sentence(monkeypatch, capsys):
    def fail(args):
        raise RuntimeError("EADDRINUSE port: 29500")

    monkeypatch.setattr(launch.run, "run", fail)
    assert launch.main(["tools/train.py"]) == 2
    assert "error: The port 29500 is in use on this machine" in capsys.readouterr().err
