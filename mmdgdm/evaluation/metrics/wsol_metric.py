"""WSOLMetric: all box scores of weakly supervised object localization."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from numpy.typing import NDArray
from torch import Tensor

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.boxes import scale_boxes
from mmdgdm.evaluation.functional.localization import label_rank, localization_curve
from mmdgdm.evaluation.functional.max_box_acc import (
    IOU_THRESHOLDS,
    LOC_IOU_THRESHOLD,
    NUM_LEVELS,
    check_iou_thresholds,
    curve_maximum,
    hit_curves,
    level_hits,
    max_box_acc,
    max_box_acc_v2,
)
from mmdgdm.evaluation.functional.scoremaps import (
    DEFAULT_INTERVAL,
    EVAL_SIZE,
    make_thresholds,
    normalize_scoremap,
    quantize_scoremap,
)
from mmdgdm.registry import METRICS

_PACKING = "a test pipeline that ends with mmdgdm.PackWSOLInputs sets it"
_HEAD = "mmdgdm.WSOLHead sets it"
_SOURCES = {
    "gt_label": _PACKING,
    "gt_bboxes": _PACKING,
    "ori_shape": _PACKING,
    "pred_score": _HEAD,
    "cam": _HEAD,
    "cam_labels": _HEAD,
}


class _Hits(NamedTuple):
    """The records of all N images, unpacked."""

    maxima: NDArray[np.int64]  # (N,)
    single: NDArray[np.bool_]  # (N, K, 256)
    multi: NDArray[np.bool_]  # (N, K, 256)
    correct: dict[int, NDArray[np.bool_]]  # k: (N,)


@METRICS.register_module()
class WSOLMetric(BaseMetric):
    """Box scores of the WSOL benchmark, from raw class activation maps.

    Each sample's map of its ground-truth class is normalised, quantised and
    thresholded at 224 x 224 (see
    :mod:`mmdgdm.evaluation.functional.scoremaps`), and its boxes are compared with
    the ground truth scaled to the same size. All scores are percentages:

    - ``Top-k Cls``: the class is among the k best.
    - ``GT-known``: the box of the largest contour reaches IoU 0.5.
    - ``Top-k Loc``: GT-known, and the class is among the k best.
    - ``MaxBoxAcc``: as GT-known, under the benchmark's name.
    - ``MaxBoxAccV2@d``: a box of any contour reaches IoU d.
    - ``MaxBoxAccV2``: the mean of those over all d.

    Each localization score is the maximum over thresholds; ``<name> threshold``
    is the first threshold that reaches it (``MaxBoxAccV2`` itself has one per d).
    A maximum chosen on the scored images is optimistic: with ``threshold`` fixed
    elsewhere, ``<name> (fixed)`` is the honest score, and
    ``MaxBoxAcc (fixed) threshold`` repeats that threshold.

    Samples carry ``cam`` (K, h, w), not normalised, ``cam_labels`` (K,),
    ``gt_label``, ``pred_score`` (C,), ``gt_bboxes`` (M, 4), x0, y0, x1, y1 in pixels
    of the original image, and ``ori_shape`` (height, width).

    Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods
    Right, CVPR 2020 and its journal version.

    Args:
        iou_thresholds: The values of d; 0.5 must be among them.
        interval: Distance between two thresholds.
        topk: The values of k. With none, samples need no ``pred_score``.
        threshold: A threshold in [0, 1) fixed elsewhere, such as the best one on
            the validation split.
        collect_device: Where results of several processes meet, ``"cpu"`` or
            ``"gpu"``.
        prefix: Put before all names, with a slash.

    Raises:
        ConfigError: If an argument is out of range.

    Example:
        >>> val_evaluator = dict(type="mmdgdm.WSOLMetric", interval=0.01)
    """

    # mmengine warns of a prefix that is None; an empty one means none is wanted.
    default_prefix = ""

    def __init__(
        self,
        iou_thresholds: Sequence[float] = IOU_THRESHOLDS,
        interval: float = DEFAULT_INTERVAL,
        topk: Sequence[int] = (1, 5),
        threshold: Optional[float] = None,
        collect_device: str = "cpu",
        prefix: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        check_iou_thresholds(iou_thresholds)
        if LOC_IOU_THRESHOLD not in iou_thresholds:
            raise ConfigError(
                f"Expected `iou_thresholds` to hold {LOC_IOU_THRESHOLD}, which "
                f"GT-known is defined at, but got {iou_thresholds!r}."
            )
        if not isinstance(topk, Sequence) or any(
            not isinstance(k, int) or k < 1 for k in topk
        ):
            raise ConfigError(
                f"Expected `topk` to be a list of positive integers, but got {topk!r}."
            )
        if threshold is not None and not 0 <= threshold < 1:
            raise ConfigError(
                f"Expected `threshold` to be None or in [0, 1), but got {threshold!r}."
            )
        self.iou_thresholds = tuple(iou_thresholds)
        self.thresholds = make_thresholds(interval)
        self.topk = tuple(topk)
        self.threshold = threshold

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Reduce each sample to one record of a few hundred bytes.

        Args:
            data_batch: Not used.
            data_samples: Predicted samples as dictionaries.

        Raises:
            DataError: If a field is missing or malformed; names the image.
            ConfigError: If ``topk`` asks for more classes than there are.
        """
        for sample in data_samples:
            try:
                self.results.append(self._record(sample))
            except DataError as err:
                name = sample.get("image_id", sample.get("img_path"))
                raise DataError(f"Image {name!r}: {err}") from err

    def _record(self, sample: dict) -> dict[str, Any]:
        label = _gt_label(sample)
        cam = _cam_of(sample, label)
        height, width = _field(sample, "ori_shape")[:2]
        boxes = scale_boxes(
            _array(sample, "gt_bboxes"), (int(width), int(height)), EVAL_SIZE
        )
        quantized = quantize_scoremap(normalize_scoremap(cam))
        hits = level_hits(quantized, boxes, self.iou_thresholds)
        return dict(
            maximum=hits.maximum,
            single=np.packbits(hits.single).tobytes(),
            multi=np.packbits(hits.multi).tobytes(),
            rank=self._rank(sample, label),
        )

    def _rank(self, sample: dict, label: int) -> Optional[int]:
        if not self.topk:
            return None
        scores = _array(sample, "pred_score")
        if scores.ndim == 1 and max(self.topk) > len(scores):
            raise ConfigError(
                f"Expected `topk` to be at most the number of classes, {len(scores)}, "
                f"but got {self.topk}. Set `topk` of {type(self).__name__} in the "
                "config."
            )
        return label_rank(scores, label)

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Turn the records of all images into scores.

        Args:
            results: One record per image, in any order.

        Returns:
            Scores in percent and their thresholds, by name.

        Raises:
            DataError: If there is no record.
        """
        if not results:
            raise DataError("Expected at least one image to be scored, but got none.")
        hits = self._unpack(results)
        num_constant = int((hits.maxima == 0).sum())
        if num_constant:
            print_log(
                f"{num_constant} of {len(results)} score maps are constant and were "
                "scored as all zeros.",
                logger="current",
                level=logging.WARNING,
            )
        metrics = {
            f"Top-{k} Cls": float(right.sum() * 100.0 / len(results))
            for k, right in hits.correct.items()
        }
        metrics.update(self._best_scores(hits))
        if self.threshold is not None:
            metrics.update(self._fixed_scores(hits, self.threshold))
        return metrics

    def _unpack(self, results: list[dict[str, Any]]) -> _Hits:
        def bits(name: str) -> NDArray[np.bool_]:
            packed = np.frombuffer(b"".join(r[name] for r in results), dtype=np.uint8)
            shape = (len(results), len(self.iou_thresholds), NUM_LEVELS)
            return np.unpackbits(packed).view(np.bool_).reshape(shape)

        return _Hits(
            maxima=np.array([r["maximum"] for r in results], dtype=np.int64),
            single=bits("single"),
            multi=bits("multi"),
            correct={k: np.array([r["rank"] < k for r in results]) for k in self.topk},
        )

    def _loc_curves(
        self, hits: _Hits, thresholds: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        """Curves of GT-known and Top-k Loc, each (T,)."""
        single = hits.single[:, self.iou_thresholds.index(LOC_IOU_THRESHOLD)]
        curves = {"GT-known": localization_curve(hits.maxima, single, thresholds)}
        for k, right in hits.correct.items():
            curves[f"Top-{k} Loc"] = localization_curve(
                hits.maxima, single, thresholds, right
            )
        return curves

    def _best_scores(self, hits: _Hits) -> dict[str, float]:
        cuts = self.thresholds
        best = {
            name: curve_maximum(curve, cuts)
            for name, curve in self._loc_curves(hits, cuts).items()
        }
        single = hit_curves(hits.maxima, hits.single, cuts)
        best["MaxBoxAcc"] = max_box_acc(single, cuts, self.iou_thresholds)
        version_2 = max_box_acc_v2(hit_curves(hits.maxima, hits.multi, cuts), cuts)
        for delta, maximum in zip(self.iou_thresholds, version_2.maxima):
            best[f"MaxBoxAccV2@{delta:g}"] = maximum
        metrics = {name: point.value for name, point in best.items()}
        metrics["MaxBoxAccV2"] = version_2.value
        metrics.update(
            {f"{name} threshold": point.threshold for name, point in best.items()}
        )
        return metrics

    def _fixed_scores(self, hits: _Hits, threshold: float) -> dict[str, float]:
        cuts = np.array([threshold])
        metrics = {
            f"{name} (fixed)": float(curve[0])
            for name, curve in self._loc_curves(hits, cuts).items()
        }
        metrics["MaxBoxAcc (fixed)"] = metrics["GT-known (fixed)"]
        metrics["MaxBoxAcc (fixed) threshold"] = threshold
        multi = hit_curves(hits.maxima, hits.multi, cuts)
        metrics["MaxBoxAccV2 (fixed)"] = max_box_acc_v2(multi, cuts).value
        return metrics


def _field(sample: dict, name: str) -> Any:
    value = sample.get(name)
    if value is None:
        raise DataError(
            f"Expected every data sample to carry `{name}` ({_SOURCES[name]}), but "
            f"got only {sorted(sample.keys())}."
        )
    return value


def _array(sample: dict, name: str) -> NDArray[Any]:
    value = _field(sample, name)
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    return np.asarray(value)


def _gt_label(sample: dict) -> int:
    labels = _array(sample, "gt_label").reshape(-1)
    if len(labels) != 1:
        raise DataError(
            f"Expected `gt_label` to hold one class, but got {labels.tolist()}."
        )
    return int(labels[0])


def _cam_of(sample: dict, label: int) -> NDArray[Any]:
    """Return the sample's map of a class, (h, w)."""
    cam = _array(sample, "cam")
    cam_labels = _array(sample, "cam_labels")
    if cam.ndim != 3 or cam_labels.shape != cam.shape[:1]:
        raise DataError(
            "Expected `cam` of shape (K, h, w) and `cam_labels` of shape (K,), but "
            f"got {cam.shape} and {cam_labels.shape}."
        )
    places = np.flatnonzero(cam_labels == label)
    if len(places) == 0:
        raise DataError(
            f"Expected `cam_labels` to hold the ground-truth class {label}, but got "
            f"{cam_labels.tolist()}. Add 'gt' to `cam_targets` of WSOLHead."
        )
    return cam[places[0]]
