"""The table of a comparison: means over seeds, and gains paired by seed."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.stats import ttest_rel

#: Heading: name of the metric.
COLUMNS = {
    "Top-1 Cls": "wsol/top1_cls",
    "GT-known, val's threshold": "wsol/val_threshold/gt_known",
    "Top-1 Loc, val's threshold": "wsol/val_threshold/top1_loc",
    "MaxBoxAcc": "wsol/max_box_acc",
    "MaxBoxAccV2": "wsol/max_box_acc_v2",
    "best threshold": "wsol/threshold/max_box_acc",
    "box area ratio": "wsol/box_area_ratio",
}
#: Where maps of the class that scores best are measured, nothing is called GT-known.
TOP1_COLUMNS = {
    "MaxBoxAcc, val's threshold": "wsol_top1/val_threshold/max_box_acc",
    "MaxBoxAccV2, val's threshold": "wsol_top1/val_threshold/max_box_acc_v2",
    "MaxBoxAcc": "wsol_top1/max_box_acc",
    "MaxBoxAccV2": "wsol_top1/max_box_acc_v2",
    "best threshold": "wsol_top1/threshold/max_box_acc",
    "box area ratio": "wsol_top1/box_area_ratio",
}
#: Parts of the names of metrics that are no percentages and need a second decimal.
_FINE = ("/threshold/", "/box_area_ratio")
#: Headings of what is compared with another method.
_COMPARED = ("GT-known, val's threshold", "MaxBoxAcc, val's threshold", "MaxBoxAccV2")

Runs = Mapping[str, Mapping[str, Any]]


def cell(values: Sequence[float], digits: int) -> str:
    """Format the mean of some seeds and their standard deviation."""
    text = f"{statistics.fmean(values):.{digits}f}"
    if len(values) > 1:
        text += f" ± {statistics.stdev(values):.{digits}f}"
    return text


def gain_cell(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Format the gain of one method over another, paired by seed.

    Mean and standard deviation of the differences, and the p-value of the two-sided
    t-test of a mean of zero. Differences that are all the same have no p-value.
    """
    gains = [a - b for a, b in zip(ours, theirs)]
    text = cell(gains, 1)
    if len(set(gains)) > 1:
        text += f" (p {ttest_rel(ours, theirs).pvalue:.3f})"
    return text


def table(
    every: Mapping[str, Runs],
    others: tuple[str, Runs],
    seeds: Sequence[int],
    columns: Mapping[str, str],
) -> str:
    """Format all results as a Markdown table.

    Args:
        every: The runs of each method by seed, as text.
        others: The method that all are compared with, and its runs.
        seeds: The seeds that count.
        columns: Heading of each column and the metric that it shows.

    Returns:
        A line a method, in the order of ``every``. Its last columns compare it with
        the other one seed by seed, where that was run with all of its seeds.
    """
    rival, plain = others
    compared = [name for name in _COMPARED if name in columns]
    gains = [f"{name}: gain over {rival.upper()}" for name in compared]
    head = [*columns, *gains]
    lines = ["| method | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    for method, runs in every.items():
        done = [str(seed) for seed in seeds if str(seed) in runs]
        tests = [runs[seed]["test"] for seed in done]
        cells = [
            cell(
                [scores[key] for scores in tests],
                2 if any(part in key for part in _FINE) else 1,
            )
            for key in columns.values()
        ]
        paired = method != rival and all(str(seed) in plain for seed in done)
        for key in (columns[name] for name in compared):
            ours = [scores[key] for scores in tests]
            text = ""
            if paired:
                text = gain_cell(ours, [plain[seed]["test"][key] for seed in done])
            cells.append(text)
        lines.append(f"| {method.upper()} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
