"""JSON of other programs: values come out, or one kind of error."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mmdgdm.utils.faults import PathLike

#: Whole numbers of more digits are no counts, and become no floats.
_MOST_DIGITS = 300
#: Halves of characters, which no file can hold.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(text: str) -> Any:
    """Parse JSON.

    Args:
        text: The text.

    Returns:
        What it says.

    Raises:
        ValueError: If it is no JSON, is nested too deeply, or holds a whole number of
            more than 300 digits or half a character.

    Example:
        >>> parse_json('{"a": [1, null]}')
        {'a': [1, None]}
    """
    try:
        content = json.loads(text, parse_int=_parse_integer)
        if _HALF.search(text):  # raises a UnicodeEncodeError, which is a ValueError
            json.dumps(content, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return content


def read_json(path: PathLike) -> Any:
    """Read a JSON file in UTF-8.

    Args:
        path: The file.

    Returns:
        What it says.

    Raises:
        OSError: If it cannot be read.
        ValueError: As for :func:`parse_json`, or if it is no UTF-8.
    """
    return parse_json(Path(path).read_text(encoding="utf-8"))


def _parse_integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)
