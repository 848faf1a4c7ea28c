"""Unpack the archives that data sets come in, into folders that are always whole."""

from __future__ import annotations

import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mmdgdm.datasets.functional.images import Progress
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.utils.faults import is_hidden

_BROKEN = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError)


class Archive(NamedTuple):
    """An archive and the folder that it becomes.

    Attributes:
        name: File name.
        target: Folder below the root.
        inner: Names of a folder that may hold everything in the archive; it becomes
            ``target`` itself.
        nested: Whether the archive holds archives, each of which becomes a folder of
            its name.
    """

    name: str
    target: str
    inner: tuple[str, ...] = ()
    nested: bool = False


ARCHIVES: dict[str, tuple[Archive, ...]] = {
    "cub": (
        Archive("CUB_200_2011.tgz", "CUB_200_2011", ("CUB_200_2011",)),
        Archive("CUBV2.tar", "CUBV2", ("CUBV2",)),
    ),
    "ilsvrc": (
        Archive("ILSVRC2012_img_train.tar", "train", nested=True),
        Archive("ILSVRC2012_img_val.tar", "val", ("val",)),
        Archive("ILSVRC2012_bbox_val_v3.tgz", "Annotations/CLS-LOC/val", ("val",)),
        Archive(
            "imagenetv2-threshold0.7.tar.gz",
            "val2",
            ("imagenetv2-threshold0.7", "imagenetv2-threshold0.7-format-val"),
        ),
    ),
    "openimages": (
        Archive("OpenImages_images.zip", "OpenImages", ("OpenImages",)),
        Archive("OpenImages_annotations.zip", "OpenImages_masks", ("OpenImages",)),
    ),
}


def check_absent(target: Path, overwrite: bool) -> None:
    """Raise a :class:`DataError` if ``target`` exists and may not be replaced."""
    if target.exists() and not overwrite:
        raise DataError(
            f"Expected {target} not to exist yet, but it does; `--overwrite` replaces "
            "it."
        )


@contextmanager
def new_folder(target: Path, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside ``target``, and rename it when the block ends.

    If the block fails, the temporary folder goes and ``target`` stays as it was.

    Args:
        target: The folder to be made.
        overwrite: Whether a folder of this name may be replaced.

    Yields:
        The temporary folder.

    Raises:
        DataError: If ``target`` exists and may not be replaced, or the disk refuses.
    """
    _put_back(target)
    check_absent(target, overwrite)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    try:
        part.mkdir(parents=True)
        yield part
        if target.exists():
            target.rename(old)
        part.rename(target)
    except OSError as error:
        raise DataError(f"{target} cannot be written ({error}).") from error
    finally:
        if old.exists() and not target.exists():
            old.rename(target)
        for folder in (part, old):
            shutil.rmtree(folder, ignore_errors=True)


def _put_back(target: Path) -> None:
    """Put back a folder that a killed run had moved aside and not yet replaced."""
    for old in target.parent.glob(f".{target.name}.*.old"):
        number = old.name.split(".")[-2]
        if target.exists() or os.name != "posix" or not number.isdigit():
            return
        try:
            os.kill(int(number), 0)  # asks whether the process is alive
        except ProcessLookupError:
            old.rename(target)
        except PermissionError:
            pass


def unpack_archives(
    dataset: str,
    folder: Path,
    *,
    root: Path,
    overwrite: bool,
    progress: Progress = lambda done, total: None,
) -> list[str]:
    """Unpack the archives of a data set that a folder holds.

    Each is unpacked into a temporary folder that is renamed at the end, so that what
    stands under the final name is always whole. Paths that lead out of the folder are
    refused.

    Args:
        dataset: Kind of data set.
        folder: The folder with the archives.
        root: The folder of the data set; made if missing.
        overwrite: Whether folders that exist are replaced. Otherwise their archives
            are left alone, and a note says so.
        progress: Called with the number of files of the archive done and, 0 as it is
            not known ahead, of all.

    Returns:
        Notes for the report.

    Raises:
        ConfigError: If the folder holds none of the archives.
        DataError: If an archive is broken or leads out of its folder.
    """
    known = ARCHIVES[dataset]
    present = [archive for archive in known if (folder / archive.name).is_file()]
    if not present:
        names = ", ".join(archive.name for archive in known)
        raise ConfigError(
            f"Expected `--archives` to name a folder with some of {names}, but got "
            f"{folder}, which has none."
        )
    notes = []
    for archive in present:
        target = root / archive.target
        if target.exists() and not overwrite:
            notes.append(
                f"{archive.name} was not unpacked, since {target} exists; "
                "`--overwrite` replaces it"
            )
            continue
        with new_folder(target, overwrite) as part:
            _unpack(folder / archive.name, archive, part, progress)
        notes.append(f"{archive.name} was unpacked into {target}")
    return notes


def _unpack(path: Path, archive: Archive, part: Path, progress: Progress) -> None:
    try:
        _extract(path, part, progress)
        if archive.nested:
            tars = sorted(part.glob("*.tar"))
            for done, tar in enumerate(tars, start=1):
                _extract(tar, part / tar.stem)
                tar.unlink()
                progress(done, len(tars))
    except _BROKEN as error:
        raise DataError(
            f"Expected {path} to be a sound archive with paths of its own, but got "
            f"{type(error).__name__}: {error}."
        ) from error
    inner = next((name for name in archive.inner if (part / name).is_dir()), None)
    if inner is not None:
        _lift(part, inner)
    elif all(map(is_hidden, part.iterdir())):
        raise DataError(f"Expected {path} to hold files, but got none.")


def _lift(part: Path, name: str) -> None:
    """Put the content of a folder in the place of its parent's."""
    inner = part / name
    # Under a name that cannot meet one of the content.
    moved = inner.rename(part / f".{name}.inner")
    for child in moved.iterdir():
        target = part / child.name
        if target.exists():
            raise DataError(
                f"Expected one {child.name} in the archive, but got it beside {name} "
                "and within."
            )
        child.rename(target)
    moved.rmdir()


def _extract(
    path: Path, folder: Path, progress: Progress = lambda done, total: None
) -> None:
    """Extract a tar, in any compression, or zip archive into a folder of its own.

    A path that leads out of the folder raises a ``DataError`` in a zip archive, a
    ``tarfile.TarError`` in a tar archive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            for done, name in enumerate(names, start=1):
                parts = PurePosixPath(name.replace("\\", "/"))
                # zipfile would bend such paths in silence.
                if parts.is_absolute() or ".." in parts.parts:
                    raise DataError(
                        f"Expected {path} to hold paths of its own, but got {name!r}."
                    )
                archive.extract(name, folder)
                progress(done, len(names))
        return
    with tarfile.open(path) as tar:
        for done, member in enumerate(tar, start=1):
            tar.extract(member, folder, filter="data")
            progress(done, 0)
