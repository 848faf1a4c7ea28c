"""What the command line tools share: options, error messages, exit codes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Callable

from mmengine.config import Config

from mmdgdm.cli import commands
from mmdgdm.engine.setup.config_check import load_config
from mmdgdm.engine.setup.overrides import merge_cfg_options
from mmdgdm.engine.setup.processes import (
    end_processes,
    rank_from_environment,
    set_launcher,
)


def _read_pair(word: str) -> tuple[str, str]:
    """Key and text of ``KEY=VALUE``; the config says how to read the text."""
    key, equals, text = word.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, but got {word}")
    return key, text


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``, a list of pairs of key and text.

    Args:
        parser: The parser to extend.
    """
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action="extend",
        type=_read_pair,
        metavar="KEY=VALUE",
        help="override settings of the config, for example "
        "model.head.num_classes=200 param_scheduler.0.end=5 key='[a,b]'",
    )


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that training and testing have in common.

    Args:
        parser: The parser to extend.
    """
    parser.add_argument(
        "--work-dir",
        help="folder for logs and checkpoints; default: `work_dir` of the config, "
        "else ./work_dirs/<name of the config>",
    )
    add_cfg_options(parser)
    parser.add_argument(
        "--launcher",
        choices=["none", "pytorch", "slurm", "mpi"],
        default="none",
        help="what started the processes of this run; default: none",
    )
    parser.add_argument(
        "--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS
    )


def load_run_config(args: argparse.Namespace) -> Config:
    """Read the config of a run and apply the options of :func:`add_common_arguments`.

    Args:
        args: The command line; ``args.config`` is the path of the config.

    Returns:
        The config, with ``work_dir`` and ``launcher`` set.

    Raises:
        ConfigError: If the config cannot be read, an option does not fit it, or the
            launcher did not start this process.
    """
    cfg = load_config(args.config)
    merge_cfg_options(cfg, args.cfg_options)
    set_launcher(cfg, args.launcher, local_rank=args.local_rank)
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get("work_dir") is None:
        cfg.work_dir = str(Path("work_dirs") / Path(args.config).stem)
    return cfg


def run_command(command: Callable[[], Any]) -> int:
    """Run a tool of one or several processes; see :mod:`mmdgdm.cli.commands`.

    Args:
        command: What the tool does.

    Returns:
        The exit code of :func:`mmdgdm.cli.commands.run_command`.
    """
    rank = rank_from_environment()
    code = commands.run_command(command, f"process {rank}" if rank else "")
    if code in (0, commands.STOPPED):
        end_processes()
    return code
