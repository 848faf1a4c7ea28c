"""WSOLVisualizationHook: pictures of a test run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import mmcv
import numpy as np
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdgdm.errors import ConfigError
from mmdgdm.registry import HOOKS, VISUALIZERS


@dataclass(frozen=True)
class _Shot:
    """What is kept of a sample until the threshold is known."""

    index: int
    image: np.ndarray
    sample: Any


@HOOKS.register_module()
class WSOLVisualizationHook(Hook):
    """Write heatmaps and boxes of some test images.

    The images are spread evenly over the data set. They are drawn after the
    evaluation, at the threshold it found best for MaxBoxAcc, unless one is given.
    Written are one file per image, named after its place in the data set and
    whether its box is a hit at IoU 0.5, and ``overview.jpg`` with the first of
    them.

    Args:
        out_dir: Folder for the pictures; made if missing.
        num_images: How many images to draw.
        threshold: Share of each map's maximum at which its box is taken, in
            [0, 1); ``None`` takes the evaluation's ``MaxBoxAcc threshold``.
        sheet_images: How many pictures ``overview.jpg`` holds.

    Raises:
        ConfigError: If an argument is impossible, or there is neither a
            threshold nor a metric that reports one.
    """

    priority = "LOW"

    def __init__(
        self,
        out_dir: str,
        num_images: int = 24,
        threshold: Optional[float] = None,
        sheet_images: int = 12,
    ) -> None:
        if num_images < 1:
            raise ConfigError(
                f"Expected `num_images` to be at least 1, but got {num_images!r}."
            )
        if threshold is not None and not 0 <= threshold < 1:
            raise ConfigError(
                f"Expected `threshold` to be in [0, 1), but got {threshold!r}."
            )
        self.out_dir = Path(out_dir)
        self.num_images = num_images
        self.threshold = threshold
        self.sheet_images = sheet_images
        self._shots: list[_Shot] = []
        self._chosen: set[int] = set()

    def before_test_epoch(self, runner: Runner) -> None:
        """Choose the images."""
        length = len(runner.test_dataloader.dataset)
        spread = np.linspace(0, length - 1, min(self.num_images, length))
        self._chosen = set(spread.round().astype(int).tolist())
        self._shots = []

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Optional[Sequence[Any]] = None,
    ) -> None:
        """Keep the chosen samples of a batch, on the CPU."""
        for i, sample in enumerate(outputs or ()):
            index = sample.get("sample_idx")
            if index in self._chosen:
                self._chosen.remove(index)
                image = _picture(data_batch["inputs"][i], sample)
                self._shots.append(_Shot(index, image, sample.cpu()))

    def after_test_epoch(
        self, runner: Runner, metrics: Optional[dict[str, float]] = None
    ) -> None:
        """Draw and write what was kept, on the main process."""
        threshold = self._threshold(metrics or {})
        gathered = all_gather_object(self._shots)
        self._shots = []
        if not is_main_process():
            return
        # With several processes the sampler may repeat images to fill up.
        shots = {shot.index: shot for part in gathered for shot in part}
        visualizer = VISUALIZERS.build(
            dict(type="mmdgdm.WSOLVisualizer", name="wsol_pictures")
        )
        classes = (runner.test_dataloader.dataset.metainfo or {}).get("classes")
        self.out_dir.mkdir(parents=True, exist_ok=True)
        panels = []
        for index in sorted(shots):
            shot = shots[index]
            panel, iou = visualizer.draw_localization(
                shot.image, shot.sample, threshold, classes
            )
            panels.append(panel)
            visualizer.save(panel, str(self.out_dir / _file_name(shot, iou)))
        sheet = self.out_dir / "overview.jpg"
        visualizer.save_sheet(panels[: self.sheet_images], str(sheet))
        runner.logger.info(
            f"Wrote {len(panels)} pictures at threshold {threshold:.3f} to "
            f"{self.out_dir}, the first of them together in {sheet}."
        )

    def _threshold(self, metrics: dict[str, float]) -> float:
        if self.threshold is not None:
            return self.threshold
        for key, value in metrics.items():
            if key.split("/")[-1] == "MaxBoxAcc threshold":
                return float(value)
        raise ConfigError(
            "Expected `threshold` of WSOLVisualizationHook to be given, or a metric "
            "that reports 'MaxBoxAcc threshold' (mmdgdm.WSOLMetric), but got neither."
        )


def _picture(inputs: Any, sample: Any) -> np.ndarray:
    """Return the picture in RGB: the file, or the network's input without one."""
    path = sample.get("img_path")
    if path is not None and Path(path).is_file():
        # mmcv would ignore channel_order="rgb" beside this flag.
        return mmcv.bgr2rgb(mmcv.imread(path, flag="color_ignore_orientation"))
    image = inputs.cpu().numpy().transpose(1, 2, 0)[..., ::-1]
    return np.ascontiguousarray(image).astype(np.uint8)


def _file_name(shot: _Shot, iou: Optional[float]) -> str:
    outcome = "" if iou is None else ("_hit" if iou >= 0.5 else "_miss")
    image_id = str(shot.sample.get("image_id", ""))
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", image_id.rsplit(".", 1)[0])
    return f"{shot.index:05d}{outcome}_{stem}.jpg".replace("_.jpg", ".jpg")
