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
from typing import Any, Optional

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdgdm.errors import ConfigError, DataError

#: The map of the ground-truth class.
GROUND_TRUTH = "gt"
_PATTERN = re.compile(r"gt|top1|(?:mean|weighted)_top[1-9]\d*")


def check_cam_target(cam_target: str) -> None:
    """Check which map is asked for.

    Args:
        cam_target: As the module lists them.

    Raises:
        ConfigError: If it is none of them.
    """
    if not _PATTERN.fullmatch(str(cam_target)):
        raise ConfigError(
            "Expected `cam_target` to be 'gt', 'top1', 'mean_topK' or "
            f"'weighted_topK' with a number K >= 1, but got {cam_target!r}."
        )


def _stretch(scoremap: NDArray[Any]) -> NDArray[np.float64]:
    """Map (h, w) to [0, 1] by its minimum and maximum; a constant one to zeros."""
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
    check_cam_target(cam_target)
    if cam.ndim != 3 or cam.size == 0 or cam_labels.shape != cam.shape[:1]:
        raise DataError(
            "Expected non-empty `cam` of shape (K, h, w) and `cam_labels` of shape "
            f"(K,), but got {cam.shape} and {cam_labels.shape}."
        )
    if cam_target == GROUND_TRUTH:
        places = np.flatnonzero(cam_labels == label)
        if len(places) == 0:
            raise DataError(
                f"Expected `cam_labels` to hold the ground-truth class {label}, but "
                f"got {cam_labels.tolist()}. Add 'gt' to `cam_targets` of WSOLHead."
            )
        found: NDArray[Any] = cam[places[0]]
        return found
    array = np.asarray(scores)
    kind, _, k = cam_target.partition("top")
    best = _best_places(cam_labels, array, int(k))
    if not kind:
        return cam[best[0], :, :]
    weights = np.ones(len(best))
    if kind == "weighted_":
        weights = array[cam_labels[best]].astype(np.float64)
    weights = weights / weights.sum()
    combined: NDArray[Any] = sum(
        w * _stretch(cam[place]) for w, place in zip(weights, best)
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
