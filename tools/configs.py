"""List, show or copy the configs of this package.

Example:
    python tools/configs.py list dgdm cub
    python tools/configs.py copy dgdm_resnet50_1xb32-50e_cub configs
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from mmdgdm.cli.commands import run_command
from mmdgdm.errors import ConfigError
from mmdgdm.named_configs import list_configs


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="List, show or copy the configs of this package."
    )
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="print the names")
    listing.add_argument(
        "words", nargs="*", help="list the names that hold all of these"
    )
    show = actions.add_parser("show", help="print a config with its bases merged in")
    show.add_argument("config", help="path or name of the config")
    copy = actions.add_parser(
        "copy", help="write a config, with its bases merged in, to edit it"
    )
    copy.add_argument("config", help="path or name of the config")
    copy.add_argument("folder", type=Path, help="where it goes, under its own name")
    return parser.parse_args(argv)


def list_names(words: Sequence[str]) -> None:
    """Print the names that hold all of some words."""
    for path in list_configs():
        if all(word in path.stem for word in words):
            print(path.stem)


def show_or_copy(args: argparse.Namespace) -> None:
    """Print or write a config."""
    # Here: `list` needs no mmengine.
    from mmdgdm.engine.setup.config_check import load_config

    cfg = load_config(args.config)
    if args.action == "show":
        print(cfg.pretty_text)
        return
    target = args.folder / f"{Path(args.config).stem}.py"
    if target.exists():
        raise ConfigError(f"Expected {target} not to exist yet, but it does.")
    args.folder.mkdir(parents=True, exist_ok=True)
    cfg.dump(target)
    print(target)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the tool.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code.
    """
    args = parse_args(argv)
    if args.action == "list":
        return run_command(lambda: list_names(args.words))
    return run_command(lambda: show_or_copy(args))


if __name__ == "__main__":
    sys.exit(main())
