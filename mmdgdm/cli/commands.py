"""Options, help and the end of command line tools; needs neither torch nor mmengine."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Optional

from mmdgdm.errors import LeftAloneError, MMDGDMError, StoppedError
from mmdgdm.utils.cam_methods import CAM_METHODS
from mmdgdm.utils.resources import explain_fault

#: Exit code of a tool that stopped for an error that the user can mend.
USER_ERROR = 2
#: Exit code of a training that was asked to stop and saved its state: a temporary
#: failure (EX_TEMPFAIL), after which schedulers may start the command again.
STOPPED = 75


class DefaultsFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Tells the default of each option that has one."""

    def _get_help_string(self, action: argparse.Action) -> Optional[str]:
        if action.default is None or action.default is False:
            return action.help
        return super()._get_help_string(action)


def add_cam_method(parser: argparse.ArgumentParser) -> None:
    """Add ``--cam-method``, how maps are made.

    Args:
        parser: The parser to extend.
    """
    parser.add_argument(
        "--cam-method",
        choices=CAM_METHODS,
        metavar="METHOD",
        help=f"how maps are made: {', '.join(CAM_METHODS)}; else as the config says, "
        "or cam",
    )


def run_command(command: Callable[[], Any], who: str = "") -> int:
    """Run a tool and turn errors that the user can mend into one line.

    So are want of disk space, memory, GPUs, ports and open files.

    With ``MMDGDM_TRACEBACK=1`` in the environment the traceback is shown too.

    Args:
        command: What the tool does.
        who: The process, to be named where there are several.

    Returns:
        The exit code: 0; 2 after ``error: <sentence>`` on stderr; 75 after
        ``stopped: <sentence>``, if a training saved and left as it was asked to.
    """
    try:
        command()
    except StoppedError as stop:
        _tell(f"{_prefix('stopped', who)}: {_sentence(stop)}", STOPPED)
        return STOPPED
    except Exception as error:
        shown = error if isinstance(error, MMDGDMError) else explain_fault(error)
        if shown is None:
            name = f"{type(error).__name__}: {error}".strip().splitlines()[0]
            _tell_launcher(f"{_prefix('error', who)}: {name}", 1)
            raise
        if os.environ.get("MMDGDM_TRACEBACK", "0") not in ("", "0"):
            traceback.print_exc()
        said = f"{_prefix('error', who)}: {_sentence(shown)}"
        _tell(said, 0 if isinstance(shown, LeftAloneError) else USER_ERROR)
        return USER_ERROR
    return 0


def _tell(message: str, code: int) -> None:
    """Say why the process ends, to its launcher too unless that knows already."""
    sys.stderr.write(f"{message}\n")
    if code:
        _tell_launcher(message, code)


def _tell_launcher(message: str, code: int) -> None:
    """Let ``torchrun``, or our own launcher, show last why it ended all processes."""
    file = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if file:
        # A second early: of those that end in one second this one is the cause.
        told = {"message": message, "timestamp": int(time.time()) - 1, "code": code}
        with suppress(OSError):
            Path(file).write_text(json.dumps(told), encoding="utf-8")


def _prefix(what: str, who: str) -> str:
    return f"{what} ({who})" if who else what


def _sentence(error: MMDGDMError) -> str:
    """The message; from a data loader's process it comes wrapped in a traceback."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if lines[0].startswith("Caught ") and len(lines) > 1:
        return lines[-1].partition(": ")[2] or lines[-1]
    return " ".join(line.strip() for line in lines)
