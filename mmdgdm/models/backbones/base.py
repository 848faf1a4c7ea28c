"""What the backbones share: one argument for the size of the last map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import nn

from mmdgdm.errors import ConfigError


class TrainReturnsSelf:
    """Makes ``train`` and ``eval`` of a mmpretrain backbone return the backbone.

    mmpretrain's return ``None``, against the contract of ``torch.nn.Module``. To be
    named before the backbone among the base classes.
    """

    def train(self, mode: bool = True) -> Any:
        """Set the training mode as the backbone does (frozen stages, batch norm).

        Args:
            mode: Whether to train (``True``) or to evaluate (``False``).

        Returns:
            The backbone itself.
        """
        super().train(mode)  # type: ignore[misc]
        return self


def check_out_indices(out_indices: Any, num_stages: int) -> list[int]:
    """Return the stages whose maps are asked for, checked.

    Args:
        out_indices: Stage numbers.
        num_stages: Number of stages.

    Returns:
        The stage numbers as a list.

    Raises:
        ConfigError: Unless they are distinct, ascending numbers of stages.
    """
    if isinstance(out_indices, Sequence) and not isinstance(out_indices, str):
        indices = list(out_indices)
        if indices and indices == [i for i in range(num_stages) if i in indices]:
            return indices
    raise ConfigError(
        f"Expected `out_indices` to be ascending stage numbers in 0 to "
        f"{num_stages - 1}, but got {out_indices!r}."
    )


def refuse_arguments(kwargs: Mapping[str, Any], instead: Mapping[str, str]) -> None:
    """Raise if an argument of the parent is set that another one decides here.

    Args:
        kwargs: The arguments that are to be passed on.
        instead: What to set instead, by the name of the refused argument.

    Raises:
        ConfigError: Naming the argument and what to set instead.
    """
    for name in kwargs:
        if name in instead:
            raise ConfigError(
                f"Expected `{name}` to be left out, but got {kwargs[name]!r}: "
                f"set {instead[name]} instead."
            )


def take_out_strides(stages: Iterable[nn.Module], dilate: bool) -> None:
    """Take the strides out of built stages, so that their maps keep their size.

    Parameters and their names stay the same. With ``dilate``, the convolutions after
    a stride that was taken out are dilated in its place: at the places that the
    strided network would have computed, the maps are then the same as its own.

    Args:
        stages: The stages from the first that is changed to the last of the network,
            in order; each holds at most one stride on its main path. Changed in place.
        dilate: Whether to dilate.
    """
    dilation = 1
    for stage in stages:
        grown = dilation
        for module in stage.modules():
            if isinstance(module, nn.AvgPool2d):
                # The pooling before the convolution of a shortcut: size = stride.
                module.kernel_size = module.stride = 1
            if not isinstance(module, nn.Conv2d):
                continue
            # The strided convolution itself still sees the input as it was.
            _dilate(module, grown)
            if max(module.stride) > 1:
                module.stride = (1, 1)
                grown = dilation * 2 if dilate else dilation
        dilation = grown


def _dilate(conv: nn.Conv2d, dilation: int) -> None:
    if dilation > 1 and max(conv.kernel_size) > 1:
        conv.dilation = (dilation, dilation)
        if not isinstance(conv.padding, str):
            conv.padding = tuple(dilation * side for side in conv.padding)
