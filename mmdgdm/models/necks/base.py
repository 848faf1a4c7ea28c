"""What all layers that erase share: interface, checks, eval identity."""

from __future__ import annotations

import inspect
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from typing import Any, Union

from mmengine.model import BaseModule
from torch import Tensor

from mmdgdm.errors import ConfigError
from mmdgdm.models.functional import apply_masks
from mmdgdm.utils.erasing import Erasing

FeatureMaps = Union[Tensor, tuple[Tensor, ...], list[Tensor]]


class AttentionDropout(Erasing, BaseModule, metaclass=ABCMeta):
    """Base of the layers that mask features in training and do nothing in eval.

    A subclass implements :meth:`masks` for one feature map. The layer takes a
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
            ConfigError: If an input has not four dimensions.
        """
        if not self.training:
            return feats
        if isinstance(feats, (tuple, list)):
            return tuple(self._checked_drop(feat) for feat in feats)
        return self._checked_drop(feats)

    def _checked_drop(self, feat: Any) -> Tensor:
        owner = type(self).__name__
        if not isinstance(feat, Tensor) or not feat.is_floating_point():
            kind = feat.dtype if isinstance(feat, Tensor) else type(feat).__name__
            raise TypeError(
                f"Expected the input of {owner} to be a floating point tensor, "
                f"but got {kind}."
            )
        if feat.dim() != 4:
            raise ConfigError(
                f"Expected the input of {owner} to have the shape (N, C, H, W), "
                f"but got {tuple(feat.shape)}. Put it before `GlobalAveragePooling`."
            )
        return apply_masks(feat, *self.masks(feat))

    @abstractmethod
    def masks(self, feat: Tensor) -> Sequence[Tensor]:
        """Draw what multiplies a feature map in training.

        Args:
            feat: Feature map, (N, C, H, W).

        Returns:
            Masks that broadcast to it, float32 for half precision input.
        """

    def extra_repr(self) -> str:
        """The arguments, for ``repr``."""
        values = vars(self)
        names = [n for n in inspect.signature(type(self)).parameters if n in values]
        return ", ".join(f"{n}={values[n]!r}" for n in names if n != "init_cfg")
