r"""Which map localization is scored with.

- ``"gt"``: the map of the ground-truth class, the benchmark's way.
- ``"top1"``: the map of the class of highest score. It needs no label.
- ``"mean_topK"``, for example ``"mean_top5"``: the mean of the maps of the K classes of
  highest score, each stretched to [0, 1] first, since classes differ in range,

  .. math:: M = \sum_{k} w_k \frac{M_k - \min M_k}{\max M_k - \min M_k},

  with :math:`w_k = 1 / K`. A constant map adds nothing.
- ``"weighted_topK"``: the same with :math:`w_k = p_k / \sum_j p_j`, the scores of the K
  classes. To combine the maps of several classes by their rank is the idea of Yang et
  al., Combinational Class Activation Maps for Weakly Supervised Object Localization,
  WACV 2020; the weights are this project's choice.

Scores of another map than the ground truth's are not GT-known: their prefix names the
map, as in ``wsol_top1/max_box_acc``, and what would be called ``gt_known`` is called
``max_box_acc``, which is the same number without saying whose map it is.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Optional

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdgdm.errors import ConfigError, DataError

#: The map of the ground-truth class.
GROUND_TRUTH = "gt"
_PATTERN = re.compile(r"top(?P<one>1)|(?P<kind>mean|weighted)_top(?P<k>[1-9]\d*)")


class CAMTarget(NamedTuple):
    """A parsed target.

    Attributes:
        k: Number of top classes; 0 for the ground truth.
        stretched: Whether maps are stretched to [0, 1].
        by_score: Whether classes weigh by their scores.
    """

    k: int
    stretched: bool
    by_score: bool


def parse_cam_target(cam_target: str) -> CAMTarget:
    """Read a target.

    Args:
        cam_target: As the module lists them.

    Returns:
        Its parts.

    Raises:
        ConfigError: If it is none of them.

    Example:
        >>> parse_cam_target("weighted_top3")
        CAMTarget(k=3, stretched=True, by_score=True)
    """
    if cam_target == GROUND_TRUTH:
        return CAMTarget(0, False, False)
    match = _PATTERN.fullmatch(str(cam_target))
    if match is None:
        raise ConfigError(
            "Expected `cam_target` to be 'gt', 'top1', 'mean_topK' or "
            f"'weighted_topK' with a number K >= 1, but got {cam_target!r}."
        )
    if match["one"]:
        return CAMTarget(1, False, False)
    return CAMTarget(int(match["k"]), True, match["kind"] == "weighted")


def stretch(scoremap: NDArray[Any]) -> NDArray[np.float64]:
    """Map a score map to [0, 1] by its minimum and maximum; a constant one to zeros.

    Args:
        scoremap: (h, w).

    Returns:
        (h, w) float64.
    """
    wide = np.asarray(scoremap, dtype=np.float64)
    low, high = wide.min(), wide.max()
    if low == high:
        return np.zeros_like(wide)
    result: NDArray[np.float64] = (wide - low) / (high - low)
    return result


def select_scoremap(
    cam: NDArray[Any],
    cam_labels: NDArray[Any],
    *,
    cam_target: str,
    label: Optional[int] = None,
    scores: Optional[ArrayLike] = None,
) -> NDArray[Any]:
    """The map that localization is scored with.

    Args:
        cam: (K, h, w), not normalised.
        cam_labels: (K,), the classes of the maps, each once.
        cam_target: As the module lists them.
        label: Ground-truth class, for ``"gt"``.
        scores: (C,), scores of all classes, at least 0, for the other targets.

    Returns:
        (h, w), not normalised.

    Raises:
        ConfigError: If ``cam_target`` is malformed.
        DataError: If shapes do not fit, or a class that is needed has no map.

    Example:
        >>> cam = np.array([[[0.0, 4.0]], [[3.0, 1.0]]])
        >>> select_scoremap(
        ...     cam, np.array([7, 2]), cam_target="gt", label=2
        ... ).tolist()
        [[3.0, 1.0]]
    """
    target = parse_cam_target(cam_target)
    if cam.ndim != 3 or cam_labels.shape != cam.shape[:1]:
        raise DataError(
            "Expected `cam` of shape (K, h, w) and `cam_labels` of shape (K,), but "
            f"got {cam.shape} and {cam_labels.shape}."
        )
    if target.k == 0:
        places = np.flatnonzero(cam_labels == label)
        if len(places) == 0:
            raise DataError(
                f"Expected `cam_labels` to hold the ground-truth class {label}, but "
                f"got {cam_labels.tolist()}. Add 'gt' to `cam_targets` of WSOLHead."
            )
        found: NDArray[Any] = cam[places[0]]
        return found
    array = np.asarray(scores)
    best = _best_places(cam_labels, array, target.k)
    if not target.stretched:
        return cam[best[0], :, :]
    weights = np.full(target.k, 1.0)
    if target.by_score:
        weights = array[cam_labels[best]].astype(np.float64)
    weights = weights / weights.sum()
    combined: NDArray[Any] = sum(
        w * stretch(cam[place]) for w, place in zip(weights, best)
    )
    return combined


def _best_places(
    cam_labels: NDArray[Any], scores: NDArray[Any], k: int
) -> NDArray[np.int64]:
    """Where the maps of the k best classes stand; lower classes first on a tie."""
    if scores.ndim != 1 or cam_labels.max(initial=-1) >= scores.size:
        raise DataError(
            "Expected `pred_score` of shape (C,) with all classes of `cam_labels` "
            f"{cam_labels.tolist()}, but got shape {scores.shape}."
        )
    own = scores[cam_labels]
    order: NDArray[np.int64] = np.lexsort((cam_labels, -own))[:k]
    # A class without a map must not score higher than the last one that is taken.
    if len(order) < k or (scores > own[order[-1]]).sum() >= k:
        raise DataError(
            f"Expected `cam_labels` to hold the {k} classes of highest score, but got "
            f"{cam_labels.tolist()}. Add 'top{k}' to `cam_targets` of WSOLHead."
        )
    return order


def target_prefix(prefix: str, cam_target: str) -> str:
    """The prefix of scores, which names the map unless it is the ground truth's.

    Args:
        prefix: The prefix wanted besides.
        cam_target: As the module lists them.

    Returns:
        Both, joined by an underscore.

    Raises:
        ConfigError: If ``cam_target`` is malformed.

    Example:
        >>> target_prefix("wsol", "top1"), target_prefix("wsol", "gt")
        ('wsol_top1', 'wsol')
    """
    parse_cam_target(cam_target)
    return prefix if cam_target == GROUND_TRUTH else f"{prefix}_{cam_target}"
