"""Choose the images of a sheet: all classes, and all kinds of error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Optional

from mmdgdm.evaluation.functional.error_kinds import ERROR_KINDS
from mmdgdm.evaluation.functional.image_facts import ImageFacts


def spread_over_classes(labels: Sequence[int], count: int) -> list[int]:
    """Choose images spread over the classes and, within each, over its images.

    Args:
        labels: The class of each image.
        count: How many to choose.

    Returns:
        Their places, rising; all if there are no more than ``count``. The same labels
        give the same places. Of more classes than images, some in even steps.

    Example:
        >>> spread_over_classes([0, 0, 0, 1, 1, 2], 3)
        [0, 3, 5]
    """
    groups: dict[int, list[int]] = {}
    for place, label in enumerate(labels):
        groups.setdefault(label, []).append(place)
    count = min(count, len(labels))
    names = sorted(groups)
    if len(names) > count:
        names = [names[i * len(names) // count] for i in range(count)]
    wanted: Counter[int] = Counter()
    left = count
    while left:
        for name in names:
            if left and wanted[name] < len(groups[name]):
                wanted[name] += 1
                left -= 1
    chosen = [
        groups[name][i * len(groups[name]) // wanted[name]]
        for name in names
        for i in range(wanted[name])
    ]
    return sorted(chosen)


def choose_varied(facts: Sequence[ImageFacts], count: int) -> list[int]:
    """Choose images so that all kinds of error and all classes appear.

    One after the other, the image is taken whose kind was taken least so far; among
    these, the one whose class was taken least, then the first.

    Args:
        facts: Of all images.
        count: How many to choose.

    Returns:
        Their places, sorted by :func:`sort_key`.
    """
    kinds: Counter[Optional[str]] = Counter()
    labels: Counter[Optional[int]] = Counter()
    rest = list(range(len(facts)))
    chosen: list[int] = []
    while rest and len(chosen) < count:
        place = min(rest, key=lambda i: (kinds[facts[i].kind], labels[facts[i].label]))
        rest.remove(place)
        chosen.append(place)
        kinds[facts[place].kind] += 1
        labels[facts[place].label] += 1
    return sorted(chosen, key=lambda i: sort_key(facts[i]))


def sort_key(facts: ImageFacts) -> tuple[int, float, str]:
    """The order of a sheet: by kind of error, then by falling IoU, then by name."""
    kind = len(ERROR_KINDS) if facts.kind is None else ERROR_KINDS.index(facts.kind)
    return kind, -(facts.iou or 0.0), facts.image_id


def kind_shares(facts: Sequence[ImageFacts]) -> str:
    """How many of the images are of each kind, in words.

    Args:
        facts: Of all images.

    Returns:
        A line such as ``3 images: right 67 %, too small 33 %``.
    """
    counts = Counter(one.kind for one in facts)
    parts = [
        f"{kind} {100 * counts[kind] / len(facts):.0f} %"
        for kind in ERROR_KINDS
        if counts[kind]
    ]
    images = f"{len(facts)} image{'s' if len(facts) != 1 else ''}"
    return f"{images}: {', '.join(parts)}" if parts else images
