"""The table of a comparison: means over seeds, and gains paired by seed.

It ends with the trivial baselines, which know nothing of the images. What does not beat
the best of them at val's threshold is marked.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.stats import ttest_rel

from mmdgdm.evaluation.functional.baselines import center_side
from mmdgdm.evaluation.functional.names import AT_VAL, VAL_CHOSE, split_name

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
#: Behind a score that does not beat the best trivial baseline.
_MARK = "†"
#: Headings of what is compared with another method.
_COMPARED = ("GT-known, val's threshold", "MaxBoxAcc, val's threshold", "MaxBoxAccV2")

Runs = Mapping[str, Mapping[str, Any]]
#: Scores of each trivial baseline by name.
Trivial = Mapping[str, Mapping[str, float]]


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
    *,
    trivial: Trivial,
) -> str:
    """Format all results as a Markdown table.

    Args:
        every: The runs of each method by seed, as text.
        others: The method that all are compared with, and its runs.
        seeds: The seeds that count.
        columns: Heading of each column and the metric that it shows.
        trivial: What the trivial baselines reach on the same data, by metric.

    Returns:
        A line a method, in the order of ``every``, and one for each trivial baseline,
        with "-" where a class is needed. The last columns compare with the other
        method seed by seed, where that was run with all of the seeds. A sentence says
        whether all methods beat the trivial baselines, and which scores do not.
    """
    rival, plain = others
    compared = {name: columns[name] for name in _COMPARED if name in columns}
    gains = [f"{name}: gain over {rival.upper()}" for name in compared]
    head = [*columns, *gains]
    lines = ["| method | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    bars = _bars(columns, trivial)
    for method, runs in every.items():
        done = [str(seed) for seed in seeds if str(seed) in runs]
        tests = [runs[seed]["test"] for seed in done]
        paired = method != rival and all(seed in plain for seed in done)
        theirs = [plain[seed]["test"] for seed in done] if paired else []
        cells = _scores(tests, columns, bars) + _gains(tests, theirs, compared)
        lines.append(f"| {method.upper()} | " + " | ".join(cells) + " |")
    theirs = [plain[str(seed)]["test"] for seed in seeds if str(seed) in plain]
    for name, scores in trivial.items():
        cells = _scores([scores], columns, {})
        # It has no seeds: it is the same beside each.
        cells += _gains([scores] * len(theirs), theirs, compared)
        lines.append(f"| {_label(name, scores)} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", _sentence(lines, columns, bars)]) + "\n"


def _scores(
    tests: Sequence[Mapping[str, float]],
    columns: Mapping[str, str],
    bars: Mapping[str, float],
) -> list[str]:
    """Means over seeds, marked where they do not pass a bar."""
    cells = []
    for key in columns.values():
        if not all(key in scores for scores in tests):
            cells.append("-")
            continue
        values = [scores[key] for scores in tests]
        text = cell(values, 2 if any(part in key for part in _FINE) else 1)
        passes = key not in bars or statistics.fmean(values) > bars[key]
        cells.append(text if passes else f"{text} {_MARK}")
    return cells


def _gains(
    ours: Sequence[Mapping[str, float]],
    theirs: Sequence[Mapping[str, float]],
    compared: Mapping[str, str],
) -> list[str]:
    """Gains over another method, empty without its runs."""
    return [
        gain_cell([a[key] for a in ours], [b[key] for b in theirs]) if theirs else ""
        for key in compared.values()
    ]


def _label(name: str, scores: Mapping[str, float]) -> str:
    """What a trivial baseline is called; of a centred box, with its side."""
    label = f"{name.upper()} (trivial)"
    if name == "center":
        (chosen,) = (v for k, v in scores.items() if split_name(k).kind == VAL_CHOSE)
        label = f"{name.upper()} (trivial, side {center_side(chosen):.2f})"
    return label


def _bars(columns: Mapping[str, str], trivial: Trivial) -> dict[str, float]:
    """What a method must beat: the best trivial score at val's threshold, by metric."""
    return {
        key: max(scores[key] for scores in trivial.values())
        for key in columns.values()
        if split_name(key).kind == AT_VAL
        and all(key in scores for scores in trivial.values())
    }


def _sentence(
    lines: Sequence[str], columns: Mapping[str, str], bars: Mapping[str, float]
) -> str:
    """Say whether the methods beat the trivial baselines."""
    named = {name: bars[key] for name, key in columns.items() if key in bars}
    shown = "; ".join(f"{name} {bar:.1f}" for name, bar in named.items())
    if any(_MARK in line for line in lines):
        return f"{_MARK} does not beat the best trivial baseline ({shown})."
    return f"Every method beats the best trivial baseline ({shown})."
