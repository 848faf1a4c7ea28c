"""Check ILSVRC CLS-LOC, or any data set in its layout, with ImageNetV2 as val."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Optional

from mmdgdm.datasets.prepare.ilsvrc_boxes import (
    Annotation,
    check_boxes,
    read_solution,
    read_xml_folder,
)
from mmdgdm.datasets.prepare.images import Images
from mmdgdm.datasets.prepare.metadata_check import (
    Split,
    check_overlap,
    check_split_images,
    find_image_root,
    read_metadata,
)
from mmdgdm.datasets.prepare.report import Report
from mmdgdm.datasets.prepare.sources import PUBLISHED, SOURCES

_WNID = re.compile(r"n\d{8}")
_ENDINGS = {".jpeg", ".jpg", ".png"}


def find_ilsvrc(root: Path) -> Path:
    """The folder that holds ``train`` and ``val``, plain or in Kaggle's layout."""
    candidates = [
        root,
        root / "Data" / "CLS-LOC",
        root / "ILSVRC" / "Data" / "CLS-LOC",
        root / "ILSVRC",
    ]
    return next(
        (c for c in candidates if (c / "train").is_dir() or (c / "val").is_dir()), root
    )


def check_ilsvrc(root: Path, images: Images) -> Report:
    """Check the images of train and test, the boxes of test, and ImageNetV2 as val.

    Args:
        root: The folder of the data set, as :class:`mmdgdm.datasets` reads it.
        images: Opens the image files.

    Returns:
        What was found.
    """
    report = Report("ilsvrc", str(root))
    data = find_ilsvrc(root)
    train, wnids = _check_train(data / "train", images, report)
    test = _check_test(data / "val", images, report)
    _check_annotations(root, data, wnids, test, images, report)
    parts = {"train": train, "test": test}
    parts.update(_check_val(root, data, len(wnids), images, report))
    check_overlap(parts, images, report)
    if len(wnids) == PUBLISHED["ilsvrc"]["classes"]:
        _compare_counts(root, report)
    return report


def _missing(part: str, where: Path, report: Report) -> None:
    message = f"there are no {part}; get {SOURCES['ilsvrc'][part]}"
    report.add("missing part", where, message)


def _check_train(
    folder: Path, images: Images, report: Report
) -> tuple[dict[str, Path], list[str]]:
    """Open the images of all class folders; return them and the class names."""
    if not folder.is_dir():
        _missing("train images", folder, report)
        return {}, []
    wnids = sorted(path.name for path in folder.iterdir() if path.is_dir())
    paths = {}
    for wnid in wnids:
        if not _WNID.fullmatch(wnid):
            message = f"Expected folders named as n01440764, but got {wnid}"
            report.add("unknown class", folder / wnid, message)
        own = list_images(folder / wnid)
        if not own:
            report.add("empty class", folder / wnid, "holds no image")
        paths.update({f"{wnid}/{path.name}": path for path in own})
    images.check(paths, report)
    report.counts["train"] = {"images": len(paths), "classes": len(wnids)}
    return paths, wnids


def _check_test(folder: Path, images: Images, report: Report) -> dict[str, Path]:
    own = list_images(folder) if folder.is_dir() else []
    if not own:
        if folder.is_dir() and any(path.is_dir() for path in folder.iterdir()):
            message = "holds folders; expected the images themselves, as in the archive"
            report.add("wrong layout", folder, message)
        else:
            _missing("test images", folder, report)
        return {}
    paths = {path.name: path for path in own}
    images.check(paths, report)
    report.counts["test"] = {"images": len(paths)}
    return paths


def list_images(folder: Path) -> list[Path]:
    """The image files of a folder by name; those that begin with a dot are none."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in _ENDINGS and not path.name.startswith(".")
    )


def _check_annotations(
    root: Path,
    data: Path,
    wnids: list[str],
    test: dict[str, Path],
    images: Images,
    report: Report,
) -> None:
    found = find_annotations(root, data, report)
    for source, entries in found.items():
        _compare(entries, source, wnids, test, images, report)
    metadata = _find_metadata(root, "test")
    if metadata is not None:
        split = read_metadata(metadata, report, len(wnids) or None, with_boxes=True)
        roots = [data, root, root.parent]
        check_split_images(split, find_image_root(split, roots), images, report)
    if not found and metadata is None:
        _missing("test boxes", root, report)


def find_annotations(
    root: Path, data: Path, report: Report
) -> dict[Path, dict[str, Annotation]]:
    """Read the boxes of test that are there.

    Args:
        root: The folder of the data set.
        data: Its folder with ``train`` and ``val``.
        report: Takes the problems.

    Returns:
        The annotations by image, by the folder of XML files or the csv file that they
        come from.
    """
    bases = (root, root / "ILSVRC", data)
    folder = _first(base / "Annotations" / "CLS-LOC" / "val" for base in bases)
    bases = (root, root / "ILSVRC", root.parent)
    table = _first(base / "LOC_val_solution.csv" for base in bases)
    found = {}
    if folder is not None:
        found[folder] = read_xml_folder(folder, report)
    if table is not None:
        found[table] = read_solution(table, report)
    return found


def _first(paths: Iterable[Path]) -> Optional[Path]:
    return next((path for path in paths if path.exists()), None)


def _find_metadata(root: Path, split: str) -> Optional[Path]:
    bases = (root / "metadata" / "ILSVRC", root / "metadata")
    beside = root.parent / "metadata" / "ILSVRC"
    return _first(base / split for base in (*bases, beside))


def _compare(
    found: dict[str, Annotation],
    source: Path,
    wnids: list[str],
    test: dict[str, Path],
    images: Images,
    report: Report,
) -> None:
    """Compare the annotations with the images of test and the classes of train."""
    by_stem = {Path(name).stem: path for name, path in test.items()}
    known = set(wnids)
    clipped = 0
    for name, annotation in found.items():
        if known and annotation.wnid not in known:
            message = f"class {annotation.wnid} has no folder in train"
            report.add(
                "label out of range", annotation.where, message, name, annotation.line
            )
        if test and name not in by_stem:
            message = "has no image in val"
            report.add("unknown id", annotation.where, message, name, annotation.line)
            continue
        size = images.size(by_stem[name]) if test else None
        clipped += check_boxes(name, annotation, size, report)
    for name in by_stem:
        if name not in found:
            report.add("missing line", source, "has no boxes", name)
    if clipped:
        report.notes.append(
            f"boxes of {clipped} images end one past the last pixel and are clipped "
            "when read"
        )
    report.counts[f"boxes in {source.name}"] = {
        "images": len(found),
        "boxes": sum(len(annotation.boxes) for annotation in found.values()),
    }


def _check_val(
    root: Path, data: Path, num_classes: int, images: Images, report: Report
) -> dict[str, dict[str, Path]]:
    """Check ImageNetV2 in the benchmark's text form, if it is there."""
    metadata = _find_metadata(root, "val")
    pictures = _first((root / "val2", data / "val2", root.parent / "val2"))
    if metadata is None and pictures is None:
        source = SOURCES["ilsvrc"]
        report.notes.append(
            f"there is no val split; for it get {source['val images']}, and "
            f"{source['val metadata']}"
        )
        return {}
    if metadata is None:
        _missing("val metadata", root / "metadata" / "ILSVRC" / "val", report)
        return {}
    split = read_metadata(metadata, report, num_classes or None, with_boxes=True)
    report.counts["val"] = {"images": len(split.lines)}
    if pictures is None:
        _missing("val images", root / "val2", report)
        return {}
    image_root = find_image_root(split, [root, data, root.parent, pictures])
    if _is_renamed(split, image_root):
        message = (
            "the files bear hashes for names, as in newer archives, and the metadata "
            "numbers; rename them by metadata/ILSVRC/val/mapping.txt of the benchmark"
        )
        report.add("wrong layout", pictures, message)
        return {}
    return {"val": check_split_images(split, image_root, images, report)}


def _is_renamed(split: Split, root: Path) -> bool:
    """Whether no image is there but their folders hold files of long names."""
    paths = [root / name for name in split.lines]
    if not paths or any(path.is_file() for path in paths):
        return False
    folder = paths[0].parent
    return folder.is_dir() and any(len(p.stem) == 40 for p in folder.iterdir())


def _compare_counts(root: Path, report: Report) -> None:
    for split in ("train", "val", "test"):
        wanted = PUBLISHED["ilsvrc"][split]
        number = report.counts.get(split, {}).get("images", wanted)
        if number != wanted:
            message = f"Expected {wanted:,} images of {split}, but got {number:,}"
            report.add("wrong count", root, message)
