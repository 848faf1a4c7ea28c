"""Train a model from a config.

Example:
    python tools/train.py configs/dgdm/dgdm_resnet50_1xb32-50e_cub.py --seed 0
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Optional

from mmdgdm.apis.runner import run_training
from mmdgdm.cli.command_line import (
    add_common_arguments,
    load_run_config,
    run_command,
)
from mmdgdm.engine.setup import overrides


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train a model from a config.")
    parser.add_argument("config", help="path or name of the config")
    add_common_arguments(parser)
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        metavar="CHECKPOINT",
        help="continue from a checkpoint; without a value from the newest one in the "
        "work dir, and from the beginning if there is none",
    )
    parser.add_argument(
        "--amp",
        action="store_true",
        help="train in mixed precision (float16; on CPUs bfloat16)",
    )
    parser.add_argument(
        "--no-validate", action="store_true", help="train without validation"
    )
    parser.add_argument(
        "--auto-scale-lr",
        action="store_true",
        help="scale the learning rate by the true batch size over the config's "
        "auto_scale_lr.base_batch_size",
    )
    parser.add_argument("--seed", type=int, help="random seed; default: the config's")
    parser.add_argument(
        "--show-dir",
        metavar="DIR",
        help="after every validation, write drawings of the same few val images to "
        "DIR/val",
    )
    return parser.parse_args(argv)


def train(args: argparse.Namespace) -> None:
    """Train as the command line says."""
    cfg = load_run_config(args)
    if args.seed is not None:
        cfg.randomness = {**(cfg.get("randomness") or {}), "seed": args.seed}
    if args.resume is not None:
        overrides.set_resume(cfg, args.resume)
    if args.amp:
        overrides.enable_amp(cfg)
    if args.auto_scale_lr:
        overrides.enable_auto_scale_lr(cfg)
    if args.show_dir is not None:
        hook = "mmdgdm.WSOLVisualizationHook"
        overrides.set_hook(cfg, hook, out_dir=args.show_dir, on_val=True)
    if args.no_validate:
        overrides.disable_validation(cfg)
    run_training(cfg)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the tool.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code.
    """
    args = parse_args(argv)
    return run_command(lambda: train(args))


if __name__ == "__main__":
    sys.exit(main())
