"""Write a folder under another name and put it in place when it is complete."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmdgdm.errors import DataError


def check_absent(target: Path, overwrite: bool) -> None:
    """Raise a :class:`DataError` if ``target`` exists and may not be replaced."""
    if target.exists() and not overwrite:
        raise DataError(
            f"Expected {target} not to exist yet, but it does; `--overwrite` replaces "
            "it."
        )


@contextmanager
def new_folder(target: Path, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside ``target``, and rename it when the block ends.

    If the block fails, the temporary folder goes and ``target`` stays as it was.

    Args:
        target: The folder to be made.
        overwrite: Whether a folder of this name may be replaced.

    Yields:
        The temporary folder.

    Raises:
        DataError: If ``target`` exists and may not be replaced, or the disk refuses.
    """
    check_absent(target, overwrite)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    try:
        part.mkdir(parents=True)
        yield part
        if target.exists():
            target.rename(old)
        part.rename(target)
    except OSError as error:
        raise DataError(f"{target} cannot be written ({error}).") from error
    finally:
        if old.exists() and not target.exists():
            old.rename(target)
        for folder in (part, old):
            shutil.rmtree(folder, ignore_errors=True)
