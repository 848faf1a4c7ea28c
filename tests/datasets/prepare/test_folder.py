"""A folder of images a class becomes a data set, with boxes of four forms."""

from __future__ import annotations

import json
from collections import Counter

import cv2
import numpy as np
import pytest

from mmdgdm.datasets.functional.images import Images
from mmdgdm.datasets.prepare.folder import prepare_folder
from mmdgdm.datasets.prepare.splits import split_images
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.stored.metadata import read_split

#: Pixels of every image, width and height.
SIZE = (40, 30)
#: x0, y0, x1, y1 of every box.
BOX = (10, 6, 30, 21)


@pytest.fixture
def photos(tmp_path):
    """Ten images of two classes each; file names are the same in both."""
    for name in ("zebra", "ant eater"):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for number in range(10):
            image = np.full((SIZE[1], SIZE[0], 3), number, np.uint8)
            cv2.imwrite(str(folder / f"{number}.png"), image)
    return tmp_path / "photos"


def prepare(photos, out="out", **kwargs):
    return prepare_folder(photos, photos.parent / out, images=Images(), **kwargs)


def boxed(name, count=4):
    return [f"{name}/{number}.png" for number in range(count)]


def write_coco(folder, images, category=lambda image: image.split("/")[0]):
    # Numbers of categories and images say nothing about labels.
    names = {"zebra": 3, "ant eater": 9, "yak": 4}
    x0, y0, x1, y1 = BOX
    content = dict(
        categories=[dict(id=i, name=name) for name, i in names.items()],
        images=[dict(id=100 + i, file_name=image) for i, image in enumerate(images)],
        annotations=[
            dict(
                image_id=100 + i,
                category_id=names[category(image)],
                bbox=[x0, y0, x1 - x0, y1 - y0],
            )
            for i, image in enumerate(images)
        ],
    )
    path = folder / "boxes.json"
    path.write_text(json.dumps(content))
    return path


def write_csv(folder, images):
    lines = [",".join([image, *map(str, BOX), image.split("/")[0]]) for image in images]
    path = folder / "boxes.csv"
    path.write_text("\n".join(["image,x0,y0,x1,y1,name", *lines]))
    return path


def write_voc(folder, images):
    corners = dict(zip(("xmin", "ymin", "xmax", "ymax"), BOX))
    box = "".join(f"<{key}>{value}</{key}>" for key, value in corners.items())
    for image in images:
        name = image.split("/")[0]
        path = folder / "voc" / f"{image[:-4]}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"<annotation><filename>else.jpg</filename><object><name>{name}</name>"
            f"<bndbox>{box}</bndbox></object></annotation>"
        )
    return folder / "voc"


def write_yolo(folder, images):
    (width, height), (x0, y0, x1, y1) = SIZE, BOX
    numbers = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height)
    numbers += ((x1 - x0) / width, (y1 - y0) / height)
    for image in images:
        path = folder / "yolo" / "labels" / f"{image[:-4]}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Its own order of classes.
        kind = ["zebra", "ant eater"].index(image.split("/")[0])
        path.write_text(" ".join(map(str, [kind, *numbers])))
    (folder / "yolo" / "data.yaml").write_text("names: [zebra, ant eater]")
    return folder / "yolo"


@pytest.mark.parametrize("write", [write_coco, write_csv, write_voc, write_yolo])
def test_images_with_boxes_go_to_val_and_test(write, photos, tmp_path):
    images = boxed("zebra") + boxed("ant eater")
    report = prepare(photos, boxes=write(tmp_path, images), val=0.2, test=0.2)
    assert report.complete, report.problems
    out = tmp_path / "out"
    assert (out / "classes.txt").read_text() == "0 ant eater\n1 zebra\n"
    held_out = []
    for name in ("val", "test"):
        split = read_split(out / name, 2)
        assert Counter(split.labels.values()) == {0: 2, 1: 2}
        assert {tuple(b) for boxes in split.boxes.values() for b in boxes} == {BOX}
        assert set(split.image_sizes.values()) == {SIZE}
        held_out += split.image_ids
    assert sorted(held_out) == sorted(images)
    train = read_split(out / "train", 2, with_boxes=False)
    every = {p.relative_to(photos).as_posix() for p in photos.rglob("*.png")}
    assert set(train.image_ids) == every - set(images)
    assert all(
        (label == 1) is i.startswith("zebra") for i, label in train.labels.items()
    )


def test_images_may_lie_in_folders_of_the_class_folders(photos, tmp_path):
    for number in range(5):
        path = photos / "zebra" / "2020" / "may" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        (photos / "zebra" / f"{number}.png").rename(path)
    # Named as it was before it moved, and as a file below its new folder.
    images = ["zebra/1.png", "may/2.png"]
    boxes = write_coco(tmp_path, images, lambda _: "zebra")
    report = prepare(photos, boxes=boxes, val=0.1, test=0.1)
    assert report.complete, report.problems
    assert [row["images"] for row in report.counts.values()] == [18, 1, 1]
    boxed = [read_split(tmp_path / "out" / n).image_ids[0] for n in ("val", "test")]
    assert sorted(boxed) == [f"zebra/2020/may/{n}.png" for n in (1, 2)]


def test_the_same_images_give_the_same_splits(photos, tmp_path):
    prepare(photos, "one")
    prepare(photos, "two")
    for name in ("train", "val", "test"):
        first, second = (
            (tmp_path / out / name / "image_ids.txt").read_text()
            for out in ("one", "two")
        )
        assert first == second
    assert json.loads((tmp_path / "one" / "prepared.json").read_text()) == dict(
        images=str(photos), classes=["ant eater", "zebra"], boxes=False
    )


def test_without_boxes_it_says_what_cannot_be_done(photos):
    report = prepare(photos)
    assert any("nor the threshold" in note for note in report.notes)
    assert [row["images"] for row in report.counts.values()] == [14, 2, 4]


@pytest.mark.parametrize(
    ("images", "category", "kind"),
    [
        (["zebra/1.png"], "yak", "unknown class"),
        (["zebra/1.png"], "ant eater", "wrong class"),
        (["zebra/none.png"], "zebra", "unknown image"),
    ],
)
def test_a_mismatch_is_a_problem_and_nothing_is_written(
    images, category, kind, photos, tmp_path
):
    boxes = write_coco(tmp_path, images, lambda _: category)
    report = prepare(photos, boxes=boxes)
    assert kind in {problem.kind for problem in report.problems}
    assert not (tmp_path / "out").exists()


def test_what_exists_is_never_touched(photos, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="new folder outside"):
        prepare(photos)
    with pytest.raises(DataError, match="new folder outside"):
        prepare(photos, "photos/out")
    with pytest.raises(ConfigError, match=r"COCO file \(\.json\)"):
        prepare(photos, "other", boxes=tmp_path / "none.json")


def test_too_few_images_for_a_split_are_a_problem(photos, tmp_path):
    report = prepare(photos, boxes=write_coco(tmp_path, ["zebra/1.png"]))
    assert [p.kind for p in report.problems] == ["empty split"]
    assert "val would have no image" in report.problems[0].message


def test_few_boxes_are_shared_out_and_shares_add_up():
    labels = {f"{c}/{i}": c for c in range(10) for i in range(4)}
    # One image of each class has a box: a third of them is val's.
    parts = split_images(labels, {f"{c}/0": 1 for c in range(10)}, val=0.1, test=0.2)
    assert [len(part) for part in parts.values()] == [30, 3, 7]
    parts = split_images(labels, {}, val=0.1, test=0.2)
    assert [len(part) for part in parts.values()] == [28, 4, 8]
    # An image of each class always stays in train.
    parts = split_images({"a": 0, "b": 1}, {}, val=0.4, test=0.4)
    assert parts["train"] == ["a", "b"]
