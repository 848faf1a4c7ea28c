"""Classifiers that also localize."""

from mmdgdm.models.classifiers.wsol_classifier import WSOLClassifier

__all__ = ["WSOLClassifier"]
