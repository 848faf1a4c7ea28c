"""Pictures of where a model looks: heatmaps, boxes, contact sheets."""

from mmdgdm.visualization.wsol_visualizer import WSOLVisualizer

__all__ = ["WSOLVisualizer"]
