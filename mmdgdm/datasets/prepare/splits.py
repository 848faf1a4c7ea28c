"""Share out images of one's own to train, val and test, and write the splits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdgdm.datasets.prepare.archives import new_folder
from mmdgdm.datasets.prepare.report import Report, first_names
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.stored.metadata import (
    CLASSES,
    SplitMetadata,
    write_class_names,
    write_split,
)
from mmdgdm.utils.argument_checks import check_share
from mmdgdm.utils.faults import PathLike
from mmdgdm.utils.json_files import read_json

SPLITS = ("train", "val", "test")
#: What the prepared folder was made from, for the one who writes a config for it.
PREPARED = "prepared.json"


def resolve_folders(
    root: PathLike, out: PathLike, *, val: float, test: float
) -> tuple[Path, Path]:
    """Check the arguments before the long work begins.

    Args:
        root: The folder of the images.
        out: The folder to be made.
        val: Share of the images that go to val.
        test: Likewise for test.

    Returns:
        The absolute paths of both folders.

    Raises:
        ConfigError: If a share is wrong.
        DataError: If ``root`` is no folder, or ``out`` exists or lies within it.
    """
    source, target = Path(root).expanduser().resolve(), Path(out).expanduser().resolve()
    check_share("val", val, low_open=True, high_open=True)
    check_share("test", test, low_open=True, high_open=True)
    if val + test >= 1:
        raise ConfigError(
            f"Expected `val` and `test` to leave images to train on, but got {val} and "
            f"{test}."
        )
    if not source.is_dir():
        raise DataError(f"Expected `root` to be a folder, but got {source}.")
    if target.exists() or target.is_relative_to(source):
        raise DataError(
            f"Expected a new folder outside of {source} to write to, but got {target}."
        )
    return source, target


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


def write_splits(
    report: Report,
    whole: SplitMetadata,
    *,
    parts: Mapping[str, Sequence[str]],
    names: Sequence[str],
    source: Path,
    target: Path,
) -> None:
    """Count the splits, note what they lack and, if nothing is wrong, write them.

    Args:
        report: Takes counts, problems and notes.
        whole: All images with their labels, sizes and boxes.
        parts: The images of each split.
        names: Names of the classes by label.
        source: The folder of the images.
        target: The folder to be made: ``classes.txt``, ``prepared.json``, and a folder
            a split with the text files that :class:`mmdgdm.datasets.WSOLDataset` reads.
    """
    for split, part in parts.items():
        boxes = {} if split == "train" else whole.boxes
        report.counts[split] = {
            "images": len(part),
            "classes": len({whole.labels[image_id] for image_id in part}),
            "boxes": sum(len(boxes.get(image_id, ())) for image_id in part),
        }
        if whole.labels and not part:
            message = f"{split} would have no image: too few can be held out"
            report.add("empty split", source, message=message)
    if not report.complete:
        report.notes.append(f"nothing was written to {target}: mend the problems first")
        return
    facts = dict(images=str(source), classes=list(names), boxes=bool(whole.boxes))
    with new_folder(target) as folder:
        for split, part in parts.items():
            write_split(
                folder / split,
                {image_id: whole.labels[image_id] for image_id in part},
                image_sizes=whole.image_sizes,
                boxes={} if split == "train" else whole.boxes,
            )
        write_class_names(folder / CLASSES, names)
        text = json.dumps(facts, indent=2, ensure_ascii=False)
        (folder / PREPARED).write_text(f"{text}\n", encoding="utf-8")


def read_prepared(prepared: PathLike) -> dict[str, Any]:
    """Read what a prepared folder was made from.

    Args:
        prepared: The folder.

    Returns:
        ``images``, their folder; ``classes``, their names; ``boxes``, whether there
        are any.

    Raises:
        DataError: If the folder was not prepared.
    """
    path = Path(prepared) / PREPARED
    try:
        facts = read_json(path)
        for key, kind in (("images", str), ("classes", list), ("boxes", bool)):
            if not isinstance(facts[key], kind):
                raise TypeError(f"`{key}` is {type(facts[key]).__name__}")
        return {key: facts[key] for key in ("images", "classes", "boxes")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"Expected {prepared} to be a folder that `mmdgdm prepare folder IMAGES "
            f"{prepared}` or `coco` made, but {path} cannot be read ({error})."
        ) from error


def note_lacking_classes(
    report: Report,
    whole: SplitMetadata,
    *,
    parts: Mapping[str, Sequence[str]],
    names: Sequence[str],
    why: str,
) -> None:
    """Note the classes of which val or test has no image, and why."""
    for split in ("val", "test"):
        present = {whole.labels[image_id] for image_id in parts[split]}
        lacking = [name for label, name in enumerate(names) if label not in present]
        if lacking:
            report.notes.append(
                f"{split} has no image of {len(lacking)} classes, for lack of {why}: "
                f"{first_names(lacking)}"
            )


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
