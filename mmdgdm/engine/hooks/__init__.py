"""Hooks for mmengine's Runner."""

from mmdgdm.engine.hooks.num_classes_check_hook import NumClassesCheckHook
from mmdgdm.engine.hooks.wsol_visualization_hook import WSOLVisualizationHook

__all__ = ["NumClassesCheckHook", "WSOLVisualizationHook"]
