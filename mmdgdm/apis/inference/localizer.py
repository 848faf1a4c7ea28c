"""What whatever localizes has in common, with torch or without it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Callable, Protocol, Union

from mmdgdm.apis.inference.results import Localization
from mmdgdm.apis.inference.sources import Picture
from mmdgdm.errors import ConfigError
from mmdgdm.utils.argument_checks import check_positive_int
from mmdgdm.utils.suggestions import did_you_mean

#: Where a map is cut if nothing else is known.
DEFAULT_THRESHOLD = 0.2
#: Where that comes from, in words.
UNCALIBRATED = f"none was calibrated: {DEFAULT_THRESHOLD} of the maximum"


class Localizer(Protocol):
    """Says what images show, and where: a ``WSOLInferencer`` or ``OnnxLocalizer``.

    Attributes:
        classes: Names of the classes.
        threshold: Share of a map's range above which its boxes lie.
        threshold_source: Where it comes from, in words.
        cam_method: How maps are made.
    """

    classes: list[str]
    threshold: float
    threshold_source: str
    cam_method: str

    @property
    def stream(self) -> Callable[..., Iterator[tuple[Picture, Localization]]]:
        """Localizes images one batch after the other; a method of both."""


def find_classes(classes: Sequence[Union[str, int]], names: Sequence[str]) -> list[int]:
    """Find classes by name or index.

    Args:
        classes: Names, or indices from 0.
        names: Those of all classes; ImageNet's hold synonyms, ``tench, Tinca tinca``.

    Returns:
        Their indices.

    Raises:
        ConfigError: If there is no such class.

    Example:
        >>> find_classes(["Tinca tinca", 0], ["goldfish", "tench, Tinca tinca"])
        [1, 0]
    """
    if isinstance(classes, (str, int)) or not classes:
        raise ConfigError(
            f"Expected `classes` to be a list of names or indices, but got {classes!r}."
        )
    return [_find_class(item, names) for item in classes]


def _find_class(item: Union[str, int], names: Sequence[str]) -> int:
    if isinstance(item, str):
        found = [i for i, name in enumerate(names) if name == item]
        # ImageNet's names hold synonyms: `tench, Tinca tinca`.
        found = found or [i for i, name in enumerate(names) if item in name.split(", ")]
        if len(found) == 1:
            return found[0]
        problem = "no class" if not found else f"{len(found)} classes"
        raise ConfigError(
            "Expected `classes` to hold names of the model's classes, but "
            f"{item!r} names {problem}" + did_you_mean(item, names)
        )
    if not 0 <= item < len(names):
        raise ConfigError(
            f"Expected `classes` to hold indices in [0, {len(names)}), but got {item}."
        )
    return int(item)


def check_topk(topk: int, num_classes: int) -> int:
    """Return ``topk`` if a model has so many classes.

    Raises:
        ConfigError: If it has not.
    """
    check_positive_int("topk", topk)
    if topk > num_classes:
        raise ConfigError(
            f"Expected `topk` to be at most the {num_classes} classes of the model, "
            f"but got {topk}."
        )
    return topk
