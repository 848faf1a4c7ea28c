"""Thresholds that were chosen on val, as they are handed on to test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.calibration import ARGMAX, DEFAULT_RULE
from mmdgdm.evaluation.functional.names import (
    PREFIX,
    THRESHOLD,
    VAL_CHOSE,
    chosen_by,
    rule_of,
    split_name,
)
from mmdgdm.utils.json_files import read_json

#: The scores whose threshold on val is the one for test, for boxes and for masks: of
#: several that are known, the first.
BOX_SCORES = ("max_box_acc", "max_box_acc_v2")
MASK_THRESHOLDS = (f"{THRESHOLD}pixel_iou",)


class ChosenThreshold(NamedTuple):
    """A threshold for test.

    Attributes:
        value: In [0, 1).
        rule: The rule that chose it on val; ``None`` if it was given as a number.
    """

    value: float
    rule: Optional[str]


def box_thresholds(
    calibration: str = DEFAULT_RULE, scores: Sequence[str] = BOX_SCORES
) -> tuple[str, ...]:
    """The names of thresholds that serve for boxes, the best one first.

    What was stored without the threshold of the rule asked for has that of ``argmax``.

    Args:
        calibration: The rule asked for.
        scores: The scores for which val may have chosen one.

    Example:
        >>> box_thresholds("median", ["max_box_acc"])
        ('threshold_by_median/max_box_acc', 'threshold/max_box_acc')
        >>> box_thresholds("argmax", ["max_box_acc"])
        ('threshold/max_box_acc',)
    """
    kinds = [THRESHOLD]
    if calibration != ARGMAX:
        kinds.insert(0, chosen_by(calibration))
    return tuple(f"{kind}{score}" for score in scores for kind in kinds)


def choosing_rule(name: str) -> str:
    """The rule that chose a threshold on val, by the threshold's name.

    Example:
        >>> choosing_rule("wsol/threshold/max_box_acc")
        'argmax'
    """
    return rule_of(name) or ARGMAX


def calibrated_thresholds(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The thresholds that an evaluation on val chooses.

    Args:
        metrics: Its scores by name.

    Returns:
        Those that occur of boxes and masks, by any rule, by their whole name.

    Example:
        >>> calibrated_thresholds({"wsol/threshold/max_box_acc": 0.3, "loss": 1.0})
        {'wsol/threshold/max_box_acc': 0.3}
    """
    plain = (*box_thresholds(ARGMAX), *MASK_THRESHOLDS)
    return {
        name: float(value)
        for name, value in metrics.items()
        if "".join(split_name(name)[1:]) in plain
        or (rule_of(name) is not None and split_name(name).score in BOX_SCORES)
    }


def read_threshold(text: str, names: Sequence[str]) -> ChosenThreshold:
    """Read a threshold: a number, or the result file of an evaluation on val.

    Args:
        text: A number in [0, 1), or the path of a ``.json`` file that
            ``tools/eval_scoremaps.py --json`` or ``tools/test.py --out`` wrote.
        names: :func:`box_thresholds` or ``MASK_THRESHOLDS``, of which a file must hold
            one: a threshold that is best for boxes says nothing about masks.

    Returns:
        The threshold: the first of those names that the file holds.

    Raises:
        ConfigError: If it is neither, or the file is of a test at a fixed threshold.
    """
    try:
        found = ChosenThreshold(float(text), None)
    except ValueError:
        found = _threshold_of_file(Path(text), names)
    if not 0 <= found.value < 1:
        raise ConfigError(f"Expected a threshold in [0, 1), but got {text}.")
    return found


def _threshold_of_file(path: Path, names: Sequence[str]) -> ChosenThreshold:
    try:
        result = read_json(path)
    except (OSError, ValueError) as error:
        raise ConfigError(
            "Expected the threshold to be a number or the .json result of an "
            f"evaluation on val, but got {path} ({error})."
        ) from error
    metrics = result.get("metrics", result) if isinstance(result, dict) else {}
    entries = metrics.items() if isinstance(metrics, dict) else ()
    metrics = {key: v for key, v in entries if isinstance(v, (int, float))}
    fixed = {v for key, v in metrics.items() if split_name(key).kind == VAL_CHOSE}
    if fixed:
        raise ConfigError(
            f"Expected {path} to be the result of val, which chooses the threshold, "
            f"but got one that was scored at a fixed threshold, {sorted(fixed)[0]}."
        )
    found = calibrated_thresholds(metrics)
    for name in names:
        known = f"{PREFIX}/{name}"
        ending = [key for key in found if key.endswith(f"/{name}")]
        if known in ending or len(ending) == 1:
            value = found[known if known in ending else ending[0]]
            return ChosenThreshold(value, choosing_rule(name))
    raise ConfigError(
        f"Expected {path} to hold '{PREFIX}/{names[0]}', or one entry that ends like "
        f"it, but got {', '.join(map(repr, found)) or 'no such entry'}."
    )
