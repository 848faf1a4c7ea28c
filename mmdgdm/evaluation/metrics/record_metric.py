"""RecordMetric: a metric that reduces each image to one small record."""

from __future__ import annotations

import logging
import os
from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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
from mmdgdm.evaluation.stored.record_files import write_records
from mmdgdm.utils.argument_checks import check_output_file

#: Threads that make records while the network runs.
_NUM_THREADS = min(4, os.cpu_count() or 1)
#: Samples that may wait for their turn: enough for the threads, little memory.
_MOST_WAITING = 256


class RecordMetric(BaseMetric):
    """What the metrics of score maps share.

    Each sample becomes one record of bytes, in a thread, so that the network goes on
    meanwhile. mmengine gathers the records of all processes, each with the name of its
    image; scores follow from the records of all images.

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
        record_file: A ``.npz`` file for the records, from which all that is said of
            single images follows (:mod:`mmdgdm.evaluation.stored.record_files`).

    Raises:
        ConfigError: If an argument is out of range.
    """

    default_prefix = PREFIX
    #: The names of val's thresholds that become `threshold` on test: the first of them
    #: that is known.
    calibrated_by: tuple[str, ...]

    def __init__(
        self,
        *,
        interval: float = DEFAULT_INTERVAL,
        threshold: Optional[float] = None,
        cam_target: str = GROUND_TRUTH,
        collect_device: str = "cpu",
        prefix: Optional[str] = None,
        record_file: Optional[str] = None,
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
        #: The rule that chose the threshold on val, where that is known.
        self.threshold_rule: Optional[str] = None
        check_output_file("record_file", record_file, endings=["npz"])
        self.record_file = record_file
        self._threads: Optional[ThreadPoolExecutor] = None
        self._waiting: deque[Future[tuple[Optional[str], bytes]]] = deque()

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

    @abstractmethod
    def score(self, records: list[bytes]) -> dict[str, Any]:
        """Turn the records of all images, in any order, into scores by name.

        Args:
            records: One per image.

        Returns:
            The scores, without a prefix.
        """

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Have each sample reduced to one record.

        Args:
            data_batch: Not used.
            data_samples: Predicted samples as dictionaries.

        Raises:
            DataError: If a field of these or of earlier samples is missing or
                malformed; names the image.
        """
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_NUM_THREADS, type(self).__name__)
        for sample in data_samples:
            self._waiting.append(self._threads.submit(self._name_and_record, sample))
        self._collect(_MOST_WAITING)

    def wait(self) -> None:
        """Wait until all samples so far have their records, in ``results``.

        Raises:
            DataError: As :meth:`process` does.
        """
        self._collect(0)

    def evaluate(self, size: int) -> dict:
        """Score all images that were processed.

        Args:
            size: Number of images of the data set.

        Returns:
            The scores by name.

        Raises:
            DataError: As :meth:`process` does.
        """
        self.wait()
        return super().evaluate(size)

    def compute_metrics(self, results: list[Any]) -> dict[str, Any]:
        """Turn names and records of all images, in any order, into scores by name."""
        records = [record for _, record in results]
        names = [name for name, _ in results]
        # What was gathered from these would take as much memory again.
        self.results.clear()
        if self.record_file is not None:
            classes = self.class_names()
            write_records(self.record_file, names, records=records, classes=classes)
        return self.score(records)

    def class_names(self) -> list[str]:
        """Names of the classes by label; none if the data set tells none."""
        return [str(name) for name in (self.dataset_meta or {}).get("classes") or ()]

    def _name_and_record(self, sample: dict) -> tuple[Optional[str], bytes]:
        name = sample.get("image_id", sample.get("img_path"))
        try:
            return name, self.make_record(sample)
        except DataError as err:
            raise DataError(f"Image {name!r}: {err}") from err

    def _collect(self, most_waiting: int) -> None:
        """Take the records that are made, in order, and wait for others if need be."""
        try:
            while self._waiting and (
                len(self._waiting) > most_waiting or self._waiting[0].done()
            ):
                self.results.append(self._waiting.popleft().result())
        except BaseException:
            self._stop()
            self.results.clear()
            raise
        if most_waiting == 0:
            self._stop()

    def _stop(self) -> None:
        """Drop what waits, and end the threads: none is left when processes fork."""
        self._waiting.clear()
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
        self._threads = None


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
