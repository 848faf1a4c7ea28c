"""Which image a box of a file belongs to, whatever way the file calls it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from mmdgdm.datasets.prepare.box_files import FoundBox
from mmdgdm.errors import DataError
from mmdgdm.evaluation.stored.metadata import SplitMetadata
from mmdgdm.utils.faults import Faults


class ImageNames:
    """Images by each end of their path, with and without its ending.

    Args:
        image_ids: The images, by their paths below one folder.

    Example:
        >>> sorted(ImageNames(["cats/1.jpg", "dogs/1.jpg"]).find("/old/dogs/1.jpg"))
        ['dogs/1.jpg']
    """

    def __init__(self, image_ids: Iterable[str]) -> None:
        self._known: dict[str, set[str]] = {}
        for image_id in image_ids:
            for name in (image_id, str(PurePosixPath(image_id).with_suffix(""))):
                for end in _ends(name):
                    self._known.setdefault(end, set()).add(image_id)

    def find(self, name: str) -> set[str]:
        """The images that a name may mean: those of its longest end that is known."""
        ends = _ends(name.replace("\\", "/"))
        return next((self._known[end] for end in ends if end in self._known), set())


def _ends(path: str) -> Iterator[str]:
    parts = PurePosixPath(path).parts
    return ("/".join(parts[start:]) for start in range(len(parts)))


def add_box(
    whole: SplitMetadata, image_id: str, *, item: FoundBox, faults: Faults
) -> None:
    """Give a box to its image.

    Args:
        whole: The images; takes the box.
        image_id: The image; one without a size is a fault already.
        item: The box.
        faults: Takes a box that is reversed or does not fit its image.
    """
    if image_id not in whole.image_sizes:
        return
    width, height = whole.image_sizes[image_id] if item.relative else (1, 1)
    x0, y0, x1, y1 = item.box
    try:
        box = (x0 * width, y0 * height, x1 * width, y1 * height)
        whole.add_box(image_id, box, past=1)
    except DataError as error:
        faults.add(
            "wrong box",
            item.where,
            message=f"{error}",
            image_id=image_id,
            line=item.line,
        )
