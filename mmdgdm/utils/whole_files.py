"""Files that are whole or not there: a kill or a full disk leaves no half of one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Union

from mmdgdm.utils.resources import explain_write_error

PathLike = Union[str, os.PathLike[str]]
#: Ending of a file that is being written.
PART = ".part"


@contextlib.contextmanager
def whole_file(path: PathLike, *, flush: bool = True) -> Iterator[Path]:
    """Let a file take its place only when it is written whole.

    Args:
        path: The file; what stands there is kept until then.
        flush: Whether to wait until it is on the disk, so that it outlives a loss of
            power too. Many small files, which can be made again, need not.

    Yields:
        A path in the same folder to write to.

    Raises:
        OSError: If it cannot be written. What stood at ``path`` is unchanged.

    Example:
        >>> with whole_file('a.txt') as part:  # doctest: +SKIP
        ...     part.write_text('all of it')
    """
    target = Path(path)
    part = target.with_name(target.name + PART)
    try:
        part.unlink(missing_ok=True)  # what a kill left, or a link put there
        yield part
        if flush:
            _flush(part)
        os.replace(part, target)
        if flush:
            _flush(target.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def write_whole_text(path: PathLike, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all.

    Args:
        path: The file.
        text: What it shall hold.

    Raises:
        ResourceError: If it cannot be written. What stood there is unchanged.
    """
    try:
        with whole_file(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise explain_write_error(error, path) from error


def _flush(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    # Windows opens no folder; its file system needs no such call.
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
