"""Files named by an address: fetched once, then read as local ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional
from urllib.parse import urlparse

from mmengine.dist import barrier, get_rank
from torch.hub import download_url_to_file, get_dir

from mmdgdm.utils.faults import PathLike


def fetch(
    address: str, folder: Optional[PathLike] = None, *, progress: bool = False
) -> Path:
    """Download a file unless it is there.

    Of several processes the first one downloads; where another machine lacks the file
    then, its processes download it too. A download that is cut leaves nothing.

    Args:
        address: ``http://...`` or ``https://...``.
        folder: Where files are kept; default: torch's own folder of checkpoints.
        progress: Show a bar.

    Returns:
        The file.

    Raises:
        OSError: If it cannot be downloaded or written.
    """
    path = Path(folder or os.path.join(get_dir(), "checkpoints"))
    path /= os.path.basename(urlparse(address).path)
    for turn in (get_rank() == 0, True):
        if turn and not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            download_url_to_file(address, str(path), progress=progress)
        barrier()
    return path
