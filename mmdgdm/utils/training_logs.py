"""Read what a training logged: losses and scores over its epochs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from mmdgdm.errors import DataError
from mmdgdm.utils.faults import PathLike

#: Keys of a line that are no values to plot.
_NO_VALUES = frozenset(["epoch", "iter", "step", "time", "data_time", "memory"])


@dataclass(frozen=True)
class TrainingLog:
    """What a training logged.

    Attributes:
        name: What plots call it.
        train: By name of a loss or a setting, its epochs (with fractions) or
            iterations, and its values there.
        val: By name of a score, the same.
        unit: ``"epoch"``, or ``"iteration"`` for a training that counts none.
    """

    name: str
    train: dict[str, tuple[list[float], list[float]]]
    val: dict[str, tuple[list[float], list[float]]]
    unit: str


def read_training(work_dir: PathLike, name: str = "") -> TrainingLog:
    """Read the log of a training, with all its resumed parts.

    They are ``<time>/vis_data/scalars.json``, which mmengine's ``LocalVisBackend``
    writes, a JSON object a line: of training with the key ``iter``, else of a
    validation, whose ``step`` is an epoch, or an iteration where none are counted. Of
    what was trained twice, the later part counts.

    Args:
        work_dir: The folder of the run.
        name: What plots shall call it; the folder's name unless given.

    Returns:
        The log.

    Raises:
        DataError: If there is no log, or a line is malformed.
    """
    train: dict[int, dict[str, float]] = {}
    val: dict[int, dict[str, float]] = {}
    for path in sorted(Path(work_dir).glob("*/vis_data/scalars.json")):
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines()):
            try:
                line = json.loads(text)
                part = train if "iter" in line else val
                part[int(line["step"])] = line
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    f"{path}, line {number + 1}: Expected a JSON object with `step`, "
                    f"but got {text[:60]!r}."
                ) from error
    if not train and not val:
        raise DataError(
            f"Expected {work_dir} to be the folder of a training, with "
            "<time>/vis_data/scalars.json, but it has none."
        )
    by_epoch = all("epoch" in line for line in train.values())
    per_epoch = _iterations_per_epoch(train) if by_epoch and train else 1.0
    return TrainingLog(
        name or Path(work_dir).resolve().name,
        _columns(train, per_epoch),
        _columns(val, 1.0),
        "epoch" if by_epoch else "iteration",
    )


def _iterations_per_epoch(train: dict[int, dict[str, float]]) -> float:
    """How many iterations an epoch has, as far as logged lines tell."""
    return max(step / line["epoch"] for step, line in train.items())


def _columns(
    lines: dict[int, dict[str, float]], per_step: float
) -> dict[str, tuple[list[float], list[float]]]:
    found: dict[str, tuple[list[float], list[float]]] = {}
    for step, line in sorted(lines.items()):
        for key, value in line.items():
            if key not in _NO_VALUES and isinstance(value, (int, float)):
                places, values = found.setdefault(key, ([], []))
                places.append(step / per_step)
                values.append(float(value))
    return found
