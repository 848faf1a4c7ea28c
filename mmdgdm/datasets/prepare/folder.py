"""From a folder of images a class to the metadata of train, val and test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Optional

from mmdgdm.datasets.functional.images import Images, list_images
from mmdgdm.datasets.prepare.archives import new_folder
from mmdgdm.datasets.prepare.box_files import FoundBox, read_boxes
from mmdgdm.datasets.prepare.report import Report, first_names
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.stored.metadata import SplitMetadata, write_split
from mmdgdm.utils.argument_checks import check_share
from mmdgdm.utils.faults import Faults, PathLike, is_hidden

SPLITS = ("train", "val", "test")
#: Names of the classes, a line `<label> <name>` each.
CLASSES = "classes.txt"
#: What the prepared folder was made from, for the one who writes a config for it.
PREPARED = "prepared.json"


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

    Labels are the ranks of the folders' names in order. Of each class a share goes to
    val and one to test: the images with boxes, if there are any boxes, and images drawn
    by a hash of their names if not. The same images always fall in the same splits.

    Args:
        root: The folder of the class folders.
        out: A folder to be made, outside of ``root``: ``classes.txt``,
            ``prepared.json``, and a folder a split with the text files that
            :class:`mmdgdm.datasets.WSOLDataset` reads.
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
    source, target = Path(root).expanduser().resolve(), Path(out).expanduser().resolve()
    _check_arguments(source, target, val=val, test=test)
    report = Report("folder", str(root))
    names, whole = _read_classes(source, report)
    paths = {image_id: source / image_id for image_id in whole.image_ids}
    whole.image_sizes = images.read_sizes(paths, report)
    if boxes is not None:
        found = read_boxes(Path(boxes).expanduser(), report)
        _add_boxes(whole, found, names, faults=report)
    parts = split_images(whole.labels, whole.boxes, val=val, test=test)
    for split, part in parts.items():
        boxes_of = {} if split == "train" else whole.boxes
        report.counts[split] = {
            "images": len(part),
            "classes": len({whole.labels[image_id] for image_id in part}),
            "boxes": sum(len(boxes_of.get(image_id, ())) for image_id in part),
        }
        if not part:
            message = f"{split} would have no image: too few can be held out"
            report.add("empty split", root, message=message)
    _add_notes(report, whole, names, parts)
    if report.complete:
        _write(target, source, names, whole=whole, parts=parts)
    else:
        report.notes.append(f"nothing was written to {out}: mend the problems first")
    return report


def _check_arguments(root: Path, out: Path, *, val: float, test: float) -> None:
    check_share("val", val, low_open=True, high_open=True)
    check_share("test", test, low_open=True, high_open=True)
    if val + test >= 1:
        raise ConfigError(
            f"Expected `val` and `test` to leave images to train on, but got {val} and "
            f"{test}."
        )
    if not root.is_dir():
        raise DataError(f"Expected `root` to be a folder, but got {root}.")
    if out.exists() or out.is_relative_to(root):
        raise DataError(
            f"Expected a new folder outside of {root} to write to, but got {out}."
        )


def _read_classes(root: Path, report: Report) -> tuple[list[str], SplitMetadata]:
    """Names of the classes, and label of each image."""
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not is_hidden(p))
    whole = SplitMetadata()
    for label, folder in enumerate(folders):
        found = list_images(folder, report)
        if not found:
            report.add("empty class", folder, message="holds no image")
        whole.labels.update((f"{folder.name}/{name}", label) for name in found)
    if len(folders) < 2:
        message = f"Expected a folder a class, and two or more, but got {len(folders)}"
        report.add("wrong layout", root, message=message)
    whole.image_ids = list(whole.labels)
    return [folder.name for folder in folders], whole


def split_images(
    labels: Mapping[str, int], boxes: Mapping[str, object], *, val: float, test: float
) -> dict[str, list[str]]:
    """Share out images to train, val and test.

    Within each class images come in the order of a hash of their names. What rounding
    leaves of a class's share goes to the next class, so that the sums are right too; an
    image of each class stays in train.

    Args:
        labels: Class of each image.
        boxes: Images with boxes. If there are any, they alone go to val and test; if
            they are too few, they are shared out in the ratio of the two.
        val: Share of the images that go to val.
        test: Likewise for test.

    Returns:
        The images of ``train``, ``val`` and ``test`` in the order of ``labels``.
    """
    split = dict.fromkeys(labels, "train")
    owed = dict(val=0.0, test=0.0)
    by_class: dict[int, list[str]] = {}
    for image, label in labels.items():
        by_class.setdefault(label, []).append(image)
    for _, members in sorted(by_class.items()):
        able = [image for image in members if not boxes or image in boxes]
        able = sorted(able, key=_rank)[: len(members) - 1]
        wanted = (val + test) * len(members)
        scale = min(1.0, len(able) / wanted)
        for name, share in (("val", val), ("test", test)):
            owed[name] += share * len(members) * scale
            number = min(round(owed[name]), len(able))
            owed[name] -= number
            for image in able[:number]:
                split[image] = name
            able = able[number:]
    return {name: [i for i in labels if split[i] == name] for name in SPLITS}


def _rank(image_id: str) -> bytes:
    return hashlib.blake2b(image_id.encode(), digest_size=8).digest()


def _spellings(image_id: str) -> Iterator[str]:
    """What a file of boxes may call an image: each end of its path."""
    for name in (image_id, str(PurePosixPath(image_id).with_suffix(""))):
        yield name
        yield name.rpartition("/")[2]


def _find_image(name: str, known: Mapping[str, set[str]]) -> set[str]:
    """The images that a name may mean: those of its longest end that is known."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((known[end] for end in ends if end in known), set())


def _add_boxes(
    whole: SplitMetadata,
    found: Sequence[FoundBox],
    names: Sequence[str],
    *,
    faults: Faults,
) -> None:
    """Give boxes to their images; the class of each must be the image's."""
    known: dict[str, set[str]] = {}
    for image_id in whole.image_ids:
        for spelling in _spellings(image_id):
            known.setdefault(spelling, set()).add(image_id)
    for item in found:
        meant = _find_image(item.image, known)
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
            _add_box(whole, min(meant), item, faults)


def _add_box(
    whole: SplitMetadata, image_id: str, item: FoundBox, faults: Faults
) -> None:
    if image_id not in whole.image_sizes:
        return  # the image itself is a fault already
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


def _add_notes(
    report: Report,
    whole: SplitMetadata,
    names: Sequence[str],
    parts: Mapping[str, Sequence[str]],
) -> None:
    if not whole.boxes:
        report.notes.append(
            "there are no boxes: training works and val tells the accuracy, but boxes "
            "cannot be scored, nor the threshold of maps calibrated, which stays a "
            "guess; give some by `--boxes`: about fifty are enough (docs/evaluation.md)"
        )
        return
    for split in ("val", "test"):
        present = {whole.labels[image_id] for image_id in parts[split]}
        lacking = [name for label, name in enumerate(names) if label not in present]
        if lacking:
            report.notes.append(
                f"{split} has no image of {len(lacking)} classes, for lack of boxes: "
                f"{first_names(lacking)}"
            )
    spare = len(set(whole.boxes) & set(parts["train"]))
    if spare:
        report.notes.append(
            f"{spare} images with boxes are in train, which learns from labels alone; "
            "larger shares `--val` and `--test` would use their boxes"
        )


def _write(
    target: Path,
    source: Path,
    names: Sequence[str],
    *,
    whole: SplitMetadata,
    parts: Mapping[str, Sequence[str]],
) -> None:
    facts = dict(images=str(source), classes=list(names), boxes=bool(whole.boxes))
    lines = "".join(f"{label} {name}\n" for label, name in enumerate(names))
    with new_folder(target) as folder:
        for split, part in parts.items():
            write_split(
                folder / split,
                {image_id: whole.labels[image_id] for image_id in part},
                image_sizes=whole.image_sizes,
                boxes={} if split == "train" else whole.boxes,
            )
        (folder / CLASSES).write_text(lines, encoding="utf-8")
        text = json.dumps(facts, indent=2, ensure_ascii=False)
        (folder / PREPARED).write_text(f"{text}\n", encoding="utf-8")


def format_counts(counts: Mapping[str, Mapping[str, int]]) -> str:
    """A table of splits, a row each, in Markdown.

    Example:
        >>> print(format_counts({"train": {"images": 8, "boxes": 0}}))
        | split | images | boxes |
        |---|---:|---:|
        | train | 8 | 0 |
    """
    columns = list(next(iter(counts.values()), {}))
    rows = [["split", *columns], ["---", *["---:"] * len(columns)]]
    rows += [[split, *map(str, row.values())] for split, row in counts.items()]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines[1] = f"|{'|'.join(rows[1])}|"
    return "\n".join(lines)
