"""Trivial baselines on the data of a config: what a learned method must beat there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Optional

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from numpy.typing import NDArray

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.baselines import BASELINES, baseline_map
from mmdgdm.evaluation.functional.boxes import scale_boxes
from mmdgdm.evaluation.functional.calibration import DEFAULT_RULE
from mmdgdm.evaluation.functional.names import PREFIX
from mmdgdm.evaluation.functional.records import make_box_record
from mmdgdm.evaluation.functional.scoremaps import EVAL_SIZE, make_thresholds
from mmdgdm.evaluation.functional.summary import summarize_boxes
from mmdgdm.evaluation.stored.thresholds import box_thresholds


def score_baselines(
    cfg: Config,
    *,
    indices: Optional[Sequence[int]] = None,
    prefix: str = f"{PREFIX}/",
    calibration: str = DEFAULT_RULE,
) -> dict[str, dict[str, float]]:
    """Score the trivial baselines on a config's data with boxes.

    The threshold of each is chosen on the data set of ``val_dataloader``; that of
    ``test_dataloader`` is scored. No image is read and nothing is trained. Scores that
    need a class are missing.

    Args:
        cfg: The config.
        indices: Places in the test set of the images that are scored; ``None`` for all.
        prefix: Put before the names of scores.
        calibration: The rule by which val chooses
            (:mod:`mmdgdm.evaluation.functional.calibration`).

    Returns:
        Of each of ``BASELINES`` its scores by name, as
        :mod:`mmdgdm.evaluation.functional.summary` lists them, with those at val's
        threshold.

    Raises:
        ConfigError: If one of the data sets has no boxes.
        DataError: If a data set cannot be read.
    """
    val, test = (list(_boxes(cfg, split)) for split in ("val", "test"))
    if indices is not None:
        test = [test[index] for index in indices]
    found = {}
    for name in BASELINES:
        scoremap = baseline_map(name)
        on_val = _summary(scoremap, val, None, calibration)
        # The first of them is by that rule.
        chosen = on_val[box_thresholds(calibration)[0]]
        scores = _summary(scoremap, test, chosen, calibration)
        found[name] = {f"{prefix}{score}": value for score, value in scores.items()}
    return found


def _boxes(cfg: Config, split: str) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Boxes in the pixels of evaluation and label of each image."""
    with DefaultScope.overwrite_default_scope(cfg.get("default_scope")):
        dataset: Any = DATASETS.build(cfg[f"{split}_dataloader"].dataset)
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        if "ori_gt_bboxes" not in info or "image_size" not in info:
            raise ConfigError(
                f"Expected `{split}_dataloader.dataset` to have boxes and sizes of "
                f"images, but got none for image {info.get('image_id')!r}."
            )
        boxes = scale_boxes(
            info["ori_gt_bboxes"], info["image_size"], target_size=EVAL_SIZE
        )
        yield boxes, info["gt_label"]


def _summary(
    scoremap: NDArray[np.float64],
    images: Sequence[tuple[NDArray[np.int64], int]],
    threshold: Optional[float],
    calibration: str,
) -> dict[str, float]:
    records = [
        make_box_record(scoremap, boxes, label=label, threshold=threshold)
        for boxes, label in images
    ]
    summary = summarize_boxes(
        records,
        thresholds=make_thresholds(),
        threshold=threshold,
        calibration=calibration,
    )
    return summary.metrics
