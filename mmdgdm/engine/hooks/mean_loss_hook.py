"""Let the log of several processes tell what one process would."""

from __future__ import annotations

from typing import Any, Optional

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdgdm.registry import HOOKS


@HOOKS.register_module()
class MeanLossHook(Hook):
    """Replace each loss by its mean over all processes, for the hooks that follow.

    Every training of this package has it. mmengine logs what the first process lost on
    its share of the batch; the mean is the loss of the whole batch, as one process
    would log it. Gradients are not touched.
    """

    # Before RuntimeInfoHook, which keeps the losses for the log.
    priority = "HIGHEST"

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Optional[Any] = None,
        outputs: Optional[dict[str, Any]] = None,
    ) -> None:
        """Average the losses of an iteration."""
        if get_world_size() == 1 or not outputs:
            return
        names = [name for name, value in outputs.items() if _is_number(value)]
        if not names:
            return
        parts = [outputs[name].detach().float().reshape(()) for name in names]
        means = torch.stack(parts)
        all_reduce(means, op="mean")
        outputs.update(zip(names, means))


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and value.numel() == 1
        and value.is_floating_point()
    )
