"""From images and a COCO file that tells their classes to train, val and test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmdgdm.datasets.functional.images import Images, walk_images
from mmdgdm.datasets.prepare.box_files import FoundBox, read_coco
from mmdgdm.datasets.prepare.box_matching import ImageNames, add_box
from mmdgdm.datasets.prepare.report import Report, first_names
from mmdgdm.datasets.prepare.splits import (
    note_lacking_classes,
    resolve_folders,
    split_images,
    write_splits,
)
from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.stored.metadata import SplitMetadata
from mmdgdm.utils.faults import PathLike


def prepare_coco(
    root: PathLike,
    out: PathLike,
    *,
    boxes: PathLike,
    val: float = 0.1,
    test: float = 0.2,
    images: Images,
) -> Report:
    """Write train, val and test of images whose classes a COCO file tells.

    The class of an image is that of its boxes. Images without a box, and those with
    boxes of several classes, have none: they are left out, and a note says so. Labels
    are the ranks of the names of the classes in order, whatever the numbers of the
    file. The rest is as in :func:`mmdgdm.datasets.prepare.folder.prepare_folder`.

    Args:
        root: The folder of the images, at any depth.
        out: A folder to be made, outside of ``root``, by
            :func:`mmdgdm.datasets.prepare.splits.write_splits`.
        boxes: The COCO file.
        val: Share of a class's images that goes to val, at most.
        test: Likewise for test.
        images: Opens the image files.

    Returns:
        What was found; nothing was written if there is a problem.

    Raises:
        ConfigError: If a share is wrong or ``boxes`` is no file.
        DataError: If ``root`` is no folder, or ``out`` exists or lies within it.
    """
    source, target = resolve_folders(root, out, val=val, test=test)
    path = Path(boxes).expanduser()
    if not path.is_file():
        raise ConfigError(f"Expected `--boxes` to be a COCO file, but got {boxes}.")
    report = Report("coco", str(root))
    image_ids = walk_images(source, report)
    found = _match(list(read_coco(path, report)), image_ids, report)
    names, whole = _label(image_ids, found, report)
    paths = {image_id: source / image_id for image_id in whole.image_ids}
    whole.image_sizes = images.read_sizes(paths, report)
    for image_id in whole.image_ids:
        for item in found[image_id]:
            add_box(whole, image_id, item=item, faults=report)
    parts = split_images(whole.labels, {}, val=val, test=test)
    note_lacking_classes(report, whole, parts=parts, names=names, why="images")
    write_splits(report, whole, parts=parts, names=names, source=source, target=target)
    return report


def _match(
    items: Sequence[FoundBox], image_ids: Sequence[str], report: Report
) -> dict[str, list[FoundBox]]:
    """The boxes of each image."""
    known = ImageNames(image_ids)
    found: dict[str, list[FoundBox]] = {}
    unknown = {}
    for item in items:
        meant = known.find(item.image)
        if len(meant) == 1:
            found.setdefault(min(meant), []).append(item)
        else:
            unknown[item.image] = item, meant
    for name, (item, meant) in unknown.items():
        several = f"may be {first_names(sorted(meant))}" if meant else "is none"
        message = f"image {name!r} {several} of the images"
        report.add("unknown image", item.where, message=message)
    return found


def _label(
    image_ids: Sequence[str], found: dict[str, list[FoundBox]], report: Report
) -> tuple[list[str], SplitMetadata]:
    """Names of the classes, and label of each image that has one class."""
    classes = {i: {str(item.name) for item in items} for i, items in found.items()}
    without = [image_id for image_id in image_ids if image_id not in classes]
    mixed = [i for i in image_ids if len(classes.get(i, ())) > 1]
    for what, left_out in (("no box", without), ("boxes of several classes", mixed)):
        if left_out:
            report.notes.append(
                f"{len(left_out)} images with {what} are left out, since an image has "
                f"one class: {first_names(left_out)}"
            )
    one = {i: min(classes[i]) for i in image_ids if len(classes.get(i, ())) == 1}
    names = sorted(set(one.values()))
    if len(names) < 2:
        message = f"Expected images of two classes or more, but got {len(names)}"
        report.add("wrong layout", report.root, message=message)
    ranks = {name: label for label, name in enumerate(names)}
    whole = SplitMetadata(list(one))
    whole.labels = {image_id: ranks[name] for image_id, name in one.items()}
    return names, whole
