"""Plot losses and scores over the epochs of one or several trainings.

Needs neither torch nor mmengine.

Example:
    python tools/visualization/plot_training.py work_dirs/cam work_dirs/dgdm \
        --out training.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Optional

from mmdgdm.cli.commands import run_command
from mmdgdm.utils.argument_checks import check_output_file
from mmdgdm.utils.training_logs import read_training
from mmdgdm.visualization import plots
from mmdgdm.visualization.plots.training import SCORES


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Plot one or several trainings.")
    parser.add_argument("work_dirs", nargs="+", metavar="WORK_DIR")
    parser.add_argument("--out", required=True, metavar="FILE", help="file of the plot")
    parser.add_argument(
        "--scores",
        nargs="+",
        default=SCORES,
        metavar="SCORE",
        help=f"scores of val; default, as far as known: {' '.join(SCORES)}",
    )
    return parser.parse_args(argv)


def plot(args: argparse.Namespace) -> None:
    """Plot as the command line says."""
    check_output_file("--out", args.out, endings=plots.PLOT_ENDINGS)
    logs = [read_training(folder) for folder in args.work_dirs]
    plots.save_figure(plots.plot_training(logs, args.scores), args.out)
    print(f"Wrote {args.out}.")


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the tool.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code.
    """
    args = parse_args(argv)
    return run_command(lambda: plot(args))


if __name__ == "__main__":
    sys.exit(main())
