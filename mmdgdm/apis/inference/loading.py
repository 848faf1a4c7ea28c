"""Load whatever localizes, from the words of a command line."""

from __future__ import annotations

from typing import Optional

from mmdgdm.apis.inference.localizer import Localizer
from mmdgdm.errors import ConfigError


def is_exported(model: str) -> bool:
    """Whether a model runs without torch."""
    return model.endswith(".onnx")


def load_localizer(
    model: str,
    weights: Optional[str] = None,
    *,
    device: Optional[str] = None,
    threshold: Optional[float] = None,
    cam_method: Optional[str] = None,
) -> Localizer:
    """Load a model; neither torch nor mmengine is imported for an exported one.

    Args:
        model: As for :class:`mmdgdm.apis.WSOLInferencer`, or a file.onnx of
            ``tools/export.py``.
        weights: Path or address of a checkpoint.
        device: Where to run; ``None`` takes a GPU if there is one.
        threshold: Share of a map's range above which its boxes lie; ``None`` takes
            what validation chose, else 0.2.
        cam_method: How maps are made; ``None`` as the config says.

    Returns:
        What localizes.

    Raises:
        ConfigError: If an argument does not fit the model.
        CheckpointError: If the weights are missing or another model's.
    """
    # Here, since either needs packages that the other does not.
    if is_exported(model):
        from mmdgdm.apis.inference.onnx_localizer import OnnxLocalizer

        given = dict(weights=weights, device=device, cam_method=cam_method)
        for name, value in given.items():
            if value is not None:
                raise ConfigError(
                    f"Expected no `{name}` with {model}, which holds its weights and "
                    "makes maps by CAM on the CPU."
                )
        return OnnxLocalizer(model, threshold)
    from mmdgdm.apis.inference.inferencer import WSOLInferencer

    return WSOLInferencer(
        model, weights, device=device, threshold=threshold, cam_method=cam_method
    )
