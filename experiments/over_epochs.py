"""Plot the scores of val over the epochs, a line a method, the mean over its seeds.

The validations of all stored runs of a data set, which ``experiments/methods.py`` kept:

    python experiments/over_epochs.py cub10 docs/pictures/cub10_epochs.png
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

from methods import DATA, METHODS, ROOT, Records

from mmdgdm.utils.training_logs import TrainingLog
from mmdgdm.visualization.plots.files import save_figure
from mmdgdm.visualization.plots.training import plot_training

#: What is drawn, if it was measured.
SCORES = ("gt_known", "max_box_acc_v2", "top1_cls", "top1_loc")


def mean_log(
    method: str, runs: Sequence[Sequence[dict[str, float]]], prefix: str
) -> TrainingLog:
    """The mean over runs of each score, one value a validation.

    Args:
        method: What the plot calls them.
        runs: The validations of each run, in order, as many for each.
        prefix: Of the names of scores.

    Returns:
        A log without losses. Val is after every epoch.
    """
    epochs = [float(number + 1) for number in range(len(runs[0]))]
    val = {}
    for score in SCORES:
        name = f"{prefix}{score}"
        if all(name in scores for run in runs for scores in run):
            means = [
                statistics.fmean(scores[name] for scores in moment)
                for moment in zip(*runs)
            ]
            val[name] = (epochs, means)
    return TrainingLog(method.upper(), train={}, val=val, unit="epoch")


def main() -> None:
    """Read the results, draw and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=sorted(DATA), help="data set")
    parser.add_argument("picture", type=Path, help="file of the picture")
    parser.add_argument("--results", type=Path, help="experiments/results/<data>")
    args = parser.parse_args()
    folder = args.results or ROOT / "experiments" / "results" / args.data
    logs = []
    for method in METHODS:
        found = Records(folder).read(method)["runs"].values()
        runs = [run["validations"] for run in found if "validations" in run]
        if runs:
            logs.append(mean_log(method, runs, DATA[args.data].prefix))
    if not logs:
        raise SystemExit(f"error: no run in {folder} kept its validations")
    save_figure(plot_training(logs, SCORES), args.picture)


if __name__ == "__main__":
    main()
