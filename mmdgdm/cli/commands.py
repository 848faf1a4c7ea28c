"""An option and the end of command line tools; needs neither torch nor mmengine."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from typing import Any, Callable

from mmdgdm.errors import MMDGDMError
from mmdgdm.utils.cam_methods import CAM_METHODS

#: Exit code of a tool that stopped for an error that the user can mend.
USER_ERROR = 2


def add_cam_method(parser: argparse.ArgumentParser) -> None:
    """Add ``--cam-method``, how maps are made.

    Args:
        parser: The parser to extend.
    """
    parser.add_argument(
        "--cam-method",
        choices=CAM_METHODS,
        help="how maps are made; else as the config says, or cam",
    )


def run_command(command: Callable[[], Any], who: str = "") -> int:
    """Run a tool and turn errors that the user can mend into one line.

    With ``MMDGDM_TRACEBACK=1`` in the environment the traceback is shown too.

    Args:
        command: What the tool does.
        who: The process, to be named where there are several.

    Returns:
        The exit code: 0, or 2 after ``error: <sentence>`` on stderr.
    """
    try:
        command()
    except MMDGDMError as error:
        if os.environ.get("MMDGDM_TRACEBACK", "0") not in ("", "0"):
            traceback.print_exc()
        prefix = f"error ({who})" if who else "error"
        sys.stderr.write(f"{prefix}: {_sentence(error)}\n")
        return USER_ERROR
    return 0


def _sentence(error: MMDGDMError) -> str:
    """The message; from a data loader's process it comes wrapped in a traceback."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if lines[0].startswith("Caught ") and len(lines) > 1:
        return lines[-1].partition(": ")[2] or lines[-1]
    return " ".join(line.strip() for line in lines)
