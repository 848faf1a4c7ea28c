"""The short tables of results are what the stored results say."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def short_results(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "experiments"))
    return importlib.import_module("short_results")


LONG = """\
<!-- table: cub10 -->
| method | Top-1 Cls | GT-known, val's threshold | MaxBoxAccV2 |
|---|---|---|---|
| CAM | 1.0 | 2.0 | 3.0 |
| CENTER (trivial, side 0.67) | - | 62.6 | 60.5 |
<!-- end: cub10 -->
"""


def store(folder, method, *values):
    folder.mkdir(exist_ok=True)
    names = ("wsol/top1_cls", "wsol/val_threshold/gt_known", "wsol/max_box_acc_v2")
    runs = {
        str(seed): {"test": dict.fromkeys(names, value)}
        for seed, value in enumerate(values)
    }
    record = {"search": None, "values": {}, "runs": runs}
    (folder / f"{method}.json").write_text(json.dumps(record))


def test_a_short_table_has_means_seeds_and_trivial_baselines(short_results, tmp_path):
    page = tmp_path / "long.md"
    page.write_text(LONG)
    store(tmp_path / "cub10", "cam", 70.0, 72.0)
    store(tmp_path / "cub10", "dgdm", 80.0)
    store(tmp_path / "cub10", "dgdm-cagd", 10.0)
    # No long table yet, and so no trivial baselines.
    store(tmp_path / "toy", "cam", 1.0)
    assert short_results.short_tables(tmp_path, page) == (
        "\n## Ten species of CUB-200-2011: real photographs, EfficientNet-Lite0\n\n"
        "| method | seeds | Top-1 Cls | GT-known, val's threshold | MaxBoxAccV2 |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| CAM | 2 | 71.0 ± 1.4 | 71.0 ± 1.4 | 71.0 ± 1.4 |\n"
        "| DGDM | 1 | 80.0 | 80.0 | 80.0 |\n"
        "| CENTER (trivial, side 0.67) |  | - | 62.6 | 60.5 |\n\n"
    )


def test_the_page_of_results_is_up_to_date(short_results):
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    remedy = "run `python experiments/short_results.py`"
    assert short_results.short_tables() in text, remedy
