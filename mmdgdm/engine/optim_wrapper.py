"""Mixed precision where there is no GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from mmdgdm.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Trains under autocast in bfloat16, on any device; for CPUs above all.

    mmengine's ``AmpOptimWrapper`` refuses CPUs. bfloat16 has the range of float32, so
    that no loss is scaled. Weights and their updates stay in float32, and so does
    validation, which no autocast surrounds. Arguments are those of mmengine's
    ``OptimWrapper``.

    Example:
        >>> optim_wrapper = dict(type="mmdgdm.BFloat16OptimWrapper")
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Surround the forward pass of a step, as mmengine asks for it.

        Args:
            model: The model that is trained.

        Yields:
            Nothing.
        """
        device = next(model.parameters()).device.type
        autocast = torch.autocast(device, dtype=torch.bfloat16)
        with super().optim_context(model), autocast:
            yield
