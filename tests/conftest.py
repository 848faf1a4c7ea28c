"""Fixtures that all tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple

import pytest

# Tests run side by side: threads of several processes would wait for each other.
# Set before torch is imported, and inherited by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPO_ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = REPO_ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The root of the repository."""
    return REPO_ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with optional real data, beside the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the real data sets of {SHARED_DATA}, which is missing")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def forget_default_scope() -> Iterator[None]:
    """Leave no default scope behind: mmengine keeps it for the whole process."""
    yield
    if "mmengine.registry" in sys.modules:
        from mmengine.registry import DefaultScope

        DefaultScope._instance_dict.clear()


class ScoresAndMaps(NamedTuple):
    """What a head makes of its features."""

    score: Any
    cam: Any


@pytest.fixture(scope="session")
def scores_and_maps() -> Callable[..., ScoresAndMaps]:
    """Class scores and maps of a head, of all classes or of the given labels."""

    def compute(head: Any, feats: Any, labels: Any = None) -> ScoresAndMaps:
        embedded = head.embed(feats)
        scores = head.scores(embedded).float()
        return ScoresAndMaps(scores, head.maps(embedded, labels))

    return compute
