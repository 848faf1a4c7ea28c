"""DGDM: the dual-attention guided dropblock module."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Optional

from torch import Tensor

from mmdgdm.errors import ConfigError
from mmdgdm.models.necks.base import AttentionDropout
from mmdgdm.models.necks.cagd import CAGD
from mmdgdm.models.necks.sagd import SAGD
from mmdgdm.registry import MODELS

_DEFAULTS: Mapping[str, Any] = MappingProxyType({})


@MODELS.register_module()
class DGDM(AttentionDropout):
    """Dual-attention guided dropblock module.

    Both attentions are taken from the same input F, and the output is
    F * channel mask * spatial mask, with the masks of
    :class:`~mmdgdm.models.necks.cagd.CAGD` and
    :class:`~mmdgdm.models.necks.sagd.SAGD`.

    Source: Yin, Zhang, Chang, Ma, Guo, Dual-attention Guided Dropblock Module for
    Weakly Supervised Object Localization, ICPR 2020, arXiv 2003.04719.

    Args:
        cagd: Arguments of :class:`CAGD`; ``None`` switches the channel part off.
        sagd: Arguments of :class:`SAGD`; ``None`` switches the spatial part off.

    Raises:
        ConfigError: If an argument is impossible, or both parts are off.

    Example:
        In a backbone::

            stage_necks=[dict(type='mmdgdm.DGDM', after='layer3.0',
                              sagd=dict(block_size=3))]

        As the neck of a mmpretrain model::

            neck=[dict(type='mmdgdm.DGDM'), dict(type='GlobalAveragePooling')]
    """

    def __init__(
        self,
        cagd: Optional[Mapping[str, Any]] = _DEFAULTS,
        sagd: Optional[Mapping[str, Any]] = _DEFAULTS,
        *,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if cagd is None and sagd is None:
            raise ConfigError(
                "Expected at least one of `cagd` and `sagd` to be given, "
                "but got None for both: the layer would do nothing."
            )
        for name, value in (("cagd", cagd), ("sagd", sagd)):
            if value is not None and not isinstance(value, Mapping):
                raise ConfigError(
                    f"Expected `{name}` to be a dict of its arguments or None, "
                    f"but got {value!r}."
                )
        self.cagd = None if cagd is None else CAGD(**cagd)
        self.sagd = None if sagd is None else SAGD(**sagd)

    def masks(self, feat: Tensor) -> list[Tensor]:
        """Draw the masks of both parts, (N, C, 1, 1) and (N, 1, H, W)."""
        drawn: list[Tensor] = []
        for part in (self.cagd, self.sagd):
            if part is not None:
                part.strength = self.strength
                drawn += part.masks(feat)
        return drawn
