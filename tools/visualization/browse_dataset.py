"""Draw what a config feeds its network, and with --layers what its layers erase.

Example:
    python tools/visualization/browse_dataset.py CONFIG --out fed.png
    python tools/visualization/browse_dataset.py CONFIG --out erased.png --layers \
        --checkpoint CHECKPOINT
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from mmdgdm.apis.browse import browse_dataset
from mmdgdm.cli.command_line import add_cfg_options, run_command
from mmdgdm.engine.setup.config_check import load_config
from mmdgdm.engine.setup.overrides import merge_cfg_options
from mmdgdm.utils.argument_checks import check_output_file
from mmdgdm.utils.checkpoint import check_checkpoint_path
from mmdgdm.visualization.canvas import save_image


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Draw images as a config feeds them to its network: after the "
        "transforms, with the boxes where the split has some."
    )
    parser.add_argument("config", help="path or name of the config")
    parser.add_argument(
        "--out", required=True, metavar="FILE.png", help="the picture, .png or .jpg"
    )
    parser.add_argument(
        "--split",
        choices=["train", "val", "test"],
        default="train",
        help="which data; default: %(default)s",
    )
    parser.add_argument(
        "--num", type=int, metavar="N", help="images; default: 20, with --layers 6"
    )
    parser.add_argument(
        "--layers",
        action="store_true",
        help="draw the attention and the masks of layers that erase",
    )
    parser.add_argument(
        "--checkpoint", help="weights for --layers; else they are random"
    )
    parser.add_argument(
        "--passes",
        type=int,
        default=3,
        metavar="N",
        help="passes to draw with --layers: each draws its masks anew; "
        "default: %(default)s",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of all draws; default: %(default)s"
    )
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if args.checkpoint is not None and not args.layers:
        parser.error("argument --checkpoint: needs --layers")
    return args


def browse(args: argparse.Namespace) -> None:
    """Draw as the command line says."""
    check_output_file("--out", args.out, endings=["png", "jpg"])
    if args.checkpoint is not None:
        check_checkpoint_path(args.checkpoint)
    cfg = load_config(args.config)
    merge_cfg_options(cfg, args.cfg_options)
    picture = browse_dataset(
        cfg,
        args.split,
        count=(6 if args.layers else 20) if args.num is None else args.num,
        with_layers=args.layers,
        checkpoint=args.checkpoint,
        passes=args.passes,
        seed=args.seed,
    )
    save_image(picture, Path(args.out))
    print(f"Wrote {args.out}.")


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the tool.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code.
    """
    args = parse_args(argv)
    return run_command(lambda: browse(args))


if __name__ == "__main__":
    sys.exit(main())
