"""What the command line tools share: options, error messages, exit codes."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from typing import Any, Callable, Optional, Union

from mmengine.config import Config

from mmdgdm.cli import commands
from mmdgdm.engine.setup import overrides
from mmdgdm.engine.setup.config_check import load_config
from mmdgdm.engine.setup.processes import (
    end_processes,
    rank_from_environment,
    set_launcher,
)


class CfgOptionsAction(argparse.Action):
    """``KEY=VALUE`` words as a dict of text; the config says how to read each value."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Union[str, Sequence[Any], None],
        option_string: Optional[str] = None,
    ) -> None:
        """Add the options to the namespace, as a dict."""
        options = dict(getattr(namespace, self.dest) or {})
        for word in values or ():
            key, equals, text = word.partition("=")
            if not equals:
                parser.error(
                    f"argument --cfg-options: expected KEY=VALUE, but got {word}"
                )
            options[key] = text
        setattr(namespace, self.dest, options)


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
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=CfgOptionsAction,
        metavar="KEY=VALUE",
        help="override settings of the config, for example "
        "model.head.num_classes=200 param_scheduler.0.end=5 key='[a,b]'",
    )
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
    overrides.merge_cfg_options(cfg, args.cfg_options)
    set_launcher(cfg, args.launcher, args.local_rank)
    overrides.set_work_dir(cfg, args.work_dir, args.config)
    return cfg


def run_command(command: Callable[[], Any]) -> int:
    """Run a tool of one or several processes; see :mod:`mmdgdm.cli.commands`.

    Args:
        command: What the tool does.

    Returns:
        The exit code: 0, or 2 after ``error: <sentence>`` on stderr.
    """
    # mmcv-lite says at each start that it lacks an operator that nothing here uses.
    warnings.filterwarnings(
        "ignore", "Fail to import ``MultiScaleDeformableAttention``", UserWarning
    )
    rank = rank_from_environment()
    code = commands.run_command(command, f"process {rank}" if rank else "")
    if code == 0:
        end_processes()
    return code
