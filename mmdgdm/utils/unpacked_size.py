"""Files that would unpack to far more than they hold are refused unread."""

from __future__ import annotations

import os
import zipfile

from mmdgdm.errors import DataError
from mmdgdm.utils.faults import PathLike

#: What a file may unpack to whatever its size, in bytes, and beyond that as a multiple
#: of its size. Real maps, scores and weights pack to a tenth at best.
_ALWAYS, _FACTOR = 256 << 20, 20


def check_unpacked_size(path: PathLike) -> None:
    """Check that a zip file, such as a ``.npz`` or ``.pth``, is no zip bomb.

    Args:
        path: The file; one that is no zip file, or a damaged one, passes.

    Raises:
        DataError: If it would unpack to more than 256 MiB and 20 times its size.
        OSError: If it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as file:
            unpacked = sum(entry.file_size for entry in file.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return  # its reader says what is wrong
    size = os.path.getsize(path)
    if unpacked > max(_ALWAYS, _FACTOR * size):
        raise DataError(
            f"{path} is refused: its {size:,} bytes would unpack to {unpacked:,}."
        )
