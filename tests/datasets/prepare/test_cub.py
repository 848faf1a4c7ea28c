"""Each kind of damage is found by itself and named by file, line and image."""

from __future__ import annotations

import shutil

import pytest

from mmdgdm.datasets import CUB, WSOLDataset
from mmdgdm.datasets.functional.images import Images
from mmdgdm.datasets.prepare.check import check_data
from mmdgdm.datasets.prepare.prepare import prepare_data
from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.stored.metadata import read_split, write_split

RAW = "CUB_200_2011"
VAL = "metadata/CUB/val"
IMAGE = "001.Jay/Jay_1.jpg"  # id 2, in train
PATH = f"{RAW}/images/{IMAGE}"
IN_TRAIN = (IMAGE, "002.Owl/Owl_1.jpg", "003.Wren/Wren_1.jpg")


def check(root, quick=False):
    return check_data("cub", root, images=Images(quick=quick)).report


def edit(path, number, line=None):
    """Replace a line, counted from 1, or take it out."""
    lines = path.read_text().splitlines()
    lines[number - 1 : number] = [] if line is None else [line]
    path.write_text("\n".join(lines))


def cut(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


# Name: (what is done, kind, file, line, image, words of the message)
DAMAGE = {
    "missing image": (
        lambda r: (r / PATH).unlink(),
        ("missing image", PATH, None, IMAGE, "no such file"),
    ),
    "truncated image": (
        lambda r: cut(r / PATH, 0.6),
        ("broken image", PATH, None, IMAGE, "truncated"),
    ),
    "image cut by its last bytes": (
        lambda r: (r / PATH).write_bytes((r / PATH).read_bytes()[:-30]),
        ("broken image", PATH, None, IMAGE, "truncated"),
    ),
    "empty image": (
        lambda r: (r / PATH).write_bytes(b""),
        ("empty image", PATH, None, IMAGE, "no bytes"),
    ),
    "text as image": (
        lambda r: (r / PATH).write_text("not found"),
        ("broken image", PATH, None, IMAGE, "no known format"),
    ),
    "box outside": (
        lambda r: edit(r / RAW / "bounding_boxes.txt", 2, "2 90.0 4.0 5.0 5.0"),
        ("wrong box", f"{RAW}/bounding_boxes.txt", 2, IMAGE, "40 x 30"),
    ),
    "box mostly outside": (
        lambda r: edit(r / RAW / "bounding_boxes.txt", 2, "2 39.0 4.0 5.0 5.0"),
        ("wrong box", f"{RAW}/bounding_boxes.txt", 2, IMAGE, "40 x 30"),
    ),
    "box left of the image": (
        lambda r: edit(r / RAW / "bounding_boxes.txt", 2, "2 -3 4.0 5.0 5.0"),
        ("wrong box", f"{RAW}/bounding_boxes.txt", 2, IMAGE, "got -3,4,2,9"),
    ),
    "box of no size": (
        lambda r: edit(r / RAW / "bounding_boxes.txt", 2, "2 5.0 4.0 0.0 10.0"),
        ("wrong box", f"{RAW}/bounding_boxes.txt", 2, IMAGE, "above 0"),
    ),
    "box of text": (
        lambda r: edit(r / RAW / "bounding_boxes.txt", 2, "2 5.0 4.0 x 10.0"),
        ("wrong box", f"{RAW}/bounding_boxes.txt", 2, IMAGE, "as numbers"),
    ),
    "missing box": (
        lambda r: edit(r / RAW / "bounding_boxes.txt", 2),
        ("missing line", f"{RAW}/bounding_boxes.txt", None, IMAGE, "id 2"),
    ),
    "missing split": (
        lambda r: edit(r / RAW / "train_test_split.txt", 2),
        ("missing line", f"{RAW}/train_test_split.txt", None, IMAGE, "id 2"),
    ),
    "wrong split": (
        lambda r: edit(r / RAW / "train_test_split.txt", 2, "2 2"),
        ("wrong split", f"{RAW}/train_test_split.txt", 2, None, "Expected 1"),
    ),
    "label out of range": (
        lambda r: edit(r / RAW / "image_class_labels.txt", 2, "2 4"),
        (
            "label out of range",
            f"{RAW}/image_class_labels.txt",
            2,
            None,
            "[1, 3] (classes.txt names so many), but got '4'",
        ),
    ),
    "last class lacking": (
        lambda r: edit(r / RAW / "classes.txt", 3),
        ("label out of range", f"{RAW}/image_class_labels.txt", 9, None, "got '3'"),
    ),
    "duplicate id": (
        lambda r: edit(r / RAW / "image_class_labels.txt", 2, "2 1\n2 3"),
        (
            "duplicate id",
            f"{RAW}/image_class_labels.txt",
            3,
            None,
            "id 2 comes again (first on line 2)",
        ),
    ),
    "unknown id": (
        lambda r: edit(r / RAW / "bounding_boxes.txt", 12, "12 1 1 5 5\n99 1 1 5 5"),
        ("unknown id", f"{RAW}/bounding_boxes.txt", 13, None, "id 99"),
    ),
    "malformed line": (
        lambda r: edit(r / RAW / "classes.txt", 3, "3 003.Wren\nfour"),
        ("malformed line", f"{RAW}/classes.txt", 4, None, "'four'"),
    ),
    "missing table": (
        lambda r: (r / RAW / "bounding_boxes.txt").unlink(),
        ("missing file", f"{RAW}/bounding_boxes.txt", None, None, "no such file"),
    ),
    "wrong id in metadata": (
        lambda r: edit(r / VAL / "image_ids.txt", 2, "002.Owl/9.jpg"),
        ("missing image", "CUBV2/002.Owl/9.jpg", None, "002.Owl/9.jpg", "no such file"),
    ),
    "wrong label in metadata": (
        lambda r: edit(r / VAL / "class_labels.txt", 2, "002.Owl/1.jpg,3"),
        ("label out of range", f"{VAL}/class_labels.txt", 2, "002.Owl/1.jpg", "[0, 2]"),
    ),
    "wrong size in metadata": (
        lambda r: edit(r / VAL / "image_sizes.txt", 2, "002.Owl/1.jpg,41,30"),
        ("wrong size", "CUBV2/002.Owl/1.jpg", None, "002.Owl/1.jpg", "41 x 30"),
    ),
    "box outside in metadata": (
        lambda r: edit(r / VAL / "localization.txt", 2, "002.Owl/1.jpg,1,2,90,20"),
        ("wrong box", f"{VAL}/localization.txt", 2, "002.Owl/1.jpg", "40 x 30"),
    ),
    "reversed box in metadata": (
        lambda r: edit(r / VAL / "localization.txt", 2, "002.Owl/1.jpg,9,2,8,20"),
        ("wrong box", f"{VAL}/localization.txt", 2, "002.Owl/1.jpg", "9,2,8,20"),
    ),
    "val without metadata": (
        lambda r: shutil.rmtree(r / "metadata"),
        ("missing part", "metadata", None, None, "clovaai/wsolevaluation"),
    ),
}


def is_named(problem, root, wanted):
    kind, file, line, image, words = wanted
    where = str(root / file) + (f", line {line}" if line else "")
    found = (problem.kind, problem.where, problem.image_id)
    return found == (kind, where, image) and words in problem.message


def test_a_sound_set_is_complete(cub):
    report = check(cub)
    assert report.problems == []
    assert report.notes == []
    assert report.counts == {
        "train": {"images": 6, "boxes": 6, "classes": 3},
        "test": {"images": 6, "boxes": 6, "classes": 3},
        "val": {"images": 3, "boxes": 3},
    }
    assert check(cub / RAW).counts == report.counts
    # The readers agree.
    assert len(CUB(cub / RAW, split="test", test_mode=True)) == 6
    val = dict(data_root=cub, ann_file=VAL, data_prefix="CUBV2", num_classes=3)
    assert len(WSOLDataset(**val, test_mode=True)) == 3


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named(cub, name):
    damage, wanted = DAMAGE[name]
    damage(cub)
    problems = check(cub).problems
    assert any(is_named(p, cub, wanted) for p in problems), problems


# These have consequences elsewhere, which are named as well.
WIDE = {"missing table", "wrong id in metadata", "last class lacking"}
ALONE = sorted(set(DAMAGE) - WIDE)


@pytest.mark.parametrize("name", ALONE)
def test_nothing_else_is_named(cub, name):
    DAMAGE[name][0](cub)
    assert len(check(cub).problems) == 1


def test_all_damage_is_named_at_once(cub):
    names = (
        "box of no size",
        "malformed line",
        "duplicate id",
        "truncated image",
        "wrong label in metadata",
    )
    for name in names:
        DAMAGE[name][0](cub)
    problems = check(cub).problems
    assert len(problems) == len(names)
    for name in names:
        assert any(is_named(p, cub, DAMAGE[name][1]) for p in problems), name


def test_an_image_in_both_splits_is_named(cub):
    raw = cub / RAW
    # Id 1 is in test, id 2 in train.
    edit(raw / "images.txt", 1, f"1 {IMAGE}")
    report = check(cub)
    kinds = {(p.kind, p.image_id) for p in report.problems}
    assert kinds == {("duplicate image", IMAGE)}
    assert "1 files are not in images.txt: images/001.Jay/Jay_0.jpg" in report.notes


def test_the_same_bytes_in_two_splits_are_a_note(cub):
    shutil.copy(cub / PATH, cub / RAW / "images/001.Jay/Jay_0.jpg")
    report = check(cub)
    assert report.problems == []
    assert report.notes == [
        "1 images have the same bytes as one of another split: "
        "001.Jay/Jay_1.jpg (train) = 001.Jay/Jay_0.jpg (test)"
    ]


def test_quick_reads_headers_only(cub):
    cut(cub / PATH, 0.9)
    assert check(cub, quick=True).complete
    (cub / PATH).write_bytes(b"")
    assert [p.kind for p in check(cub, quick=True).problems] == ["empty image"]


def test_boxes_that_are_clipped_are_a_note(cub):
    edit(cub / RAW / "bounding_boxes.txt", 2, "2 20.0 4.0 20.5 10.0")
    report = check(cub)
    assert report.complete
    assert report.notes == [
        "boxes of 1 images of train reach past the last pixel, since their ends count "
        f"as theirs, and are clipped when read: {IMAGE}"
    ]


@pytest.mark.parametrize("num_classes", [3, 200])
def test_the_real_set_must_have_the_published_counts(num_classes, cub):
    names = ["001.Black_footed_Albatross", "002.Owl", "003.Wren"]
    names += [f"{number:03d}.Bird" for number in range(4, num_classes + 1)]
    lines = [f"{number} {name}" for number, name in enumerate(names, start=1)]
    (cub / RAW / "classes.txt").write_text("\n".join(lines))
    messages = [p.message for p in check(cub).problems]
    # Fewer classes are a part of the set, which is complete as itself.
    wanted = [
        "Expected 5,794 images of test, but got 6",
        "Expected 5,994 images of train, but got 6",
        "Expected 1,000 images of val, but got 3",
    ]
    assert messages == (wanted if num_classes == 200 else [])


def test_an_empty_folder_says_where_the_set_comes_from(tmp_path):
    (problem,) = check(tmp_path).problems
    assert problem.kind == "missing part"
    assert "data.caltech.edu" in problem.message


def test_without_val_a_note_says_where_it_comes_from(cub):
    shutil.rmtree(cub / "metadata")
    shutil.rmtree(cub / "CUBV2")
    report = check(cub)
    assert report.complete
    assert "CUBV2.tar" in report.notes[0]


def test_val_taken_from_train_is_said_plainly_and_may_be_left_out(cub, tmp_path):
    shutil.rmtree(cub / "CUBV2")
    labels = {f"{RAW}/images/{name}": k for k, name in enumerate(IN_TRAIN)}
    sizes = dict.fromkeys(labels, (40, 30))
    boxes = {name: [(1, 2, 3, 4)] for name in labels}
    write_split(cub / VAL, labels, image_sizes=sizes, boxes=boxes)
    report = check(cub)
    assert {p.kind for p in report.problems} == {"image in two splits"}
    assert "`--left-out` takes them from train" in report.notes[-1]
    out = tmp_path / "out"
    report = prepare_data("cub", cub, quick=True, left_out=True, metadata=out)
    assert report.complete
    assert "3 images of val are left out of train" in report.notes[0]
    train = read_split(out / "train").image_ids
    assert len(train) == 3
    assert not set(train) & set(IN_TRAIN)
    with pytest.raises(ConfigError, match="`--left-out` with cub, but got ilsvrc"):
        prepare_data("ilsvrc", cub, left_out=True)
