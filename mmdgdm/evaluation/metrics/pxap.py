"""PxAP, the pixel-wise score for data sets with object masks, as a metric."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Optional

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.cam_target import GROUND_TRUTH, target_prefix
from mmdgdm.evaluation.functional.names import PREFIX, THRESHOLD
from mmdgdm.evaluation.functional.pixel_summary import (
    PixelCounts,
    add_counts,
    count_pixels,
    summarize_pixels,
)
from mmdgdm.evaluation.functional.pxap import ScoreHistograms, resize_label_mask
from mmdgdm.evaluation.functional.scoremaps import (
    DEFAULT_INTERVAL,
    check_fixed_threshold,
    make_thresholds,
    normalize_scoremap,
)
from mmdgdm.evaluation.metrics.samples import (
    get_array,
    get_gt_label,
    get_scoremap,
)
from mmdgdm.registry import METRICS

#: Stands for an image whose counts were added to the first record. Not None, which
#: mmengine drops where the results of several processes meet.
_FOLDED = ()
#: The latest images keep records of their own: mmengine drops images at the end
#: that the sampler repeated, at most one a process.
_NUM_SEPARATE = 8


@METRICS.register_module()
class PxAP(BaseMetric):
    """Pixel-wise average precision of the WSOL benchmark, from raw maps.

    Each sample's map of its ground-truth class, or the one that ``cam_target`` names
    (:mod:`mmdgdm.evaluation.functional.cam_target`), is stretched to [0, 1] at
    224 x 224, and so is its mask, taking the nearest pixel. The scores of all object
    pixels and of all background pixels of the data set are compared; ignored pixels
    are left out. The scores, ``wsol/pxap`` and ``wsol/pixel_iou`` at its best
    threshold and at ``threshold``, are defined and named in
    :mod:`mmdgdm.evaluation.functional.pixel_summary`.

    Samples carry ``cam`` (K, h, w), not normalised, ``cam_labels`` (K,),
    ``gt_label``, and ``gt_mask`` (H, W) uint8 of {0, 1, 255 = ignored}, of any size.

    Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods
    Right, CVPR 2020.

    Args:
        interval: Distance between two thresholds.
        threshold: A threshold in [0, 1) fixed elsewhere. ``None`` takes the one
            that was calibrated on the validation split and is stored in the
            checkpoint, if :class:`~mmdgdm.engine.hooks.CalibrationHook` is at hand.
        cam_target: Which map is scored: ``"gt"``, ``"top1"``, ``"mean_topK"`` or
            ``"weighted_topK"``. Other than ``"gt"``, it is part of the prefix, as in
            ``wsol_top1``. The head's ``cam_targets`` must hold ``"topK"``.
        collect_device: Where results of several processes meet, ``"cpu"`` or
            ``"gpu"``.
        prefix: Put before all names, with a slash; ``None`` for ``wsol``.

    Raises:
        ConfigError: If an argument is out of range.

    Example:
        >>> val_evaluator = dict(type="mmdgdm.PxAP", interval=0.01)
    """

    default_prefix = PREFIX
    #: The score whose best threshold on val becomes `threshold` on test.
    calibrated_by = f"{THRESHOLD}pixel_iou"

    def __init__(
        self,
        interval: float = DEFAULT_INTERVAL,
        threshold: Optional[float] = None,
        cam_target: str = GROUND_TRUTH,
        collect_device: str = "cpu",
        prefix: Optional[str] = None,
    ) -> None:
        super().__init__(
            collect_device=collect_device,
            prefix=target_prefix(prefix or PREFIX, cam_target),
        )
        self.cam_target = cam_target
        check_fixed_threshold(threshold)
        self.thresholds = make_thresholds(interval)
        self.threshold = threshold

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Reduce each sample to one record, and add up the records of earlier ones.

        Args:
            data_batch: Not used.
            data_samples: Predicted samples as dictionaries.

        Raises:
            DataError: If a field is missing or malformed; names the image.
        """
        for sample in data_samples:
            try:
                self.results.append(self._record(sample))
            except DataError as err:
                name = sample.get("image_id", sample.get("img_path"))
                raise DataError(f"Image {name!r}: {err}") from err
            self._fold()

    def _record(self, sample: dict) -> PixelCounts:
        cam = get_scoremap(sample, get_gt_label(sample), self.cam_target)
        mask = resize_label_mask(get_array(sample, "gt_mask"))
        scores = normalize_scoremap(cam)
        return count_pixels(scores, mask, self.thresholds, self.threshold)

    def _fold(self) -> None:
        """Move the counts of the oldest separate record into the first one.

        The histograms of an image take 16 kB, or over 1 kB compressed: too much for
        one process to gather from all images of a large data set.
        """
        place = len(self.results) - 1 - _NUM_SEPARATE
        if place > 0:
            self.results[0] = add_counts([self.results[0], self.results[place]])
            self.results[place] = _FOLDED

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Turn the records of all images into scores.

        Args:
            results: One record per image, in any order; those of added up images
                are empty.

        Returns:
            Scores in percent and their threshold, by name.

        Raises:
            DataError: If there is no record, counts of images that should be left
                out cannot be taken back, or no mask has an object pixel.
        """
        if not results:
            raise DataError("Expected at least one image to be scored, but got none.")
        total = add_counts(_restore(*record) for record in results if record)
        if total.num_images != len(results):
            raise DataError(
                f"Expected the results of {len(results)} images, the size of the data "
                f"set, but got the sums of {total.num_images}."
            )
        summary = summarize_pixels(total, self.thresholds, self.threshold)
        if summary.num_constant:
            print_log(
                f"{summary.num_constant} of {len(results)} score maps are constant and "
                "were scored as all zeros.",
                logger="current",
                level=logging.WARNING,
            )
        return summary.metrics


def _restore(
    num_images: int, num_constant: int, histograms: Any, fixed: Any
) -> PixelCounts:
    """Name the fields again: mmengine makes plain tuples of what it gathers."""
    if fixed is not None:
        fixed = ScoreHistograms(*fixed)
    return PixelCounts(num_images, num_constant, ScoreHistograms(*histograms), fixed)
