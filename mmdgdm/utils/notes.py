"""Say something to the user, with mmengine or without it."""

from __future__ import annotations

import sys


def tell(text: str) -> None:
    """Write a line to the log of mmengine, or to stderr where mmengine is not in use.

    Args:
        text: The line.
    """
    if "mmengine" in sys.modules:
        from mmengine.logging import print_log

        print_log(text, "current")
    else:
        sys.stderr.write(f"{text}\n")
