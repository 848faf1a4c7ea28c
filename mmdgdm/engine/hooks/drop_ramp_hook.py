"""Let the layers erase little at first and more as training goes on."""

from __future__ import annotations

from typing import Any, Optional

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmdgdm.errors import ConfigError
from mmdgdm.registry import HOOKS
from mmdgdm.utils.erasing import Erasing


def ramp(progress: float, *, begin: float, end: float) -> float:
    """Strength of erasing at some progress of the training.

    0 up to ``begin``, 1 from ``end`` on, a straight line between.

    Args:
        progress: Share of the iterations done, in [0, 1].
        begin: Where the ramp begins.
        end: Where it ends, at least ``begin``.

    Returns:
        The strength, in [0, 1].

    Example:
        >>> [ramp(p, begin=0.25, end=0.75) for p in (0.0, 0.5, 0.75)]
        [0.0, 0.5, 1.0]
    """
    if progress >= end:
        return 1.0
    if progress <= begin:
        return 0.0
    return (progress - begin) / (end - begin)


@HOOKS.register_module()
class DropRampHook(Hook):
    """Raise the erasing of all layers that erase in a straight line.

    At each iteration the ``strength`` of every layer in the model that is
    :class:`~mmdgdm.utils.erasing.Erasing` (DGDM, CAGD, SAGD, ADL, DropBlock) is set by
    :func:`ramp`; it multiplies their probabilities of erasing. A network
    that has yet to find its classes is then not robbed of what it finds first. The
    strength follows from the iteration alone, so that resumed runs go on in step.

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
        numbers = all(
            isinstance(x, (int, float)) and not isinstance(x, bool)
            for x in (begin, end)
        )
        if not numbers or not 0 <= begin <= end <= 1:
            raise ConfigError(
                "Expected `begin` and `end` of DropRampHook to be shares with "
                f"0 <= begin <= end <= 1, but got {begin!r} and {end!r}."
            )
        self.begin, self.end = float(begin), float(end)

    def before_train(self, runner: Runner) -> None:
        """Say so if there is no layer to guide.

        Args:
            runner: The running experiment.
        """
        if not _layers(runner):
            runner.logger.warning(
                "DropRampHook found no layer in the model that erases."
            )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Optional[Any] = None
    ) -> None:
        """Set the strength of this iteration.

        Args:
            runner: The running experiment.
            batch_idx: Number of the batch in its epoch.
            data_batch: The batch.
        """
        strength = ramp(runner.iter / runner.max_iters, begin=self.begin, end=self.end)
        for layer in _layers(runner):
            layer.strength = strength


def _layers(runner: Runner) -> list[Erasing]:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return [module for module in model.modules() if isinstance(module, Erasing)]
