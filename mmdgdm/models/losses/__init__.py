"""Losses beside that of classification."""

from mmdgdm.models.losses.background_loss import BackgroundLoss

__all__ = ["BackgroundLoss"]
