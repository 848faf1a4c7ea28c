"""WSOLVisualizationHook: drawings of a test run, or of the last validation."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import mmcv
import numpy as np
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.names import THRESHOLD, VAL_CHOSE, split_name
from mmdgdm.registry import HOOKS, VISUALIZERS
from mmdgdm.utils.argument_checks import (
    check_output_folder,
    check_positive_int,
    check_share,
)
from mmdgdm.utils.image_files import read_image


@HOOKS.register_module()
class WSOLVisualizationHook(Hook):
    """Write heatmaps and boxes of some test images.

    The images are spread evenly over the data set. They are drawn after the
    evaluation, at ``threshold``; else at the threshold that val chose, if any; else at
    the best one of ``max_box_acc``, or of ``pixel_iou`` with masks. Written are one
    file per image, named after its place in the data set, ``overview.jpg`` with the
    first of them, and ``pictures.json``, which lists the files with their ``image_id``,
    the ``iou`` of their box (``null`` without ground truth) and the ``threshold``.

    Args:
        out_dir: Folder for the drawings; made if missing.
        num_images: How many images to draw.
        threshold: Share of each map's maximum at which its box is taken, in
            [0, 1); ``None`` takes that of the evaluation.
        sheet_images: How many of them ``overview.jpg`` holds.
        on_val: Whether to draw val images too, at the validation that ends a training.

    Raises:
        ConfigError: If an argument is impossible, or there is neither a
            threshold nor a metric that reports one.
    """

    priority = "LOW"

    def __init__(
        self,
        out_dir: str,
        num_images: int = 24,
        *,
        threshold: Optional[float] = None,
        sheet_images: int = 12,
        on_val: bool = False,
    ) -> None:
        self.out_dir = Path(out_dir)
        self.num_images = check_positive_int("num_images", num_images)
        self.sheet_images = check_positive_int("sheet_images", sheet_images)
        self.on_val = on_val
        self.threshold = threshold
        if threshold is not None:
            self.threshold = check_share("threshold", threshold, high_open=True)
        self._chosen: set[int] = set()
        #: Image and sample by place, until the threshold is known.
        self._shots: dict[int, tuple[np.ndarray, Any]] = {}

    def before_test_epoch(self, runner: Runner) -> None:
        """Check what the drawing needs, and choose the images."""
        self._choose(runner, "test")

    def before_val_epoch(self, runner: Runner) -> None:
        """Choose images of the validation that ends a training."""
        if self._is_last(runner):
            self._choose(runner, "val")

    def _is_last(self, runner: Runner) -> bool:
        return self.on_val and runner.iter >= runner.max_iters

    def _choose(self, runner: Runner, split: str) -> None:
        check_output_folder("out_dir", self.out_dir)
        evaluator = getattr(runner, f"{split}_evaluator", None)
        if self.threshold is None and not any(
            hasattr(metric, "calibrated_by")
            for metric in getattr(evaluator, "metrics", ())
        ):
            raise ConfigError(
                "WSOLVisualizationHook draws boxes at the threshold of a metric "
                f"(mmdgdm.WSOLMetric, mmdgdm.PxAP), but `{split}_evaluator` has none: "
                "add one, or set `threshold` of the hook."
            )
        length = len(getattr(runner, f"{split}_dataloader").dataset)
        spread = np.linspace(0, length - 1, min(self.num_images, length))
        self._chosen = set(spread.round().astype(int).tolist())
        self._shots = {}

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
            if index is None:
                raise ConfigError(
                    "Expected every sample to carry `sample_idx` for "
                    "WSOLVisualizationHook: let the test pipeline end with "
                    "mmdgdm.PackWSOLInputs, or name it in the meta_keys of PackInputs."
                )
            if index in self._chosen:
                self._chosen.remove(index)
                image = _image_of(data_batch["inputs"], i, sample)
                self._shots[index] = image, sample.cpu()

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Optional[Sequence[Any]] = None,
    ) -> None:
        """Keep the chosen samples of a batch, if any were chosen."""
        if self._is_last(runner):
            self.after_test_iter(runner, batch_idx, data_batch, outputs)

    def after_val_epoch(
        self, runner: Runner, metrics: Optional[dict[str, float]] = None
    ) -> None:
        """Draw and write what the last validation kept."""
        if self._is_last(runner):
            self._draw(runner, metrics or {}, dataset=runner.val_dataloader.dataset)

    def after_test_epoch(
        self, runner: Runner, metrics: Optional[dict[str, float]] = None
    ) -> None:
        """Draw and write what was kept, on the main process."""
        self._draw(runner, metrics or {}, dataset=runner.test_dataloader.dataset)

    def _draw(self, runner: Runner, metrics: dict[str, float], *, dataset: Any) -> None:
        threshold = self._threshold(metrics)
        gathered = all_gather_object(self._shots)
        self._shots = {}
        if not is_main_process():
            return
        # With several processes the sampler may repeat images to fill up.
        shots = {index: shot for part in gathered for index, shot in part.items()}
        visualizer = VISUALIZERS.build(
            dict(type="mmdgdm.WSOLVisualizer", name="wsol_pictures")
        )
        classes = (dataset.metainfo or {}).get("classes")
        panels, entries = [], []
        for index, (image, sample) in sorted(shots.items()):
            panel, iou = visualizer.draw_localization(
                image, sample, threshold=threshold, classes=classes
            )
            panels.append(panel)
            image_id = sample.get("image_id")
            stem = re.sub(r"[^A-Za-z0-9._-]+", "-", str(image_id).rsplit(".", 1)[0])
            entry = dict(file=f"{index:05d}_{stem}.jpg", iou=iou, threshold=threshold)
            entries.append(dict(entry, image_id=image_id))
            visualizer.save_image(panel, self.out_dir / entry["file"])
        sheet = self.out_dir / "overview.jpg"
        overview = visualizer.contact_sheet(panels[: self.sheet_images])
        visualizer.save_image(overview, sheet)
        text = json.dumps(entries, indent=2) + "\n"
        (self.out_dir / "pictures.json").write_text(text, encoding="utf-8")
        runner.logger.info(
            f"Wrote {len(panels)} drawings at threshold {threshold:.3f} to "
            f"{self.out_dir}, the first of them together in {sheet}."
        )

    def _threshold(self, metrics: dict[str, float]) -> float:
        if self.threshold is not None:
            return self.threshold
        known = {"".join(split_name(name)[1:]): v for name, v in metrics.items()}
        for kind in (VAL_CHOSE, THRESHOLD):
            for score in ("max_box_acc", "max_box_acc_v2", "pixel_iou"):
                if kind + score in known:
                    return float(known[kind + score])
        raise ConfigError(
            "The evaluation gave no threshold to draw boxes at: set `threshold` of "
            "WSOLVisualizationHook."
        )


def _image_of(inputs: Any, place: int, sample: Any) -> np.ndarray:
    """The image of a sample in RGB: the file, or the network's input without one."""
    path = sample.get("img_path")
    if path is not None and Path(path).is_file():
        return mmcv.bgr2rgb(read_image(path))
    if not isinstance(inputs[0], Tensor):  # lists of views
        raise ConfigError(
            "Expected every sample to carry the `img_path` of a file for "
            "WSOLVisualizationHook in a test of several views, since none of them need "
            f"be the whole image, but got {path!r}."
        )
    image = inputs[place].cpu().numpy().transpose(1, 2, 0)[..., ::-1]
    return np.ascontiguousarray(image).astype(np.uint8)
