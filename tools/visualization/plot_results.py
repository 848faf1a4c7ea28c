"""Plot results: accuracy over the threshold, errors, coverage, sizes, classes.

Each RESULT is what tools/test.py --out or tools/eval_scoremaps.py --json wrote, with
its .records.npz beside it. Needs neither torch nor mmengine.

Example:
    python tools/visualization/plot_results.py cam/results.json dgdm/results.json \
        --out plots
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from mmdgdm.cli.commands import run_command
from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.stored.record_files import find_classes
from mmdgdm.evaluation.stored.results import read_result, size_score
from mmdgdm.utils.argument_checks import check_output_folder
from mmdgdm.utils.faults import read_lines
from mmdgdm.visualization import plots


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Plot one or several results.")
    parser.add_argument("results", nargs="+", metavar="RESULT.json")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of plots")
    parser.add_argument(
        "--names",
        nargs="+",
        metavar="NAME",
        help="what plots call the results; default: their files or folders",
    )
    parser.add_argument(
        "--classes",
        metavar="FILE",
        help="names of the classes, a line each; default: those in the records",
    )
    parser.add_argument(
        "--format",
        choices=sorted(plots.PLOT_ENDINGS),
        default="png",
        metavar="ENDING",
        help="form of the files, such as png, svg or pdf; default: %(default)s",
    )
    return parser.parse_args(argv)


def plot(args: argparse.Namespace) -> None:
    """Plot as the command line says."""
    check_output_folder("--out", args.out)
    names = args.names or [None] * len(args.results)
    if len(names) != len(args.results):
        raise ConfigError(
            f"Expected a name for each of {len(args.results)} results by `--names`, "
            f"but got {len(names)}."
        )
    results = [read_result(path, name) for path, name in zip(args.results, names)]
    if len({result.name for result in results}) < len(results):
        raise ConfigError(
            "Expected results of different names, but got "
            f"{', '.join(result.name for result in results)}: set `--names`."
        )
    figures = {"thresholds": plots.plot_thresholds(results)}
    if all("pixel_precision" in result.curves for result in results):
        figures["precision_recall"] = plots.plot_precision_recall(results)
    if all(result.table is not None for result in results):
        figures["coverage"] = plots.plot_coverage(results)
        figures["errors"] = plots.plot_kinds(results)
        if size_score(results) is not None:
            figures["sizes"] = plots.plot_sizes(results)
    if all(result.by_class for result in results):
        classes: Sequence[str] = find_classes(args.results)
        if args.classes is not None:
            classes = [line.strip() for _, line in read_lines(args.classes)]
        figures["classes"] = plots.plot_classes(results, classes=classes or None)
    for name, figure in figures.items():
        path = Path(args.out) / f"{name}.{args.format}"
        plots.save_figure(figure, path)
        print(f"Wrote {path}.")


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
