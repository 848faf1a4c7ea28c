r"""Which threshold val hands to test, chosen from the few images that have boxes.

Two rules:

- ``argmax``: the first threshold at which the score's curve on val is highest. With
  some dozen images the curve is a staircase of noise, and so is its highest step.
- ``median``: the middle of all thresholds that val cannot tell from the best one.

``median`` asks more of each image than whether its box reaches an IoU of 0.5: let
:math:`y_i(t)` be the share of the IoUs 0.3, 0.5 and 0.7 that image i's box reaches at
threshold t, :math:`m(t)` the mean over the N images, :math:`t^*` the first threshold at
which m is highest and :math:`s` the standard error of :math:`m(t^*)`. Each threshold
weighs

.. math::
    w(t) = \exp\left(-\frac{1}{2} \left(\frac{m(t^*) - m(t)}{s}\right)^2\right),
    \qquad s^2 = \frac{1}{N^2} \sum_i (y_i(t^*) - m(t^*))^2,

and the rule takes the weighted median: the first threshold at which the weights up to
it reach half of their sum. More images make s smaller, so that it draws near to the
highest place of m by itself; nothing is to be tuned. Where s is 0, only thresholds as
good as the best one weigh anything.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.level_ranks import NUM_LEVELS
from mmdgdm.evaluation.functional.max_box_acc import threshold_sums

ARGMAX, MEDIAN = "argmax", "median"
#: The rules; the first is the default.
RULES = (MEDIAN, ARGMAX)
DEFAULT_RULE = MEDIAN


class OverlapSums(NamedTuple):
    """How many overlaps the images of a data set reach, at each threshold.

    Sums of parts of a data set add up to those of the whole.

    Attributes:
        first: (T,) int64, sum over images of the number of overlaps reached.
        second: (T,) int64, sum over images of the squares of these numbers.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]


def check_rule(rule: str) -> str:
    """Check the name of a rule.

    Raises:
        ConfigError: If there is no such rule; lists them.
    """
    if rule not in RULES:
        raise ConfigError(
            f"Expected `calibration` to be one of {RULES}, but got {rule!r}."
        )
    return rule


def overlap_sums(
    maxima: ArrayLike, bits: NDArray[np.uint8], *, thresholds: ArrayLike
) -> OverlapSums:
    """Add up over images how many overlaps their boxes reach.

    Args:
        maxima: (N,) integers, ``BoxTable.maxima``.
        bits: (N, K, 32) uint8, the columns of ``BoxTable.single`` or ``.multi`` of K
            overlaps.
        thresholds: (T,), each in [0, 1).

    Returns:
        The sums at each threshold.

    Raises:
        ConfigError: If a threshold is not in [0, 1).

    Example:
        >>> hits = np.zeros((2, 3, 256), dtype=bool)
        >>> hits[0, :, :100] = hits[1, 0, 50:] = True
        >>> bits = np.packbits(hits, axis=2)
        >>> sums = overlap_sums([255, 255], bits, thresholds=[0.0, 0.3, 0.6])
        >>> sums.first.tolist(), sums.second.tolist()
        ([3, 4, 1], [9, 10, 1])
    """
    reached = np.zeros((len(bits), NUM_LEVELS), dtype=np.int32)
    for of_overlap in np.moveaxis(bits, 1, 0):  # all at once would take more memory
        reached += np.unpackbits(of_overlap, axis=1)
    return OverlapSums(
        threshold_sums(maxima, reached, thresholds=thresholds),
        threshold_sums(maxima, reached**2, thresholds=thresholds),
    )


def plausible_median(
    sums: OverlapSums, *, num_images: int, thresholds: ArrayLike
) -> float:
    """Choose a threshold by the rule ``median``, as the module says.

    Args:
        sums: At each threshold; a factor common to all images cancels, so numbers of
            overlaps serve as well as their shares.
        num_images: N, at least 1.
        thresholds: (T,), rising.

    Returns:
        One of the thresholds.

    Raises:
        DataError: If there is no image or the shapes do not fit.

    Example:
        >>> first = np.array([0, 3, 3, 3, 0])
        >>> sums = OverlapSums(first, 3 * first)
        >>> plausible_median(sums, num_images=1, thresholds=[0.0, 0.2, 0.4, 0.6, 0.8])
        0.4
    """
    cuts = np.asarray(thresholds, dtype=np.float64)
    if num_images < 1 or not (
        sums.first.shape == sums.second.shape == cuts.shape == (cuts.size,) != (0,)
    ):
        raise DataError(
            "Expected sums of at least one image and `thresholds` to be of the same "
            f"shape (T,), but got {sums.first.shape}, {sums.second.shape} and "
            f"{cuts.shape} of {num_images} images."
        )
    best = int(sums.first.argmax())
    below = (sums.first[best] - sums.first).astype(np.float64)
    # N^2 times the variance of an image's number: exact, as all is whole so far.
    spread = num_images * int(sums.second[best]) - int(sums.first[best]) ** 2
    if spread > 0:
        weights = np.exp(-0.5 * num_images * below**2 / spread)
    else:
        weights = (below == 0).astype(np.float64)
    mass = np.cumsum(weights)
    return float(cuts[np.searchsorted(mass, mass[-1] / 2)])
