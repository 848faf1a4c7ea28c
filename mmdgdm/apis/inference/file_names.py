"""Under which names the results of images are written."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

from mmdgdm.errors import ConfigError

#: Folders of results.
IMAGES, VIDEOS, MAPS = "images", "videos", "maps"


def name_sources(sources: Sequence[str]) -> list[PurePath]:
    """Give each image a name of its own, below no folder.

    It is the image's own name; images from several folders keep the folders in which
    they differ. The last part of an address is its name.

    Args:
        sources: Paths and addresses.

    Returns:
        Relative paths without ``..``; two that would be the same, also on disks that
        take no notice of capitals, get a number.

    Example:
        >>> names = name_sources(["/a/b/x.jpg", "/a/c/x.jpg", "http://y.org/x.jpg?s=1"])
        >>> [name.as_posix() for name in names]
        ['b/x.jpg', 'c/x.jpg', 'x.jpg']
        >>> [name.as_posix() for name in name_sources(["/a/x.jpg"] * 2)]
        ['x.jpg', 'x-2.jpg']
    """
    local = [os.path.abspath(source) for source in sources if "://" not in source]
    root = common_folder(local)
    taken: set[str] = set()
    return [_unique(_name(source, root), taken) for source in sources]


def common_folder(paths: Sequence[str]) -> str:
    """The innermost folder that holds all paths; the empty text if there is none."""
    try:
        return os.path.commonpath([os.path.dirname(path) for path in paths])
    except ValueError:  # no path, or several drives
        return ""


def _name(source: str, root: str) -> PurePath:
    if "://" in source:
        last = unquote(urlsplit(source).path).rstrip("/").rpartition("/")[2]
        return PurePath(re.sub(r"[^\w.-]+", "_", last).lstrip(".") or "image")
    path = os.path.abspath(source)
    return PurePath(os.path.relpath(path, root) if root else os.path.basename(path))


def _unique(name: PurePath, taken: set[str]) -> PurePath:
    chosen, number = name, 1
    while chosen.as_posix().casefold() in taken:
        number += 1
        chosen = name.with_name(f"{name.stem}-{number}{name.suffix}")
    taken.add(chosen.as_posix().casefold())
    return chosen


def check_no_result_is_read(sources: Sequence[str], out_dir: Path) -> None:
    """Refuse images that lie where results are written.

    Args:
        sources: Paths and addresses of the images.
        out_dir: The folder of the results.

    Raises:
        ConfigError: If one does, so that it would be overwritten, or is an overlay of
            before.
    """
    folders = [Path(os.path.abspath(out_dir / name)) for name in (IMAGES, VIDEOS, MAPS)]
    for source in sources:
        parents = Path(os.path.abspath(source)).parents
        if "://" not in source and any(folder in parents for folder in folders):
            raise ConfigError(
                f"Expected images that are no results, but {source} lies where results "
                f"are written: choose another folder than {out_dir} for them."
            )
