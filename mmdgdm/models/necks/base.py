"""What all attention guided layers share: interface, checks, eval identity."""

from __future__ import annotations

import math
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from typing import Any, Union

from mmengine.model import BaseModule
from torch import Tensor

from mmdgdm.errors import ConfigError

FeatureMaps = Union[Tensor, tuple[Tensor, ...], list[Tensor]]


def check_share(
    name: str, value: Any, *, low_open: bool = False, high_open: bool = False
) -> float:
    """Return ``value`` as a float if it is a share in [0, 1].

    Args:
        name: The argument's name, for the message.
        value: What the user gave.
        low_open: Whether 0 itself is refused.
        high_open: Whether 1 itself is refused.

    Returns:
        The value.

    Raises:
        ConfigError: If ``value`` is not a number in the interval.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    excluded = (low_open and value == 0) or (high_open and value == 1)
    if is_number and 0 <= value <= 1 and not excluded:
        return float(value)
    interval = f"{'(' if low_open else '['}0, 1{')' if high_open else ']'}"
    raise ConfigError(
        f"Expected `{name}` to be a number in {interval}, but got {value!r}."
    )


def check_non_negative(name: str, value: Any) -> float:
    """Return ``value`` as a float if it is a finite number of at least 0.

    Args:
        name: The argument's name, for the message.
        value: What the user gave.

    Returns:
        The value.

    Raises:
        ConfigError: If it is not.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and 0 <= value < math.inf:
        return float(value)
    raise ConfigError(
        f"Expected `{name}` to be a finite number >= 0, but got {value!r}."
    )


def check_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return ``value`` if it is one of ``choices``.

    Args:
        name: The argument's name, for the message.
        value: What the user gave.
        choices: The valid values.

    Returns:
        The value.

    Raises:
        ConfigError: If it is none of them.
    """
    if value not in choices:
        valid = ", ".join(map(repr, choices))
        raise ConfigError(f"Expected `{name}` to be one of {valid}, but got {value!r}.")
    return str(value)


def check_positive_int(name: str, value: Any) -> int:
    """Return ``value`` if it is a whole number of at least 1.

    Args:
        name: The argument's name, for the message.
        value: What the user gave.

    Returns:
        The value.

    Raises:
        ConfigError: If it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(
            f"Expected `{name}` to be a whole number >= 1, but got {value!r}."
        )
    return value


def check_block_size(name: str, value: Any) -> Union[int, float]:
    """Return ``value`` if it is a number of pixels or a share of a map's side.

    Args:
        name: The argument's name, for the message.
        value: What the user gave.

    Returns:
        The value.

    Raises:
        ConfigError: If it is neither a whole number >= 1 nor a float in (0, 1).
    """
    if isinstance(value, float) and 0 < value < 1:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise ConfigError(
        f"Expected `{name}` to be a whole number >= 1, in pixels, or a share in (0, 1) "
        f"of the map's side, but got {value!r}."
    )


def check_feature_map(feat: Any, owner: str) -> None:
    """Refuse anything but a floating point (N, C, H, W) tensor.

    Args:
        feat: What the layer received.
        owner: The layer's name, for the message.

    Raises:
        TypeError: If it is no floating point tensor.
        ValueError: If it has not four dimensions.
    """
    if not isinstance(feat, Tensor) or not feat.is_floating_point():
        kind = feat.dtype if isinstance(feat, Tensor) else type(feat).__name__
        raise TypeError(
            f"Expected the input of {owner} to be a floating point tensor, "
            f"but got {kind}."
        )
    if feat.dim() != 4:
        raise ValueError(
            f"Expected the input of {owner} to have the shape (N, C, H, W), "
            f"but got {tuple(feat.shape)}."
        )


class AttentionDropout(BaseModule, metaclass=ABCMeta):
    """Base of the layers that mask features in training and do nothing in eval.

    A subclass implements :meth:`drop` for one feature map. The layer takes a
    tensor (as a stage neck or as a plain module), or a tuple or list of tensors
    (as a mmpretrain ``neck``), each of which is masked by itself.

    In eval mode the input object itself is returned. In training the output has
    the shape, dtype, device and memory format of the input.

    Attributes:
        strength: What each probability of erasing is multiplied by, in [0, 1]: 1
            unless a schedule (:class:`mmdgdm.engine.hooks.DropRampHook`) sets it. It
            is no part of the state dict.
    """

    strength: float = 1.0

    def forward(self, feats: FeatureMaps) -> FeatureMaps:
        """Mask the features in training mode; return the input in eval mode.

        Args:
            feats: One map (N, C, H, W), or a tuple or list of such maps.

        Returns:
            A tensor for a tensor, a tuple for a tuple or list; in eval mode
            ``feats`` itself.

        Raises:
            TypeError: If an input is no floating point tensor.
            ValueError: If an input has not four dimensions.
        """
        if not self.training:
            return feats
        if isinstance(feats, (tuple, list)):
            return tuple(self._checked_drop(feat) for feat in feats)
        return self._checked_drop(feats)

    def _checked_drop(self, feat: Tensor) -> Tensor:
        check_feature_map(feat, type(self).__name__)
        return self.drop(feat)

    @abstractmethod
    def drop(self, feat: Tensor) -> Tensor:
        """Mask one feature map (N, C, H, W), as in training."""
