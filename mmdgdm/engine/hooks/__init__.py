"""Hooks for mmengine's Runner."""

from mmdgdm.engine.hooks.calibration_hook import CalibrationHook
from mmdgdm.engine.hooks.drop_ramp_hook import DropRampHook
from mmdgdm.engine.hooks.finite_loss_hook import FiniteLossHook
from mmdgdm.engine.hooks.mean_loss_hook import MeanLossHook
from mmdgdm.engine.hooks.num_classes_check_hook import NumClassesCheckHook
from mmdgdm.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from mmdgdm.engine.hooks.scoremap_dump_hook import ScoremapDumpHook
from mmdgdm.engine.hooks.wsol_visualization_hook import WSOLVisualizationHook

__all__ = [
    "CalibrationHook",
    "DropRampHook",
    "FiniteLossHook",
    "MeanLossHook",
    "NumClassesCheckHook",
    "SafeCheckpointHook",
    "ScoremapDumpHook",
    "WSOLVisualizationHook",
]
