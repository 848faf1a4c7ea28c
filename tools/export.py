"""Export a model that localizes: .onnx, or .pt2 (torch.export).

Example:
    python tools/export.py CONFIG CHECKPOINT model.onnx
    python tools/localize.py photos --model model.onnx
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Optional

from mmdgdm.cli.command_line import run_command
from mmdgdm.utils.argument_checks import check_output_file, check_share


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Export class scores and maps of a model: .onnx or .pt2."
    )
    parser.add_argument(
        "config",
        help="a config, the name of one, a model of mmpretrain, or efficientnet-lite0",
    )
    parser.add_argument(
        "checkpoint",
        nargs="?",
        help="path or address of the checkpoint; else what the model names",
    )
    parser.add_argument("out", metavar="OUT.onnx", help="the file, .onnx or .pt2")
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="T",
        help="share of a map's range above which its box lies; else the checkpoint's",
    )
    return parser.parse_args(argv)


def export(args: argparse.Namespace) -> str:
    """Export as the command line says, and tell what was."""
    # Here, where a warning of mmcv's is filtered; and `--help` need not wait.
    from mmdgdm.apis.export import ENDINGS, export_model

    check_output_file("out", args.out, endings=ENDINGS)
    if args.threshold is not None:
        check_share("--threshold", args.threshold, high_open=True)
    facts = export_model(
        args.config, args.out, weights=args.checkpoint, threshold=args.threshold
    ).facts
    width, height = facts.input_size
    size = f"{width} x {height}" + (" or any other" if facts.is_size_free else " only")
    place = "none: 0.2 is taken" if facts.threshold is None else f"{facts.threshold:g}"
    return (
        f"Wrote {args.out}: {len(facts.classes)} classes, any number of images of "
        f"{size} size, threshold {place}."
    )


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the tool.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code.
    """
    args = parse_args(argv)
    return run_command(lambda: print(export(args)))


if __name__ == "__main__":
    sys.exit(main())
