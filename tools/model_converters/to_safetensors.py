"""Convert a checkpoint's weights to a .safetensors file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Optional

from mmdgdm.cli.command_line import run_command
from mmdgdm.utils.argument_checks import check_output_file
from mmdgdm.utils.checkpoint import load_checkpoint_file
from mmdgdm.utils.safetensors_files import write_safetensors


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("src", help="the checkpoint")
    parser.add_argument("dst", help="the .safetensors file to write")
    return parser.parse_args(argv)


def convert(args: argparse.Namespace) -> None:
    """Convert the weights."""
    check_output_file("dst", args.dst, endings=["safetensors"])
    write_safetensors(args.dst, load_checkpoint_file(args.src))
    print(f"Wrote {args.dst}: weights, names of classes and thresholds.")


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
