"""Write the splits of a raw layout in the WSOL benchmark's text form."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mmdgdm.datasets.prepare.cub import find_cub
from mmdgdm.datasets.prepare.folders import new_folder
from mmdgdm.datasets.prepare.ilsvrc import find_annotations, find_ilsvrc, list_images
from mmdgdm.datasets.prepare.images import Images
from mmdgdm.datasets.prepare.report import Report
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.metadata import Box
from mmdgdm.evaluation.stored.metadata import write_split


class Content(NamedTuple):
    """What the text files of a split are to say, by image id."""

    labels: dict[str, int]
    sizes: dict[str, tuple[int, int]]
    boxes: dict[str, list[Box]]


def write_metadata(
    dataset: str, root: Path, out: Path, images: Images, overwrite: bool
) -> dict[str, int]:
    """Write ``train`` and ``test`` of a sound raw layout below a folder.

    Args:
        dataset: ``'cub'`` or ``'ilsvrc'``.
        root: The folder of the data set.
        out: The folder to be made; it appears only when all files are written.
        images: Has opened the image files.
        overwrite: Whether ``out`` may be replaced.

    Returns:
        The number of images of each split.

    Raises:
        DataError: If the raw layout is wrong, or ``out`` exists or cannot be written.
    """
    describe = {"cub": _describe_cub, "ilsvrc": _describe_ilsvrc}[dataset]
    numbers = {}
    with new_folder(out, overwrite) as part:
        for split in ("train", "test"):
            content = describe(root, split, images)
            write_split(part / split, *content)
            numbers[split] = len(content.labels)
    return numbers


def check_can_write(dataset: str, out: Path, overwrite: bool) -> None:
    """Refuse what cannot work before the long work begins.

    Args:
        dataset: Kind of data set.
        out: The folder to be made.
        overwrite: Whether it may be replaced.

    Raises:
        ConfigError: If the data set comes in this text form already.
        DataError: If the folder exists and may not be replaced.
    """
    if dataset == "openimages":
        raise ConfigError(
            "Expected `--write-metadata` with cub or ilsvrc, but got openimages, whose "
            "annotation comes in this form already."
        )
    if out.exists() and not overwrite:
        raise DataError(
            f"Expected {out} not to exist yet, but it does; `--overwrite` replaces it."
        )


def _describe_cub(root: Path, split: str, images: Images) -> Content:
    # Here, since it loads torch, which the check itself does not need.
    from mmdgdm.datasets import CUB

    dataset = CUB(find_cub(root), split=split, with_boxes=True)
    content = Content({}, {}, {})
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        name = info["image_id"]
        content.labels[name] = info["gt_label"]
        content.sizes[name] = info["image_size"]
        content.boxes[name] = [tuple(box) for box in info["ori_gt_bboxes"].tolist()]
    return content


def _describe_ilsvrc(root: Path, split: str, images: Images) -> Content:
    data = find_ilsvrc(root)
    folders = [path for path in (data / "train").iterdir() if path.is_dir()]
    label_of = {name: i for i, name in enumerate(sorted(f.name for f in folders))}
    content = Content({}, {}, {})
    if split == "train":
        for wnid, label in label_of.items():
            for path in list_images(data / "train" / wnid):
                _add(content, f"train/{wnid}/{path.name}", path, label, [], images)
        return content
    found = find_annotations(root, data, Report("ilsvrc", str(root)))
    if not found:
        raise DataError(
            f"Expected {root} to hold boxes of test as XML files or as "
            "LOC_val_solution.csv, but got neither."
        )
    annotations = next(iter(found.values()))
    for path in list_images(data / "val"):
        wnid, boxes = annotations[path.stem].wnid, annotations[path.stem].boxes
        _add(content, f"val/{path.name}", path, label_of[wnid], boxes, images)
    return content


def _add(
    content: Content,
    name: str,
    path: Path,
    label: int,
    boxes: list[Box],
    images: Images,
) -> None:
    size = images.size(path)
    if size is None:
        raise DataError(
            f"Expected {path} to be a sound image, but its size is unknown."
        )
    content.labels[name] = label
    content.sizes[name] = size
    right, bottom = size[0] - 1, size[1] - 1
    content.boxes[name] = [
        (x0, y0, min(x1, right), min(y1, bottom)) for x0, y0, x1, y1 in boxes
    ]
