"""Helpers of the models."""

from mmdgdm.models.utils.stage_necks import StageNeck, build_stage_necks

__all__ = ["StageNeck", "build_stage_necks"]
