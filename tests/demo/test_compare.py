"""The demo's comparison of runs, on made-up runs."""

from __future__ import annotations

import importlib
import json
import sys

import cv2
import numpy as np
import pytest

from mmdgdm.evaluation.functional.image_facts import describe_image
from mmdgdm.visualization.picture_files import write_pictures
from mmdgdm.visualization.sheets import Shot


@pytest.fixture
def compare(monkeypatch, repo_root):
    monkeypatch.syspath_prepend(str(repo_root / "demo"))
    return importlib.import_module("compare")


def make_run(compare, folder, score, gray):
    scores = dict.fromkeys(compare.COLUMNS.values(), score)
    quantized = np.zeros((224, 224), np.uint8)
    quantized[:100, : 100 + gray] = 255
    shots = {
        n: Shot(
            np.full((40, 80, 3), 70 + 50 * n, np.uint8),
            quantized,
            describe_image(
                quantized,
                0.2,
                image_id=f"{n}.jpg",
                image_size=(80, 40),
                gt_boxes=[[0, 0, 35, 17]],
            ),
        )
        for n in range(3)
    }
    write_pictures(folder / "pictures", shots, draw=False)
    (folder / "results.json").write_text(json.dumps(scores))
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
    (dgdm / "pictures" / "maps" / "00000_0.png").unlink()
    listing = dgdm / "pictures" / "pictures.json"
    listing.write_text(json.dumps(json.loads(listing.read_text())[1:]))
    call(compare, monkeypatch, cam, dgdm, "--sheet", tmp_path / "s.png", "--rows", 9)
    sheet = cv2.imread(str(tmp_path / "s.png"))
    assert sheet.shape[1] == 678
    # Two images are in both runs, in a row each.
    bright = [(sheet == 70 + 50 * n).all(axis=-1).mean() for n in range(3)]
    assert bright[0] < 0.02 < min(bright[1:])


@pytest.mark.parametrize("name", ["results.json", "pictures/pictures.json"])
def test_a_missing_file_is_named(compare, monkeypatch, tmp_path, name):
    run = make_run(compare, tmp_path / "cam", 50.0, 0)
    (run / name).unlink()
    with pytest.raises(SystemExit, match=f"{run / name} is missing"):
        call(compare, monkeypatch, run, "--sheet", tmp_path / "s.png")


def test_runs_need_images_in_common(compare, monkeypatch, tmp_path):
    run = make_run(compare, tmp_path / "cam", 50.0, 0)
    other = make_run(compare, tmp_path / "dgdm", 50.0, 0)
    (run / "pictures" / "images" / "00000_0.png").unlink()
    with pytest.raises(SystemExit, match=r"00000_0\.png to be a picture"):
        call(compare, monkeypatch, run, other, "--sheet", tmp_path / "s.png")
    (run / "pictures" / "pictures.json").write_text("[]")
    with pytest.raises(SystemExit, match="the runs drew no image in common"):
        call(compare, monkeypatch, run, other, "--sheet", tmp_path / "s.png")
