"""What may have been meant by a word that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def did_you_mean(word: str, possibilities: Sequence[str]) -> str:
    """The end of a sentence: ``; did you mean `a` or `b`?``, or a full stop.

    Args:
        word: What was written.
        possibilities: What could have been meant.

    Returns:
        Up to three close matches, or ``"."`` if nothing is close.
    """
    close = difflib.get_close_matches(word, possibilities)
    if not close:
        return "."
    return f"; did you mean {' or '.join(f'`{name}`' for name in close)}?"
