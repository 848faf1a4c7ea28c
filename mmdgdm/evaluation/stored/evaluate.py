"""Evaluate stored score maps of any method; needs neither torch nor mmengine."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional, Union

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.baselines import baseline_map, center_side
from mmdgdm.evaluation.functional.boxes import Box, scale_boxes
from mmdgdm.evaluation.functional.calibration import ARGMAX, DEFAULT_RULE, check_rule
from mmdgdm.evaluation.functional.level_ranks import ranking_engine
from mmdgdm.evaluation.functional.max_box_acc import IOU_THRESHOLDS
from mmdgdm.evaluation.functional.names import (
    PREFIX,
    THRESHOLD,
    VAL_CHOSE,
    metric_name,
    split_name,
)
from mmdgdm.evaluation.functional.pixel_summary import (
    PixelSummary,
    make_pixel_record,
    summarize_pixels,
)
from mmdgdm.evaluation.functional.pxap import merge_masks
from mmdgdm.evaluation.functional.records import label_rank, make_box_record
from mmdgdm.evaluation.functional.scoremaps import (
    DEFAULT_INTERVAL,
    EVAL_SIZE,
    make_thresholds,
)
from mmdgdm.evaluation.functional.summary import (
    BoxSummary,
    check_box_settings,
    summarize_boxes,
)
from mmdgdm.evaluation.stored.class_scores import read_class_scores
from mmdgdm.evaluation.stored.metadata import (
    CLASSES,
    SplitMetadata,
    find_class_names,
    read_class_names,
    read_split,
)
from mmdgdm.evaluation.stored.record_files import write_records
from mmdgdm.evaluation.stored.scoremap_files import find_scoremaps, read_scoremap
from mmdgdm.evaluation.stored.thresholds import (
    MASK_THRESHOLDS,
    box_thresholds,
    read_threshold,
)
from mmdgdm.utils.faults import PathLike
from mmdgdm.utils.image_files import read_mask
from mmdgdm.version import __version__

#: Records of some images, and how many of their maps were resized.
_Outcome = tuple[list[bytes], int]

#: Maps that a process works on at a time.
_CHUNK = 16
#: Names of missing images that an error shows.
_NUM_SHOWN = 5


@dataclass(frozen=True)
class EvaluationSettings:
    """What is computed.

    Attributes:
        interval: Distance between the thresholds of curves.
        iou_thresholds: Overlaps of MaxBoxAccV2.
        topk: Numbers of best classes, where class scores are at hand.
        threshold: A threshold in [0, 1) fixed elsewhere, such as on val.
        threshold_rule: The rule that chose it on val, if known.
        calibration: The rule that chooses the threshold for test, and by which it is
            taken from the result of val, ``"median"`` or ``"argmax"``
            (:mod:`mmdgdm.evaluation.functional.calibration`); for masks it is always
            the latter.
    """

    interval: float = DEFAULT_INTERVAL
    iou_thresholds: tuple[float, ...] = IOU_THRESHOLDS
    topk: tuple[int, ...] = (1, 5)
    threshold: Optional[float] = None
    threshold_rule: Optional[str] = None
    calibration: str = DEFAULT_RULE


class _Job(NamedTuple):
    """One image; without the file of a map, it is scored by a baseline's."""

    image_id: str
    path: Optional[Path]
    label: int
    rank: Optional[int]
    image_size: tuple[int, int]
    boxes: list[Box]
    masks: list[tuple[str, str]]


def evaluate_scoremaps(
    scoremap_root: Optional[PathLike],
    metadata: PathLike,
    *,
    baseline: Optional[str] = None,
    settings: EvaluationSettings = EvaluationSettings(),
    threshold: Optional[str] = None,
    mask_root: Optional[PathLike] = None,
    scores: Optional[PathLike] = None,
    allow_missing: bool = False,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    record_file: Optional[PathLike] = None,
    class_file: Optional[PathLike] = None,
) -> dict[str, Any]:
    """Score stored maps against the metadata of a split.

    Whether the split has boxes (box scores) or masks (PxAP) is read off its
    metadata. A map of 224 x 224 is taken as it is; others are enlarged first. See
    :mod:`mmdgdm.evaluation.stored.scoremap_files` for the files, and
    :mod:`mmdgdm.evaluation.functional.summary` for the scores.

    Args:
        scoremap_root: Folder of the maps, ``<root>/<image id>.npy``; ``None`` for a
            baseline.
        metadata: Folder of the split in the benchmark's text form.
        baseline: In place of maps, one that knows nothing of the image: ``"full"``,
            ``"center"`` or ``"gaussian"``
            (:mod:`mmdgdm.evaluation.functional.baselines`).
        settings: What is computed.
        threshold: In place of that of the settings, a text: a number, or the path of
            the ``.json`` result of val, which must be of the same kind, boxes or
            masks.
        mask_root: Folder that the mask paths of the metadata start from.
        scores: A file of class scores (:mod:`mmdgdm.evaluation.stored.class_scores`).
            Without it, scores that need the predicted class are left out.
        allow_missing: Whether images without a map are left out and listed in the
            result; otherwise they are an error.
        workers: Number of processes. The result does not depend on it. With
            several, a script must guard its own work by
            ``if __name__ == "__main__"``.
        progress: Called with the number of images done and of all images.
        record_file: A ``.npz`` file for the records of the images
            (:mod:`mmdgdm.evaluation.stored.record_files`).
        class_file: The names of the classes
            (:func:`mmdgdm.evaluation.stored.metadata.read_class_names`); otherwise
            those of a ``classes.txt`` in the metadata's folder or the one above.

    Returns:
        ``metrics`` and ``curves`` by name, for boxes ``by_class``, with the ``name`` of
        each where it is known, and ``by_size``, and
        ``evaluated``: counts, settings, missing images, versions. Of the baseline
        ``"center"``, there are ``sides`` of its box by the name of each threshold.

    Raises:
        ConfigError: If an argument is malformed.
        DataError: If a file is missing or malformed; names image and file.
    """
    _check_arguments(settings, workers, scoremap_root, baseline)
    split = read_split(metadata)
    classes = _class_names(split, metadata, class_file)
    with_masks = split.masks is not None
    settings = _calibrated(settings, threshold, with_masks=with_masks)
    _check_mask_root(split, metadata, mask_root)
    topk = settings.topk
    jobs, missing = _make_jobs(split, scoremap_root, scores, topk, allow_missing)
    root = None if mask_root is None else Path(mask_root)
    work = partial(_evaluate_chunk, settings, root, baseline)
    records, num_resized = _collect(_run(work, jobs, workers), progress, len(jobs))
    ids = [job.image_id for job in jobs]
    if record_file is not None:
        write_records(record_file, ids, records=records, classes=classes)
    ranks = [job.rank for job in jobs]
    result, num_constant = _result(records, settings, ranks, with_masks=with_masks)
    _add_names(result.get("by_class", {}), classes)
    result["evaluated"] = {
        "images": len(jobs),
        "classes": len({job.label for job in jobs}),
        "missing": missing,
        "resized": num_resized,
        "constant": num_constant,
        "scoremap_root": None if scoremap_root is None else str(scoremap_root),
        "baseline": baseline,
        "metadata": str(metadata),
        "mask_root": None if root is None else str(root),
        "scores": None if scores is None else str(scores),
        **asdict(settings),
        "versions": _versions(),
    }
    if baseline == "center" and not with_masks:
        result["evaluated"]["sides"] = _sides(result["metrics"])
    return result


def _class_names(
    split: SplitMetadata, metadata: PathLike, class_file: Optional[PathLike]
) -> tuple[str, ...]:
    """The names of at least the classes that occur, or none."""
    classes = (
        find_class_names(metadata)
        if class_file is None
        else read_class_names(class_file)
    )
    highest = max(split.labels.values())
    if classes and highest >= len(classes):
        where = class_file or f"the {CLASSES} of {metadata}"
        raise DataError(
            f"Expected {where} to name all classes of {metadata}, but it names "
            f"{len(classes)}, and there is label {highest}."
        )
    return classes


def _add_names(by_class: dict[int, Any], classes: Sequence[str]) -> None:
    for label, scores in by_class.items() if classes else ():
        scores["name"] = classes[label]


def _collect(
    outcomes: Iterable[_Outcome], progress: Callable[[int, int], None], total: int
) -> _Outcome:
    """All records, and the number of maps that were resized."""
    records: list[bytes] = []
    num_resized = 0
    for part, resized in outcomes:
        records += part
        num_resized += resized
        progress(len(records), total)
    return records, num_resized


def _calibrated(
    settings: EvaluationSettings, threshold: Optional[str], *, with_masks: bool
) -> EvaluationSettings:
    """The settings with the threshold that a text gives, and the rule of its kind."""
    names = box_thresholds(settings.calibration)
    if with_masks:
        names, settings = MASK_THRESHOLDS, replace(settings, calibration=ARGMAX)
    if threshold is None:
        return settings
    value, rule = read_threshold(threshold, names)
    return replace(settings, threshold=value, threshold_rule=rule)


def _sides(metrics: dict[str, float]) -> dict[str, float]:
    """Sides of the centred box at each threshold, as shares of the image's."""
    return {
        name: center_side(value)
        for name, value in metrics.items()
        if split_name(name).kind in (THRESHOLD, VAL_CHOSE)
    }


def _versions() -> dict[str, str]:
    return {
        "mmdgdm": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "boxes": ranking_engine(),
    }


def _check_arguments(
    settings: EvaluationSettings,
    workers: int,
    scoremap_root: Optional[PathLike],
    baseline: Optional[str],
) -> None:
    check_box_settings(
        settings.iou_thresholds, settings.topk, threshold=settings.threshold
    )
    check_rule(settings.calibration)
    if not isinstance(workers, int) or workers < 1:
        raise ConfigError(
            f"Expected `workers` to be a positive integer, but got {workers!r}."
        )
    if (scoremap_root is None) == (baseline is None):
        got = "neither" if baseline is None else f"{scoremap_root} and {baseline!r}"
        raise ConfigError(
            "Expected either `scoremap_root`, a folder of maps, or `baseline`, the "
            f"name of a trivial one, but got {got}."
        )
    if baseline is not None:
        baseline_map(baseline)  # it checks the name


def _check_mask_root(
    split: SplitMetadata, metadata: PathLike, mask_root: Optional[PathLike]
) -> None:
    if split.masks is not None and mask_root is None:
        raise ConfigError(
            f"Expected `mask_root` to be given, since {metadata} lists masks."
        )
    if split.masks is None and mask_root is not None:
        raise ConfigError(
            f"Expected `mask_root` only where metadata lists masks, but {metadata} "
            "lists boxes."
        )


def _make_jobs(
    split: SplitMetadata,
    scoremap_root: Optional[PathLike],
    scores: Optional[PathLike],
    topk: Sequence[int],
    allow_missing: bool,
) -> tuple[list[_Job], list[str]]:
    """One job per image with a map, and the ids of the others."""
    paths: dict[str, Optional[Path]] = dict.fromkeys(split.image_ids)
    missing: list[str] = []
    if scoremap_root is not None:
        paths, missing = _find(scoremap_root, split.image_ids, allow_missing)
    ranks = {} if scores is None else _ranks(split, scores, paths, topk)
    masks = split.masks or {}
    jobs = [
        _Job(
            image_id,
            path,
            split.labels[image_id],
            ranks.get(image_id),
            split.image_sizes.get(image_id, EVAL_SIZE),
            split.boxes.get(image_id, []),
            masks.get(image_id, []),
        )
        for image_id, path in paths.items()
    ]
    return jobs, missing


def _find(
    scoremap_root: PathLike, image_ids: Sequence[str], allow_missing: bool
) -> tuple[dict[str, Optional[Path]], list[str]]:
    """The maps of the images that have one, and the ids of the others."""
    paths = find_scoremaps(scoremap_root, image_ids)
    missing = [image_id for image_id, path in paths.items() if path is None]
    if missing and (not allow_missing or len(missing) == len(paths)):
        names = ", ".join(repr(name) for name in missing[:_NUM_SHOWN])
        more = ", ..." if len(missing) > _NUM_SHOWN else ""
        raise DataError(
            f"Expected a score map (.npy) in {scoremap_root} for each of "
            f"{len(paths)} images, but {len(missing)} have none: {names}{more}."
        )
    return {name: path for name, path in paths.items() if path is not None}, missing


def _ranks(
    split: SplitMetadata,
    scores: PathLike,
    image_ids: Iterable[str],
    topk: Sequence[int],
) -> dict[str, int]:
    """The place of each image's class by score."""
    by_image = read_class_scores(scores)
    num_classes = min(map(len, by_image.values()), default=0)
    if max(topk, default=1) > num_classes:
        raise ConfigError(
            f"Expected `topk` to be at most the number of classes in {scores}, "
            f"{num_classes}, but got {tuple(topk)}."
        )
    ranks = {}
    for image_id in image_ids:
        if image_id not in by_image:
            raise DataError(
                f"Image {image_id!r}: Expected {scores} to hold its class scores, but "
                "got none."
            )
        try:
            ranks[image_id] = label_rank(by_image[image_id], split.labels[image_id])
        except DataError as error:
            raise DataError(f"Image {image_id!r} in {scores}: {error}") from error
    return ranks


def _run(
    work: Callable[[list[_Job]], _Outcome], jobs: list[_Job], workers: int
) -> Iterator[_Outcome]:
    """Work on the jobs in chunks, in their order, in one or several processes."""
    chunks = [jobs[start : start + _CHUNK] for start in range(0, len(jobs), _CHUNK)]
    if workers == 1:
        yield from map(work, chunks)
        return
    # Processes start afresh: a copy of one that runs threads, such as those of torch,
    # may wait for a lock forever.
    # Each has a core to itself: threads of OpenCV would only compete.
    pool = ProcessPoolExecutor(
        workers,
        mp_context=get_context("spawn"),
        initializer=cv2.setNumThreads,
        initargs=(1,),
    )
    try:
        yield from pool.map(work, chunks)
    finally:
        pool.shutdown(cancel_futures=True)


def _evaluate_chunk(
    settings: EvaluationSettings,
    mask_root: Optional[Path],
    baseline: Optional[str],
    jobs: list[_Job],
) -> _Outcome:
    records, num_resized = [], 0
    scores = np.zeros(0) if baseline is None else baseline_map(baseline)
    was_resized = False
    for job in jobs:
        try:
            if job.path is not None:
                scores, was_resized = read_scoremap(job.path)
            records.append(_record(settings, mask_root, job, scores))
        except DataError as error:
            raise DataError(f"Image {job.image_id!r}: {error}") from error
        num_resized += was_resized
    return records, num_resized


def _record(
    settings: EvaluationSettings,
    mask_root: Optional[Path],
    job: _Job,
    scores: NDArray[np.float64],
) -> bytes:
    if mask_root is not None:
        ignored = [name for _, name in job.masks if name]
        return make_pixel_record(
            scores,
            merge_masks(
                [read_mask(mask_root / name) for name, _ in job.masks],
                ignore=read_mask(mask_root / ignored[0]) if ignored else None,
            ),
            thresholds=make_thresholds(settings.interval),
            threshold=settings.threshold,
        )
    return make_box_record(
        scores,
        scale_boxes(job.boxes, job.image_size, target_size=EVAL_SIZE),
        label=job.label,
        rank=job.rank,
        iou_thresholds=settings.iou_thresholds,
        threshold=settings.threshold,
    )


def _result(
    records: Sequence[bytes],
    settings: EvaluationSettings,
    ranks: Sequence[Optional[int]],
    *,
    with_masks: bool,
) -> tuple[dict[str, Any], int]:
    """Scores and curves, and the number of constant maps."""
    thresholds = make_thresholds(settings.interval)
    topk = () if ranks[0] is None else settings.topk
    summary: Union[BoxSummary, PixelSummary]
    groups: dict[str, Any] = {}
    if with_masks:
        summary = summarize_pixels(
            records, thresholds=thresholds, threshold=settings.threshold
        )
        for k in topk:
            num_right = int((np.array(ranks) < k).sum())
            summary.metrics[metric_name("cls", k=k)] = num_right * 100.0 / len(ranks)
    else:
        summary = summarize_boxes(
            records,
            thresholds=thresholds,
            iou_thresholds=settings.iou_thresholds,
            topk=topk,
            threshold=settings.threshold,
            threshold_rule=settings.threshold_rule,
            calibration=settings.calibration,
        )
        groups = {"by_size": summary.by_size, "by_class": summary.by_class}
    result = {
        "metrics": {f"{PREFIX}/{name}": v for name, v in summary.metrics.items()},
        **groups,
        "curves": {"thresholds": thresholds, **summary.curves},
    }
    return result, summary.num_constant
