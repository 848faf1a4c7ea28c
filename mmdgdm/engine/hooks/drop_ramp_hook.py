"""Let the layers erase little at first and more as training goes on."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdgdm.errors import ConfigError
from mmdgdm.registry import HOOKS
from mmdgdm.utils.argument_checks import check_share
from mmdgdm.utils.erasing import Erasing


@HOOKS.register_module()
class DropRampHook(Hook):
    """Raise the erasing of all layers that erase in a straight line.

    At each iteration the ``strength`` of every layer in the model that is
    :class:`~mmdgdm.utils.erasing.Erasing` (DGDM, CAGD, SAGD, ADL, DropBlock) is set: 0
    up to ``begin``, 1 from ``end`` on, a straight line between. It multiplies their
    probabilities of erasing. A network that has yet to find its classes is then not
    robbed of what it finds first. The strength follows from the iteration alone, so
    that resumed runs go on in step.

    Source: DropBlock (Ghiasi et al., arXiv 1810.12890) raises its rate so.

    Args:
        begin: Share of the training before which nothing is erased, in [0, 1].
        end: Share from which the layers erase as they are set, in [``begin``, 1].

    Raises:
        ConfigError: If an argument is impossible.

    Example:
        >>> custom_hooks = [dict(type='mmdgdm.DropRampHook', end=0.5)]
    """

    def __init__(self, begin: float = 0.0, end: float = 1.0) -> None:
        self.begin = check_share("begin", begin)
        self.end = check_share("end", end)
        if self.begin > self.end:
            raise ConfigError(
                f"Expected `begin` to be at most `end`, but got {begin!r} and {end!r}."
            )

    def before_train(self, runner: Runner) -> None:
        """Say so if there is no layer to guide."""
        if not _layers(runner):
            runner.logger.warning(
                "DropRampHook found no layer in the model that erases."
            )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Optional[Any] = None
    ) -> None:
        """Set the strength of this iteration."""
        done = runner.iter / runner.max_iters
        strength = float(np.interp(done, (self.begin, self.end), (0.0, 1.0)))
        for layer in _layers(runner):
            layer.strength = strength


def _layers(runner: Runner) -> list[Erasing]:
    return [part for part in runner.model.modules() if isinstance(part, Erasing)]
