"""``--tta``: test a model on several views of each image."""

from __future__ import annotations

import copy
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log

from mmdgdm.engine.setup.config_check import check_keys
from mmdgdm.errors import ConfigError

_PACKING = "mmdgdm.PackWSOLInputs"


def enable_tta(cfg: Config) -> None:
    """Wrap the model and the test pipeline for views of each image.

    ``tta_model`` and ``tta_pipeline`` of the config say how. Without the former it is
    ``mmdgdm.WSOLTTAModel``; without the latter each image is seen upright and flipped,
    by the test pipeline.

    Args:
        cfg: The config to change; the data to test must be chosen already.

    Raises:
        ConfigError: If ``model`` or the test data are missing, the test set has no
            pipeline of its own, or its pipeline gives no place for a flip.
    """
    check_keys(cfg, ("model", "test_dataloader"))
    dataset = cfg.test_dataloader.dataset
    if "pipeline" not in dataset:
        raise ConfigError(
            "Expected `test_dataloader.dataset` to have a `pipeline` for `--tta`, but "
            f"got only {sorted(dataset)}."
        )
    pipeline = cfg.get("tta_pipeline")
    if pipeline is None:
        print_log("No `tta_pipeline`: images are seen upright and flipped.", "current")
        pipeline = _flip_pipeline(dataset.pipeline)
    # Loaders may share one dict; the other splits keep their pipeline.
    loader = copy.deepcopy(cfg.test_dataloader)
    loader.dataset.pipeline = pipeline
    # Views come as lists, which the collation of single images cannot stack.
    loader.collate_fn = dict(type="pseudo_collate")
    cfg.test_dataloader = loader
    model = cfg.get("tta_model") or dict(type="mmdgdm.WSOLTTAModel")
    cfg.model = ConfigDict(**model, module=cfg.model)


def _flip_pipeline(pipeline: Any) -> list:
    """A pipeline of two views, the image upright and flipped from left to right."""
    steps = copy.deepcopy(list(pipeline))
    last = steps[-1].get("type") if steps and isinstance(steps[-1], dict) else None
    if last != _PACKING:
        raise ConfigError(
            f"Expected the test pipeline to end with {_PACKING} for `--tta`, but got "
            f"{last!r}: set `tta_pipeline` in the config."
        )
    flips = [
        dict(type="RandomFlip", prob=prob, direction="horizontal")
        for prob in (0.0, 1.0)
    ]
    pack = {**steps[-1], "as_view": True}
    return [*steps[:-1], dict(type="TestTimeAug", transforms=[flips, [pack]])]
