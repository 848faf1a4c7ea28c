"""Backbones, necks, heads and classifiers."""

import mmpretrain.models  # noqa: F401  (its classes are ours to build on)

from mmdgdm.models.backbones import *  # noqa: F403
from mmdgdm.models.classifiers import WSOLClassifier
from mmdgdm.models.heads import WSOLHead
from mmdgdm.models.necks import ADL, CAGD, DGDM, SAGD

__all__ = ["ADL", "CAGD", "DGDM", "SAGD", "WSOLClassifier", "WSOLHead"]
