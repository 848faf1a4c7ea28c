"""What all attention guided layers share: interface, checks, eval identity."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Any, Union

from mmengine.model import BaseModule
from torch import Tensor

FeatureMaps = Union[Tensor, tuple[Tensor, ...], list[Tensor]]


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
