"""What is wrong with a data set: raised at the first fault, or all of it collected.

Each format has one reader. It passes what is wrong to a :class:`Faults`, which raises
at once, and so serves the data sets, or collects, and so serves the check of a whole
data set (:class:`mmdgdm.datasets.prepare.report.Report`). A reader goes on past a
fault as well as it can and leaves out what is wrong.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

from mmdgdm.errors import DataError

PathLike = Union[str, os.PathLike[str]]


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        kind: Short name that like faults share, such as ``"missing image"``.
        where: The file, with the line where there is one.
        message: What is wrong there.
        image_id: The image that it concerns, if one.
    """

    kind: str
    where: str
    message: str
    image_id: Optional[str] = None

    def __str__(self) -> str:
        known = self.image_id is None or self.image_id in self.where + self.message
        image = "" if known else f"image {self.image_id!r}: "
        return f"{self.where}: {image}{self.message}"


class Faults:
    """Takes faults and raises at the first; a subclass may collect them."""

    def add(
        self,
        kind: str,
        where: object,
        *,
        message: str,
        image_id: Optional[str] = None,
        line: Optional[int] = None,
    ) -> None:
        """Take a fault.

        Args:
            kind: Short name of the kind.
            where: The file.
            message: What is wrong.
            image_id: The image that it concerns.
            line: Line of the file, counted from 1.

        Raises:
            DataError: Always here; never in a subclass that collects.
        """
        place = str(where) if line is None else f"{where}, line {line}"
        self.take(Fault(kind, place, message.rstrip("."), image_id))

    def take(self, fault: Fault) -> None:
        """Raise the fault."""
        raise DataError(f"{fault}.")


RAISE = Faults()


def read_lines(path: PathLike, faults: Faults = RAISE) -> Iterator[tuple[int, str]]:
    """Read a text file: the one way in which annotation is read.

    The text is UTF-8, with or without a byte order mark; line ends are those of any
    system; blank lines are passed over.

    Args:
        path: The file.
        faults: Takes the fault if the file is missing or no text.

    Yields:
        Number, from 1, and text of each line.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                text = line.rstrip("\n")
                if text and not text.isspace():
                    yield number, text
    except FileNotFoundError:
        faults.add("missing file", path, message="there is no such file")
    except (OSError, UnicodeDecodeError) as error:
        faults.add(
            "unreadable file", path, message=f"is no readable UTF-8 text ({error})"
        )


def parse_numbers(texts: Iterable[str], form: str) -> tuple[float, ...]:
    """Parse as many finite numbers as a form has.

    Args:
        texts: The numbers as texts.
        form: Their names, parted by spaces, for the error message.

    Returns:
        The numbers.

    Raises:
        DataError: If a text is no finite number or their count is another.

    Example:
        >>> parse_numbers(["5.0", "7"], "width height")
        (5.0, 7.0)
    """
    texts = list(texts)
    try:
        numbers = tuple(map(float, texts))
    except ValueError:
        numbers = ()
    right = len(numbers) == form.count(" ") + 1 and all(map(math.isfinite, numbers))
    # Python alone reads 1_0 as ten.
    if not right or any("_" in text for text in texts):
        raise DataError(f"Expected `{form}` as numbers, but got {' '.join(texts)!r}.")
    return numbers


def parse_integer(text: str) -> Optional[int]:
    """Parse a whole number of ASCII digits, at most 18; ``None`` if it is none.

    Example:
        >>> parse_integer(" 12 "), parse_integer("-1"), parse_integer("1_0")
        (12, None, None)
    """
    text = text.strip()
    # Python reads more: digits of other scripts, and as many as fill its memory.
    is_plain = text.isascii() and text.isdecimal() and len(text) <= 18
    return int(text) if is_plain else None


def same_file_name(path: str) -> str:
    """The shortest spelling of a path below a folder, equal for spellings of one file.

    Example:
        >>> same_file_name("a/./b//c.jpg")
        'a/b/c.jpg'
    """
    # Most paths are short already, and there may be a million.
    return os.path.normpath(path) if "./" in path or "//" in path else path


def is_hidden(path: Path) -> bool:
    """Whether a system put a file there for itself, such as macOS's ``._1.jpg``."""
    return path.name.startswith(".") or path.name == "__MACOSX"
