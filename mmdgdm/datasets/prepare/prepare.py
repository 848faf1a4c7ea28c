"""Unpack, check and describe a data set; what ``tools/prepare_data.py`` calls."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Optional

from mmdgdm.datasets.prepare.archives import unpack_archives
from mmdgdm.datasets.prepare.cub import check_cub
from mmdgdm.datasets.prepare.ilsvrc import check_ilsvrc
from mmdgdm.datasets.prepare.images import Images, Progress
from mmdgdm.datasets.prepare.open_images import check_open_images
from mmdgdm.datasets.prepare.report import PathLike, Report
from mmdgdm.datasets.prepare.write_metadata import check_can_write, write_metadata
from mmdgdm.errors import ConfigError, DataError

#: The check of each kind of data set.
DATASETS: dict[str, Callable[[Path, Images], Report]] = {
    "cub": check_cub,
    "ilsvrc": check_ilsvrc,
    "openimages": check_open_images,
}


def prepare_data(
    dataset: str,
    root: PathLike,
    *,
    quick: bool = False,
    archives: Optional[PathLike] = None,
    metadata: Optional[PathLike] = None,
    overwrite: bool = False,
    workers: int = 1,
    progress: Progress = lambda done, total: None,
) -> Report:
    """Unpack archives, check what is there, and write metadata.

    Args:
        dataset: ``'cub'``, ``'ilsvrc'`` or ``'openimages'``: the layout; a smaller set
            of the same layout is complete as itself.
        root: The folder of the data set.
        quick: Whether only the headers of images are read.
        archives: Folder with downloaded archives, to be unpacked into ``root`` first.
        metadata: Folder to write the splits to, in the benchmark's text form; only
            done if nothing is wrong.
        overwrite: Whether folders that exist are replaced.
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
    if dataset not in DATASETS:
        raise ConfigError(
            f"Expected `dataset` to be one of {sorted(DATASETS)}, but got {dataset!r}."
        )
    if not isinstance(workers, int) or workers < 1:
        raise ConfigError(
            f"Expected `workers` to be a positive integer, but got {workers!r}."
        )
    if metadata is not None:
        check_can_write(dataset, Path(metadata), overwrite)
    folder = Path(root).expanduser()
    notes = []
    if archives is not None:
        notes = unpack_archives(dataset, Path(archives), folder, overwrite, progress)
    if not folder.is_dir():
        raise DataError(f"Expected `root` to be a folder, but got {root}.")
    images = Images(quick, workers, progress)
    report = DATASETS[dataset](folder, images)
    report.notes[:0] = notes
    if metadata is not None:
        report.notes.append(
            _write(dataset, folder, Path(metadata), images, overwrite)
            if report.complete
            else f"nothing was written to {metadata}: mend the problems first"
        )
    return report


def _write(dataset: str, root: Path, out: Path, images: Images, overwrite: bool) -> str:
    numbers = write_metadata(dataset, root, out, images, overwrite)
    text = ", ".join(f"{number:,} images of {name}" for name, number in numbers.items())
    return f"{text} were written to {out}"
