"""One compact record per image, from which all scores follow.

A record holds what localization said about an image, not a score: so processes can
exchange records of a few hundred bytes, a kilobyte or two for masks, and thresholds,
groups and curves are chosen afterwards.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.boxes import box_areas
from mmdgdm.evaluation.functional.coverage import COVERAGE_THRESHOLDS, cover_areas
from mmdgdm.evaluation.functional.level_ranks import NUM_LEVELS
from mmdgdm.evaluation.functional.max_box_acc import (
    IOU_THRESHOLDS,
    level_hits,
    scored_ious,
)
from mmdgdm.evaluation.functional.scoremaps import (
    check_fixed_threshold,
    quantize_scoremap,
    threshold_levels,
)

_NUM_BYTES = NUM_LEVELS // 8
_NO_RANK = -1
_HEADER = 7
#: What a record may unpack to: far more than any.
_MOST_BYTES = 16 << 20
#: Images that are held as a table at a time.
_PART = 1024


class BoxTable(NamedTuple):
    """The records of N images, one row each.

    Attributes:
        maxima: (N,) int64, largest value of each quantised map.
        labels: (N,) int64, ground-truth classes.
        ranks: (N,) int64, place of the ground-truth class among the classes by
            falling score, from 0; ``None`` if the records hold none.
        object_areas: (N,) int64, pixels of the largest ground-truth box at the
            size of evaluation.
        is_constant: (N,) bool, whether all pixels of the quantised map are equal.
        single: (N, K, 32) uint8, packed bits of ``LevelHits.single``.
        multi: (N, K, 32) uint8, packed bits of ``LevelHits.multi``.
        areas: (N, B, 3) int32, ``cover_areas`` at each threshold of coverage.
    """

    maxima: NDArray[np.int64]
    labels: NDArray[np.int64]
    ranks: Optional[NDArray[np.int64]]
    object_areas: NDArray[np.int64]
    is_constant: NDArray[np.bool_]
    single: NDArray[np.uint8]
    multi: NDArray[np.uint8]
    areas: NDArray[np.int32]


def coverage_thresholds(threshold: Optional[float] = None) -> NDArray[np.float64]:
    """Thresholds at which records know the coverage.

    Args:
        threshold: A threshold fixed elsewhere, to be known as well.

    Returns:
        (B,) float64: ``COVERAGE_THRESHOLDS``, then ``threshold`` if there is one.

    Raises:
        ConfigError: If ``threshold`` is not in [0, 1).

    Example:
        >>> len(coverage_thresholds()), float(coverage_thresholds(0.37)[-1])
        (20, 0.37)
    """
    check_fixed_threshold(threshold)
    if threshold is None:
        return COVERAGE_THRESHOLDS
    return np.append(COVERAGE_THRESHOLDS, threshold)


def label_rank(scores: ArrayLike, label: int) -> int:
    """Position of a class among all classes, sorted by falling score.

    Of two equal scores, the class of lower index comes first, as with argmax.

    Args:
        scores: (C,).
        label: Class, 0 to C - 1.

    Returns:
        0 for the best class, C - 1 for the last.

    Raises:
        DataError: If scores are malformed or hold NaN, or the label is out of
            range.

    Example:
        >>> label_rank([0.2, 0.5, 0.2, 0.1], 2)
        2
    """
    array = np.asarray(scores)
    if array.ndim != 1 or array.size == 0 or np.isnan(array).any():
        raise DataError(
            "Expected `scores` to be numbers of shape (C,), but got shape "
            f"{array.shape} with {int(np.isnan(array).sum())} NaN."
        )
    if not 0 <= label < len(array):
        raise DataError(
            f"Expected `label` to be in [0, {len(array) - 1}], but got {label}."
        )
    before = (array > array[label]).sum() + (array[:label] == array[label]).sum()
    return int(before)


def pack_record(*parts: NDArray[Any]) -> bytes:
    """Make a record of arrays of fixed types and shapes: their bytes, compressed."""
    return zlib.compress(b"".join(part.tobytes() for part in parts))


def unpack_record(record: bytes) -> NDArray[np.uint8]:
    """All that the parts of a record held, to be viewed as their types.

    Raises:
        DataError: If the record is damaged, or holds more than 16 MiB.
    """
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(record, _MOST_BYTES)
    except zlib.error as error:
        raise DataError(
            f"Expected a record, but got damaged bytes ({error})."
        ) from error
    if not unpacking.eof or len(data) % 4:
        raise DataError(f"Expected a whole record, but got one of {len(data)} bytes.")
    return np.frombuffer(data, dtype=np.uint8)


def make_box_record(
    scores: NDArray[np.float64],
    gt_boxes: NDArray[np.int64],
    *,
    label: int,
    rank: Optional[int] = None,
    iou_thresholds: Sequence[float] = IOU_THRESHOLDS,
    threshold: Optional[float] = None,
) -> bytes:
    """Evaluate one map by its boxes.

    Args:
        scores: (H, W) in [0, 1], the normalised map of the ground-truth class.
        gt_boxes: (M, 4) integers in the map's pixels, M >= 1.
        label: Ground-truth class.
        rank: Place of that class by score, from :func:`label_rank`, if known.
        iou_thresholds: Overlaps that a box must reach; a record holds those of
            ``scored_ious``, in their order.
        threshold: A threshold fixed elsewhere at which coverage is wanted.

    Returns:
        The record, for :func:`read_box_records`.

    Raises:
        DataError: If the map or the boxes are malformed.
        ConfigError: If a threshold is out of range.
    """
    quantized = quantize_scoremap(scores)
    hits = level_hits(
        quantized,
        gt_boxes,
        iou_thresholds=scored_ious(iou_thresholds),
        box_thresholds=coverage_thresholds(threshold),
        scores=scores,
    )
    areas = cover_areas(hits.boxes, gt_boxes).astype("<i4")
    header = [
        *(len(hits.single), len(areas), hits.maximum, label),
        *(_NO_RANK if rank is None else rank, box_areas(np.asarray(gt_boxes)).max()),
        hits.maximum == quantized.min(),
    ]
    return pack_record(
        np.array(header, dtype="<i4"),
        np.packbits(hits.single),
        np.packbits(hits.multi),
        areas,
    )


def read_box_records(records: Sequence[bytes]) -> BoxTable:
    """Unpack records into a table.

    Args:
        records: One per image, made with the same thresholds.

    Returns:
        The table, in the order of the records.

    Raises:
        DataError: If there is none, one is damaged, or they were made with different
            settings.
    """
    if not records:
        raise DataError("Expected at least one image to be scored, but got none.")
    rows = _unpack_rows(records)
    num_deltas, num_boxes = _sizes(rows)
    # Views where possible: the table of a large data set takes tens of megabytes.
    header = rows[:, : 4 * _HEADER].view("<i4").astype(np.int64)
    start, size = 4 * _HEADER, num_deltas * _NUM_BYTES
    bits = rows[:, start : start + 2 * size]
    bits = bits.reshape(len(records), 2, num_deltas, _NUM_BYTES)
    areas = rows[:, start + 2 * size :].view("<i4")
    ranks = header[:, 4]
    unranked = int((ranks == _NO_RANK).sum())
    if 0 < unranked < len(ranks):
        raise DataError(
            "Expected all or none of the images to have class scores, but got "
            f"{unranked} of {len(ranks)} without."
        )
    table = BoxTable(
        maxima=header[:, 2],
        labels=header[:, 3],
        ranks=None if unranked else ranks,
        object_areas=header[:, 5],
        is_constant=header[:, 6] != 0,
        single=bits[:, 0],
        multi=bits[:, 1],
        areas=areas.reshape(len(records), num_boxes, 3),
    )
    _check_numbers(table)
    return table


def read_box_parts(records: Sequence[bytes]) -> Iterator[BoxTable]:
    """Unpack records some thousand at a time: a table of 50,000 takes 50 MB.

    Args:
        records: As for :func:`read_box_records`.

    Yields:
        Tables of consecutive images.

    Raises:
        DataError: As :func:`read_box_records` does.
    """
    for start in range(0, max(1, len(records)), _PART):
        yield read_box_records(records[start : start + _PART])


def without_levels(table: BoxTable) -> BoxTable:
    """What a table says of images as wholes: without hits and coverage."""
    count = len(table.maxima)
    no_bits = np.empty((count, 0, _NUM_BYTES), dtype=np.uint8)
    no_areas = np.empty((count, 0, 3), dtype=np.int32)
    return table._replace(single=no_bits, multi=no_bits, areas=no_areas)


def join_tables(tables: Sequence[BoxTable]) -> BoxTable:
    """Make one table of the images of several.

    Args:
        tables: At least one, of the same settings.

    Returns:
        The table, in their order.

    Raises:
        DataError: If some know ranks and others do not.
    """
    ranks = [table.ranks for table in tables if table.ranks is not None]
    if 0 < len(ranks) < len(tables):
        raise DataError(
            "Expected all or none of the images to have class scores, but got both."
        )
    return BoxTable(
        maxima=np.concatenate([table.maxima for table in tables]),
        labels=np.concatenate([table.labels for table in tables]),
        ranks=np.concatenate(ranks) if ranks else None,
        object_areas=np.concatenate([table.object_areas for table in tables]),
        is_constant=np.concatenate([table.is_constant for table in tables]),
        single=np.concatenate([table.single for table in tables]),
        multi=np.concatenate([table.multi for table in tables]),
        areas=np.concatenate([table.areas for table in tables]),
    )


def _sizes(rows: NDArray[np.uint8]) -> tuple[int, int]:
    """The numbers of IoU thresholds and of coverage thresholds of all records."""
    num_deltas, num_boxes = (
        rows[0, :8].view("<i4").tolist() if rows.size >= 8 else (0, 0)
    )
    length = 4 * _HEADER + 2 * num_deltas * _NUM_BYTES + 12 * num_boxes
    if min(num_deltas, num_boxes) < 1 or rows.shape[1] != length:
        raise DataError(
            f"Expected records of boxes, but got {rows.shape[1]} bytes for "
            f"{num_deltas} IoU thresholds and {num_boxes} coverage thresholds."
        )
    return num_deltas, num_boxes


def _check_numbers(table: BoxTable) -> None:
    """Refuse records that no map leads to, such as damaged ones."""
    predicted, shared, target = np.moveaxis(table.areas, 2, 0)
    is_sound = (
        (table.maxima >= 0).all()
        and (table.maxima < NUM_LEVELS).all()
        and (table.labels >= 0).all()
        and (table.ranks is None or (table.ranks >= 0).all())
        and (table.object_areas >= 1).all()
        and (shared >= 0).all()
        and (predicted >= np.maximum(shared, 1)).all()
        and (target >= np.maximum(shared, 1)).all()
    )
    if not is_sound:
        raise DataError("Expected records of boxes, but got numbers that no map gives.")


def _unpack_rows(records: Sequence[bytes]) -> NDArray[np.uint8]:
    """Decompress records into one row each."""
    first = unpack_record(records[0])
    rows = np.empty((len(records), len(first)), dtype=np.uint8)
    for row, record in zip(rows, records):
        data = unpack_record(record)
        if data.shape != first.shape or (data[:8] != first[:8]).any():
            raise DataError(
                "Expected all records to be made with the same numbers of IoU "
                "thresholds and of coverage thresholds, but got "
                f"{data[:8].view('<i4').tolist()} beside "
                f"{first[:8].view('<i4').tolist()}."
            )
        row[:] = data
    return rows


def hits_at(
    maxima: ArrayLike, bits: NDArray[np.uint8], *, threshold: float
) -> NDArray[np.bool_]:
    """Which images are localized at one threshold, by one rule.

    Args:
        maxima: (N,) integers, ``BoxTable.maxima``.
        bits: (N, 32) uint8, one column of ``BoxTable.single`` or ``.multi``.
        threshold: In [0, 1).

    Returns:
        (N,) bool.

    Raises:
        ConfigError: If ``threshold`` is not in [0, 1).
    """
    # Normalised maps share the maximum 255, so there are few different ones.
    tops, places = np.unique(np.asarray(maxima), return_inverse=True)
    level_of = [int(threshold_levels([threshold], int(top))[0]) for top in tops]
    levels = np.array(level_of, dtype=np.int64)[places]
    chosen = np.take_along_axis(bits, (levels // 8)[:, None], axis=1)[:, 0]
    hits: NDArray[np.bool_] = (chosen >> (7 - levels % 8) & 1).astype(np.bool_)
    return hits
