"""Helpers that every layer may use; nothing here imports models or data."""
