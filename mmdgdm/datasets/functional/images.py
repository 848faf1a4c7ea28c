"""Image files of a data set: which they are, their sizes, and which are broken."""

from __future__ import annotations

import hashlib
import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

from mmdgdm.errors import DataError
from mmdgdm.utils.faults import RAISE, Faults, PathLike, is_hidden
from mmdgdm.utils.image_files import read_image, read_image_size

IMAGE_ENDINGS = (".jpeg", ".jpg", ".png", ".bmp", ".webp")

#: Files that a process opens at a time.
_CHUNK = 64

Progress = Callable[[int, int], None]
Reader = Callable[..., Any]


def list_images(folder: Path, faults: Faults = RAISE) -> list[str]:
    """The names of a folder's image files in order; hidden files are none of them."""
    try:
        names = sorted(path.name for path in folder.iterdir() if not is_hidden(path))
    except OSError as error:
        faults.add("missing folder", folder, message=f"is no readable folder ({error})")
        return []
    return [name for name in names if name.lower().endswith(IMAGE_ENDINGS)]


def walk_images(folder: Path, faults: Faults = RAISE) -> list[str]:
    """The image files of a folder at any depth, by their paths below it, in order.

    Links to folders are followed, but not to one that holds the link.

    Args:
        folder: The folder.
        faults: Takes folders that cannot be read.

    Returns:
        The paths, with ``/`` between their parts.
    """

    def tell(error: OSError) -> None:
        message = f"is no readable folder ({error})"
        faults.add("missing folder", error.filename, message=message)

    names = []
    for base, folders, files in os.walk(folder, onerror=tell, followlinks=True):
        place, parent = Path(base).resolve(), Path(base).parent.resolve()
        if place == parent or place in parent.parents:
            folders.clear()
            continue
        folders[:] = [name for name in folders if not is_hidden(Path(name))]
        names += [Path(base, name) for name in files if not is_hidden(Path(name))]
    found = (path.relative_to(folder).as_posix() for path in names)
    return sorted(name for name in found if name.lower().endswith(IMAGE_ENDINGS))


class ImageFacts(NamedTuple):
    """What a file holds.

    Attributes:
        size: (width, height) of the stored pixels; ``None`` for a broken file.
        digest: Digest of the bytes; ``None`` if only the header was read.
        problem: (kind, sentence) if the file is missing or broken.
    """

    size: Optional[tuple[int, int]]
    digest: Optional[bytes]
    problem: Optional[tuple[str, str]]


class Images:
    """Image files of one data set, each opened once.

    Args:
        quick: Whether headers alone are read; otherwise all pixels are decoded.
        workers: Number of processes.
        progress: Called with the number of files done and of all files of a round.
    """

    def __init__(
        self,
        quick: bool = True,
        workers: int = 1,
        *,
        progress: Progress = lambda done, total: None,
    ) -> None:
        self.quick = quick
        self.workers = workers
        self.progress = progress
        self.facts: dict[str, ImageFacts] = {}

    def look(self, paths: Sequence[PathLike], read: Reader = read_image) -> list[str]:
        """Open the files that were not opened before, and return their paths."""
        new = [p for p in dict.fromkeys(map(str, paths)) if p not in self.facts]
        for done, (path, facts) in enumerate(zip(new, self._run(new, read)), start=1):
            self.facts[path] = facts
            if done % _CHUNK == 0 or done == len(new):
                self.progress(done, len(new))
        return new

    def read_sizes(
        self, paths: Mapping[str, PathLike], faults: Faults = RAISE
    ) -> dict[str, tuple[int, int]]:
        """Read (width, height) of the stored pixels of each sound image, by id.

        ``faults`` takes the files that are missing or broken, each once.
        """
        new = set(self.look(list(paths.values())))
        sizes = {}
        for image_id, path in paths.items():
            size, _, problem = self.facts[str(path)]
            if size is not None:
                sizes[image_id] = size
            elif problem is not None and str(path) in new:
                faults.add(problem[0], path, message=problem[1], image_id=image_id)
        return sizes

    def _run(self, paths: list[str], read: Reader) -> Iterator[ImageFacts]:
        work = partial(_look_at_image, quick=self.quick, read=read)
        if self.workers == 1 or len(paths) <= _CHUNK:
            yield from map(work, paths)
            return
        # Processes start afresh: a copy of one that runs threads may wait forever.
        workers = min(self.workers, math.ceil(len(paths) / _CHUNK))
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
        try:
            yield from pool.map(work, paths, chunksize=_CHUNK)
        finally:
            pool.shutdown(cancel_futures=True)


def _look_at_image(path: str, quick: bool, read: Reader) -> ImageFacts:
    """Open one file as the pipelines do; with ``quick``, its header alone."""
    try:
        data = Path(path).read_bytes() if not quick else b""
        if Path(path).stat().st_size == 0:
            return ImageFacts(None, None, ("empty image", "the file has no bytes"))
        with warnings.catch_warnings():
            # Odd but readable EXIF blocks and large images are no damage.
            warnings.simplefilter("ignore")
            if quick:
                return ImageFacts(read_image_size(path), None, None)
            height, width = read(path, read=lambda _: data).shape[:2]
    except FileNotFoundError:
        return ImageFacts(None, None, ("missing image", "there is no such file"))
    except DataError as error:
        message = str(error).partition(", but ")[2].rstrip(".")
        return ImageFacts(None, None, ("broken image", message))
    except (OSError, ValueError) as error:  # the latter for names that no file has
        return ImageFacts(None, None, ("broken image", f"{error}"))
    digest = hashlib.blake2b(data, digest_size=16).digest()
    return ImageFacts((width, height), digest, None)
