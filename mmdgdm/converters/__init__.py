"""Weights of other projects, as checkpoints that our models load."""
