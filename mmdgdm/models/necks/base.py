"""What all layers that erase share: interface, checks, eval identity."""

from __future__ import annotations

import inspect
from abc import ABCMeta, abstractmethod
from typing import Any, Union

from mmengine.model import BaseModule
from torch import Tensor

from mmdgdm.utils.erasing import Erasing

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


class AttentionDropout(Erasing, BaseModule, metaclass=ABCMeta):
    """Base of the layers that mask features in training and do nothing in eval.

    A subclass implements :meth:`drop` for one feature map. The layer takes a
    tensor (as a stage neck or as a plain module), or a tuple or list of tensors
    (as a mmpretrain ``neck``), each of which is masked by itself.

    In eval mode the input object itself is returned. In training the output has
    the shape, dtype, device and memory format of the input.
    """

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

    def extra_repr(self) -> str:
        """The arguments, for ``repr``."""
        values = vars(self)
        names = [n for n in inspect.signature(type(self)).parameters if n in values]
        return ", ".join(f"{n}={values[n]!r}" for n in names if n != "init_cfg")
