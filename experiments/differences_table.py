"""The table of paired differences between methods: over seeds, images and sizes.

Two questions stand beside each other: would another seed give the same (p-value over
seeds), and would other images (interval of a bootstrap over images, of the mean over
seeds).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from methods_table import Runs, cell, gain_cell
from numpy.typing import NDArray

from mmdgdm.comparison.paired import bootstrap_interval, image_scores
from mmdgdm.evaluation.functional.max_box_acc import IOU_THRESHOLDS
from mmdgdm.evaluation.functional.records import read_box_records
from mmdgdm.evaluation.stored.record_files import read_records, record_path

#: What is compared image by image.
SCORES = {"GT-known": "gt_known", "MaxBoxAccV2": "max_box_acc_v2"}
SIZES = ("small", "medium", "large")
_NUM_RESAMPLES = 10_000


def image_hits(result: Path, prefix: str) -> dict[str, str]:
    """What each image adds to the scores of a test at val's threshold.

    Args:
        result: What ``tools/test.py --out`` wrote, with its records beside it.
        prefix: Of the names of its scores.

    Returns:
        For each of ``SCORES`` a digit an image, in the order of the data set: how many
        of the overlaps (GT-known has one, MaxBoxAccV2 three) its box reaches.
    """
    metrics = json.loads(result.read_text(encoding="utf-8"))
    table = read_box_records(list(read_records(record_path(result)).values()))
    threshold = metrics[f"{prefix}threshold/val_max_box_acc"]
    names = ["gt_known"]
    names += [f"max_box_acc_v2_{100 * iou:.0f}" for iou in IOU_THRESHOLDS]
    found = image_scores(
        table, dict.fromkeys(names, threshold), iou_thresholds=IOU_THRESHOLDS
    )
    counts = {"gt_known": 1, "max_box_acc_v2": len(IOU_THRESHOLDS)}
    return {
        name: "".join(str(round(value * count)) for value in found[name])
        for name, count in counts.items()
    }


def differences(
    every: Mapping[str, Runs], others: tuple[str, Runs], seeds: Sequence[int]
) -> str:
    """Format paired differences at val's threshold as a Markdown table.

    Args:
        every: The runs of each method by seed, as text, with ``hits``.
        others: The method that all are compared with, and its runs.
        seeds: The seeds that count.

    Returns:
        A line a method that was run with seeds of the other one: for each score the
        mean difference and its spread over seeds, p of a paired t-test over seeds, and
        the interval of 95 % over images; then GT-known by size of the object.
    """
    rival, plain = others
    head = ["method", "seeds"]
    for name in SCORES:
        head += [f"{name}: over seeds", f"{name}: 95 % over images"]
    head += [f"GT-known, {size} objects" for size in SIZES]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for method, runs in every.items():
        shared = [str(s) for s in seeds if str(s) in runs and str(s) in plain]
        if method == rival or not shared:
            continue
        ours, theirs = ([one[seed] for seed in shared] for one in (runs, plain))
        cells = [method.upper(), str(len(shared))]
        for name in SCORES.values():
            cells += _gain(ours, theirs, name)
        for size in SIZES:
            key = f"wsol/val_threshold/gt_known_{size}"
            cells.append(_by_size(ours, theirs, key))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _gain(
    ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]], name: str
) -> list[str]:
    """Difference over seeds, and its interval over images."""
    a, b = (np.stack([_points(run, name) for run in runs]) for runs in (ours, theirs))
    low, high = bootstrap_interval(
        (a - b).mean(axis=0)[:, None], num_resamples=_NUM_RESAMPLES
    )
    over_seeds = gain_cell(a.mean(axis=1).tolist(), b.mean(axis=1).tolist())
    return [over_seeds, f"{low[0]:+.1f} to {high[0]:+.1f}"]


def _points(run: Mapping[str, Any], name: str) -> NDArray[np.float64]:
    """What each image adds, in points."""
    digits = np.array([int(digit) for digit in run["hits"][name]], dtype=np.float64)
    return digits * (100 / (len(IOU_THRESHOLDS) if name == "max_box_acc_v2" else 1))


def _by_size(
    ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]], key: str
) -> str:
    if not all(key in run["test"] for run in [*ours, *theirs]):
        return "-"
    return cell([a["test"][key] - b["test"][key] for a, b in zip(ours, theirs)], 1)
