"""Make one page of results that opens in a browser, offline.

Each RESULT is what tools/test.py --out or tools/eval_scoremaps.py --json wrote, with
its .records.npz beside it. Images are those of tools/test.py --show-dir, taken from the
folder `pictures` beside each result. Needs neither torch nor mmengine.

Example:
    python tools/report.py cam/results.json dgdm/results.json --out report.html
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from mmdgdm.cli.commands import run_command
from mmdgdm.report.page import MAX_IMAGES, find_pictures, make_report, write_report
from mmdgdm.utils.argument_checks import check_output_file


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Make one page of one or several results on the same images."
    )
    parser.add_argument("results", nargs="+", metavar="RESULT.json")
    parser.add_argument(
        "--out", required=True, metavar="FILE.html", help="the page to write"
    )
    parser.add_argument(
        "--names",
        nargs="+",
        metavar="NAME",
        help="what the page calls the results; default: their files or folders",
    )
    parser.add_argument(
        "--pictures",
        nargs="+",
        metavar="DIR",
        help="for each result the folder that tools/test.py --show-dir wrote; default: "
        "`pictures` beside each",
    )
    parser.add_argument(
        "--max-images",
        type=int,
        default=MAX_IMAGES,
        metavar="N",
        help="images on the page at most, about 30 kB each for two results; default: "
        "%(default)s",
    )
    parser.add_argument("--title", help="heading of the page")
    return parser.parse_args(argv)


def report(args: argparse.Namespace) -> None:
    """Report as the command line says."""
    check_output_file("--out", args.out, endings=["html"])
    more = {} if args.title is None else {"title": args.title}
    page = make_report(
        args.results,
        names=args.names,
        pictures=args.pictures,
        max_images=args.max_images,
        **more,
    )
    write_report(args.out, page)
    size = Path(args.out).stat().st_size / 1e6
    print(f"Wrote {args.out} ({size:.1f} MB).")
    if not args.pictures and not find_pictures(args.results):
        print(
            "It shows no images: not every result has a folder of its own with "
            "`pictures` (tools/test.py --show-dir), and --pictures names none."
        )


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the tool.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code.
    """
    args = parse_args(argv)
    return run_command(lambda: report(args))


if __name__ == "__main__":
    sys.exit(main())
