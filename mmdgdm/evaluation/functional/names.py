"""How scores are called: by programs, and by people.

A program's name is ``prefix/score``, ``prefix/threshold/score`` for the threshold at
which a score is best, ``prefix/threshold_by_RULE/score`` for the one that a rule of
:mod:`mmdgdm.evaluation.functional.calibration` hands to test, or
``prefix/val_threshold/score`` for the score at the threshold that val chose: letters,
digits and ``_ . / -`` only, as experiment trackers ask for.
People read what the literature calls a score, such as GT-known or MaxBoxAccV2@0.5.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple, Optional

#: What names begin with, unless a metric is given another prefix.
PREFIX = "wsol"
#: Before the name of a score: where it is best, and what it is at val's threshold.
THRESHOLD = "threshold/"
AT_VAL = "val_threshold/"
#: Before the name of the score that chose it on val: the threshold of ``AT_VAL``.
VAL_CHOSE = f"{THRESHOLD}val_"
#: Before the name of a rule, in the kind of the thresholds that it chooses.
_BY = "threshold_by_"

_HUMAN = {
    "gt_known": "GT-known",
    "max_box_acc": "MaxBoxAcc",
    "max_box_acc_v2": "MaxBoxAccV2",
    "box_area_ratio": "Box area ratio",
    "over_coverage": "Over-coverage",
    "under_coverage": "Under-coverage",
    "pxap": "PxAP",
    "pixel_iou": "Pixel IoU",
    "pixel_precision": "Pixel precision",
    "pixel_recall": "Pixel recall",
}
_WHOLE = re.compile(
    rf"(?s)^((?:.*?/)??)({VAL_CHOSE}|{THRESHOLD}|{AT_VAL}|{_BY}[a-z]+/(?:val_)?|)"
    r"([^/]*)$"
)
_CHOSEN_BY = re.compile(rf"{_BY}([a-z]+)/(val_)?")
_TOP_K = re.compile(r"top(\d+)_(loc|cls)")
#: A score among objects of one size, or at one overlap in percent.
_PART = re.compile(r"(\w+)_(?:([a-z]+)|(\d+(?:\.\d+)?))")
#: What a line of the log shows of all scores.
_MAIN = (
    *("top1_cls", "top1_loc", "max_box_acc_v2", "pxap"),
    *(
        f"{kind}{score}"
        for kind in ("", THRESHOLD, AT_VAL)
        for score in ("gt_known", "max_box_acc", "pixel_iou")
    ),
)


class NameParts(NamedTuple):
    """A whole name in parts.

    Attributes:
        prefix: What stands before the score, with its slash.
        kind: ``THRESHOLD``, ``AT_VAL``, ``VAL_CHOSE``, one of :func:`chosen_by` or
            nothing.
        score: The score.
    """

    prefix: str
    kind: str
    score: str


def metric_name(
    score: str, *, iou: Optional[float] = None, k: Optional[int] = None
) -> str:
    """Name a score that there are several of.

    Args:
        score: Its kind, such as ``"max_box_acc_v2"`` or ``"loc"``.
        iou: The overlap that boxes must reach, put behind in percent.
        k: The number of best classes, put before.

    Returns:
        The name without a prefix.

    Example:
        >>> metric_name("max_box_acc_v2", iou=0.3), metric_name("loc", k=5)
        ('max_box_acc_v2_30', 'top5_loc')
        >>> metric_name("max_box_acc", iou=0.125)
        'max_box_acc_12.5'
    """
    name = score if k is None else f"top{k}_{score}"
    return name if iou is None else f"{name}_{100 * iou:g}"


def chosen_by(rule: str, *, on_val: bool = False) -> str:
    """What stands before a score's name in that of the threshold that a rule chose.

    Args:
        rule: The rule, such as ``"median"``.
        on_val: Whether it was chosen on val, and what carries the name is a test.

    Example:
        >>> chosen_by("median"), chosen_by("argmax", on_val=True)
        ('threshold_by_median/', 'threshold_by_argmax/val_')
    """
    return f"{_BY}{rule}/{'val_' if on_val else ''}"


def rule_of(name: str) -> Optional[str]:
    """The rule that chose a threshold for test, by the threshold's whole name.

    Example:
        >>> rule_of("wsol/threshold_by_median/max_box_acc"), rule_of("wsol/gt_known")
        ('median', None)
    """
    match = _CHOSEN_BY.fullmatch(split_name(name).kind)
    return match[1] if match and not match[2] else None


def split_name(name: str) -> NameParts:
    """Take a whole name apart, with prefix or without.

    Example:
        >>> split_name("wsol/threshold/gt_known")
        NameParts(prefix='wsol/', kind='threshold/', score='gt_known')
    """
    prefix, kind, score = _WHOLE.findall(name)[0]
    return NameParts(prefix, kind, score)


def human_name(name: str) -> str:
    """What people call a score.

    Args:
        name: The score's whole name; the kind in it is not told.

    Returns:
        The field's name, after the prefix unless that is ``PREFIX``; of an unknown
        score its name as it stands.

    Example:
        >>> human_name("wsol/max_box_acc_v2_50"), human_name("gt_known_small")
        ('MaxBoxAccV2@0.5', 'GT-known (small)')
        >>> human_name("wsol_top1/top5_loc"), human_name("accuracy/top1")
        ('wsol_top1/Top-5 Loc', 'accuracy/top1')
    """
    prefix, _, score = split_name(name)
    prefix = "" if prefix == f"{PREFIX}/" else prefix
    if match := _TOP_K.fullmatch(score):
        return f"{prefix}Top-{match[1]} {match[2].title()}"
    if score in _HUMAN:
        return prefix + _HUMAN[score]
    match = _PART.fullmatch(score)
    if not match or match[1] not in _HUMAN:
        return name
    part = f" ({match[2]})" if match[2] else f"@{float(match[3]) / 100:g}"
    return prefix + _HUMAN[match[1]] + part


def repeated_names(names: Collection[str]) -> set[str]:
    """Of whole names, those whose number another says: MaxBoxAcc beside GT-known.

    Example:
        >>> repeated_names(["wsol/gt_known", "wsol/max_box_acc", "wsol/max_box_acc_v2"])
        {'wsol/max_box_acc'}
    """
    return {
        name
        for name in names
        if "max_box_acc" in name and name.replace("max_box_acc", "gt_known") in names
    }


def is_main(name: str) -> bool:
    """Whether a score, by its whole name, is one of the few that a log's line shows.

    Scores that are none of ours always are.

    Example:
        >>> is_main("wsol/gt_known"), is_main("wsol/max_box_acc_v2_30")
        (True, False)
    """
    _, kind, score = split_name(name)
    if rule_of(name) is not None:
        return f"{THRESHOLD}{score}" in _MAIN
    return kind + score in _MAIN or human_name(name) == name
