"""Pretrained files: does anything in them fit?"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from mmengine.model import BaseModule, PretrainedInit
from mmengine.runner import CheckpointLoader

from mmdgdm.errors import CheckpointError


def check_pretrained(module: BaseModule) -> None:
    """Check that the pretrained file of ``init_cfg`` holds weights of a module.

    mmengine loads what fits; if nothing does, it stops with an internal message or
    goes on with random weights.

    Args:
        module: The module; its ``init_cfg`` may be empty or name other methods.

    Raises:
        CheckpointError: If no weight of the file fits, or the file is unreadable.
    """
    configs = module.init_cfg or []
    for config in [configs] if isinstance(configs, Mapping) else configs:
        if config["type"] in ("Pretrained", PretrainedInit):
            _check_file(module, config["checkpoint"], prefix=config.get("prefix"))


def _check_file(module: BaseModule, path: str, *, prefix: str | None) -> None:
    content = CheckpointLoader.load_checkpoint(path, "cpu", logger="current")
    weights = content.get("state_dict", content)
    if prefix is None:  # as mmengine does
        weights = {re.sub(r"^module\.", "", k): v for k, v in weights.items()}
    shapes = {k: v.shape for k, v in weights.items() if isinstance(v, torch.Tensor)}
    own = {name: value.shape for name, value in module.state_dict().items()}

    def fits(start: str) -> bool:
        return any(shapes.get(start + name) == shape for name, shape in own.items())

    given = f"{prefix.rstrip('.')}." if prefix else ""
    if fits(given):
        return
    where = f"under `prefix={prefix!r}`" if prefix else "without a `prefix`"
    if given and fits(""):
        remedy = "there are without it: leave `prefix` out of `init_cfg`"
    elif given != "backbone." and fits("backbone."):
        remedy = "there are under 'backbone': set `prefix='backbone'` in `init_cfg`"
    else:
        remedy = (
            f"its names are such as {next(iter(weights), 'none')!r}: convert the file "
            "by tools/convert.py, by its origin, or take another"
        )
    raise CheckpointError(
        f"Checkpoint {path} holds no weights of {type(module).__name__} {where}; "
        f"{remedy}."
    )
