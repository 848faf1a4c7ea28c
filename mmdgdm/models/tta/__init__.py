"""Models that look at several views of an image when tested."""

from mmdgdm.models.tta.wsol_tta_model import WSOLTTAModel

__all__ = ["WSOLTTAModel"]
