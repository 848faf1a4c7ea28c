"""What a check of a data set found, as text for people and as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mmdgdm.errors import DataError
from mmdgdm.utils.faults import Fault, Faults, PathLike


@dataclass
class Report(Faults):
    """What was found; collects the faults that the readers find.

    Attributes:
        dataset: Name of the kind of data set.
        root: The folder that was checked.
        problems: All problems, in the order in which they were found.
        notes: What a user should know although it is no problem.
        counts: Numbers of images and classes, by split.
    """

    dataset: str
    root: str
    problems: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def take(self, fault: Fault) -> None:
        """Keep a fault."""
        self.problems.append(fault)


def format_report(report: Report, shown: int = 10) -> str:
    """The report as text; of each kind the first problems and the number of others.

    Args:
        report: What was found.
        shown: Number of problems of one kind that are shown.

    Returns:
        The lines of the text.

    Example:
        >>> report = Report('cub', 'data')
        >>> for number in range(3):
        ...     report.add('bad box', 'boxes.txt', message='of size 0', line=number + 1)
        >>> print(format_report(report, shown=1))
        cub in data: 3 problems
        bad box (3):
          boxes.txt, line 1: of size 0
          and 2 more
    """
    total = len(report.problems)
    verdict = "complete" if report.complete else f"{total} problem" + "s" * (total > 1)
    lines = [f"{report.dataset} in {report.root}: {verdict}"]
    for split, numbers in report.counts.items():
        text = ", ".join(f"{value:,} {name}" for name, value in numbers.items())
        lines.append(f"  {split}: {text}")
    by_kind: dict[str, list[Fault]] = {}
    for problem in report.problems:
        by_kind.setdefault(problem.kind, []).append(problem)
    for kind, problems in by_kind.items():
        lines.append(f"{kind} ({len(problems)}):")
        lines += [f"  {problem}" for problem in problems[:shown]]
        if len(problems) > shown:
            lines.append(f"  and {len(problems) - shown} more")
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join(lines)


def save_report(report: Report, path: PathLike) -> None:
    """Write the whole report as JSON; the file appears only when it is complete.

    Args:
        report: What was found.
        path: The file.

    Raises:
        DataError: If the file cannot be written.
    """
    target = Path(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        text = json.dumps({**asdict(report), "complete": report.complete}, indent=2)
        part.write_text(f"{text}\n", encoding="utf-8")
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DataError(f"{path} cannot be written ({error}).") from error


def first_names(names: Iterable[str], shown: int = 3) -> str:
    """The first names and the number of others, as ``a, b, c and 4 more``.

    Example:
        >>> first_names(["a", "b", "c"], shown=2)
        'a, b and 1 more'
    """
    every = list(names)
    more = f" and {len(every) - shown} more" if len(every) > shown else ""
    return ", ".join(every[:shown]) + more
