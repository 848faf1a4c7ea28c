"""A tiny set in the layout of CUB-200-2011, with val in the benchmark's form."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Optional

import numpy as np
import pytest
from PIL import Image

from mmdgdm.evaluation.stored.metadata import write_split

CLASSES = ("001.Jay", "002.Owl", "003.Wren")
SIZE = (40, 30)


def draw(path: Path, seed: int, size: tuple[int, int] = SIZE) -> None:
    """Write a noisy image, which no other seed equals."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(0, 255, (*size[::-1], 3), np.uint8))
    image.save(path, format="JPEG" if path.suffix == ".JPEG" else None)


def write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def draw_image() -> Callable:
    """Writes a noisy image to a path."""
    return draw


@pytest.fixture
def cub(tmp_path: Path) -> Path:
    """12 images of 3 classes, in turns of train and test, and 3 images of val."""
    root = tmp_path / "birds"
    raw = root / "CUB_200_2011"
    names = [f"{c}/{c[4:]}_{i}.jpg" for c in CLASSES for i in range(4)]
    for key, name in enumerate(names):
        draw(raw / "images" / name, key)
    tables = {
        "images": names,
        "image_class_labels": [name[2] for name in names],
        "train_test_split": [key % 2 for key in range(len(names))],
        "bounding_boxes": ["5.0 4.0 20.0 10.0"] * len(names),
        "classes": CLASSES,
    }
    for table, values in tables.items():
        lines = [f"{key} {value}" for key, value in enumerate(values, start=1)]
        write_lines(raw / f"{table}.txt", lines)
    labels = {f"{c}/{label}.jpg": label for label, c in enumerate(CLASSES)}
    for name, label in labels.items():
        draw(root / "CUBV2" / name, 100 + label)
    sizes = dict.fromkeys(labels, SIZE)
    boxes = {name: [(1, 2, 30, 20)] for name in labels}
    write_split(
        root / "metadata" / "CUB" / "val", labels, image_sizes=sizes, boxes=boxes
    )
    return root


WNIDS = ("n00000001", "n00000002")
XML = "Annotations/CLS-LOC/val"


def write_xml(
    path: Path, wnid: str, *boxes: tuple, size: Optional[tuple] = None
) -> None:
    """Write the annotation of an image; by default without its size."""
    objects = "".join(
        f"<object><name>{wnid}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for a, b, c, d in boxes
    )
    if size is not None:
        objects += f"<size><width>{size[0]}</width><height>{size[1]}</height></size>"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<annotation>{objects}</annotation>")


@pytest.fixture
def ilsvrc(tmp_path: Path) -> Path:
    """2 images of train and 1 of test in each of 2 classes."""
    root = tmp_path / "ILSVRC"
    for label, wnid in enumerate(WNIDS):
        for k in range(2):
            draw(root / "train" / wnid / f"{wnid}_{k}.JPEG", 10 * label + k)
        name = f"ILSVRC2012_val_0000000{label + 1}"
        draw(root / "val" / f"{name}.JPEG", 50 + label)
        boxes = [(1, 2, 20, 25), (3, 3, 40, 30)]
        write_xml(root / XML / f"{name}.xml", wnid, *boxes)
    return root


@pytest.fixture
def masked(tmp_path: Path) -> Path:
    """Two images in each split of a set with masks; two masks each in val and test."""
    for number, split in enumerate(("train", "val", "test")):
        names = [f"{split}/0c{k}/{k}.jpg" for k in range(2)]
        folder = tmp_path / "metadata" / "OpenImages" / split
        write_lines(folder / "image_ids.txt", names)
        labels = [f"{name},{k}" for k, name in enumerate(names)]
        write_lines(folder / "class_labels.txt", labels)
        rows = []
        for k, name in enumerate(names):
            draw(tmp_path / "OpenImages" / name, 10 * number + k)
            stem = name[:-4]
            for mask in (f"{stem}_m.png", f"{stem}_ignore.png"):
                draw_mask(tmp_path / "OpenImages_masks" / mask, (20, 16))
            rows.append(f"{name},{stem}_m.png,{stem}_ignore.png")
        if split != "train":
            (folder / "image_sizes.txt").write_text("")
            write_lines(folder / "localization.txt", rows)
    return tmp_path


def draw_mask(path: Path, size: tuple[int, int]) -> None:
    """Write a mask of two halves."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros(size[::-1], np.uint8)
    mask[: size[1] // 2] = 255
    Image.fromarray(mask).save(path)
