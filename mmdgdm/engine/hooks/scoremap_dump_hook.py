"""ScoremapDumpHook: store the maps of a test for other evaluators."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional, Union

from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.cam_target import GROUND_TRUTH
from mmdgdm.evaluation.functional.scoremaps import normalize_scoremap
from mmdgdm.evaluation.stored.class_scores import write_class_scores
from mmdgdm.evaluation.stored.metadata import (
    CLASSES,
    check_image_ids,
    write_class_names,
    write_split,
)
from mmdgdm.evaluation.stored.scoremap_files import scoremap_path, write_scoremap
from mmdgdm.registry import HOOKS
from mmdgdm.utils.argument_checks import check_output_folder
from mmdgdm.utils.output_paths import path_inside
from mmdgdm.utils.samples import (
    get_array,
    get_field,
    get_gt_label,
    get_scoremap,
)


@HOOKS.register_module()
class ScoremapDumpHook(Hook):
    """Write the score maps of a test in the form that the WSOL benchmark reads.

    ``out_dir/<image id>.npy`` is the map of the ground-truth class, or the one that
    the metrics' ``cam_target`` names, at 224 x 224, in float64 and [0, 1] (about 0.4
    MB), exactly as it was evaluated. Beside the maps
    stand ``scores.npz`` with the class scores and, for data sets with boxes,
    ``metadata`` with the split in the benchmark's text form and the names of the
    classes, where the data set tells them. So

        python tools/eval_scoremaps.py DIR DIR/metadata --scores DIR/scores.npz

    gives the numbers of the test.

    Args:
        out_dir: The folder; files in it are replaced.

    Example:
        >>> custom_hooks = [dict(type="mmdgdm.ScoremapDumpHook", out_dir="maps")]
    """

    priority = "LOW"

    def __init__(self, out_dir: Union[str, Path]) -> None:
        self.out_dir = Path(out_dir)
        self._facts: list[dict[str, Any]] = []
        self._failure: Optional[DataError] = None
        self._cam_target = GROUND_TRUTH

    def before_test_epoch(self, runner: Runner) -> None:
        """Forget an earlier test, and see what it will write before it starts."""
        self._check_names(runner)
        check_output_folder("out_dir", self.out_dir)
        self._facts, self._failure = [], None
        evaluator = getattr(runner, "test_evaluator", None)
        targets = {
            metric.cam_target
            for metric in getattr(evaluator, "metrics", ())
            if hasattr(metric, "cam_target")
        }
        if len(targets) > 1:
            raise ConfigError(
                "Expected all metrics of `test_evaluator` to score the same maps for "
                f"ScoremapDumpHook, but got `cam_target` {sorted(targets)}."
            )
        self._cam_target = targets.pop() if targets else GROUND_TRUTH
        if self._cam_target != GROUND_TRUTH:
            runner.logger.warning(
                f"The stored maps are {self._cam_target!r}, not the ground truth's: "
                "what tools/eval_scoremaps.py calls GT-known is not GT-known.",
            )

    def _check_names(self, runner: Runner) -> None:
        """Refuse image ids that cannot be file names or entries of metadata."""
        dataset = _test_set(runner)
        if hasattr(dataset, "get_data_info"):
            infos = map(dataset.get_data_info, range(len(dataset)))
            image_ids = [info["image_id"] for info in infos]
            check_image_ids(image_ids)
            for image_id in image_ids:
                scoremap_path(self.out_dir, image_id)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Optional[Sequence[Any]] = None,
    ) -> None:
        """Write the maps of a batch."""
        for sample in () if self._failure else outputs or ():
            try:
                self._facts.append(self._dump(sample))
            except DataError as error:  # the test goes on, and its scores are kept
                self._failure = error
                runner.logger.error(f"No further score maps are stored: {error}")

    def _dump(self, sample: Any) -> dict[str, Any]:
        """Write the map of an image; return what else is stored of it."""
        label = get_gt_label(sample)
        image_id = get_field(sample, "image_id")
        scoremap = get_scoremap(sample, label, cam_target=self._cam_target)
        write_scoremap(self.out_dir, image_id, scores=normalize_scoremap(scoremap))
        boxes = sample.get("gt_bboxes")
        height, width = get_field(sample, "ori_shape")[:2]
        return {
            "image_id": image_id,
            "label": label,
            "image_size": (int(width), int(height)),
            "scores": get_array(sample, "pred_score"),
            "boxes": None if boxes is None else boxes.cpu().tolist(),
        }

    def after_test_epoch(
        self, runner: Runner, metrics: Optional[dict[str, float]] = None
    ) -> None:
        """Write scores and metadata, on the main process."""
        gathered = all_gather_object((self._facts, self._failure))
        self._facts = []
        for _, failure in gathered:
            if failure is not None:
                raise failure
        if not is_main_process():
            return
        # With several processes the sampler may repeat images to fill up.
        facts = {fact["image_id"]: fact for part, _ in gathered for fact in part}
        scores = {k: fact["scores"] for k, fact in facts.items()}
        write_class_scores(path_inside(self.out_dir, "scores.npz"), scores)
        if all(fact["boxes"] is not None for fact in facts.values()):
            metadata = path_inside(self.out_dir, "metadata")
            write_split(
                metadata,
                {k: fact["label"] for k, fact in facts.items()},
                image_sizes={k: fact["image_size"] for k, fact in facts.items()},
                boxes={k: fact["boxes"] for k, fact in facts.items()},
            )
            names = getattr(_test_set(runner), "metainfo", {}).get("classes") or ()
            (metadata / CLASSES).unlink(missing_ok=True)
            if names:
                write_class_names(metadata / CLASSES, names)
        runner.logger.info(f"Wrote {len(facts)} score maps to {self.out_dir}.")


def _test_set(runner: Runner) -> Any:
    return getattr(getattr(runner, "test_dataloader", None), "dataset", None)
