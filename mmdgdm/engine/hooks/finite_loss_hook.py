"""Stop at the first loss that is no finite number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdgdm.errors import DataError
from mmdgdm.registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop the run when a loss is NaN or infinite, before a checkpoint is saved.

    Every training of this package has it. The message lists the images of the batch;
    the checkpoints saved before are kept.

    Raises:
        DataError: From :meth:`after_train_iter`, if a loss is not finite.
    """

    # Before CheckpointHook, which would save the weights of that step, and before
    # MeanLossHook, after which no process knows whose images they are.
    priority = "HIGHEST"

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Optional[Any] = None,
        outputs: Optional[Mapping[str, Any]] = None,
    ) -> None:
        """Check the losses of an iteration."""
        for name, value in (outputs or {}).items():
            number = torch.as_tensor(value)
            if not bool(torch.isfinite(number).all()):
                raise DataError(
                    f"`{name}` is {number.float().mean().item()} in iteration "
                    f"{runner.iter + 1}: training stops, and the checkpoints saved "
                    "before are kept. The batch held "
                    f"{', '.join(_names(data_batch)) or 'images without names'}. Lower "
                    "the learning rate, clip gradients (`optim_wrapper.clip_grad`), or "
                    "look at these images."
                )


def _names(batch: Any) -> list[str]:
    """Ids or paths of the images of a batch."""
    samples = batch.get("data_samples") if isinstance(batch, dict) else None
    found = [
        sample.get("image_id") or sample.get("img_path")
        for sample in samples or ()
        if hasattr(sample, "get")
    ]
    return [str(name) for name in found if name is not None]
