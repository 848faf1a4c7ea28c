"""Records of a data set's images as one file, beside the scores.

A ``.npz`` file holds ``image_ids`` (N,), text; ``records``, the bytes of all records
one after another; ``ends`` (N,), where each of them ends; and ``classes`` (C,), names
by label, where they are known. What a method did on single images, on groups of them or
on a resample follows from it, at any threshold:
:func:`~mmdgdm.evaluation.functional.records.read_box_records` makes a table of the
records, and :func:`~mmdgdm.evaluation.functional.summary.summarize_boxes` scores.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mmdgdm.errors import DataError
from mmdgdm.evaluation.stored.scoremap_files import UNREADABLE
from mmdgdm.utils.faults import PathLike
from mmdgdm.utils.output_paths import path_inside
from mmdgdm.utils.unpacked_size import check_unpacked_size
from mmdgdm.utils.whole_files import whole_file

#: Names that are written at a time.
_PART = 4096
_EXPECTED = "Expected {} to be a .npz file of `image_ids`, `records` and `ends`"


def record_path(result: PathLike) -> Path:
    """Where the records lie of a result file.

    Example:
        >>> record_path("work_dirs/test.json").name
        'test.records.npz'
    """
    return Path(result).with_suffix(".records.npz")


def write_records(
    path: PathLike,
    image_ids: Sequence[Optional[str]],
    *,
    records: Sequence[bytes],
    classes: Sequence[str] = (),
) -> None:
    """Write records.

    Args:
        path: The ``.npz`` file; missing folders are made.
        image_ids: Name of each image.
        records: Record of each image, as ``make_box_record`` or ``make_pixel_record``
            made it.
        classes: Names of the classes by label, if known.

    Raises:
        DataError: If an image has no name or that of another one, or the file is a link
            out of its folder or cannot be written.
    """
    if None in image_ids or len(set(image_ids)) < len(image_ids):
        raise DataError(
            f"Expected each image to have a name of its own for {path}, but of "
            f"{len(image_ids)} images, {sum(name is None for name in image_ids)} have "
            f"none, and there are {len(set(image_ids))} different names."
        )
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        target = path_inside(Path(path).parent, Path(path).name)
        with whole_file(target) as part, zipfile.ZipFile(part, "w") as archive:
            _write_texts(archive, "image_ids", [str(name) for name in image_ids])
            whole = sum(map(len, records))
            _write_array(archive, "records", np.uint8, length=whole, parts=records)
            ends = np.cumsum([len(record) for record in records], dtype=np.int64)
            parts = [ends.tobytes()]
            _write_array(archive, "ends", np.int64, length=len(ends), parts=parts)
            if len(classes):
                _write_texts(archive, "classes", classes)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error}).") from error


def _write_texts(archive: zipfile.ZipFile, name: str, texts: Sequence[str]) -> None:
    kind = np.dtype(f"<U{max(1, *map(len, texts))}")
    parts = (
        np.array(texts[start : start + _PART], dtype=kind).tobytes()
        for start in range(0, len(texts), _PART)
    )
    _write_array(archive, name, kind, length=len(texts), parts=parts)


def _write_array(
    archive: zipfile.ZipFile,
    name: str,
    kind: DTypeLike,
    *,
    length: int,
    parts: Iterable[bytes],
) -> None:
    """Write an array in parts, which together take as much memory as the records."""
    descr = np.lib.format.dtype_to_descr(np.dtype(kind))
    header = dict(descr=descr, fortran_order=False, shape=(length,))
    with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array_header_1_0(entry, header)
        for part in parts:
            entry.write(part)


def read_records(path: PathLike) -> dict[str, bytes]:
    """Read records.

    Args:
        path: The ``.npz`` file.

    Returns:
        The record of each image, by image id, in the order of the evaluation.

    Raises:
        DataError: If the file is not readable, lacks an array, or the arrays do not
            fit. The message names the file.
    """
    expected = _EXPECTED.format(path)
    names, data, ends = _read_arrays(path, ("image_ids", "records", "ends"))
    starts = np.concatenate(([0], ends[:-1])) if ends.ndim == 1 else ends
    if (
        names.dtype.kind != "U"
        or data.ndim != 1
        or ends.shape != names.shape
        or data.dtype != np.uint8
        or ends.dtype.kind not in "iu"
        or len(ends) == 0
        or (starts >= ends).any()
        or ends[-1] != data.size
    ):
        raise DataError(
            f"{expected} that fit, but got shapes {names.shape}, {data.shape} and "
            f"{ends.shape}."
        )
    whole = data.tobytes()
    records = {
        name: whole[start:end]
        for name, start, end in zip(names.tolist(), starts.tolist(), ends.tolist())
    }
    if len(records) < len(names):
        raise DataError(
            f"Expected {path} to hold each image once, but got {len(records)} names "
            f"for {len(names)} records."
        )
    return records


def read_record_classes(path: PathLike) -> tuple[str, ...]:
    """Read the names of the classes beside records.

    Args:
        path: A file that :func:`read_records` reads.

    Returns:
        The names by label; none if they were not known.

    Raises:
        DataError: If the file is not readable, or the names are no texts.
    """
    (names,) = _read_arrays(path, ("classes",), needed=False)
    if names.ndim != 1 or (names.size and names.dtype.kind != "U"):
        raise DataError(
            f"Expected {path} to hold `classes` (C,) of text, but got shape "
            f"{names.shape} of {names.dtype}."
        )
    return tuple(names.tolist())


def find_classes(results: Iterable[PathLike]) -> tuple[str, ...]:
    """Names of the classes by label, of the first result whose records tell them.

    Args:
        results: Result files, with their records beside them or without.

    Returns:
        The names; none if no records know them.

    Raises:
        DataError: As :func:`read_record_classes`.
    """
    files = [record_path(path) for path in results]
    found = (read_record_classes(file) for file in files if file.is_file())
    return next((classes for classes in found if classes), ())


def _read_arrays(
    path: PathLike, names: Sequence[str], *, needed: bool = True
) -> list[NDArray[Any]]:
    """Arrays of the file; an empty one for each that is neither there nor needed."""
    try:
        check_unpacked_size(path)
        with np.load(path, allow_pickle=False) as file:
            return [
                file[name] if needed or name in file else np.empty(0) for name in names
            ]
    except (KeyError, *UNREADABLE) as error:
        raise DataError(f"{_EXPECTED.format(path)}, but got: {error}.") from error
