"""Check a whole data set: all of its parts by their own readers, and all image files.

The readers of the formats say what is wrong with a part, and the data sets raise at
the same faults. What concerns the whole is checked here: parts that are missing, files
that cannot be decoded or have another size than stated, images in two splits, and the
published counts of the real sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Callable, Optional

from mmdgdm.datasets import cub
from mmdgdm.datasets.functional import ilsvrc_files as ilsvrc
from mmdgdm.datasets.functional.images import Images
from mmdgdm.datasets.prepare.checked_set import Check, find_root
from mmdgdm.datasets.prepare.report import Report, first_names
from mmdgdm.datasets.prepare.sources import PUBLISHED, SOURCES
from mmdgdm.datasets.prepare.splits import PREPARED, read_prepared
from mmdgdm.evaluation.stored.metadata import (
    IMAGE_IDS,
    LOCALIZATION,
)
from mmdgdm.utils.faults import read_lines
from mmdgdm.utils.image_files import read_mask

#: By these the real sets are recognised.
_FIRST_CUB_CLASS = "001.Black_footed_Albatross"
_KNOWN_OPEN_IMAGES_CLASS = "/01226z/"


def check_data(
    dataset: str, root: Path, *, images: Images, left_out: bool = False
) -> Check:
    """Check a data set of one of the kinds of :data:`CHECKS`.

    The root is the folder that the data sets themselves take, or the one that holds it.
    With ``left_out``, images of val are none of CUB's train.
    """
    check = Check(dataset, root, images=images, left_out=left_out)
    CHECKS[dataset](check)
    check.check_overlap()
    return check


def _check_cub(check: Check) -> None:
    root, report = check.root, check.report
    raw = cub.find_cub(root)
    if not (raw / cub.IMAGES).is_file() and not (raw / "images").is_dir():
        check.tell_missing("archive", root)
        return
    classes = cub.read_classes(raw, report)
    splits = cub.read_cub(raw, len(classes), faults=report, images=check.images)
    for name, split in splits.items():
        check.add_split(name, split, folder=raw / "images")
        report.counts[name]["classes"] = len(classes)
    _note_extra_files(check, raw)
    base = root if raw != root else raw.parent
    roots = [base / "CUBV2", raw / "images", base, base / "CUB"]
    for name in ("train", "val", "test"):
        folders = [f / name for f in (base / "metadata" / "CUB", base / "metadata")]
        key = name if name == "val" else f"metadata of {name}"
        check.add_metadata(
            key,
            folders,
            image_folders=roots,
            num_classes=len(classes) or None,
            with_boxes=name != "train",
        )
        if name != "val":  # The images are those of the raw layout.
            check.paths.pop(key, None)
    if check.left_out and "val" in check.splits:
        check.leave_out_val()
    if "val" not in check.splits and (base / "CUBV2").is_dir():
        check.tell_missing("val metadata", base / "metadata")
    elif "val" not in check.splits:
        check.note_missing_val()
    # A part of CUB has fewer classes, and is complete as itself.
    is_whole = len(classes) == PUBLISHED["cub"]["classes"]
    if is_whole and _FIRST_CUB_CLASS in classes:
        for name in sorted(check.paths):
            check.compare_counts(name, "images", number=len(check.paths[name]))


def _note_extra_files(check: Check, raw: Path) -> None:
    listed = {path for paths in check.paths.values() for path in paths.values()}
    extra = [
        str(path.relative_to(raw))
        for path in sorted((raw / "images").glob("*/*"))
        if path not in listed and not path.name.startswith(".")
    ]
    if extra:
        check.report.notes.append(
            f"{len(extra)} files are not in {cub.IMAGES}: {first_names(extra)}"
        )


def _check_ilsvrc(check: Check) -> None:
    root, report = check.root, check.report
    folders = {split: ilsvrc.find_images(root, split) for split in ("train", "val")}
    train, val = (None if f is None else root / f for f in folders.values())
    labels: dict[str, int] = {}
    if train or ilsvrc.find_text(root, ilsvrc.SYNSET_MAPPING):
        names = ilsvrc.read_classes(root, report)
        labels = {wnid: label for label, wnid in enumerate(names)}
    if train is None:
        check.tell_missing("train images", root / "train")
    elif labels:
        split = ilsvrc.read_ilsvrc(
            train,
            "train",
            labels=labels,
            annotation=None,
            with_boxes=False,
            faults=report,
        )
        check.add_split("train", split, folder=train)
        report.counts["train"]["classes"] = len(labels)
    if val is None:
        check.tell_missing("test images", root / "val")
    data = val or train or root
    _check_ilsvrc_test(check, data, val, labels)
    _check_ilsvrc_val(check, data, len(labels))
    if len(labels) == PUBLISHED["ilsvrc"]["classes"]:
        for name, paths in check.paths.items():
            check.compare_counts(name, "images", number=len(paths))


def _metadata_folders(root: Path, split: str) -> list[Path]:
    bases = (root / "metadata", root.parent / "metadata")
    return [bases[0] / "ILSVRC" / split, bases[0] / split, bases[1] / "ILSVRC" / split]


def _check_ilsvrc_test(
    check: Check, data: Path, val: Optional[Path], labels: dict[str, int]
) -> None:
    """Check the images and boxes of val, which is the benchmark's test."""
    annotation = ilsvrc.find_annotation(check.root)
    if annotation is not None and val is not None and labels:
        split = ilsvrc.read_ilsvrc(
            val,
            "val",
            labels=labels,
            annotation=annotation,
            with_boxes=True,
            faults=check.report,
            images=check.images,
        )
        check.add_split("test", split, folder=val)
    folders = _metadata_folders(check.root, "test")
    name = "metadata of test" if annotation is not None else "test"
    roots = [data, check.root, check.root.parent]
    found = check.add_metadata(
        name, folders, image_folders=roots, num_classes=len(labels) or None
    )
    if annotation is None and found is None:
        check.tell_missing("test boxes", check.root)
    elif annotation is not None:
        check.paths.pop(name, None)


def _check_ilsvrc_val(check: Check, data: Path, num_classes: int) -> None:
    """Check ImageNetV2 in the benchmark's text form, if it is there."""
    root = check.root
    roots = [root, data, root.parent]
    folder = next((p / "val2" for p in roots if (p / "val2").is_dir()), None)
    metadata = [path for path in _metadata_folders(root, "val") if path.is_dir()]
    if not metadata and folder is None:
        check.note_missing_val()
    elif not metadata:
        check.tell_missing("val metadata", root / "metadata" / "ILSVRC" / "val")
    elif folder is None:
        check.tell_missing("val images", root / "val2")
    elif _is_renamed(metadata[0], folder, roots):
        message = (
            "the files bear hashes for names, as in newer archives, and the metadata "
            "numbers; rename them by metadata/ILSVRC/val/mapping.txt of the benchmark"
        )
        check.report.add("wrong layout", folder, message=message)
    else:
        check.add_metadata(
            "val",
            metadata,
            image_folders=[*roots, folder],
            num_classes=num_classes or None,
        )


def _is_renamed(metadata: Path, folder: Path, roots: Sequence[Path]) -> bool:
    """Whether the first image of val is not there, but files with hashes for names."""
    _, first = next(read_lines(metadata / IMAGE_IDS, Report("", "")), (0, ""))
    found = any((root / first).is_file() for root in (*roots, folder))
    return not found and any(len(path.stem) == 40 for path in folder.glob("*/*"))


def _check_open_images(check: Check) -> None:
    """Check text files, images and masks of all splits; train needs no masks."""
    root = check.root
    bases = [root / "metadata" / "OpenImages", root / "metadata_masks"]
    bases += [root / "metadata", root.parent / "metadata" / "OpenImages"]
    image_roots = [root / "OpenImages", root, root / "images"]
    mask_roots = [root / "OpenImages_masks", *image_roots, root / "masks"]
    for name in ("train", "val", "test"):
        folders = [base / name for base in bases]
        split = check.add_metadata(
            name, folders, image_folders=image_roots, with_boxes=name != "train"
        )
        if split is None and name == "train":
            source = SOURCES["openimages"]["metadata"]
            check.report.notes.append(f"there is no metadata of train: {source}")
        elif split is None:
            check.tell_missing("metadata", root / "metadata")
        elif split.masks:
            _check_masks(check, name, split.masks, mask_roots)
        elif name != "train":
            check.tell_missing("masks", folders[0] / LOCALIZATION)
    _check_open_images_classes(check)


def _check_masks(
    check: Check,
    name: str,
    masks: dict[str, list[tuple[str, str]]],
    candidates: list[Path],
) -> None:
    """Open the masks of a split and compare their sizes with each other."""
    texts = {i: [t for row in rows for t in row if t] for i, rows in masks.items()}
    root = find_root([row[0] for row in texts.values()], candidates)
    check.report.counts[name]["masks"] = sum(map(len, texts.values()))
    paths = [root / text for row in texts.values() for text in row]
    check.images.look(paths, read_mask)
    for image_id, row in texts.items():
        facts = {text: check.images.facts[str(root / text)] for text in row}
        for text, (_, _, problem) in facts.items():
            if problem is not None:
                kind = problem[0].replace("image", "mask")
                check.report.add(
                    kind, root / text, message=problem[1], image_id=image_id
                )
        # The image itself may be of another size: its pixels are resized.
        sizes = {fact.size for fact in facts.values() if fact.size is not None}
        if len(sizes) > 1:
            found = first_names(sorted(f"{w} x {h}" for w, h in sizes))
            message = f"the masks of the image differ in size: {found}"
            where = root / row[0]
            check.report.add(
                "mask of wrong size", where, message=message, image_id=image_id
            )


def _check_metadata(check: Check) -> None:
    """Check a set in the text form; only train may lack boxes and masks.

    The splits lie in ``root``, in ``root/metadata`` or one folder further down.
    """
    root, report = check.root, check.report
    starts = [root, root / "metadata", *sorted((root / "metadata").glob("*"))]
    bases = [base for base in starts if (base / "train" / IMAGE_IDS).is_file()]
    if not bases:
        message = f"there is no train/{IMAGE_IDS} in it, nor in its folder metadata"
        report.add("missing part", root, message=message)
        return
    base = bases[0]
    image_roots = _image_roots(base, root)
    names = base / "classes.txt"
    num_classes = len(list(read_lines(names))) if names.is_file() else None
    for name in ("train", "val", "test"):
        lines = read_lines(base / name / LOCALIZATION, Report("", ""))
        with_boxes = name != "train" and next(lines, None) is not None
        split = check.add_metadata(
            name,
            [base / name],
            image_folders=image_roots,
            num_classes=num_classes,
            with_boxes=with_boxes,
        )
        if split is None:
            report.notes.append(f"there is no split {name}")
            continue
        report.counts[name]["classes"] = len(set(split.labels.values()))
        if split.masks:
            _check_masks(check, name, split.masks, image_roots)
        elif name != "train" and not with_boxes:
            report.notes.append(f"{name} has neither boxes nor masks")


def _image_roots(base: Path, root: Path) -> list[Path]:
    """Where the images of a set in the text form may lie."""
    if (base / PREPARED).is_file():
        return [Path(read_prepared(base)["images"])]
    folders = sorted(path for path in root.glob("*") if path.is_dir())
    return [root, root / "images", base, *folders]


def _check_open_images_classes(check: Check) -> None:
    """All splits should have the same classes, from 0 without a gap."""
    labels = {name: set(split.labels.values()) for name, split in check.splits.items()}
    total = max(set().union(*labels.values()), default=-1) + 1
    for name, found in labels.items():
        check.report.counts[name]["classes"] = len(found)
        if len(found) < total:
            lacking = min(set(range(total)) - found)
            message = f"{name} has no image of class {lacking} of 0 to {total - 1}"
            check.report.add("missing class", check.root, message=message)
    ids = (i for paths in check.paths.values() for i in paths)
    if any(_KNOWN_OPEN_IMAGES_CLASS in image_id for image_id in ids):
        for name, found in labels.items():
            check.compare_counts(name, "images", number=len(check.paths[name]))
            check.compare_counts(name, "classes", number=len(found))


#: The check of each kind of data set.
CHECKS: dict[str, Callable[[Check], None]] = {
    "cub": _check_cub,
    "ilsvrc": _check_ilsvrc,
    "metadata": _check_metadata,
    "openimages": _check_open_images,
}
