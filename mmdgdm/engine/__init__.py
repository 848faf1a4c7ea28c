"""Hooks into mmengine's training and testing."""
