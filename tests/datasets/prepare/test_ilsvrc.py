"""ILSVRC's plain and Kaggle's layout, whole and damaged."""

from __future__ import annotations

import shutil

import pytest

from mmdgdm.datasets.prepare.ilsvrc import check_ilsvrc
from mmdgdm.datasets.prepare.images import Images
from mmdgdm.datasets.prepare.prepare import prepare_data
from mmdgdm.evaluation.stored.metadata import read_split, write_split

WNIDS = ("n00000001", "n00000002")
XML = "Annotations/CLS-LOC/val"
FIRST = "ILSVRC2012_val_00000001"


def write_xml(path, wnid, *boxes):
    objects = "".join(
        f"<object><name>{wnid}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for a, b, c, d in boxes
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<annotation>{objects}</annotation>")


@pytest.fixture
def root(tmp_path, draw_image):
    """2 images of train and 1 of test in each of 2 classes."""
    root = tmp_path / "ILSVRC"
    for label, wnid in enumerate(WNIDS):
        for k in range(2):
            path = root / "train" / wnid / f"{wnid}_{k}.JPEG"
            draw_image(path.with_suffix(".jpg"), 10 * label + k)
            path.with_suffix(".jpg").rename(path)
        name = f"ILSVRC2012_val_0000000{label + 1}"
        draw_image(root / "val" / f"{name}.jpg", 50 + label)
        (root / "val" / f"{name}.jpg").rename(root / "val" / f"{name}.JPEG")
        write_xml(root / XML / f"{name}.xml", wnid, (1, 2, 20, 25), (3, 3, 40, 30))
    return root


def check(root):
    return check_ilsvrc(root, Images())


def test_a_sound_set_is_complete_and_written(root, tmp_path):
    report = prepare_data("ilsvrc", root, metadata=tmp_path / "out")
    assert report.problems == []
    assert report.counts["train"] == {"images": 4, "classes": 2}
    assert report.counts["boxes in val"] == {"images": 2, "boxes": 4}
    split = read_split(tmp_path / "out" / "test", 2)
    name = f"val/{FIRST}.JPEG"
    assert split.labels == {name: 0, "val/ILSVRC2012_val_00000002.JPEG": 1}
    assert split.boxes[name] == [(1, 2, 20, 25), (3, 3, 39, 29)]
    train = read_split(tmp_path / "out" / "train", 2, with_boxes=False)
    assert train.labels["train/n00000002/n00000002_1.JPEG"] == 1


def test_kaggles_layout_is_complete(root):
    kaggle = root.parent / "kaggle"
    (kaggle / "ILSVRC" / "Data").mkdir(parents=True)
    shutil.move(root, kaggle / "ILSVRC" / "Data" / "CLS-LOC")
    shutil.rmtree(kaggle / "ILSVRC" / "Data" / "CLS-LOC" / "Annotations")
    (kaggle / "LOC_val_solution.csv").write_text(
        "ImageId,PredictionString\n"
        f"{FIRST},n00000001 1 2 20 25 n00000001 3 3 40 30 \n"
        "ILSVRC2012_val_00000002,n00000002 1 2 20 25 \n"
    )
    report = check(kaggle)
    assert report.problems == []
    assert report.counts["boxes in LOC_val_solution.csv"] == {"images": 2, "boxes": 3}


@pytest.mark.parametrize(
    ("damage", "kind", "words"),
    [
        (lambda x: x.unlink(), "missing line", "has no boxes"),
        (lambda x: x.write_text("<annot"), "malformed annotation", "line 1"),
        (lambda x: write_xml(x, WNIDS[0]), "malformed annotation", "none"),
        (
            lambda x: write_xml(x, WNIDS[0], (5, 5, 5, 9)),
            "box of no size",
            "5,5,5,9",
        ),
        (
            lambda x: write_xml(x, WNIDS[0], (5, 5, 42, 9)),
            "box outside image",
            "40 x 30",
        ),
        (
            lambda x: write_xml(x, "n00000009", (5, 5, 9, 9)),
            "label out of range",
            "n00000009",
        ),
    ],
)
def test_damage_of_an_annotation_is_named(root, damage, kind, words):
    damage(root / XML / f"{FIRST}.xml")
    problem = check(root).problems[0]
    assert (problem.kind, problem.image_id) in {(kind, FIRST)}
    assert words in problem.message


def test_missing_parts_say_where_they_come_from(tmp_path):
    problems = check(tmp_path).problems
    assert [p.kind for p in problems] == ["missing part"] * 3
    archives = ("img_train.tar", "img_val.tar", "bbox_val_v3.tgz")
    assert all(a in p.message for a, p in zip(archives, problems))


def test_images_of_val_that_bear_hashes_are_named(root, draw_image):
    name = "val2/0/0.jpeg"
    folder = root.parent / "metadata" / "ILSVRC" / "val"
    write_split(folder, {name: 0}, {name: (40, 30)}, {name: [(1, 2, 9, 9)]})
    draw_image(root / name, 99)
    assert check(root).complete
    (root / name).rename(root / "val2" / "0" / f"{'a' * 40}.jpeg")
    (problem,) = check(root).problems
    assert problem.kind == "wrong layout"
    assert "mapping.txt" in problem.message
