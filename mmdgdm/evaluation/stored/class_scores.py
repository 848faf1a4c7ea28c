"""Class scores of images as one file, beside score maps.

A ``.npz`` file holds ``image_ids`` (N,), text, and ``scores`` (N, C), numbers: higher
is better.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdgdm.errors import DataError
from mmdgdm.evaluation.stored.scoremap_files import UNREADABLE
from mmdgdm.utils.faults import PathLike
from mmdgdm.utils.unpacked_size import check_unpacked_size
from mmdgdm.utils.whole_files import whole_file


def write_class_scores(path: PathLike, scores: Mapping[str, NDArray[Any]]) -> None:
    """Write class scores.

    Args:
        path: The ``.npz`` file; missing folders are made.
        scores: (C,) numbers of each image, by image id.

    Raises:
        DataError: If there is none, the numbers of classes differ, or the file does
            not end in ``.npz`` or cannot be written.
    """
    if Path(path).suffix != ".npz":
        # numpy would add the ending, and the file would not be found again.
        raise DataError(f"Expected the scores' file to end in .npz, but got {path}.")
    shapes = {np.shape(row) for row in scores.values()}
    if [len(shape) for shape in shapes] != [1]:
        raise DataError(
            "Expected the scores of at least one image, all of the same shape (C,), "
            f"but got {sorted(shapes)}."
        )
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as part, part.open("wb") as file:
            np.savez(
                file,
                image_ids=np.array(list(scores)),
                scores=np.stack(list(scores.values())),
            )
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error}).") from error


def read_class_scores(path: PathLike) -> dict[str, NDArray[Any]]:
    """Read class scores.

    Args:
        path: The ``.npz`` file.

    Returns:
        (C,) numbers of each image, by image id.

    Raises:
        DataError: If the file is not readable, lacks an array, the arrays do not fit,
            or an image comes twice. The message names the file.
    """
    try:
        check_unpacked_size(path)
        with np.load(path, allow_pickle=False) as file:
            image_ids, scores = file["image_ids"], file["scores"]
    except KeyError as error:
        raise DataError(
            f"Expected {path} to hold `image_ids` and `scores`, but got: {error}."
        ) from error
    except UNREADABLE as error:
        raise DataError(
            f"Expected {path} to be a readable .npz file of `image_ids` and `scores`, "
            f"but got: {error}."
        ) from error
    if (
        image_ids.ndim != 1
        or image_ids.dtype.kind != "U"
        or scores.ndim != 2
        or len(scores) != len(image_ids)
        or scores.dtype.kind not in "fiu"
    ):
        raise DataError(
            f"Expected {path} to hold `image_ids` (N,) of text and `scores` (N, C) of "
            f"numbers, but got shapes {image_ids.shape} of {image_ids.dtype} and "
            f"{scores.shape} of {scores.dtype}."
        )
    by_image = dict(zip(image_ids.tolist(), scores))
    if len(by_image) != len(image_ids):
        values, counts = np.unique(image_ids, return_counts=True)
        raise DataError(
            f"Expected {path} to hold each image once, but got "
            f"{str(values[counts > 1][0])!r} twice."
        )
    return by_image
