"""Heads that classify and localize in one pass."""

from mmdgdm.models.heads.wsol_head import CAMOutput, WSOLHead

__all__ = ["CAMOutput", "WSOLHead"]
