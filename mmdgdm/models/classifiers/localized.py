"""What localizing a batch of images gives."""

from __future__ import annotations

from typing import Callable, NamedTuple

from torch import Tensor

#: Takes class scores (N, C) and returns the classes to map, (N, K) int64.
ChooseClasses = Callable[[Tensor], Tensor]


class Localized(NamedTuple):
    """Classes and maps of a batch.

    Attributes:
        scores: (N, C) float32, before the softmax.
        labels: (N, K) int64, the classes that are mapped.
        maps: (N, K, h, w) float32, not normalised.
    """

    scores: Tensor
    labels: Tensor
    maps: Tensor
