"""What models see in one image, and its drawing at any threshold.

A network runs when an image comes, and when a class is asked for whose map is not there
yet. Everything else, such as another threshold, is done on the stored maps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, Optional

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmdgdm.apis.inference.drawing import draw_result
from mmdgdm.apis.inference.localizer import Localizer
from mmdgdm.apis.inference.results import Localization, LocalizedClass, find_boxes
from mmdgdm.apis.inference.sources import read_source
from mmdgdm.errors import ConfigError, DataError

#: Classes of highest score that are shown.
TOPK = 5
#: The longer side of drawings in pixels, at least and at most.
DRAWN_SIDES = (480, 640)
#: Pixels that an image may have, so that one file cannot fill the memory.
MAX_PIXELS = 100_000_000


class Model(NamedTuple):
    """A model under the title that the page gives it.

    Attributes:
        title: The title.
        localizer: What says what images show, and where.
    """

    title: str
    localizer: Localizer


@dataclass(frozen=True, eq=False)
class Sight:
    """What one model saw in an image.

    Attributes:
        best: The classes of highest score.
        mapped: All classes whose map is known, by label.
    """

    best: tuple[LocalizedClass, ...]
    mapped: Mapping[int, LocalizedClass] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Visit:
    """An image on the page, and what each model saw in it.

    Attributes:
        name: Of the file.
        pixels: (H, W, 3) uint8, BGR, upright.
        drawn: The same in the size of drawings.
        sights: One of each model.
        label: The class whose maps are shown; ``None`` for each model's best.
    """

    name: str
    pixels: NDArray[np.uint8] = field(repr=False)
    drawn: NDArray[np.uint8] = field(repr=False)
    sights: tuple[Sight, ...]
    label: Optional[int] = None


class View(NamedTuple):
    """What is shown of one model.

    Attributes:
        drawing: (h, w, 3) uint8, RGB.
        shown: The class whose map it is; its box in pixels of the image.
    """

    drawing: NDArray[np.uint8]
    shown: LocalizedClass


def check_same_classes(models: Sequence[Model]) -> None:
    """Raise unless all models name the same classes, of which the page offers one list.

    Raises:
        ConfigError: If they do not.
    """
    first, *others = models
    for other in others:
        if other.localizer.classes != first.localizer.classes:
            counts = [len(model.localizer.classes) for model in (first, other)]
            raise ConfigError(
                "Expected models that are shown side by side to name the same classes, "
                f"but {first.title} ({counts[0]} classes) and {other.title} "
                f"({counts[1]}) do not."
            )


def class_titles(names: Sequence[str]) -> list[str]:
    """Names of classes, those that stand twice with their index.

    Example:
        >>> class_titles(["crane", "wren", "crane"])
        ['crane (0)', 'wren', 'crane (2)']
    """
    twice = {name for name in names if names.count(name) > 1}
    return [f"{n} ({i})" if n in twice else n for i, n in enumerate(names)]


def look(path: str, models: Sequence[Model]) -> Visit:
    """Let models see an image.

    Args:
        path: The file.
        models: The models.

    Returns:
        What they saw.

    Raises:
        DataError: If the file is no image, is damaged, or has more than
            ``MAX_PIXELS`` pixels; the message holds the name of the file alone.
    """
    name = Path(path).name
    try:
        _check_pixels(path)
        pixels = read_source(path).pixels
    except DataError as error:
        raise DataError(str(error).replace(path, name)) from error
    sights = []
    for model in models:
        topk = min(TOPK, len(model.localizer.classes))
        best = _localize(model, pixels, topk=topk).classes
        sights.append(Sight(best, {found.label: found for found in best}))
    return Visit(name, pixels, _resize(pixels), tuple(sights))


def choose(visit: Visit, label: Optional[int], *, models: Sequence[Model]) -> Visit:
    """Show a class; networks run that have not mapped it yet.

    Args:
        visit: What was seen.
        label: The class; ``None`` for each model's best.
        models: Those that saw it.

    Returns:
        What was seen, with maps of the class.
    """
    if label is None:
        return replace(visit, label=None)
    sights = []
    for sight, model in zip(visit.sights, models):
        if label not in sight.mapped:
            (found,) = _localize(model, visit.pixels, classes=[label]).classes
            sight = replace(sight, mapped={**sight.mapped, label: found})
        sights.append(sight)
    return replace(visit, sights=tuple(sights), label=label)


def draw(visit: Visit, place: int, *, threshold: float) -> View:
    """Draw what a model saw; no network runs.

    Args:
        visit: What was seen.
        place: Of the model.
        threshold: Share of the map's range above which the box lies, in [0, 1).

    Returns:
        The drawing, and the class that it shows.
    """
    sight = visit.sights[place]
    found = sight.best[0] if visit.label is None else sight.mapped[visit.label]
    height, width = visit.drawn.shape[:2]
    there = _cut(found, threshold, size=(width, height))
    result = Localization(visit.name, width, height, (there,), threshold, "the page")
    drawing = draw_result(visit.drawn, result)[..., ::-1]
    height, width = visit.pixels.shape[:2]
    shown = _cut(found, threshold, size=(width, height))
    return View(np.ascontiguousarray(drawing), shown)


def _cut(
    found: LocalizedClass, threshold: float, *, size: tuple[int, int]
) -> LocalizedClass:
    """A class with its box at another threshold, in an image of another size."""
    return replace(found, boxes=find_boxes(found.scoremap, threshold, image_size=size))


def _localize(
    model: Model, pixels: NDArray[np.uint8], **options: object
) -> Localization:
    ((_, found),) = model.localizer.stream([pixels], **options)
    return found


def _resize(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    side = float(np.clip(max(height, width), *DRAWN_SIDES))
    factor = side / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=way), dtype=np.uint8)


def _check_pixels(path: str) -> None:
    """Look at the header alone; what is wrong with it is said by who reads the rest."""
    try:
        with Image.open(path) as image:
            width, height = image.size
    except Image.DecompressionBombError as error:
        raise _too_large(path, str(error)) from error
    except (OSError, SyntaxError, ValueError):
        return
    if width * height > MAX_PIXELS:
        raise _too_large(path, f"it has {width} x {height}")


def _too_large(path: str, what: str) -> DataError:
    return DataError(
        f"Expected {path} to have at most {MAX_PIXELS / 1e6:.0f} million pixels, but "
        f"{what}."
    )
