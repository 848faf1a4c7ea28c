"""Unpack, check and describe a data set; what ``tools/prepare_data.py`` calls."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from mmdgdm.datasets.functional.images import Images, Progress
from mmdgdm.datasets.prepare.archives import (
    ARCHIVES,
    check_absent,
    new_folder,
    unpack_archives,
)
from mmdgdm.datasets.prepare.check import CHECKS, check_data
from mmdgdm.datasets.prepare.checked_set import Check
from mmdgdm.datasets.prepare.report import Report
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.stored.metadata import write_split
from mmdgdm.utils.argument_checks import check_choice, check_positive_int
from mmdgdm.utils.faults import PathLike


def prepare_data(
    dataset: str,
    root: PathLike,
    *,
    quick: bool = False,
    archives: Optional[PathLike] = None,
    metadata: Optional[PathLike] = None,
    overwrite: bool = False,
    left_out: bool = False,
    workers: int = 1,
    progress: Progress = lambda done, total: None,
) -> Report:
    """Unpack archives, check what is there, and write metadata.

    Args:
        dataset: ``'cub'``, ``'ilsvrc'`` or ``'openimages'``: the layout; a smaller set
            of the same layout is complete as itself. ``'metadata'``: any set in the
            text form.
        root: The folder of the data set.
        quick: Whether only the headers of images are read.
        archives: Folder with downloaded archives, to be unpacked into ``root`` first.
        metadata: Folder to write the splits to, in the benchmark's text form; only
            done if nothing is wrong.
        overwrite: Whether folders that exist are replaced.
        left_out: Whether images of val are left out of CUB's train, to which they
            belong by its own files.
        workers: Number of processes. With several, a script must guard its own work
            by ``if __name__ == "__main__"``.
        progress: Called with the number of files done and of all files of a round, 0
            if unknown.

    Returns:
        All that is wrong or worth knowing.

    Raises:
        ConfigError: If an argument is wrong.
        DataError: If the root is no folder, an archive is broken, or a folder exists
            already or cannot be written.
    """
    check_choice("dataset", dataset, choices=CHECKS)
    check_positive_int("workers", workers)
    if metadata is not None:  # Refuse what cannot work before the long work begins.
        if dataset in ("openimages", "metadata"):
            raise ConfigError(
                f"Expected `--write-metadata` with cub or ilsvrc, but got {dataset}, "
                "whose annotation comes in this form already."
            )
        check_absent(Path(metadata), overwrite)
    if left_out and dataset != "cub":
        raise ConfigError(f"Expected `--left-out` with cub, but got {dataset}.")
    folder = Path(root).expanduser()
    notes = []
    if archives is not None and dataset not in ARCHIVES:
        raise ConfigError(
            f"Expected `--archives` with one of {', '.join(ARCHIVES)}, but got "
            f"{dataset}, of which no archives are known."
        )
    if archives is not None:
        notes = unpack_archives(
            dataset, Path(archives), root=folder, overwrite=overwrite, progress=progress
        )
    if not folder.is_dir():
        raise DataError(f"Expected `root` to be a folder, but got {root}.")
    images = Images(quick, workers, progress=progress)
    check = check_data(dataset, folder, images=images, left_out=left_out)
    report = check.report
    report.notes[:0] = notes
    if metadata is not None and report.complete:
        report.notes.append(_write(check, Path(metadata), overwrite))
    elif metadata is not None:
        report.notes.append(
            f"nothing was written to {metadata}: mend the problems first"
        )
    return report


def _write(check: Check, out: Path, overwrite: bool) -> str:
    """Write ``train`` and ``test`` of a sound set; say what was written."""
    numbers = []
    with new_folder(out, overwrite) as part:
        for name in ("train", "test"):
            split = check.splits[name]
            write_split(
                part / name,
                split.labels,
                image_sizes=split.image_sizes,
                boxes=split.boxes,
            )
            numbers.append(f"{len(split.labels):,} images of {name}")
    return f"{', '.join(numbers)} were written to {out}"
