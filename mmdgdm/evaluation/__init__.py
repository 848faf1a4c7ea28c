"""Localization scores: the numpy definitions and their mmengine metrics."""
