"""Comparison of the results of methods, image by image."""
