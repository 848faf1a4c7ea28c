"""Check OpenImages30k, or any data set with masks in the benchmark's text form."""

from __future__ import annotations

from pathlib import Path

from mmdgdm.datasets.prepare.images import Images
from mmdgdm.datasets.prepare.metadata_check import (
    check_masks,
    check_overlap,
    check_split_images,
    find_image_root,
    read_metadata,
)
from mmdgdm.datasets.prepare.report import Report
from mmdgdm.datasets.prepare.sources import PUBLISHED, SOURCES

SPLITS = ("train", "val", "test")
#: Class folders of the real set begin so; by one of them it is recognised.
_KNOWN_CLASS = "01226z"


def check_open_images(root: Path, images: Images) -> Report:
    """Check images, masks and text files of all splits.

    Text files are looked for in ``metadata/OpenImages``, ``metadata_masks`` and
    ``metadata``; images and masks in ``root``, ``OpenImages`` and, for masks,
    ``OpenImages_masks``. ``train`` needs no masks.

    Args:
        root: The folder of the data set.
        images: Opens the files.

    Returns:
        What was found.
    """
    report = Report("openimages", str(root))
    source = SOURCES["openimages"]
    folders = [
        root / "metadata" / "OpenImages",
        root / "metadata_masks",
        root / "metadata",
        root.parent / "metadata" / "OpenImages",
    ]
    image_roots = [root / "OpenImages", root, root / "images"]
    mask_roots = [root / "OpenImages_masks", *image_roots, root / "masks"]
    parts: dict[str, dict[str, Path]] = {}
    recognised = False
    for split in SPLITS:
        folder = next((f / split for f in folders if (f / split).is_dir()), None)
        if folder is None:
            _tell_missing(split, root, report)
            continue
        content = read_metadata(folder, report, None, with_boxes=split != "train")
        image_root = find_image_root(content, image_roots)
        paths = check_split_images(content, image_root, images, report)
        numbers = {"images": len(paths), "classes": len(set(content.labels.values()))}
        if paths and not any(path.is_file() for path in paths.values()):
            report.add("missing part", root, f"no image of {split}: {source['images']}")
        if content.masks:
            mask_root = _find_mask_root(content.masks, mask_roots)
            numbers["masks"] = check_masks(content, mask_root, images, report)
        elif split != "train":
            message = f"names no masks of {split}: {source['masks']}"
            report.add("missing part", folder / "localization.txt", message)
        parts[split] = paths
        report.counts[split] = numbers
        recognised |= any(f"/{_KNOWN_CLASS}/" in name for name in paths)
    _check_classes(report, root)
    check_overlap(parts, images, report)
    if recognised:
        _compare_counts(root, report)
    return report


def _tell_missing(split: str, root: Path, report: Report) -> None:
    message = f"no metadata of {split}: {SOURCES['openimages']['metadata']}"
    if split == "train":
        report.notes.append(f"there is {message}")
    else:
        report.add("missing part", root / "metadata", message)


def _find_mask_root(masks: dict[str, list], candidates: list[Path]) -> Path:
    names = [rows[0][1] for rows in masks.values()][:200]
    return max(candidates, key=lambda root: sum((root / n).is_file() for n in names))


def _check_classes(report: Report, root: Path) -> None:
    """The splits should have the same number of classes."""
    numbers = {split: counts["classes"] for split, counts in report.counts.items()}
    if len(set(numbers.values())) > 1:
        text = ", ".join(f"{number} in {split}" for split, number in numbers.items())
        report.add("wrong count", root, f"the splits differ in classes: {text}")


def _compare_counts(root: Path, report: Report) -> None:
    published = PUBLISHED["openimages"]
    for split, numbers in report.counts.items():
        for name, wanted in (
            ("images", published[split]),
            ("classes", published["classes"]),
        ):
            if numbers[name] != wanted:
                message = f"Expected {wanted:,} {name}, but got {numbers[name]:,}"
                report.add("wrong count", root, f"{split}: {message}")
