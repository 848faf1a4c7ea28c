"""Convert a checkpoint of the WSOL benchmark's code to one of mmdgdm."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Optional

from mmdgdm.cli.command_line import run_command
from mmdgdm.converters.names import convert_file, describe
from mmdgdm.converters.wsol_benchmark import (
    BENCHMARK_ARCHS,
    convert_wsol_benchmark,
)


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arch", choices=BENCHMARK_ARCHS, help="the network of the file")
    parser.add_argument(
        "src",
        help="the checkpoint of the benchmark, for example last_checkpoint.pth.tar",
    )
    parser.add_argument("dst", help="the checkpoint to write")
    return parser.parse_args(argv)


def convert(args: argparse.Namespace) -> None:
    """Convert the weights and say where they went and what was left out."""
    conversion = convert_file(
        convert_wsol_benchmark, args.arch, source=args.src, target=args.dst
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
