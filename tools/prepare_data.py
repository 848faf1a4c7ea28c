"""Check a data set, unpack its archives and write its metadata.

`folder` makes a data set of a folder of images a class, `coco` of images whose classes
a COCO file tells. The kind `metadata` is any set in the text form. `--scan` only opens
the images of ROOT.

Example:
    python tools/prepare_data.py cub data --archives downloads
    python tools/prepare_data.py ilsvrc data/ILSVRC --quick --json report.json
    python tools/prepare_data.py folder photos prepared --boxes boxes.json
    python tools/prepare_data.py folder photos --scan
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Callable, Optional

from mmdgdm.cli.commands import run_command
from mmdgdm.cli.progress import progress_bar
from mmdgdm.datasets.functional.images import Images
from mmdgdm.datasets.prepare.check import CHECKS
from mmdgdm.datasets.prepare.coco import prepare_coco
from mmdgdm.datasets.prepare.folder import prepare_folder
from mmdgdm.datasets.prepare.prepare import prepare_data
from mmdgdm.datasets.prepare.report import Report, format_report, save_report
from mmdgdm.datasets.prepare.scan import scan_images
from mmdgdm.datasets.prepare.splits import format_counts
from mmdgdm.utils.argument_checks import check_output_file, check_positive_int

#: Kinds of data sets that are made of a user's own images.
_OWN = ("folder", "coco")


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Check a data set, unpack its archives and write its metadata. "
        "Exit code: 0 if it is complete, 1 if not, 2 if the call is wrong."
    )
    kinds = [*sorted(CHECKS), *_OWN]
    parser.add_argument("dataset", choices=kinds, help="kind of data set")
    parser.add_argument("root", help="folder of the data set")
    _add_own_options(parser)
    _add_known_options(parser)
    parser.add_argument(
        "--scan",
        action="store_true",
        help="only open the images of ROOT at any depth, which needs neither labels "
        "nor boxes",
    )
    parser.add_argument(
        "--quick", action="store_true", help="read headers, do not decode the images"
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
    args = parser.parse_args(argv)
    _check_kind(parser, args)
    return args


def _add_own_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that only `folder` and `coco` take."""
    parser.add_argument(
        "out", nargs="?", help="only with `folder` and `coco`: the folder to be made"
    )
    parser.add_argument(
        "--val", type=float, metavar="SHARE", help="of one's own images; default: 0.1"
    )
    parser.add_argument(
        "--test", type=float, metavar="SHARE", help="of one's own images; default: 0.2"
    )
    parser.add_argument(
        "--boxes",
        metavar="PATH",
        help="boxes of some images of `folder`: a COCO file, a .csv table with the "
        "columns image,x0,y0,x1,y1, or a folder of VOC's .xml or YOLO's .txt files; "
        "classes are matched by name. Of `coco`: the COCO file, needed",
    )


def _add_known_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of data sets of a known layout."""
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
        "--left-out",
        action="store_true",
        help="only with `cub`: leave out of train the images that val was taken from",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace what is there already; default: refuse",
    )


def _check_kind(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse arguments of another kind of data set than the given one."""
    own = ("out", "val", "test", "boxes")
    known = ("archives", "write_metadata", "overwrite", "left_out")
    refused: Sequence[str] = known if args.dataset in _OWN else own
    if args.scan:
        refused = (*own, *known)
    for name in filter(partial(getattr, args), refused):
        word = name.upper() if name == "out" else f"--{name.replace('_', '-')}"
        kind = "--scan" if args.scan else args.dataset
        parser.error(f"argument {word}: not with `{kind}`")
    needed = {"folder": ("out",), "coco": ("out", "--boxes")}.get(args.dataset, ())
    lacking = [n for n in needed if getattr(args, n.lstrip("-")) is None]
    if lacking and not args.scan:
        parser.error(f"the following arguments are required: {', '.join(lacking)}")


def prepare(args: argparse.Namespace) -> bool:
    """Do what the command line says; return whether the data set is complete."""
    check_output_file("--json", args.json, endings=["json"])
    with progress_bar("files") as progress:
        report = _work_of(args)(args, progress)
    print(format_report(report))
    if args.out and report.complete:
        print(f"\n{format_counts(report.counts)}\n\nwritten to {args.out}")
    if args.json is not None:
        save_report(report, args.json)
    return report.complete


def _work_of(args: argparse.Namespace) -> Callable[..., Report]:
    if args.scan:
        return scan
    return prepare_own if args.dataset in _OWN else prepare_known


def scan(args: argparse.Namespace, progress: Callable) -> Report:
    """Open all images of a folder."""
    return scan_images(args.root, _images(args, progress))


def _images(args: argparse.Namespace, progress: Callable) -> Images:
    check_positive_int("workers", args.workers)
    return Images(args.quick, args.workers, progress=progress)


def prepare_known(args: argparse.Namespace, progress: Callable) -> Report:
    """Check a data set of a known layout."""
    return prepare_data(
        args.dataset,
        args.root,
        quick=args.quick,
        archives=args.archives,
        metadata=args.write_metadata,
        overwrite=args.overwrite,
        left_out=args.left_out,
        workers=args.workers,
        progress=progress,
    )


def prepare_own(args: argparse.Namespace, progress: Callable) -> Report:
    """Make a data set of images of one's own."""
    shares = {n: getattr(args, n) for n in ("val", "test")}
    given = {name: share for name, share in shares.items() if share is not None}
    images = _images(args, progress)
    if args.dataset == "coco":
        return prepare_coco(
            args.root, args.out, boxes=args.boxes, **given, images=images
        )
    return prepare_folder(args.root, args.out, **given, boxes=args.boxes, images=images)


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
