"""The demo's comparison of runs, on made-up runs."""

from __future__ import annotations

import importlib
import json
import sys

import cv2
import numpy as np
import pytest


@pytest.fixture
def compare(monkeypatch, repo_root):
    monkeypatch.syspath_prepend(str(repo_root / "demo"))
    return importlib.import_module("compare")


def make_run(compare, folder, score, gray):
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    scores = dict.fromkeys(compare.COLUMNS.values(), score)
    (folder / "results.json").write_text(json.dumps(scores))
    listed = [{"file": f"{n}.png", "iou": 0.5} for n in range(3)]
    (pictures / "pictures.json").write_text(json.dumps(listed))
    for n in range(3):
        image = np.full((40, 80, 3), gray + n, np.uint8)
        cv2.imwrite(str(pictures / f"{n}.png"), image)
    return folder


def call(compare, monkeypatch, *arguments):
    line = ["compare.py", *map(str, arguments)]
    monkeypatch.setattr(sys, "argv", line)
    compare.main()


def test_table_ends_with_the_gain_of_the_last_run(
    compare, monkeypatch, tmp_path, capsys
):
    cam = make_run(compare, tmp_path / "cam", 50.0, 0)
    dgdm = make_run(compare, tmp_path / "dgdm", 57.25, 100)
    call(compare, monkeypatch, cam, dgdm, "--sheet", tmp_path / "s.png", "--rows", 2)
    rows = {
        line.split()[0]: line.split()[1:]
        for line in capsys.readouterr().out.splitlines()[1:]
    }
    assert rows == {"CAM": ["50.0"] * 6, "DGDM": ["57.2"] * 6, "gain": ["+7.2"] * 6}


def test_a_centred_box_stands_beside_the_runs(
    compare, monkeypatch, tmp_path, capsys, repo_root
):
    cam = make_run(compare, tmp_path / "cam", 50.0, 0)
    config = repo_root / "configs/cam/cam_resnet18_1xb32-12e_toy.py"
    call(compare, monkeypatch, cam, "--sheet", tmp_path / "s.png", "--config", config)
    (line,) = (x for x in capsys.readouterr().out.splitlines() if "CENTER" in x)
    # As in docs/research/methods.md's table of the toy but for the first, whose
    # threshold is chosen by the rule of today; by argmax, as there, it is 36.0.
    assert line.split()[:5] == ["CENTER", "-", "34.6", "36.7", "40.9"]
    assert len(line.split()) == 7


def test_sheet_shows_the_same_images_beside_each_other(compare, monkeypatch, tmp_path):
    cam = make_run(compare, tmp_path / "cam", 50.0, 0)
    dgdm = make_run(compare, tmp_path / "dgdm", 57.25, 100)
    call(compare, monkeypatch, cam, dgdm, "--sheet", tmp_path / "s.png", "--rows", 2)
    sheet = cv2.imread(str(tmp_path / "s.png"))
    half, row = sheet.shape[1] // 2, sheet.shape[0] // 2
    corners = [[int(sheet[y, x, 0]) for x in (5, half + 5)] for y in (5, row + 5)]
    assert corners == [[0, 100], [1, 101]]


@pytest.mark.parametrize(
    "name", ["results.json", "pictures/pictures.json", "pictures/0.png"]
)
def test_a_missing_file_is_named(compare, monkeypatch, tmp_path, name):
    run = make_run(compare, tmp_path / "cam", 50.0, 0)
    (run / name).unlink()
    with pytest.raises(SystemExit, match=f"{run / name} is missing"):
        call(compare, monkeypatch, run, "--sheet", tmp_path / "s.png")
