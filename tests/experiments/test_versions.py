"""The table of versions, from made-up results and against the page."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def versions(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "experiments"))
    return importlib.import_module("versions")


def test_a_row_for_each_set(versions, tmp_path):
    packages = {name for names in versions.COLUMNS.values() for name in names}
    found = {
        "meaning": "the lowest",
        "versions": {**dict.fromkeys(packages, "1.2+cpu"), "numba": ""},
        "tests": {"passed": 1234, "failed": 1, "skipped": 5},
    }
    (tmp_path / "oldest.json").write_text(json.dumps(found))
    rows = versions.table(tmp_path).splitlines()
    assert rows[0].count("|") == rows[2].count("|")
    assert rows[2].startswith("| `oldest`: the lowest | 1.2 | 1.2, 1.2 | 1.2 |")
    assert rows[2].endswith("| none | 1.2 | 1,234 | 1 | 5 |")


def test_the_page_is_up_to_date(versions):
    page = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
    assert versions.table() in page, "run `python experiments/versions.py`"
