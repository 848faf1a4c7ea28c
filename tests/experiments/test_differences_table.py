"""Paired differences between methods, against answers found by hand."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from mmdgdm.evaluation.functional.records import make_box_record
from mmdgdm.evaluation.stored.record_files import write_records

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.fixture
def table(monkeypatch):
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    return importlib.import_module("differences_table")


def test_digits_are_the_overlaps_that_an_image_reaches(table, tmp_path):
    # Boxes of 10 x 10 places found; the true ones are 10, 13 and 30 wide: the overlaps
    # are 1, 100 / 130 = 0.77 and 1 / 3.
    scoremap = np.zeros((40, 40))
    scoremap[:10, :10] = 1
    records = [
        make_box_record(scoremap, np.array([[0, 0, width - 1, 9]]), label=0)
        for width in (10, 13, 30)
    ]
    write_records(tmp_path / "test.records.npz", ["a", "b", "c"], records=records)
    metrics = {"wsol/threshold/val_max_box_acc": 0.5}
    (tmp_path / "test.json").write_text(json.dumps(metrics))
    found = table.image_hits(tmp_path / "test.json", "wsol/")
    assert found == {"gt_known": "110", "max_box_acc_v2": "331"}


def test_differences_are_paired_by_seed_and_by_image(table):
    def run(known, v2, small):
        return {
            "hits": {"gt_known": known, "max_box_acc_v2": v2},
            "test": {"wsol/val_threshold/gt_known_small": small},
        }

    cam = {"0": run("0000", "0000", 10.0), "1": run("1000", "3000", 20.0)}
    new = {"0": run("1111", "3333", 12.0), "1": run("1111", "3333", 26.0)}
    same = {"0": cam["0"], "5": cam["1"]}
    text = table.differences(
        {"cam": cam, "new": new, "same": same}, ("cam", cam), [0, 1, 5]
    )
    _, _, *lines = text.splitlines()
    assert len(lines) == 2  # not CAM itself
    cells = [cell.strip() for cell in lines[0].split("|")[1:-1]]
    # Gains of 100 and 75 points; by image 50, 100, 100, 100 over both seeds.
    assert cells[:3] == ["NEW", "2", "87.5 ± 17.7 (p 0.090)"]
    assert cells[3] == "+62.5 to +100.0"
    assert cells[5] == "+62.5 to +100.0"
    assert cells[6:] == ["4.0 ± 2.8", "-", "-"]
    cells = [cell.strip() for cell in lines[1].split("|")[1:-1]]
    assert cells[:4] == ["SAME", "1", "0.0", "+0.0 to +0.0"]
