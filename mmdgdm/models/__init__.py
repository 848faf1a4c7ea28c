"""Backbones, necks, heads and classifiers."""

import mmpretrain.models  # noqa: F401  (its classes are ours to build on)

from mmdgdm.models.backbones import *  # noqa: F403
from mmdgdm.models.classifiers import WSOLClassifier
from mmdgdm.models.heads import ACoLHead, SPGHead, WSOLHead
from mmdgdm.models.losses import BackgroundLoss
from mmdgdm.models.necks import ADL, CAGD, DGDM, SAGD, DropBlock
from mmdgdm.models.tta import WSOLTTAModel

__all__ = [
    "ADL",
    "CAGD",
    "DGDM",
    "SAGD",
    "ACoLHead",
    "BackgroundLoss",
    "DropBlock",
    "SPGHead",
    "WSOLClassifier",
    "WSOLHead",
    "WSOLTTAModel",
]
