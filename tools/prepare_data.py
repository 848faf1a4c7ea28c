"""Check a data set, unpack its archives and write its metadata.

Example:
    python tools/prepare_data.py cub data --archives downloads
    python tools/prepare_data.py ilsvrc data/ILSVRC --quick --json report.json
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Optional

from rich.console import Console
from rich.progress import Progress

from mmdgdm.cli.commands import run_command
from mmdgdm.datasets.prepare.check import CHECKS
from mmdgdm.datasets.prepare.prepare import prepare_data
from mmdgdm.datasets.prepare.report import format_report, save_report
from mmdgdm.utils.argument_checks import check_output_file


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Check a data set, unpack its archives and write its metadata. "
        "Exit code: 0 if it is complete, 1 if not, 2 if the call is wrong."
    )
    parser.add_argument("dataset", choices=sorted(CHECKS), help="kind of data set")
    parser.add_argument("root", help="folder of the data set")
    parser.add_argument(
        "--quick", action="store_true", help="read headers, do not decode the images"
    )
    parser.add_argument(
        "--archives",
        metavar="DIR",
        help="folder with downloaded archives, which are unpacked into ROOT first",
    )
    parser.add_argument(
        "--write-metadata",
        metavar="OUT",
        help="write the splits of the raw layout in the benchmark's text form here",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace what is there already; default: refuse",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="number of processes; default: one per core",
    )
    parser.add_argument(
        "--json", metavar="REPORT.json", help="write the whole report here"
    )
    return parser.parse_args(argv)


def prepare(args: argparse.Namespace) -> bool:
    """Do what the command line says; return whether the data set is complete."""
    check_output_file("--json", args.json, endings=["json"])
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("files", total=None)
        report = prepare_data(
            args.dataset,
            args.root,
            quick=args.quick,
            archives=args.archives,
            metadata=args.write_metadata,
            overwrite=args.overwrite,
            workers=args.workers,
            progress=lambda done, total: progress.update(
                task, completed=done, total=total or None
            ),
        )
    print(format_report(report))
    if args.json is not None:
        save_report(report, args.json)
    return report.complete


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the tool.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code.
    """
    args = parse_args(argv)
    complete = []
    code = run_command(lambda: complete.append(prepare(args)))
    return code if code else int(not complete[0])


if __name__ == "__main__":
    sys.exit(main())
