"""RecordMetric: a metric that reduces each image to one small record."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Optional

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.cam_target import GROUND_TRUTH, check_cam_target
from mmdgdm.evaluation.functional.names import PREFIX
from mmdgdm.evaluation.functional.scoremaps import (
    DEFAULT_INTERVAL,
    check_fixed_threshold,
    make_thresholds,
)


class RecordMetric(BaseMetric):
    """What the metrics of score maps share.

    Each sample becomes one record of bytes, which mmengine gathers from all processes;
    scores follow from the records of all images.

    Args:
        interval: Distance between two thresholds.
        threshold: A threshold in [0, 1) fixed elsewhere. ``None`` takes the one
            that was calibrated on the validation split and is stored in the
            checkpoint, if :class:`~mmdgdm.engine.hooks.CalibrationHook` is at hand.
        cam_target: Which map is scored
            (:mod:`mmdgdm.evaluation.functional.cam_target`): ``"gt"``, ``"top1"``,
            ``"mean_topK"`` or ``"weighted_topK"``. Other than ``"gt"``, it is part of
            the prefix, as in ``wsol_top1``, and nothing is called GT-known. The head's
            ``cam_targets`` must hold ``"topK"``.
        collect_device: Where results of several processes meet, ``"cpu"`` or
            ``"gpu"``.
        prefix: Put before all names, with a slash; ``None`` for ``wsol``.

    Raises:
        ConfigError: If an argument is out of range.
    """

    default_prefix = PREFIX
    #: The scores whose best threshold on val becomes `threshold` on test: the first of
    #: them that is known.
    calibrated_by: tuple[str, ...]

    def __init__(
        self,
        *,
        interval: float = DEFAULT_INTERVAL,
        threshold: Optional[float] = None,
        cam_target: str = GROUND_TRUTH,
        collect_device: str = "cpu",
        prefix: Optional[str] = None,
    ) -> None:
        check_cam_target(cam_target)
        prefix = prefix or PREFIX
        if cam_target != GROUND_TRUTH:
            prefix = f"{prefix}_{cam_target}"
        super().__init__(collect_device=collect_device, prefix=prefix)
        check_fixed_threshold(threshold)
        self.cam_target = cam_target
        self.thresholds = make_thresholds(interval)
        self.threshold = threshold

    @abstractmethod
    def make_record(self, sample: dict) -> bytes:
        """Reduce a sample to its record.

        Args:
            sample: A predicted sample as a dictionary.

        Returns:
            The record.

        Raises:
            DataError: If a field is missing or malformed.
        """

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Reduce each sample to one record.

        Args:
            data_batch: Not used.
            data_samples: Predicted samples as dictionaries.

        Raises:
            DataError: If a field is missing or malformed; names the image.
        """
        for sample in data_samples:
            try:
                self.results.append(self.make_record(sample))
            except DataError as err:
                name = sample.get("image_id", sample.get("img_path"))
                raise DataError(f"Image {name!r}: {err}") from err


def warn(text: str) -> None:
    """Write a warning to the log of the run."""
    print_log(text, logger="current", level=logging.WARNING)


def warn_of_constant_maps(num_constant: int, num_images: int) -> None:
    """Say how many of all maps have pixels that are all equal: they tell no place."""
    if num_constant:
        warn(
            f"{num_constant} of {num_images} score maps are constant: they were scored "
            "as all zeros."
        )
