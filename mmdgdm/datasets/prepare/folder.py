"""From a folder of images a class to the metadata of train, val and test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Optional

from mmdgdm.datasets.functional.images import Images, walk_images
from mmdgdm.datasets.prepare.box_files import FoundBox, read_boxes
from mmdgdm.datasets.prepare.box_matching import ImageNames, add_box
from mmdgdm.datasets.prepare.report import Report, first_names
from mmdgdm.datasets.prepare.splits import (
    note_lacking_classes,
    resolve_folders,
    split_images,
    write_splits,
)
from mmdgdm.evaluation.stored.metadata import SplitMetadata
from mmdgdm.utils.faults import Faults, PathLike, is_hidden


def prepare_folder(
    root: PathLike,
    out: PathLike,
    *,
    val: float = 0.1,
    test: float = 0.2,
    boxes: Optional[PathLike] = None,
    images: Images,
) -> Report:
    """Write train, val and test of a folder that holds a folder of images a class.

    Labels are the ranks of the folders' names in order; images may lie in folders of
    these at any depth. Of each class a share goes to val and one to test: the images
    with boxes, if there are any boxes, and images drawn by a hash of their names if
    not. The same images always fall in the same splits.

    Args:
        root: The folder of the class folders.
        out: A folder to be made, outside of ``root``, by
            :func:`mmdgdm.datasets.prepare.splits.write_splits`.
        val: Share of a class's images that goes to val, at most.
        test: Likewise for test.
        boxes: As for :func:`mmdgdm.datasets.prepare.box_files.read_boxes`. Classes are
            matched by name.
        images: Opens the image files.

    Returns:
        What was found; nothing was written if there is a problem.

    Raises:
        ConfigError: If a share is wrong or ``boxes`` is of no known form.
        DataError: If ``root`` is no folder, or ``out`` exists or lies within it.
    """
    source, target = resolve_folders(root, out, val=val, test=test)
    report = Report("folder", str(root))
    names, whole = _read_classes(source, report)
    paths = {image_id: source / image_id for image_id in whole.image_ids}
    whole.image_sizes = images.read_sizes(paths, report)
    if boxes is not None:
        found = read_boxes(Path(boxes).expanduser(), report)
        _add_boxes(whole, found, names, faults=report)
    parts = split_images(whole.labels, whole.boxes, val=val, test=test)
    _add_notes(report, whole, parts, names)
    write_splits(report, whole, parts=parts, names=names, source=source, target=target)
    return report


def _read_classes(root: Path, report: Report) -> tuple[list[str], SplitMetadata]:
    """Names of the classes, and label of each image."""
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not is_hidden(p))
    whole = SplitMetadata()
    for label, folder in enumerate(folders):
        found = walk_images(folder, report)
        if not found:
            report.add("empty class", folder, message="holds no image")
        whole.labels.update((f"{folder.name}/{name}", label) for name in found)
    if len(folders) < 2:
        message = f"Expected a folder a class, and two or more, but got {len(folders)}"
        report.add("wrong layout", root, message=message)
    whole.image_ids = list(whole.labels)
    return [folder.name for folder in folders], whole


def _add_boxes(
    whole: SplitMetadata,
    found: Sequence[FoundBox],
    names: Sequence[str],
    *,
    faults: Faults,
) -> None:
    """Give boxes to their images; the class of each must be the image's."""
    known = ImageNames(whole.image_ids)
    for item in found:
        meant = known.find(item.image)
        if len(meant) > 1:  # files of one name in several folders
            meant = {i for i in meant if names[whole.labels[i]] == item.name} or meant
        kind, message = "", ""
        if len(meant) != 1:
            kind = "unknown image"
            several = f"may be {first_names(sorted(meant))}" if meant else "is none"
            message = f"image {item.image!r} {several} of the images"
        elif item.name and item.name not in names:
            kind = "unknown class"
            message = (
                f"class {item.name!r} is no folder; there are {first_names(names)}"
            )
        elif item.name and item.name != names[whole.labels[min(meant)]]:
            kind = "wrong class"
            message = f"a box of {min(meant)!r} is of class {item.name!r}"
        if kind:
            faults.add(kind, item.where, message=message, line=item.line)
        else:
            add_box(whole, min(meant), item=item, faults=faults)


def _add_notes(
    report: Report,
    whole: SplitMetadata,
    parts: Mapping[str, Sequence[str]],
    names: Sequence[str],
) -> None:
    if not whole.boxes:
        report.notes.append(
            "there are no boxes: training works and val tells the accuracy, but boxes "
            "cannot be scored, nor the threshold of maps calibrated, which stays a "
            "guess; give some by `--boxes`: about fifty are enough (docs/evaluation.md)"
        )
        return
    note_lacking_classes(report, whole, parts=parts, names=names, why="boxes")
    spare = len(set(whole.boxes) & set(parts["train"]))
    if spare:
        report.notes.append(
            f"{spare} images with boxes are in train, which learns from labels alone; "
            "larger shares `--val` and `--test` would use their boxes"
        )
