"""Thresholds that were chosen on val, as they are handed on to test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.names import (
    PREFIX,
    THRESHOLD,
    VAL_CHOSE,
    split_name,
)

#: The scores whose best threshold on val is the one for test, for boxes and for masks:
#: of several that are known, the first.
BOX_THRESHOLDS = (f"{THRESHOLD}max_box_acc", f"{THRESHOLD}max_box_acc_v2")
MASK_THRESHOLDS = (f"{THRESHOLD}pixel_iou",)


def calibrated_thresholds(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The thresholds that an evaluation on val chooses.

    Args:
        metrics: Its scores by name.

    Returns:
        Those that occur of boxes and masks, by their whole name.

    Example:
        >>> calibrated_thresholds({"wsol/threshold/max_box_acc": 0.3, "loss": 1.0})
        {'wsol/threshold/max_box_acc': 0.3}
    """
    return {
        name: float(value)
        for name, value in metrics.items()
        if "".join(split_name(name)[1:]) in BOX_THRESHOLDS + MASK_THRESHOLDS
    }


def read_threshold(text: str, names: Sequence[str]) -> float:
    """Read a threshold: a number, or the result file of an evaluation on val.

    Args:
        text: A number in [0, 1), or the path of a ``.json`` file that
            ``tools/eval_scoremaps.py --json`` or ``tools/test.py --out`` wrote.
        names: ``BOX_THRESHOLDS`` or ``MASK_THRESHOLDS``, of which a file must hold
            one: a threshold that is best for boxes says nothing about masks.

    Returns:
        The threshold.

    Raises:
        ConfigError: If it is neither, or the file is of a test at a fixed threshold.
    """
    try:
        threshold = float(text)
    except ValueError:
        threshold = _threshold_of_file(Path(text), names)
    if not 0 <= threshold < 1:
        raise ConfigError(f"Expected a threshold in [0, 1), but got {text}.")
    return threshold


def _threshold_of_file(path: Path, names: Sequence[str]) -> float:
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
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
            return found[known if known in ending else ending[0]]
    raise ConfigError(
        f"Expected {path} to hold '{PREFIX}/{names[0]}', or one entry that ends like "
        f"it, but got {', '.join(map(repr, found)) or 'no such entry'}."
    )
