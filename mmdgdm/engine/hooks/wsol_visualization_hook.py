"""WSOLVisualizationHook: drawings of a test run, and of val while maps grow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.names import THRESHOLD, VAL_CHOSE, split_name
from mmdgdm.registry import HOOKS, VISUALIZERS
from mmdgdm.utils.argument_checks import (
    check_output_folder,
    check_positive_int,
    check_share,
)

#: Images that are looked at for each one that is drawn, and of how many at most.
_LOOKED_AT, _MOST_LOOKED_AT = 10, 1000


@HOOKS.register_module()
class WSOLVisualizationHook(Hook):
    """Write heatmaps and boxes of some test images, and of val while training.

    They are drawn after the evaluation, at ``threshold``; else at the threshold that
    val chose, if any; else at the best one of ``max_box_acc``, or of ``pixel_iou`` with
    masks.

    Of a test, ``num_images`` images are drawn, spread over the classes: the same ones
    for all models. Ten times as many are looked at, and ``overview.jpg`` shows some of
    these, chosen so that all kinds of error
    (:mod:`mmdgdm.evaluation.functional.error_kinds`) and all classes appear. The folder
    holds drawings, images and maps of both, and ``pictures.json`` with the facts of
    each (:mod:`mmdgdm.visualization.picture_files`).

    Of val the same few images, spread over the classes, are drawn after every
    validation, so that one sees maps grow: ``val/epoch_001/`` and so on are such
    folders without the single drawings, and ``val/growth.jpg`` shows them side by side.

    The sheets also go to the backends of the run's visualizer, such as TensorBoard, as
    ``test_overview``, ``val_overview`` and ``val_growth``. Its ``colormap`` is used if
    it is a :class:`~mmdgdm.visualization.wsol_visualizer.WSOLVisualizer`.

    Args:
        out_dir: Folder for the drawings; made if missing. ``None`` stands for
            ``pictures`` in the work dir.
        num_images: How many test images to draw.
        threshold: Share of each map's maximum at which its box is taken, in
            [0, 1); ``None`` takes that of the evaluation.
        sheet_images: How many ``overview.jpg`` holds, at most ``num_images``.
        on_val: Whether to draw val images too, after every validation of a training.
        val_images: How many val images to draw.

    Raises:
        ConfigError: If an argument is impossible, or there is neither a
            threshold nor a metric that reports one.
    """

    priority = "LOW"

    def __init__(
        self,
        out_dir: Union[str, Path, None] = None,
        num_images: int = 24,
        *,
        threshold: Optional[float] = None,
        sheet_images: int = 12,
        on_val: bool = False,
        val_images: int = 8,
    ) -> None:
        self.out_dir = None if out_dir is None else Path(out_dir)
        self.num_images = check_positive_int("num_images", num_images)
        sheet_images = check_positive_int("sheet_images", sheet_images)
        self.sheet_images = min(sheet_images, num_images)
        self.val_images = check_positive_int("val_images", val_images)
        self.on_val = on_val
        self.threshold = threshold
        if threshold is not None:
            self.threshold = check_share("threshold", threshold, high_open=True)
        self._visualizer: Any = None
        #: Places of the images to draw, and of those to look at that are to come.
        self._fixed: set[int] = set()
        self._chosen: set[int] = set()
        #: Images with their maps by place, until the threshold is known.
        self._seen: dict[int, Any] = {}

    def before_test_epoch(self, runner: Runner) -> None:
        """Check what the drawing needs, and choose the images to look at."""
        most = min(_LOOKED_AT * self.num_images, _MOST_LOOKED_AT)
        self._choose(runner, "test", count=self.num_images, looked_at=most)

    def before_val_epoch(self, runner: Runner) -> None:
        """Choose images of val: the same ones each time."""
        if self.on_val:
            self._choose(runner, "val", count=self.val_images, looked_at=0)

    def _folder(self, runner: Runner) -> Path:
        return self.out_dir or Path(runner.work_dir) / "pictures"

    def _choose(
        self, runner: Runner, split: str, *, count: int, looked_at: int
    ) -> None:
        check_output_folder("out_dir", self._folder(runner))
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
        self._visualizer = getattr(runner, "visualizer", None)
        if not hasattr(self._visualizer, "save_pictures"):
            kind = dict(type="mmdgdm.WSOLVisualizer", name="wsol_pictures")
            self._visualizer = VISUALIZERS.build(kind)
        dataset = getattr(runner, f"{split}_dataloader").dataset
        # Data sets without labels are taken as one class.
        labels: Sequence[int] = [0] * len(dataset)
        if hasattr(dataset, "get_gt_labels"):
            labels = np.asarray(dataset.get_gt_labels()).tolist()
        spread = self._visualizer.spread_over_classes
        self._fixed = set(spread(labels, count))
        self._chosen = self._fixed.union(spread(labels, looked_at))
        self._seen = {}

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Optional[Sequence[Any]] = None,
    ) -> None:
        """Keep the chosen samples of a batch, on the CPU."""
        self._keep(data_batch, outputs, runner.test_dataloader.dataset)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Optional[Sequence[Any]] = None,
    ) -> None:
        """Keep the chosen samples of a batch, on the CPU."""
        if self.on_val:
            self._keep(data_batch, outputs, runner.val_dataloader.dataset)

    def _keep(
        self, data_batch: Any, outputs: Optional[Sequence[Any]], dataset: Any
    ) -> None:
        classes = (dataset.metainfo or {}).get("classes")
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
                self._seen[index] = self._visualizer.make_candidate(
                    image, sample, classes=classes
                )

    def after_val_epoch(
        self, runner: Runner, metrics: Optional[dict[str, float]] = None
    ) -> None:
        """Draw and write what the last validation kept."""
        if not self.on_val:
            return
        folder = self._folder(runner) / "val"
        step = folder / _step_name(runner)
        self._draw(runner, metrics or {}, folder=step, draw=False)
        if is_main_process():
            self._publish(runner, "val_growth", self._visualizer.save_growth(folder))

    def after_test_epoch(
        self, runner: Runner, metrics: Optional[dict[str, float]] = None
    ) -> None:
        """Draw and write what was kept, on the main process."""
        self._draw(runner, metrics or {}, folder=self._folder(runner), draw=True)

    def _draw(
        self, runner: Runner, metrics: dict[str, float], *, folder: Path, draw: bool
    ) -> None:
        threshold = self._threshold(metrics)
        gathered = all_gather_object(self._seen)
        self._seen = {}
        if not is_main_process():
            return
        # With several processes the sampler may repeat images to fill up.
        seen = {index: one for part in gathered for index, one in part.items()}
        sheet = self._visualizer.save_pictures(
            folder,
            seen,
            threshold=threshold,
            fixed=self._fixed,
            on_sheet=self.sheet_images if draw else self.val_images,
            draw=draw,
        )
        self._publish(runner, "test_overview" if draw else "val_overview", sheet)
        runner.logger.info(
            f"Wrote pictures at threshold {threshold:.3f} to {folder}: overview.jpg "
            "shows some of them together."
        )

    def _publish(self, runner: Runner, name: str, picture: np.ndarray) -> None:
        """Give a sheet to the backends of the run's visualizer, if it has any."""
        visualizer = getattr(runner, "visualizer", None)
        if visualizer is not None:
            visualizer.add_image(name, picture, step=runner.iter)

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


def _step_name(runner: Runner) -> str:
    """The name of a validation, which sorts by time."""
    if isinstance(runner._train_loop, EpochBasedTrainLoop):
        return f"epoch_{runner.epoch:03d}"
    return f"iter_{runner.iter:06d}"


def _image_of(inputs: Any, place: int, sample: Any) -> Any:
    """The file of a sample's image, or the network's input in RGB without one."""
    path = sample.get("img_path")
    if path is not None and Path(path).is_file():
        return str(path)
    if not isinstance(inputs[0], Tensor):  # lists of views
        raise ConfigError(
            "Expected every sample to carry the `img_path` of a file for "
            "WSOLVisualizationHook in a test of several views, since none of them need "
            f"be the whole image, but got {path!r}."
        )
    image = inputs[place].cpu().numpy().transpose(1, 2, 0)[..., ::-1]
    return np.ascontiguousarray(image).astype(np.uint8)
