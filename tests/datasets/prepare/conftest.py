"""A tiny set in the layout of CUB-200-2011, with val in the benchmark's form."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

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
    Image.fromarray(rng.integers(0, 255, (*size[::-1], 3), np.uint8)).save(path)


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
    write_split(root / "metadata" / "CUB" / "val", labels, sizes, boxes)
    return root
