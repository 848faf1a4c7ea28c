"""The study of rules for the threshold, on made-up hits."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from mmdgdm.evaluation.functional.records import make_box_record
from mmdgdm.evaluation.stored.record_files import write_records

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.fixture
def few(monkeypatch):
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    return importlib.reload(importlib.import_module("few_boxes"))


def values_of(*means):
    """Ten images with these shares of hits, (10, T)."""
    return (np.arange(10)[:, None] < 10 * np.array(means)).astype(np.float64)


def test_rules_by_hand(few, monkeypatch):
    monkeypatch.setattr(few, "THRESHOLDS", np.arange(6) / 10)
    values = values_of(0.1, 0.6, 0.4, 0.6, 0.6, 0.6)
    assert few.argmax(values) == 1
    assert few.plateau(values) == 4
    # The standard error at 0.6 is 0.155: all but the first and 0.4 lie within.
    assert few.one_se(values) == 3
    # A single high step counts less than its lower, broader neighbours.
    monkeypatch.setattr(few, "THRESHOLDS", np.arange(7) / 10)
    assert few.smooth(values_of(0, 0.8, 0, 0.6, 0.5, 0.6, 0), 0.1) == 4


def test_resamples_of_equal_images_choose_alike(few):
    values = np.tile([0.0, 1.0, 1.0, 1.0, 0.0], (7, 1))
    assert few.bootstrap(values, np.random.default_rng(0), np.mean) == 2


def frame(side):
    """A map that shows ever smaller squares, from the whole image on."""
    ramp = np.minimum(np.arange(side) + 1, side - np.arange(side))
    return (np.minimum(ramp[:, None], ramp) * 255 // ((side + 1) // 2)).astype(np.uint8)


def test_from_records_to_table_and_picture(few, monkeypatch, tmp_path, capsys):
    rng = np.random.default_rng(0)
    for data in ("one", "two"):
        run = tmp_path / f"methods_{data}" / "cam_seed0"
        for split in ("val", "test"):
            low = rng.integers(2, 14, size=20).tolist()
            boxes = [np.array([[k, k, 40 - k, 40 - k]]) for k in low]
            made = [
                # Tests know the coverage at one threshold more.
                make_box_record(
                    frame(40) / 255,
                    box,
                    label=0,
                    threshold=0.5 if split == "test" else None,
                )
                for box in boxes
            ]
            path = run / "few_boxes" / f"{split}.records.npz"
            write_records(path, [f"{split}{k}" for k in range(20)], records=made)
    results = tmp_path / "results"
    page = tmp_path / "page.md"
    page.write_text("<!-- table: few_boxes -->\n<!-- end: few_boxes -->\n")
    monkeypatch.setattr(few, "REPEATS", 3)
    runs = [str(tmp_path / f"methods_{data}" / "cam_seed0") for data in ("one", "two")]
    options = ["--results", results, "--picture", tmp_path / "p.png", "--page", page]

    def main(*arguments):
        monkeypatch.setattr(sys, "argv", ["few_boxes.py", *map(str, arguments)])
        few.main()

    main(*runs, *options)
    found = json.loads((results / "one.json").read_text())["cam_seed0"]
    assert found["images"] == 40
    assert max(found["curve"]) == found["best"]
    # Of 40 images no more than half are drawn.
    assert set(found["losses"]["argmax"]) == {"10"}
    assert all(losses["10"]["mean"] >= 0 for losses in found["losses"].values())
    assert "| IoUs, weighted median |" in page.read_text()
    assert (tmp_path / "p.png").stat().st_size > 10000
    # What is there is not studied again.
    monkeypatch.setattr(few, "study", None)
    before = capsys.readouterr().out
    main(*runs, "--results", results)
    assert capsys.readouterr().out in before


def test_no_results_are_an_error(few, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["few_boxes.py", "--results", str(tmp_path)])
    with pytest.raises(SystemExit, match="holds no results"):
        few.main()
