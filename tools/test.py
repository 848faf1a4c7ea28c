"""Evaluate a checkpoint on the test set of a config.

Example:
    python tools/test.py CONFIG CHECKPOINT --out metrics.json --show-dir pictures
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from mmdgdm.apis.runner import run_test
from mmdgdm.cli.command_line import (
    add_common_arguments,
    load_run_config,
    run_command,
)
from mmdgdm.cli.commands import add_cam_method
from mmdgdm.cli.progress import progress_bar
from mmdgdm.cli.report import format_metrics, save_metrics
from mmdgdm.engine.setup import overrides
from mmdgdm.engine.setup.tta import enable_tta
from mmdgdm.evaluation.stored.record_files import record_path
from mmdgdm.utils.argument_checks import check_output_file
from mmdgdm.utils.checkpoint import check_checkpoint_path


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Evaluate a checkpoint on the test set of a config."
    )
    parser.add_argument("config", help="path or name of the config")
    parser.add_argument("checkpoint", help="path or address of the checkpoint")
    add_common_arguments(parser)
    parser.add_argument(
        "--out",
        metavar="FILE.json",
        help="write the metrics to this file, and each image's record to "
        "FILE.records.npz",
    )
    parser.add_argument(
        "--split",
        choices=["val", "test"],
        default="test",
        help="which data to evaluate; default: test",
    )
    parser.add_argument(
        "--show-dir", metavar="DIR", help="write drawings of test images to this folder"
    )
    parser.add_argument(
        "--show-num", type=int, metavar="N", help="number of drawings in --show-dir"
    )
    parser.add_argument(
        "--dump-scoremaps",
        metavar="DIR",
        help="write the evaluated maps to this folder (0.4 MB an image), for "
        "tools/eval_scoremaps.py",
    )
    parser.add_argument(
        "--tta",
        action="store_true",
        help="average over the views in tta_pipeline; without one, over the image "
        "and its mirror image",
    )
    add_cam_method(parser)
    args = parser.parse_args(argv)
    if args.show_num is not None and args.show_dir is None:
        parser.error("argument --show-num: needs --show-dir")
    return args


def test(args: argparse.Namespace) -> None:
    """Test as the command line says."""
    check_checkpoint_path(args.checkpoint)
    check_output_file("--out", args.out, endings=["json"])
    cfg = load_run_config(args)
    if args.split == "val":
        overrides.use_val_split(cfg)
    if args.cam_method is not None:
        overrides.set_cam_method(cfg, args.cam_method)
    if args.tta:
        enable_tta(cfg)
    if args.out is not None:
        overrides.set_record_file(cfg, record_path(args.out))
    if args.show_dir is not None:
        settings = dict(out_dir=args.show_dir, num_images=args.show_num)
        overrides.set_hook(cfg, "mmdgdm.WSOLVisualizationHook", **settings)
    if args.dump_scoremaps is not None:
        maps = args.dump_scoremaps
        overrides.set_hook(cfg, "mmdgdm.ScoremapDumpHook", out_dir=maps)

    def report(metrics: Mapping[str, Any]) -> None:
        print(format_metrics(metrics))
        if args.out is not None:
            save_metrics(metrics, args.out)

    with progress_bar("batches") as progress:
        run_test(cfg, args.checkpoint, report=report, progress=progress)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the tool.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code.
    """
    args = parse_args(argv)
    return run_command(lambda: test(args))


if __name__ == "__main__":
    sys.exit(main())
