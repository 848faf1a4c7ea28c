"""The WSOL benchmark's metadata text form: its one reader, and its writer.

A split is a folder of four text files, one entry a line, fields parted by commas:

- ``image_ids.txt``: ``id``, the image's path below the data set's root,
- ``class_labels.txt``: ``id,label`` with labels counted from 0,
- ``image_sizes.txt``: ``id,width,height`` in pixels,
- ``localization.txt``: ``id,x0,y0,x1,y1``, a line a box, or, for data sets with masks,
  ``id,mask_path,ignore_path``, a line a mask.

Boxes are pixels of the original image, both ends included. The fields after the id are
counted from the right, so that an id may hold commas.

Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods Right,
CVPR 2020.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Optional

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.boxes import Box, fit_box
from mmdgdm.utils.faults import (
    RAISE,
    Faults,
    PathLike,
    parse_integer,
    parse_numbers,
    read_lines,
    same_file_name,
)
from mmdgdm.utils.output_paths import path_inside

IMAGE_IDS = "image_ids.txt"
CLASS_LABELS = "class_labels.txt"
IMAGE_SIZES = "image_sizes.txt"
LOCALIZATION = "localization.txt"
#: Names of the classes of all splits, a line `<id> <class name>` each.
CLASSES = "classes.txt"

_BOX_FORM = "id,x0,y0,x1,y1"
_MASK_FORM = "id,mask_path,ignore_path"


@dataclass
class SplitMetadata:
    """What is known about the images of a split, whatever form it came in.

    Attributes:
        image_ids: Paths of the images below the folder of the images, in file order.
        labels: Class of each image, counted from 0.
        image_sizes: (width, height) of each image in pixels; empty if not read,
            or if a data set with masks gives none.
        boxes: Boxes of each image, x0, y0, x1, y1 in pixels of the original image
            with 0 <= x0 <= x1 <= width - 1 and likewise in y; empty if not read,
            or for a data set with masks.
        masks: (mask path, ignore path or ``""``) of each image's masks; ``None``
            if not read, or for a data set with boxes.
        clipped: Images of which a box reached past the last pixel.
    """

    image_ids: list[str] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    image_sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    boxes: dict[str, list[Box]] = field(default_factory=dict)
    masks: Optional[dict[str, list[tuple[str, str]]]] = None
    clipped: list[str] = field(default_factory=list)

    def add_box(self, image_id: str, box: tuple[float, ...], *, past: int = 0) -> None:
        """Add a box, clipped to its image where the size is known.

        Args:
            image_id: The image.
            box: x0, y0, x1, y1 in pixels of the original image, ends included.
            past: How far past the last pixel ends may lie by the way they are counted.

        Raises:
            DataError: If the box is reversed or does not fit its image.
        """
        fitted = fit_box(box, self.image_sizes.get(image_id))
        is_clipped = box[2] > fitted[2] + past or box[3] > fitted[3] + past
        if is_clipped and image_id not in self.clipped[-1:]:
            self.clipped.append(image_id)
        self.boxes.setdefault(image_id, []).append(fitted)


def read_split(
    folder: PathLike,
    num_classes: Optional[int] = None,
    *,
    with_boxes: bool = True,
    faults: Faults = RAISE,
) -> SplitMetadata:
    """Read the metadata of a split and check that its files agree.

    Whether a data set has boxes or masks is read off the first line of
    ``localization.txt``. With masks, ``image_sizes.txt`` may be empty.

    Args:
        folder: Folder of the split, such as ``metadata/CUB/test``.
        num_classes: If given, labels must be smaller.
        with_boxes: Whether to read ``image_sizes.txt`` and ``localization.txt``.
            If not, neither needs to exist: training is from image labels alone.
        faults: Takes what is wrong: a file is missing or no text, a line is malformed,
            an image comes twice or in one file but not in another, a label is out of
            range, a box does not fit its image, or an image has neither box nor mask.

    Returns:
        The split's metadata, without what is wrong.

    Raises:
        DataError: At the first fault, if ``faults`` does not collect them.
    """
    root = Path(folder)
    ids = read_image_ids(root / IMAGE_IDS, faults)
    split = SplitMetadata(list(ids))
    if ids:
        _read_labels(split, _Text(root / CLASS_LABELS, ids, faults), num_classes)
    if ids and with_boxes:
        _read_sizes(split, _Text(root / IMAGE_SIZES, ids, faults))
        _read_localization(split, _Text(root / LOCALIZATION, ids, faults))
    return split


def read_image_ids(path: Path, faults: Faults = RAISE) -> dict[str, None]:
    """Read the file ``image_ids.txt``: the keys are its image ids, in file order."""
    ids: dict[str, None] = {}
    odd: set[str] = set()  # Files whose ids spell them in a longer way.
    text = _Text(path, ids, faults)
    for number, image_id in text.lines():
        name = same_file_name(image_id)
        if image_id in ids or name in ids or name in odd:
            message = f"names image {image_id!r} again"
            text.fault("duplicate id", message, image_id=image_id, line=number)
        if name != image_id:
            odd.add(name)
        ids[image_id] = None
    if not ids and path.is_file():
        text.fault("empty file", "names no image")
    return ids


def read_class_names(path: PathLike) -> tuple[str, ...]:
    """Read the names of the classes, as in CUB's ``classes.txt``.

    Args:
        path: A file with a line ``<id> <class name>`` a class, in the order of the
            labels.

    Returns:
        The names by label.

    Raises:
        DataError: If the file is missing, a line has no name, or there is no line.
    """
    names = []
    for number, line in read_lines(path):
        _, _, name = line.strip().partition(" ")
        if not name.strip():
            raise DataError(
                f"{path}, line {number}: Expected '<id> <class name>', but got "
                f"{line!r}."
            )
        names.append(name.strip())
    if not names:
        raise DataError(f"{path}: names no class.")
    return tuple(names)


def write_class_names(path: PathLike, names: Iterable[str]) -> None:
    """Write names of classes for :func:`read_class_names`, numbered from 0."""
    lines = "".join(f"{label} {name}\n" for label, name in enumerate(names))
    Path(path).write_text(lines, encoding="utf-8")


def find_class_names(split: PathLike) -> tuple[str, ...]:
    """The names in the file ``classes.txt`` of a split's folder or of the one above.

    Args:
        split: The folder.

    Returns:
        The names by label; none if there is no such file.

    Raises:
        DataError: If the file is malformed.
    """
    root = Path(split)
    paths = (root / CLASSES, root.parent / CLASSES)
    found = next((path for path in paths if path.is_file()), None)
    return () if found is None else read_class_names(found)


class _Text(NamedTuple):
    """A file of metadata, the known images, and who takes what is wrong with it."""

    path: Path
    ids: Collection[str]
    faults: Faults

    def lines(self) -> Iterator[tuple[int, str]]:
        return read_lines(self.path, self.faults)

    def fault(
        self,
        kind: str,
        message: str,
        *,
        image_id: Optional[str] = None,
        line: Optional[int] = None,
    ) -> None:
        self.faults.add(kind, self.path, message=message, image_id=image_id, line=line)

    def rows(
        self, form: str, lines: Iterable[tuple[int, str]]
    ) -> Iterator[tuple[int, str, list[str]]]:
        """Yield line number, image id and other fields of the lines of known images."""
        num_fields, missing = form.count(","), set(self.ids)
        several = form in (_BOX_FORM, _MASK_FORM)
        for number, text in lines:
            image_id, *values = text.rsplit(",", num_fields)
            if len(values) != num_fields or not image_id.strip():
                hint = "; where nothing is ignored, the line ends with a comma"
                hint = hint if form == _MASK_FORM else ""
                message = f"Expected `{form}`, but got {text!r}{hint}"
                self.fault("malformed line", message, line=number)
            elif image_id not in self.ids:
                message = f"image {image_id!r} is not in {IMAGE_IDS}"
                self.fault("unknown id", message, image_id=image_id, line=number)
            elif image_id not in missing and not several:
                message = f"image {image_id!r} comes again"
                self.fault("duplicate id", message, image_id=image_id, line=number)
            else:
                missing.discard(image_id)
                yield number, image_id, values
        if missing and self.path.is_file():
            for image_id in filter(missing.__contains__, self.ids):
                message = f"has no line for image {image_id!r}"
                self.fault("missing line", message, image_id=image_id)


def _read_labels(split: SplitMetadata, file: _Text, num_classes: Optional[int]) -> None:
    for number, image_id, (text,) in file.rows("id,label", file.lines()):
        label = parse_integer(text)
        if label is None or (num_classes is not None and label >= num_classes):
            bound = "" if num_classes is None else f" in [0, {num_classes - 1}]"
            message = f"Expected a label{bound} as an integer, but got {text!r}"
            file.fault("label out of range", message, image_id=image_id, line=number)
        else:
            split.labels[image_id] = label


def _read_sizes(split: SplitMetadata, file: _Text) -> None:
    lines = list(file.lines())
    if not lines:
        return  # Of a data set with masks; otherwise the boxes tell.
    for number, image_id, texts in file.rows("id,width,height", lines):
        width, height = map(parse_integer, texts)
        if width and height:
            split.image_sizes[image_id] = (width, height)
        else:
            message = f"Expected width and height above 0, but got {','.join(texts)}"
            file.fault("wrong size", message, image_id=image_id, line=number)


def _read_localization(split: SplitMetadata, file: _Text) -> None:
    lines = list(file.lines())
    if lines and _holds_masks(lines[0][1], file.ids):
        _read_masks(split, file, lines)
        return
    sizes = file.path.with_name(IMAGE_SIZES)
    if lines and not split.image_sizes and sizes.is_file():
        message = f"gives no size, though {file.path.name} holds boxes"
        file.faults.add("missing size", sizes, message=message)
    for number, image_id, texts in file.rows(_BOX_FORM, lines):
        try:
            split.add_box(image_id, parse_numbers(texts, "x0 y0 x1 y1"))
        except DataError as error:
            file.fault("wrong box", str(error), image_id=image_id, line=number)


def _holds_masks(line: str, ids: Collection[str]) -> bool:
    """Whether a line names masks; that of a known image tells by what follows its id.

    A line of two fields is one of masks that lacks its last comma.
    """
    for num_fields in (4, 2, 1):
        fields = line.rsplit(",", num_fields)
        if len(fields) > num_fields and fields[0] in ids:
            return num_fields < 4
    return line.count(",") in (1, 2)


def _read_masks(
    split: SplitMetadata, file: _Text, lines: Iterable[tuple[int, str]]
) -> None:
    masks = split.masks = {}
    for number, image_id, (mask, ignore) in file.rows(_MASK_FORM, lines):
        if not mask.strip():
            message = "Expected `mask_path` to be a path, but got ''"
            file.fault("malformed line", message, image_id=image_id, line=number)
        elif ignore and image_id in masks:
            message = (
                f"Expected `ignore_path` on the first line of image {image_id!r} only, "
                f"but got {ignore!r} on a further one"
            )
            file.fault("malformed line", message, image_id=image_id, line=number)
        else:
            masks.setdefault(image_id, []).append((mask, ignore))


def check_image_ids(image_ids: Iterable[str]) -> None:
    """Check that image ids can be written to metadata and read back.

    Raises:
        DataError: If an id is blank, holds a line break, or is no text that UTF-8 can
            write, such as the name of a file in another encoding; names it.
    """
    for image_id in image_ids:
        try:
            image_id.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"Expected names of images in UTF-8, but got {image_id!r}: rename it."
            ) from error
        if not image_id.strip() or "\n" in image_id or "\r" in image_id:
            raise DataError(
                "Expected image ids without line breaks, which part the entries of "
                f"metadata, but got {image_id!r}."
            )


def write_split(
    folder: PathLike,
    labels: Mapping[str, int],
    *,
    image_sizes: Mapping[str, tuple[int, int]],
    boxes: Mapping[str, Iterable[Iterable[float]]],
) -> None:
    """Write the metadata of a split with boxes, for :func:`read_split`.

    Args:
        folder: Folder of the split; made if missing, its files are replaced.
        labels: Class of each image, counted from 0, in the order to be written.
        image_sizes: (width, height) of each image in pixels.
        boxes: Boxes of images, x0, y0, x1, y1 in pixels of the original image.

    Raises:
        DataError: If an image id is blank or holds a line break, a file is a link out
            of the folder, or it cannot be written.
    """
    check_image_ids(labels)
    texts = {
        IMAGE_IDS: list(labels),
        CLASS_LABELS: [f"{name},{label}" for name, label in labels.items()],
        IMAGE_SIZES: ["{},{},{}".format(name, *image_sizes[name]) for name in labels],
        LOCALIZATION: [
            # Numbers as the shortest text that reads back as the same.
            ",".join([name, *(repr(float(value)).removesuffix(".0") for value in box)])
            for name in labels
            for box in boxes.get(name, ())
        ],
    }
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for file_name, lines in texts.items():
            path = path_inside(folder, file_name)
            path.write_text("\n".join(lines), encoding="utf-8")
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error}).") from error
