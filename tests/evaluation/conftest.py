"""Fixtures of the evaluation tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def reference():
    """The slow, independent re-implementation of the box scores."""
    path = Path(__file__).with_name("slow_reference.py")
    spec = importlib.util.spec_from_file_location("slow_reference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
