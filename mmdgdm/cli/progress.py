"""A progress bar for the tools."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable

from rich.console import Console
from rich.progress import Progress


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far some work is, and how long the rest takes.

    The bar is drawn on stderr, if that is a terminal, and wiped at the end. What is
    printed meanwhile stands above it.

    Args:
        what: The work, in a word or two.

    Yields:
        A function to call with what is done and the total, 0 if it is not known.

    Example:
        >>> with progress_bar("images") as progress:
        ...     for done in range(1, 4):
        ...         progress(done, 3)
    """
    # What goes into a file must not be led to the terminal.
    both = sys.stdout.isatty()
    console = Console(stderr=True)
    with Progress(console=console, transient=True, redirect_stdout=both) as bar:

        def show(done: int, total: int) -> None:
            if not bar.tasks:
                bar.add_task(what)
            bar.update(bar.tasks[0].id, completed=done, total=total or None)

        yield show
