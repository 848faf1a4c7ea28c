"""PxAP, the pixel-wise score for data sets with object masks, as a metric."""

from __future__ import annotations

from mmdgdm.evaluation.functional.pixel_summary import (
    make_pixel_record,
    summarize_pixels,
)
from mmdgdm.evaluation.functional.pxap import resize_label_mask
from mmdgdm.evaluation.functional.scoremaps import normalize_scoremap
from mmdgdm.evaluation.metrics.record_metric import RecordMetric, warn_of_constant_maps
from mmdgdm.evaluation.stored.thresholds import MASK_THRESHOLDS
from mmdgdm.registry import METRICS
from mmdgdm.utils.samples import get_array, get_gt_label, get_scoremap


@METRICS.register_module()
class PxAP(RecordMetric):
    """Pixel-wise average precision of the WSOL benchmark, from raw maps.

    Each sample's map of its ground-truth class, or the one that ``cam_target`` names,
    is stretched to [0, 1] at 224 x 224; its mask is resized, taking the nearest pixel.
    The scores of all object pixels and of all background pixels of the data set are
    compared; ignored pixels are left out. The scores, ``wsol/pxap`` and
    ``wsol/pixel_iou`` at its best threshold and at ``threshold``, are defined and named
    in :mod:`mmdgdm.evaluation.functional.pixel_summary`.

    Samples carry ``cam`` (K, h, w), not normalised, ``cam_labels`` (K,),
    ``gt_label``, and ``gt_mask`` (H, W) uint8 of {0, 1, 255 = ignored}, of any size.

    Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods
    Right, CVPR 2020.

    Args:
        **kwargs: As for :class:`RecordMetric`: ``interval``, ``threshold``,
            ``cam_target``, ``collect_device``, ``prefix``.

    Raises:
        ConfigError: If an argument is out of range.

    Example:
        >>> val_evaluator = dict(type="mmdgdm.PxAP", interval=0.01)
    """

    calibrated_by = MASK_THRESHOLDS

    def make_record(self, sample: dict) -> bytes:
        """Count the pixels of a sample by score: one or two kilobytes."""
        cam = get_scoremap(sample, get_gt_label(sample), cam_target=self.cam_target)
        return make_pixel_record(
            normalize_scoremap(cam),
            resize_label_mask(get_array(sample, "gt_mask")),
            thresholds=self.thresholds,
            threshold=self.threshold,
        )

    def score(self, records: list[bytes]) -> dict[str, float]:
        """Turn the records of all images, in any order, into scores by name."""
        summary = summarize_pixels(
            records, thresholds=self.thresholds, threshold=self.threshold
        )
        warn_of_constant_maps(summary.num_constant, len(records))
        return summary.metrics
