"""A folder of pictures, which is data too: images, maps and what was found in them.

It holds ``pictures.json``, a list with an entry an image: the fields of
:class:`~mmdgdm.evaluation.functional.image_facts.ImageFacts` and the names of files:

- ``file``: the drawing,
- ``image``: the image alone, its longer side at most 1024 pixels,
- ``map``: its map as grey levels, 224 x 224, as the evaluation quantises it: its boxes
  at all thresholds follow
  (:func:`~mmdgdm.evaluation.functional.image_facts.boxes_over_thresholds`).

``overview.jpg`` shows some of them together.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.boxes import scale_boxes
from mmdgdm.evaluation.functional.image_facts import ImageFacts
from mmdgdm.evaluation.functional.scoremaps import EVAL_SIZE
from mmdgdm.utils.faults import PathLike
from mmdgdm.utils.json_files import read_json
from mmdgdm.utils.output_paths import path_inside
from mmdgdm.visualization.canvas import Pixels, save_image
from mmdgdm.visualization.colors import DEFAULT_COLORMAP
from mmdgdm.visualization.sheets import Shot, draw_shot

#: The list of what a folder holds, and the picture of several together.
LISTING, OVERVIEW = "pictures.json", "overview.jpg"
#: Longer side of a stored image at most, and of one that is stored without loss.
_LONGEST, _SMALL = 1024, 160


def picture_stem(place: int, image_id: str) -> str:
    """The name of an image's files, without an ending.

    Example:
        >>> picture_stem(7, "a/b c.jpg")
        '00007_a-b-c'
    """
    text = re.sub(r"[^A-Za-z0-9._-]+", "-", image_id.rsplit(".", 1)[0])
    # Of a name that no disk would take, the end tells more than the folders before.
    return f"{place:05d}_{text[-150:]}"


def write_pictures(
    folder: PathLike,
    shots: Mapping[int, Shot],
    *,
    draw: bool = True,
    colormap: str = DEFAULT_COLORMAP,
) -> None:
    """Write images, their maps, drawings and the list of them.

    Args:
        folder: The folder; made if missing.
        shots: What to write, by its place in the data set.
        draw: Whether to make a drawing of each image.
        colormap: Name of a colour map of matplotlib.

    Raises:
        DataError: If a link leads out of the folder.
        OSError: If a file cannot be written.
    """
    root = Path(folder)
    entries = []
    for place, shot in sorted(shots.items()):
        stem = picture_stem(place, shot.facts.image_id)
        image = _limit(shot.image)
        ending = ".png" if max(image.shape) <= _SMALL else ".jpg"
        names = {"image": f"images/{stem}{ending}", "map": f"maps/{stem}.png"}
        save_image(image, path_inside(root, names["image"]))
        save_image(shot.quantized, path_inside(root, names["map"]))
        if draw:
            names["file"] = f"{stem}.jpg"
            drawing = draw_shot(shot, colormap=colormap)
            save_image(drawing, path_inside(root, names["file"]))
        entries.append({**names, **asdict(shot.facts)})
    text = json.dumps(entries, indent=1) + "\n"
    path_inside(root, LISTING).write_text(text, encoding="utf-8")


def read_pictures(folder: PathLike) -> list[Shot]:
    """Read what :func:`write_pictures` wrote.

    Args:
        folder: The folder.

    Returns:
        The images in the order of the data set.

    Raises:
        DataError: If a file is missing or malformed; names it.
    """
    path = Path(folder) / LISTING
    try:
        entries = read_json(path)
        return [_read_entry(Path(folder), entry) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"Expected {path} to be the list of a folder of pictures, as "
            f"`tools/test.py --show-dir` writes it, but got: {error!r}."
        ) from error


def _read_entry(root: Path, entry: dict[str, Any]) -> Shot:
    image = _read_image(path_inside(root, entry["image"]), cv2.IMREAD_COLOR)
    quantized = _read_image(path_inside(root, entry["map"]), cv2.IMREAD_GRAYSCALE)
    known = {field.name: entry[field.name] for field in fields(ImageFacts)}
    known["box"] = tuple(known["box"])
    known["gt_boxes"] = tuple(map(tuple, known["gt_boxes"]))
    facts = ImageFacts(**known)
    _check_facts(facts)
    pixels = np.ascontiguousarray(image[..., ::-1])
    return Shot(pixels, quantized, facts)


def _check_facts(facts: ImageFacts) -> None:
    """Raise a ``TypeError`` or ``ValueError`` if a fact is of another form."""
    kinds: tuple[tuple[Any, Sequence[str]], ...] = (
        (str, ("kind", "true_class", "predicted_class", "map_class")),
        (int, ("width", "height", "label", "predicted", "map_label")),
        ((int, float), ("iou", "confidence")),
    )
    for kind, names in kinds:
        for name in names:
            value = getattr(facts, name)
            if value is not None and not isinstance(value, kind):
                raise TypeError(f"`{name}` is {value!r}")
    if not isinstance(facts.image_id, str):
        raise TypeError(f"`image_id` is {facts.image_id!r}")
    for box in (facts.box, *facts.gt_boxes):
        if len(box) != 4 or not all(math.isfinite(value) for value in box):
            raise ValueError(f"a box is {box!r}")
    if facts.gt_boxes:
        size = (facts.width, facts.height)
        scale_boxes(facts.gt_boxes, size, target_size=EVAL_SIZE)
    if min(facts.width, facts.height) < 1 or not 0 <= facts.threshold <= 1:
        raise ValueError(f"{facts.width} x {facts.height} at {facts.threshold}")


def _read_image(path: Path, kind: int) -> Pixels:
    image = cv2.imread(str(path), kind)
    if image is None:
        raise DataError(f"Expected {path} to be a picture, but it cannot be read.")
    return np.asarray(image, dtype=np.uint8)


def _limit(image: Pixels) -> Pixels:
    """An image of which the longer side is at most that of stored ones."""
    factor = _LONGEST / max(image.shape[:2])
    if factor >= 1:
        return image
    size = [max(1, round(side * factor)) for side in image.shape[1::-1]]
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
