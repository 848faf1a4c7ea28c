"""ILSVRC's plain and Kaggle's layout, whole and damaged."""

from __future__ import annotations

import shutil

import pytest

from mmdgdm.datasets.functional.images import Images
from mmdgdm.datasets.prepare.check import check_data
from mmdgdm.datasets.prepare.prepare import prepare_data
from mmdgdm.evaluation.stored.metadata import read_split, write_split

XML = "Annotations/CLS-LOC/val"
FIRST = "ILSVRC2012_val_00000001"


def check(root):
    return check_data("ilsvrc", root, images=Images(quick=False)).report


def test_a_sound_set_is_complete_and_written(ilsvrc, tmp_path):
    report = prepare_data("ilsvrc", ilsvrc, metadata=tmp_path / "out")
    assert report.problems == []
    assert report.counts["train"] == {"images": 4, "classes": 2}
    assert report.counts["test"] == {"images": 2, "boxes": 4}
    split = read_split(tmp_path / "out" / "test", 2)
    name = f"val/{FIRST}.JPEG"
    assert split.labels == {name: 0, "val/ILSVRC2012_val_00000002.JPEG": 1}
    assert split.boxes[name] == [(1, 2, 20, 25), (3, 3, 39, 29)]
    train = read_split(tmp_path / "out" / "train", 2, with_boxes=False)
    assert train.labels["train/n00000002/n00000002_1.JPEG"] == 1


def test_kaggles_layout_is_complete(ilsvrc):
    kaggle = ilsvrc.parent / "kaggle"
    (kaggle / "ILSVRC" / "Data").mkdir(parents=True)
    shutil.rmtree(ilsvrc / "Annotations")
    shutil.move(ilsvrc, kaggle / "ILSVRC" / "Data" / "CLS-LOC")
    (kaggle / "LOC_val_solution.csv").write_text(
        "ImageId,PredictionString\n"
        f"{FIRST},n00000001 1 2 20 25 n00000001 3 3 40 30 \n"
        "ILSVRC2012_val_00000002,n00000002 1 2 20 25 \n"
    )
    for root in (kaggle, kaggle / "ILSVRC"):
        report = check(root)
        assert report.problems == []
        assert report.counts["test"] == {"images": 2, "boxes": 3}


def test_boxes_in_the_text_form_serve_as_well(ilsvrc, tmp_path):
    assert prepare_data("ilsvrc", ilsvrc, metadata=tmp_path / "metadata").complete
    shutil.rmtree(ilsvrc / "Annotations")
    report = prepare_data("ilsvrc", ilsvrc, metadata=tmp_path / "out")
    assert [p.kind for p in report.problems] == ["missing part"]
    shutil.move(tmp_path / "metadata" / "test", ilsvrc / "metadata" / "test")
    assert prepare_data("ilsvrc", ilsvrc, metadata=tmp_path / "out").complete
    assert read_split(tmp_path / "out" / "test", 2).labels[f"val/{FIRST}.JPEG"] == 0


BOX = "<bndbox><xmin>1</xmin>"


@pytest.mark.parametrize(
    ("old", "new", "kind", "words"),
    [
        ("<annotation>", "<annot", "wrong annotation", "line 1"),
        ("<name>n00000001</name>", "", "wrong annotation", "to hold `name`"),
        (BOX, BOX.replace("1", "21"), "wrong box", "21,2,20,25"),
        (BOX, BOX.replace("1", "41"), "wrong box", "41,2,20,25"),
        ("<xmax>40<", "<xmax>90<", "wrong box", "40 x 30 pixels"),
        ("<name>n00000001", "<name>n00000009", "wrong annotation", "n00000009"),
    ],
)
def test_damage_of_an_annotation_is_named(ilsvrc, old, new, kind, words):
    path = ilsvrc / XML / f"{FIRST}.xml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    problem = check(ilsvrc).problems[0]
    assert (problem.kind, problem.where) == (kind, str(path))
    assert FIRST in problem.image_id
    assert words in problem.message


def test_an_image_without_annotation_is_named(ilsvrc):
    (ilsvrc / XML / f"{FIRST}.xml").unlink()
    (problem,) = check(ilsvrc).problems
    assert (problem.kind, problem.image_id) == ("missing line", FIRST)


def test_missing_parts_say_where_they_come_from(tmp_path):
    problems = check(tmp_path).problems
    assert [p.kind for p in problems] == ["missing part"] * 3
    archives = ("img_train.tar", "img_val.tar", "bbox_val_v3.tgz")
    assert all(a in p.message for a, p in zip(archives, problems))


def test_images_of_val_that_bear_hashes_are_named(ilsvrc, draw_image):
    name = "val2/0/0.jpeg"
    folder = ilsvrc.parent / "metadata" / "ILSVRC" / "val"
    write_split(
        folder, {name: 0}, image_sizes={name: (40, 30)}, boxes={name: [(1, 2, 9, 9)]}
    )
    draw_image(ilsvrc / name, 99)
    assert check(ilsvrc).complete
    (ilsvrc / name).rename(ilsvrc / "val2" / "0" / f"{'a' * 40}.jpeg")
    (problem,) = check(ilsvrc).problems
    assert problem.kind == "wrong layout"
    assert "mapping.txt" in problem.message
