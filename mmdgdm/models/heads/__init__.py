"""Heads that classify and localize in one pass."""

from mmdgdm.models.heads.acol_head import ACoLHead
from mmdgdm.models.heads.spg_head import SPGHead
from mmdgdm.models.heads.wsol_head import WSOLHead

__all__ = ["ACoLHead", "SPGHead", "WSOLHead"]
