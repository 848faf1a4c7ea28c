"""Helpers of the models."""

from mmdgdm.models.utils.memory_format import to_channels_last
from mmdgdm.models.utils.stage_necks import StageNeck, build_stage_necks

__all__ = ["StageNeck", "build_stage_necks", "to_channels_last"]
