"""Classifiers that also localize."""

from mmdgdm.models.classifiers.module_classifier import ModuleClassifier
from mmdgdm.models.classifiers.wsol_classifier import WSOLClassifier

__all__ = ["ModuleClassifier", "WSOLClassifier"]
