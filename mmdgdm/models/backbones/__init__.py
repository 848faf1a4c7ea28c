"""Backbones that mmpretrain does not have."""

from mmdgdm.models.backbones.efficientnet_lite import EfficientNetLite

__all__ = ["EfficientNetLite"]
