r"""Start several processes with torch's launcher, whose last word is one sentence.

Used by ``tools/dist_train.sh`` and ``tools/dist_test.sh``::

    python -m mmdgdm.cli.launch --nproc-per-node=2 \
        tools/train.py CONFIG --launcher pytorch

The options are those of ``torchrun``. Where that ends with a traceback of its own and
code 1, this repeats what the process said that failed first, and ends with its code.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Optional

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import (
    ChildFailedError,
    ProcessFailure,
)

from mmdgdm.cli.commands import STOPPED, run_command

#: Signals that the launcher passes on. torch leaves out SIGUSR1, by which schedulers
#: ask to stop: the launcher would end and leave its processes behind.
_SIGNALS = "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1"


def start(argv: Optional[Sequence[str]] = None) -> int:
    """Start processes and wait for their end.

    Args:
        argv: What ``torchrun`` takes; ``None`` stands for this process's own.

    Returns:
        The exit code: 0; that of the process that failed first, 128 more than its
        number where a signal ended it; 75 if all were asked to stop and saved.
    """
    os.environ.setdefault("PET_SIGNALS_TO_HANDLE", _SIGNALS)
    args = run.parse_args(argv)
    with TemporaryDirectory(prefix="mmdgdm-launch-") as folder:
        args.log_dir = args.log_dir or folder
        try:
            run.run(args)
        except ChildFailedError as error:
            rank = first_failure(error.failures)
            message = explain_failure(rank, error.failures[rank])
            if message:
                sys.stderr.write(f"{message}\n")
            return exit_code(error.failures[rank])
        except SignalException as asked:
            is_saved = STOPPED in told_codes(Path(args.log_dir))
            return STOPPED if is_saved else 128 + asked.sigval
    return 0


def first_failure(failures: dict[int, ProcessFailure]) -> int:
    """Find the process for which all others were ended.

    Args:
        failures: What is known of each process that failed, by rank.

    Returns:
        Its rank. Processes that say why come first; those that were merely left alone
        do not, and torch ends the rest by SIGTERM.
    """

    def order(rank: int) -> tuple[int, int]:
        failure = failures[rank]
        if failure.error_file_data.get("code"):
            kind = 0
        elif failure.exitcode >= 0:
            kind = 2
        else:
            kind = 3 if failure.exitcode == -signal.SIGTERM else 1
        return kind, failure.timestamp

    return min(failures, key=order)


def exit_code(failure: ProcessFailure) -> int:
    """Choose the code to end with.

    Args:
        failure: What is known of the process that failed first.

    Returns:
        The code that it told, though it may have crashed while it ended; else the one
        it ended with, 128 more than its number for a signal.
    """
    told = failure.error_file_data.get("code")
    if told:
        return int(told)
    return failure.exitcode if failure.exitcode > 0 else 128 - failure.exitcode


def explain_failure(rank: int, failure: ProcessFailure) -> str:
    """Say in one sentence why a process ended.

    Args:
        rank: Its rank.
        failure: What is known of it.

    Returns:
        The sentence; none if the process saved as it was asked to, and said so.
    """
    if failure.exitcode == STOPPED:
        return ""
    if failure.error_file_data.get("code"):
        return str(failure.message)
    if failure.exitcode >= 0:
        ended = f"ended with code {failure.exitcode}; what it said stands above"
        return f"error: Process {rank} {ended}."
    sentence = f"error: Process {rank} was ended by {failure.signal_name()}."
    if failure.exitcode == -signal.SIGKILL:
        sentence += (
            " If nobody sent it, the memory of the machine is used up: lower the batch "
            "size or `num_workers`."
        )
    return sentence


def told_codes(folder: Path) -> set[int]:
    """Read the exit codes that processes told their launcher.

    Args:
        folder: Where torch keeps the files of its processes.

    Returns:
        The codes.
    """
    files = folder.rglob("error.json")
    return {json.loads(file.read_text()).get("code", 0) for file in files}


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the launcher; faults such as a port in use are one sentence too.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code of :func:`start`, or 2 if it cannot start.
    """
    codes: list[int] = []
    return run_command(lambda: codes.append(start(argv))) or codes[0]


if __name__ == "__main__":
    sys.exit(main())
