"""What the command line tools share: options, error messages, exit codes."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from typing import Any, Callable, Optional, Union

from mmengine.config import DictAction

from mmdgdm.cli import commands
from mmdgdm.engine.setup.processes import end_processes, rank_from_environment


class CfgOptionsAction(DictAction):
    """mmengine's ``KEY=VALUE`` parser, less its surprises.

    What is malformed gives a usage error, and spaces in a value are kept, as in
    the path of a file.
    """

    @staticmethod
    def _parse_iterable(val: str) -> Any:
        text = val.strip("'\"")
        if "," in text or text.startswith(("(", "[")):
            return DictAction._parse_iterable(val)
        return DictAction._parse_int_float_bool(text)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Union[str, Sequence[Any], None],
        option_string: Optional[str] = None,
    ) -> None:
        """Add the options to the namespace, as a dict."""
        try:
            super().__call__(parser, namespace, values, option_string)
        except (ValueError, AssertionError):
            given = " ".join(values or ())
            parser.error(f"argument --cfg-options: expected KEY=VALUE, but got {given}")


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
