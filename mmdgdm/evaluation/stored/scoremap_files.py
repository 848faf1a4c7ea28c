"""Score maps as files: one ``.npy`` per image, named after it.

The map of image ``a/1.jpg`` is ``ROOT/a/1.jpg.npy``, as the WSOL benchmark names it, or
``ROOT/a/1.npy``. It is two-dimensional, floating point and in [0, 1].
"""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.scoremaps import (
    EVAL_SIZE,
    check_scoremap,
    check_unit_range,
    normalize_scoremap,
)
from mmdgdm.utils.faults import PathLike
from mmdgdm.utils.output_paths import path_inside
from mmdgdm.utils.whole_files import whole_file

SUFFIX = ".npy"
#: What numpy raises for files that are damaged or not its own.
UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    MemoryError,
    SyntaxError,
    AttributeError,
    TypeError,
    RuntimeError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def find_scoremaps(
    root: PathLike, image_ids: Iterable[str]
) -> dict[str, Optional[Path]]:
    """Find the files of score maps.

    Args:
        root: The folder of the maps.
        image_ids: Paths of images below the root of their data set.

    Returns:
        The file of each image, ``None`` where there is none.

    Raises:
        DataError: If the folder does not exist, an image has two files, or two images
            share one.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise DataError(f"Expected {folder} to be a folder of score maps.")
    found: dict[str, Optional[Path]] = {}
    owners: dict[Path, str] = {}
    for image_id in image_ids:
        whole = scoremap_path(folder, image_id)
        names = {whole: None, whole.with_name(Path(image_id).stem + SUFFIX): None}
        paths = [path for path in names if path.is_file()]
        if len(paths) > 1:
            raise DataError(
                f"Image {image_id!r}: Expected one score map, but got both {paths[0]} "
                f"and {paths[1]}."
            )
        path = found[image_id] = paths[0] if paths else None
        if path is not None and owners.setdefault(path, image_id) != image_id:
            raise DataError(
                f"Image {image_id!r}: Expected a score map of its own, but "
                f"{path} belongs to {owners[path]!r} as well; name maps after the "
                "image with its extension."
            )
    return found


def scoremap_path(root: PathLike, image_id: str) -> Path:
    """The file that an image's score map is written to.

    Args:
        root: The folder of the maps.
        image_id: Path of the image below the root of its data set.

    Returns:
        ``root/<image_id>.npy``.

    Raises:
        DataError: If the path would leave the folder.

    Example:
        >>> scoremap_path("maps", "a/1.jpg").as_posix()
        'maps/a/1.jpg.npy'
    """
    path = Path(image_id)
    if path.is_absolute() or ".." in path.parts or not image_id or "\0" in image_id:
        raise DataError(
            "Expected image ids to be paths below the root of the data set, but got "
            f"{image_id!r}."
        )
    return Path(root) / (image_id + SUFFIX)


def read_scoremap(path: PathLike) -> tuple[NDArray[np.float64], bool]:
    """Read a score map for evaluation.

    A map of 224 x 224 is taken as it is, widened to float64. Any other size is
    enlarged and stretched to [0, 1] by
    :func:`~mmdgdm.evaluation.functional.scoremaps.normalize_scoremap`.

    Args:
        path: A ``.npy`` file.

    Returns:
        The map, (224, 224) in [0, 1], and whether the file held another size.

    Raises:
        DataError: If the file is not readable, or the map is not two-dimensional,
            is empty, is not of a floating point type, holds NaN or leaves [0, 1]. The
            message names the file.
    """
    try:
        # No pickles: a file of objects could run any code.
        array: Any = np.load(path, allow_pickle=False)
    except UNREADABLE as error:
        raise DataError(
            f"Expected {path} to be a readable .npy file, but got: {error}."
        ) from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"Expected {path} to hold one array, but got several (.npz).")
    try:
        scores = check_unit_range(check_scoremap(array))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    if scores.shape == EVAL_SIZE[::-1]:
        return scores, False
    return normalize_scoremap(scores), True


def write_scoremap(
    root: PathLike, image_id: str, *, scores: NDArray[np.floating]
) -> Path:
    """Write a score map; a file that exists is replaced.

    Args:
        root: The folder of the maps; missing folders are made.
        image_id: Path of the image below the root of its data set.
        scores: (h, w), floating point, in [0, 1].

    Returns:
        The file.

    Raises:
        DataError: If the image id is no path below the folder, a link leads out of it,
            or the file cannot be written.
    """
    path = path_inside(root, scoremap_path("", image_id).as_posix())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, flush=False) as part, part.open("wb") as file:
            np.save(file, scores, allow_pickle=False)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error}).") from error
    return path
