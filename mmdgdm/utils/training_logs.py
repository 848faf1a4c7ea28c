"""Read what a training logged: losses and scores over its epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdgdm.errors import DataError
from mmdgdm.utils.faults import PathLike
from mmdgdm.utils.json_files import parse_json

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


def read_scalars(work_dir: PathLike) -> list[dict[str, Any]]:
    """Read what a training logged, line by line, with all its resumed parts.

    A training that was ended while it wrote leaves a line without an end, which is
    passed over.

    Args:
        work_dir: The folder of the run.

    Returns:
        Each line, with a whole number ``step``; of training with the key ``iter``, and
        where epochs are counted with ``epoch``, above 0.

    Raises:
        DataError: If a file cannot be read, or a line is malformed.
    """
    lines = []
    for path in sorted(Path(work_dir).glob("*/vis_data/scalars.json")):
        try:
            texts = path.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path} cannot be read ({error}).") from error
        for number, text in enumerate(texts, start=1):
            try:
                lines += [_parse_line(text)] if text else []
            except (ValueError, TypeError, KeyError) as error:
                if number == len(texts):
                    continue
                raise DataError(
                    f"{path}, line {number}: Expected a JSON object with `step`, but "
                    f"got {text[:60]!r}."
                ) from error
    return lines


def _parse_line(text: str) -> dict[str, Any]:
    line: dict[str, Any] = parse_json(text)
    step, epoch = line["step"], line.get("epoch", 1)
    if not isinstance(step, int) or not isinstance(epoch, (int, float)):
        raise TypeError(f"step {step!r}, epoch {epoch!r}")
    if not (math.isfinite(epoch) and epoch > 0):
        raise ValueError(f"epoch {epoch!r}")
    return line


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
    for line in read_scalars(work_dir):
        part = train if "iter" in line else val
        part[line["step"]] = line
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
