"""Read what metrics and hooks need from data samples; what is missing is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.cam_target import GROUND_TRUTH, select_scoremap

_PACKING = "a test pipeline that ends with mmdgdm.PackWSOLInputs sets it"
_HEAD = "mmdgdm.WSOLHead sets it"
_SOURCES = {
    "gt_label": _PACKING,
    "gt_bboxes": _PACKING,
    "gt_mask": "mmdgdm.LoadWSOLMask before mmdgdm.PackWSOLInputs sets it",
    "ori_shape": _PACKING,
    "image_id": _PACKING,
    "pred_score": _HEAD,
    "cam": _HEAD,
    "cam_labels": _HEAD,
}


@dataclass(frozen=True)
class Unreadable:
    """What a training set gives for an image that is left out.

    Attributes:
        image_id: The image.
        reason: Why it cannot be read, with its path.
    """

    image_id: str
    reason: str


def get_field(sample: Any, name: str) -> Any:
    """Return a field that a sample must have.

    Args:
        sample: A data sample, or the same as a dictionary.
        name: One of ``gt_label``, ``gt_bboxes``, ``gt_mask``, ``ori_shape``,
            ``image_id``, ``pred_score``, ``cam`` and ``cam_labels``.

    Returns:
        The field as it stands.

    Raises:
        DataError: If the sample lacks the field; tells what sets it.
    """
    value = sample.get(name)
    if value is None:
        raise DataError(
            f"Expected every data sample to carry `{name}` ({_SOURCES[name]}), but "
            f"got only {sorted(sample.keys())}."
        )
    return value


def get_array(sample: Any, name: str) -> NDArray[Any]:
    """Return a field that a sample must have as an array.

    Args:
        sample: A data sample, or the same as a dictionary.
        name: As for :func:`get_field`.

    Returns:
        The field; tensors are moved to the CPU, and numbers of half precision become
        float32, which holds them exactly.

    Raises:
        DataError: If the sample lacks the field.
    """
    value = get_field(sample, name)
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype == np.float16 else array


def get_gt_label(sample: Any) -> int:
    """Return the ground-truth class of a sample.

    Args:
        sample: A data sample as a dictionary, with ``gt_label``.

    Returns:
        The class.

    Raises:
        DataError: If the sample lacks ``gt_label`` or it holds not just one class.
    """
    labels = get_array(sample, "gt_label").reshape(-1)
    if len(labels) != 1:
        raise DataError(
            f"Expected `gt_label` to hold one class, but got {labels.tolist()}."
        )
    return int(labels[0])


def get_scoremap(sample: Any, label: int, *, cam_target: str) -> NDArray[Any]:
    """Return the map of a sample that localization is scored with.

    Args:
        sample: A data sample, or the same as a dictionary, with ``cam`` (K, h, w) and
            ``cam_labels`` (K,), and ``pred_score`` (C,) for other targets than
            ``"gt"``.
        label: The ground truth of the sample.
        cam_target: As :mod:`mmdgdm.evaluation.functional.cam_target` lists them.

    Returns:
        (h, w), not normalised.

    Raises:
        DataError: If a field is missing or malformed, or a class has no map.
    """
    scores = None
    if cam_target != GROUND_TRUTH:
        scores = get_array(sample, "pred_score")
    return select_scoremap(
        get_array(sample, "cam"),
        get_array(sample, "cam_labels"),
        cam_target=cam_target,
        label=label,
        scores=scores,
    )
