"""Say what images and videos show, and where.

Example:
    python tools/localize.py photos/*.jpg --out-dir localized

With a model that tools/export.py wrote, --model FILE.onnx, neither torch nor mmengine
is needed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

from rich.console import Console
from rich.progress import Progress

from mmdgdm.apis.inference.loading import is_exported, load_localizer
from mmdgdm.apis.inference.tables import FORMS
from mmdgdm.cli import commands
from mmdgdm.utils.argument_checks import check_choice

if TYPE_CHECKING:
    from mmdgdm.apis.inference.files import Report

#: Images whose first box is printed.
SHOWN = 10


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Say what images and videos show, and where.",
        formatter_class=commands.DefaultsFormatter,
    )
    parser.add_argument(
        "images",
        nargs="+",
        help="images and videos: files, folders, patterns, addresses",
    )
    parser.add_argument(
        "--model",
        default="efficientnet-lite0",
        help="a config, the name of one, a model of mmpretrain, efficientnet-lite0, or "
        "a file.onnx of tools/export.py",
    )
    parser.add_argument(
        "--weights", help="path or address of a checkpoint; else what the model names"
    )
    parser.add_argument(
        "--out-dir", type=Path, default=Path("localized"), help="where results go"
    )
    parser.add_argument(
        "--classes", nargs="+", help="classes to map, by name or index; else the best"
    )
    parser.add_argument(
        "--topk", type=int, default=1, metavar="K", help="how many best classes to map"
    )
    parser.add_argument(
        "--all-contours",
        action="store_true",
        help="boxes of all contours of a map, not of the largest alone",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="T",
        help="share of a map's range above which its box lies; else the checkpoint's",
    )
    commands.add_cam_method(parser)
    parser.add_argument(
        "--save", default="image,json", help=f"some of {','.join(FORMS)}"
    )
    parser.add_argument(
        "--batch-size", type=int, default=8, metavar="B", help="images in one pass"
    )
    parser.add_argument("--device", help="cpu, cuda, ...; else a GPU if there is one")
    return parser.parse_args(argv)


def read_classes(words: Optional[Sequence[str]]) -> Optional[list[Any]]:
    """Names as they are, and indices as numbers."""
    if words is None:
        return None
    return [int(word) if word.isdecimal() else word for word in words]


def localize(args: argparse.Namespace) -> Report:
    """Localize as the command line says."""
    # Here, so that `--help` need not wait.
    from mmdgdm.apis.inference.files import localize_files

    save = args.save.split(",")
    for form in save:  # before the model is loaded
        check_choice("--save", form, choices=FORMS)
    inferencer = load_localizer(
        args.model,
        args.weights,
        device=args.device,
        threshold=args.threshold,
        cam_method=args.cam_method,
    )
    return localize_files(
        inferencer,
        args.images,
        out_dir=args.out_dir,
        save=save,
        batch_size=args.batch_size,
        progress=Progress(console=Console(stderr=True)),
        topk=args.topk,
        classes=read_classes(args.classes),
        all_contours=args.all_contours,
    )


def run(model: str, command: Callable[[], None]) -> int:
    """Run the command, with mmengine where the model needs it."""
    if is_exported(model):
        return commands.run_command(command)
    from mmdgdm.cli.command_line import run_command

    return run_command(command)


def describe(report: Report, out_dir: Path) -> str:
    """What was found and done, and what could not be read."""
    lines = []
    for entry in report.entries[:SHOWN]:
        best = entry["classes"][0]
        box = " ".join(f"{side:.0f}" for side in best["boxes"][0])
        lines.append(f"{entry['image']}: {best['name']} ({best['score']:.2f}) at {box}")
    if len(report.entries) > SHOWN:
        lines.append("...")
    lines.append(f"Localized {len(report.entries)} images; results are in {out_dir}.")
    lines += [f"Localized {n} frames of {path}." for path, n in report.frames.items()]
    if report.unreadable:
        lines.append(f"{len(report.unreadable)} could not be read:")
        lines += [f"  {reason}" for reason in report.unreadable.values()]
    return "\n".join(lines)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the tool.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code: 1 if something could not be read, and the rest was done.
    """
    args = parse_args(argv)
    reports: list[Report] = []
    code = run(args.model, lambda: reports.append(localize(args)))
    for report in reports:
        print(describe(report, args.out_dir))
        code = code or int(bool(report.unreadable))
    return code


if __name__ == "__main__":
    sys.exit(main())
