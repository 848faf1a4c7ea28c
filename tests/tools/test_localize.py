"""tools/localize.py: what it writes, and how it ends."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from PIL import Image

CONFIG = "configs/cam/cam_resnet18_1xb32-12e_toy.py"
NAMES = [f"shape {i}" for i in range(8)]


@pytest.fixture(scope="module")
def model(tmp_path_factory, repo_root) -> list[str]:
    """Options that name a small model with random weights."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        built = MODELS.build(Config.fromfile(repo_root / CONFIG).model)
    path = tmp_path_factory.mktemp("model") / "toy.pth"
    meta = dict(dataset_meta=dict(classes=NAMES))
    torch.save(dict(state_dict=built.state_dict(), meta=meta), path)
    config = str(repo_root / CONFIG)
    return ["--model", config, "--weights", str(path), "--device", "cpu"]


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    root = tmp_path / "photos"
    for name in ("a/x.png", "b/x.png", "b/y.gif"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (50, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / name)
    return root


def read(path: Path):
    return json.loads(path.read_text())


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_every_form_of_result(run_localize, model, photos, tmp_path, capsys):
    out = tmp_path / "out"
    options = ["--save", "image,json,coco,csv,npy", "--topk", "2", "--batch-size", "2"]
    assert run_localize([str(photos), "--out-dir", str(out), *options, *model]) == 0
    assert files(out) == {
        *("images/a/x.png", "images/b/x.png", "images/b/y.gif.jpg"),
        *("maps/a/x.png.npy", "maps/b/x.png.npy", "maps/b/y.gif.npy"),
        *("predictions.json", "coco_results.json", "coco_ground_truth.json"),
        "boxes.csv",
    }
    predictions = read(out / "predictions.json")
    assert predictions["threshold"] == 0.2
    assert predictions["unreadable"] == {}
    images = [entry["image"] for entry in predictions["images"]]
    assert images == [str(photos / n) for n in ("a/x.png", "b/x.png", "b/y.gif")]
    flat = [
        (i, c["label"], c["score"], b)
        for i, entry in enumerate(predictions["images"], start=1)
        for c in entry["classes"]
        for b in c["boxes"]
    ]
    assert len(flat) == 6
    assert np.load(out / "maps/b/x.png.npy").shape == (2, 8, 8)
    assert cv2.imread(str(out / "images/b/y.gif.jpg")).shape == (50, 80, 3)

    results, truth = (
        read(out / "coco_results.json"),
        read(out / "coco_ground_truth.json"),
    )
    for found, annotation, (number, label, score, box) in zip(
        results, truth["annotations"], flat
    ):
        x0, y0, x1, y1 = box
        wanted = dict(image_id=number, category_id=label + 1)
        wanted["bbox"] = pytest.approx([x0, y0, x1 - x0, y1 - y0])
        assert found == {**wanted, "score": score}
        assert {k: annotation[k] for k in wanted} == wanted
        assert annotation["area"] == pytest.approx((x1 - x0) * (y1 - y0))
    assert [a["id"] for a in truth["annotations"]] == [1, 2, 3, 4, 5, 6]
    assert [c["name"] for c in truth["categories"]] == NAMES
    assert truth["images"][2] == dict(id=3, file_name="b/y.gif", width=80, height=50)
    with open(out / "boxes.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["x1"]) for row in rows] == [box[2] for *_, box in flat]
    assert {row["name"] for row in rows} <= set(NAMES)
    assert f"{photos / 'a/x.png'}: shape" in capsys.readouterr().out


def test_what_cannot_be_read_is_listed_and_the_rest_done(
    run_localize, model, photos, tmp_path, capsys
):
    (photos / "a/a.jpg").write_bytes(b"no image")
    out = tmp_path / "out"
    args = [str(photos), str(tmp_path / "missing.png"), "--out-dir", str(out)]
    assert run_localize([*args, "--classes", "3", "shape 1", *model]) == 1
    printed = capsys.readouterr().out
    assert "Localized 3 images" in printed
    assert "2 could not be read:" in printed
    predictions = read(out / "predictions.json")
    bad = [str(photos / "a/a.jpg"), str(tmp_path / "missing.png")]
    assert list(predictions["unreadable"]) == bad
    labels = [[c["label"] for c in e["classes"]] for e in predictions["images"]]
    assert labels == [[3, 1]] * 3
    assert len(files(out / "images")) == 3
    assert (out / "images/photos/a/x.png").is_file()


def test_videos_give_a_video_and_a_line_a_frame(run_localize, model, tmp_path):
    path = tmp_path / "film.avi"
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), codec, 5.0, (64, 48))
    if not writer.isOpened():
        pytest.skip("needs an OpenCV that writes videos")
    for value in (0, 80, 160):
        writer.write(np.full((48, 64, 3), value, np.uint8))
    writer.release()
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    out = tmp_path / "out"
    args = [str(path), str(tmp_path / "broken.mp4"), "--out-dir", str(out)]
    assert run_localize([*args, "--batch-size", "2", *model]) == 1
    text = (out / "videos/film.avi.jsonl").read_text().splitlines()
    lines = [json.loads(line) for line in text]
    assert [line["frame"] for line in lines] == [0, 1, 2]
    assert [line["time"] for line in lines] == pytest.approx([0, 0.2, 0.4])
    assert (lines[0]["width"], lines[0]["height"]) == (64, 48)
    capture = cv2.VideoCapture(str(out / "videos/film.avi.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    assert capture.read()[1].shape == (48, 64, 3)
    assert list(read(out / "predictions.json")["unreadable"]) == [args[1]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--save", "image,yaml"], "Expected `--save` to be one of 'image'"),
        (["--threshold", "1.5"], "Expected `threshold` to be a number in [0, 1)"),
        (["--topk", "9"], "at most the 8 classes"),
        (["--classes", "cat"], "'cat' names no class"),
    ],
)
def test_what_the_user_can_mend(
    options, message, run_localize, model, photos, tmp_path, capsys
):
    out = tmp_path / "out"
    args = [str(photos), "--out-dir", str(out), *model, *options]
    assert run_localize(args) == 2
    assert message in capsys.readouterr().err


def test_the_images_are_never_overwritten(run_localize, model, photos, capsys):
    options = ["--out-dir", str(photos), *model]
    before = (photos / "a/x.png").read_bytes()
    assert run_localize([str(photos), *options]) == 0
    assert (photos / "a/x.png").read_bytes() == before
    assert run_localize([str(photos), *options]) == 2  # overlays lie among them now
    assert "lies where results are written" in capsys.readouterr().err


@pytest.mark.faults
@pytest.mark.parametrize("form", ["image", "npy"])
def test_no_result_follows_a_link_out(
    run_localize, model, photos, tmp_path, form, capsys
):
    out, other = tmp_path / "out", tmp_path / "other"
    for folder in (out, other):
        folder.mkdir()
    (out / "images").symlink_to(other)
    (out / "maps").symlink_to(other)
    assert run_localize([str(photos), "--out-dir", str(out), "--save", form, *model])
    assert "a link leads out of it" in capsys.readouterr().err
    assert files(other) == set()
