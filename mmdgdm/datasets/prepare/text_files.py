"""Read the text files of data sets, past every line that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

from mmdgdm.datasets.prepare.report import Report


class Entry(NamedTuple):
    """The text after an id, and its line, counted from 1."""

    line: int
    text: str


def read_lines(path: Path, report: Report) -> Optional[list[str]]:
    """The lines of a UTF-8 text; ``None``, and a problem, if it cannot be read."""
    try:
        with path.open(encoding="utf-8") as file:
            return [line.rstrip("\r\n") for line in file]
    except FileNotFoundError:
        report.add("missing file", path, "there is no such file")
    except (OSError, UnicodeDecodeError) as error:
        report.add("unreadable file", path, f"{type(error).__name__}: {error}")
    return None


def read_table(path: Path, report: Report) -> Optional[dict[int, Entry]]:
    """Lines ``<id> <text>`` by id; of an id that comes twice, the first line.

    Args:
        path: The file.
        report: Takes the problems.

    Returns:
        The entries, or ``None`` if the file cannot be read.
    """
    lines = read_lines(path, report)
    if lines is None:
        return None
    table: dict[int, Entry] = {}
    for number, line in enumerate(lines, start=1):
        key, _, text = line.strip().partition(" ")
        if not key.isdecimal() or not text.strip():
            message = f"Expected '<id> <value>', but got {line!r}"
            report.add("malformed line", path, message, line=number)
        elif int(key) in table:
            first = table[int(key)].line
            message = f"id {key} comes again (first on line {first})"
            report.add("duplicate id", path, message, line=number)
        else:
            table[int(key)] = Entry(number, text.strip())
    return table


def read_fields(
    path: Path, report: Report, counts: tuple[int, ...]
) -> Optional[Iterator[tuple[int, list[str]]]]:
    """Lines of fields parted by commas, as (line, fields).

    Args:
        path: The file.
        report: Takes the problems.
        counts: Numbers of fields that a line may have.

    Returns:
        The well-formed lines, or ``None`` if the file cannot be read.
    """
    lines = read_lines(path, report)
    return None if lines is None else _split(lines, path, report, counts)


def _split(
    lines: list[str], path: Path, report: Report, counts: tuple[int, ...]
) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, start=1):
        fields = line.split(",")
        if len(fields) in counts and fields[0].strip():
            yield number, fields
        else:
            wanted = " or ".join(map(str, counts))
            message = f"Expected {wanted} fields parted by commas, but got {line!r}"
            report.add("malformed line", path, message, line=number)
