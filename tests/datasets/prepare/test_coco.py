"""Images whose classes a COCO file tells become a data set."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from mmdgdm.datasets.functional.images import Images
from mmdgdm.datasets.prepare.coco import prepare_coco
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.stored.metadata import read_split

#: The numbers of the file say nothing about labels.
CATEGORIES = {7: "zebra", 3: "ant eater", 5: "yak"}
BOX = (10.0, 6.0, 20.0, 15.0)


@pytest.fixture
def photos(tmp_path):
    """Twelve images, six of them in a folder; the even ones are zebras."""
    for number in range(12):
        path = tmp_path / "photos" / ("old" if number < 6 else "") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((30, 40, 3), number, np.uint8))
    return tmp_path / "photos"


def prepare(photos, kinds, out="out", **kwargs):
    """Prepare with boxes of images: (number, category) each."""
    content = dict(
        categories=[dict(id=key, name=name) for key, name in CATEGORIES.items()],
        images=[dict(id=n, file_name=f"/elsewhere/{n}.png") for n in range(13)],
        annotations=[
            dict(image_id=number, category_id=kind, bbox=BOX) for number, kind in kinds
        ],
    )
    boxes = photos.parent / "boxes.json"
    boxes.write_text(json.dumps(content))
    return prepare_coco(
        photos, photos.parent / out, boxes=boxes, images=Images(), **kwargs
    )


def zebras_and_ant_eaters():
    return [(number, 3 if number % 2 else 7) for number in range(12)]


def test_labels_are_the_ranks_of_names_and_splits_stay(photos, tmp_path):
    shares = dict(val=0.2, test=0.3)
    for out in ("out", "again"):
        report = prepare(photos, zebras_and_ant_eaters(), out, **shares)
        assert report.complete, report.problems
    out = tmp_path / "out"
    assert (out / "classes.txt").read_text() == "0 ant eater\n1 zebra\n"
    numbers = []
    for name in ("train", "val", "test"):
        split = read_split(out / name, 2, with_boxes=name != "train")
        for image_id, label in split.labels.items():
            number = int(image_id.removeprefix("old/").removesuffix(".png"))
            assert label == (0 if number % 2 else 1)
            numbers.append(number)
        if name != "train":
            assert {tuple(*boxes) for boxes in split.boxes.values()} == {
                (10, 6, 30, 21)
            }
        again = tmp_path / "again" / name / "image_ids.txt"
        assert again.read_text() == (out / name / "image_ids.txt").read_text()
    assert sorted(numbers) == list(range(12))
    counts = [row["images"] for row in report.counts.values()]
    assert counts == [6, 2, 4]


def test_images_without_one_class_are_left_out_and_named(photos, tmp_path):
    kinds = [*zebras_and_ant_eaters()[:-1], (0, 5)]
    report = prepare(photos, kinds)
    assert report.complete
    assert report.notes[:2] == [
        "1 images with no box are left out, since an image has one class: 11.png",
        "1 images with boxes of several classes are left out, since an image has one "
        "class: old/0.png",
    ]
    assert (tmp_path / "out" / "classes.txt").read_text().count("\n") == 2
    assert sum(row["images"] for row in report.counts.values()) == 10


@pytest.mark.parametrize(
    ("kinds", "kind", "words"),
    [
        ([(12, 7)], "unknown image", "'/elsewhere/12.png' is none of the images"),
        ([(11, 7), (11, 3)], "wrong layout", "two classes or more, but got 1"),
    ],
)
def test_what_does_not_fit_is_a_problem_and_nothing_is_written(
    kinds, kind, words, photos, tmp_path
):
    good = zebras_and_ant_eaters()
    others = good if kind == "unknown image" else [one for one in good if one[1] == 7]
    report = prepare(photos, [*others, *kinds])
    assert [(p.kind, words in p.message) for p in report.problems] == [(kind, True)]
    assert not (tmp_path / "out").exists()


def test_wrong_calls_are_refused(photos, tmp_path):
    with pytest.raises(ConfigError, match=r"`--boxes` to be a COCO file, but got none"):
        prepare_coco(photos, tmp_path / "out", boxes="none.json", images=Images())
    with pytest.raises(DataError, match="new folder outside"):
        prepare(photos, zebras_and_ant_eaters(), "photos/out")
