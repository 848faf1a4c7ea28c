"""Compare results on the same images, image by image.

Each is what tools/test.py --out or tools/eval_scoremaps.py --json wrote, with its
.records.npz beside it. Needs neither torch nor mmengine.

Example:
    python tools/compare.py cam.json dgdm.json --csv differences.csv
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Optional

from mmdgdm.cli.commands import run_command
from mmdgdm.cli.report import format_comparison
from mmdgdm.comparison.results import (
    NUM_RESAMPLES,
    compare_results,
    write_differences,
)
from mmdgdm.utils.argument_checks import check_output_file


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Compare results on the same images with the first of them."
    )
    parser.add_argument(
        "results", nargs="+", metavar="RESULT.json", help="two results or more"
    )
    parser.add_argument(
        "--csv", metavar="OUT.csv", help="write all differences here, of classes too"
    )
    parser.add_argument(
        "--by-class", action="store_true", help="print those of each class too"
    )
    parser.add_argument(
        "--resamples",
        type=int,
        default=NUM_RESAMPLES,
        metavar="N",
        help="how often images are drawn for an interval; default: %(default)s",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of these draws; default: %(default)s"
    )
    return parser.parse_args(argv)


def compare(args: argparse.Namespace) -> None:
    """Compare as the command line says."""
    check_output_file("--csv", args.csv, endings=["csv"])
    found = compare_results(args.results, num_resamples=args.resamples, seed=args.seed)
    print(format_comparison(found, with_classes=args.by_class))
    if args.csv is not None:
        write_differences(args.csv, found.differences)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the tool.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code.
    """
    args = parse_args(argv)
    return run_command(lambda: compare(args))


if __name__ == "__main__":
    sys.exit(main())
