"""The ways to make maps, by name."""

from __future__ import annotations

#: Those of pytorch-grad-cam, with the names of its classes.
GRADIENT_METHODS = {
    "gradcam": "GradCAM",
    "gradcam++": "GradCAMPlusPlus",
    "xgradcam": "XGradCAM",
    "layercam": "LayerCAM",
    "scorecam": "ScoreCAM",
}
#: All; ``cam`` needs no library.
CAM_METHODS = ("cam", *GRADIENT_METHODS)
