"""Open all images of a folder, whatever they are for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from mmdgdm.datasets.functional.images import Images, walk_images
from mmdgdm.datasets.prepare.report import Report, first_names
from mmdgdm.errors import DataError
from mmdgdm.utils.faults import PathLike


def scan_images(root: PathLike, images: Images) -> Report:
    """Open the images of a folder at any depth; neither boxes nor labels are read.

    Args:
        root: The folder.
        images: Opens the image files.

    Returns:
        Which of them are broken, and a note of those with the same bytes.

    Raises:
        DataError: If ``root`` is no folder.
    """
    source = Path(root).expanduser()
    if not source.is_dir():
        raise DataError(f"Expected `root` to be a folder, but got {root}.")
    report = Report("images", str(root))
    found = walk_images(source, report)
    sizes = images.read_sizes({name: source / name for name in found}, report)
    report.counts["all"] = {"images": len(found), "readable": len(sizes)}
    if not found:
        report.add("empty folder", root, message="holds no image")
    digests = {name: images.facts[str(source / name)].digest for name in sizes}
    numbers = Counter(digests.values())
    same = [n for n, digest in digests.items() if digest and numbers[digest] > 1]
    if same:
        report.notes.append(
            f"{len(same)} images have the same bytes as another: {first_names(same)}"
        )
    return report
