"""Write a config for images of your own, once they are prepared.

Example:
    python tools/prepare_data.py folder photos prepared --boxes boxes.json
    python tools/init.py prepared
    python tools/train.py dgdm_prepared.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from mmdgdm.cli import commands
from mmdgdm.cli.command_line import run_command
from mmdgdm.cli.own_config import METHODS, format_config
from mmdgdm.converters.efficientnet_lite import (
    LITE_ARCHS,
    convert_efficientnet_lite,
    find_efficientnet_lite,
)
from mmdgdm.converters.names import convert_file
from mmdgdm.engine.setup.config_check import find_weights
from mmdgdm.errors import ConfigError
from mmdgdm.utils.argument_checks import check_positive_int


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Write a config for images of your own, once they are prepared.",
        formatter_class=commands.DefaultsFormatter,
    )
    parser.add_argument(
        "prepared", type=Path, help="the folder that `prepare` made of your images"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="CONFIG.py",
        help="the config to write; else <method>_<name of the folder>.py",
    )
    parser.add_argument(
        "--method", choices=METHODS, default="dgdm", help="what to train"
    )
    parser.add_argument(
        "--arch", choices=LITE_ARCHS, default="lite0", help="which EfficientNet-Lite"
    )
    parser.add_argument(
        "--epochs", type=int, default=10, help="how often training sees each image"
    )
    return parser.parse_args(argv)


def write_config(args: argparse.Namespace) -> None:
    """Write the config, and the pretrained weights where there are none yet."""
    check_positive_int("--epochs", args.epochs)
    name = args.prepared.resolve().name
    target = args.out or Path(f"{args.method}_{name}.py")
    if target.exists() or target.suffix != ".py":
        raise ConfigError(f"Expected a new .py file to write to, but got {target}.")
    text = format_config(
        args.prepared,
        arch=args.arch,
        method=args.method,
        epochs=args.epochs,
        pictures=Path("work_dirs") / target.stem / "pictures",
    )
    weights = Path("pretrained") / f"efficientnet_{args.arch}.pth"
    found = find_weights(str(weights), target)
    if not found.is_file():
        found = target.parent / weights
        convert_file(
            convert_efficientnet_lite,
            args.arch,
            source=find_efficientnet_lite(args.arch),
            target=found,
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    print(f"wrote {target}, which starts from {found}")
    print(f"next: mmdgdm train {target}")


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the tool.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code.
    """
    args = parse_args(argv)
    return run_command(lambda: write_config(args))


if __name__ == "__main__":
    sys.exit(main())
