"""Reading a split from disk, and files that do not fit together."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from mmdgdm.datasets.prepare.report import Report
from mmdgdm.errors import DataError
from mmdgdm.evaluation.stored.metadata import read_split, write_split

BOX_SPLIT = {
    "image_ids.txt": "a/1.jpg\na/2.jpg\nb/3.jpg",
    "class_labels.txt": "a/1.jpg,0\na/2.jpg,0\nb/3.jpg,1",
    "image_sizes.txt": "a/1.jpg,100,50\na/2.jpg,40,60\nb/3.jpg,30,30",
    "localization.txt": (
        "a/1.jpg,0,0,99,49\na/2.jpg,1,2,3,4\na/2.jpg,5,6,39,59\nb/3.jpg,7,7,7,7"
    ),
}
MASK_SPLIT = {
    **BOX_SPLIT,
    "image_sizes.txt": "",
    "localization.txt": (
        "a/1.jpg,m1.png,i1.png\na/2.jpg,m2.png,\na/2.jpg,m3.png,\nb/3.jpg,m4.png,"
    ),
}


@pytest.fixture
def write(tmp_path):
    """Write a split, some files of it replaced or, with None, left out."""

    def write(files, **changes):
        changed = {**files, **{f"{name}.txt": text for name, text in changes.items()}}
        for name, text in changed.items():
            if text is not None:
                (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return write


def test_a_split_with_boxes(write):
    split = read_split(write(BOX_SPLIT), num_classes=2)
    assert split.image_ids == ["a/1.jpg", "a/2.jpg", "b/3.jpg"]
    assert split.labels == {"a/1.jpg": 0, "a/2.jpg": 0, "b/3.jpg": 1}
    assert split.image_sizes["a/2.jpg"] == (40, 60)
    assert split.boxes["a/2.jpg"] == [(1, 2, 3, 4), (5, 6, 39, 59)]
    assert split.masks is None


def test_a_split_with_masks(write):
    split = read_split(write(MASK_SPLIT))
    assert split.image_sizes == {}
    assert split.boxes == {}
    assert split.masks == {
        "a/1.jpg": [("m1.png", "i1.png")],
        "a/2.jpg": [("m2.png", ""), ("m3.png", "")],
        "b/3.jpg": [("m4.png", "")],
    }


def test_a_split_with_masks_and_sizes(write):
    sizes = BOX_SPLIT["image_sizes.txt"]
    split = read_split(write(MASK_SPLIT, image_sizes=sizes))
    assert split.image_sizes["b/3.jpg"] == (30, 30)
    assert split.masks["b/3.jpg"] == [("m4.png", "")]


def test_the_path_may_be_a_string(write):
    assert read_split(str(write(BOX_SPLIT))) == read_split(write(BOX_SPLIT))


def test_newlines_at_the_end_are_welcome(write):
    expected = read_split(write(BOX_SPLIT))
    ended = {name: f"{text}\n" for name, text in BOX_SPLIT.items()}
    assert read_split(write(ended)) == expected


def test_names_of_any_script(write):
    ids = "gr\u00fcn/\u9e1f 1.jpg"
    split = read_split(
        write(
            {},
            image_ids=ids,
            class_labels=f"{ids},0",
            image_sizes=f"{ids},9,9",
            localization=f"{ids},0,0,8,8",
        )
    )
    assert split.image_ids == [ids]


def test_the_order_of_lines_is_free_outside_the_ids(write):
    shuffled = {
        name: "\n".join(reversed(BOX_SPLIT[name].split("\n")))
        for name in ("class_labels.txt", "image_sizes.txt")
    }
    expected = read_split(write(BOX_SPLIT))
    assert read_split(write({**BOX_SPLIT, **shuffled})) == expected


@pytest.mark.parametrize("split", [BOX_SPLIT, MASK_SPLIT])
def test_labels_alone_need_neither_sizes_nor_boxes(write, split):
    folder = write(split, image_sizes=None, localization=None)
    metadata = read_split(folder, with_boxes=False)
    assert metadata.labels["b/3.jpg"] == 1
    assert metadata.image_sizes == metadata.boxes == {}
    assert metadata.masks is None


def test_labels_alone_ignore_empty_files(write):
    folder = write(BOX_SPLIT, image_sizes="", localization="")
    assert len(read_split(folder, with_boxes=False).image_ids) == 3


@pytest.mark.parametrize("name", list(BOX_SPLIT))
def test_a_missing_file_is_named(write, name):
    folder = write(BOX_SPLIT, **{name[:-4]: None})
    with pytest.raises(DataError, match=rf"{name}: there is no such file"):
        read_split(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        read_split(tmp_path / "nowhere")


def test_a_binary_file_is_named(write):
    folder = write(BOX_SPLIT)
    (folder / "class_labels.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"class_labels.txt: is no readable UTF-8 text"):
        read_split(folder)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (dict(image_ids=""), "image_ids.txt: names no image"),
        (dict(image_ids="a/1.jpg\na/1.jpg"), "image_ids.txt, line 2: .*again"),
        (dict(image_ids="./a/1.jpg\na//1.jpg"), "image_ids.txt, line 2: .*again"),
        (dict(image_ids="a/1.jpg\nx,y"), "class_labels.txt, line 2: .*'a/2.jpg'"),
        (
            dict(image_ids="a/1.jpg\nb/3.jpg"),
            "class_labels.txt, line 2: image 'a/2.jpg' is not in image_ids.txt",
        ),
        (
            dict(class_labels="a/1.jpg,0\nb/3.jpg,1"),
            "class_labels.txt: has no line for image 'a/2.jpg'",
        ),
        (
            dict(class_labels="a/1.jpg,0\na/2.jpg,0\nb/3.jpg,2"),
            r"class_labels.txt, line 3: .*\[0, 1\].*got '2'",
        ),
        (dict(class_labels="a/1.jpg,0\na/1.jpg,1"), "class_labels.txt, line 2"),
        (
            dict(image_sizes="a/1.jpg,100,50\na/2.jpg,40,60"),
            "image_sizes.txt: has no line for image 'b/3.jpg'",
        ),
        (
            dict(image_sizes=BOX_SPLIT["image_sizes.txt"] + "\nz.jpg,3,3"),
            "image_sizes.txt, line 4: .*'z.jpg'",
        ),
        (dict(image_sizes=""), "image_sizes.txt: gives no size"),
        (
            dict(localization="a/1.jpg,0,0,9,9\na/2.jpg,0,0,9,9"),
            "localization.txt: has no line for image 'b/3.jpg'",
        ),
        (dict(localization=""), "localization.txt: has no line for image 'a/1.jpg'"),
        (
            dict(localization=BOX_SPLIT["localization.txt"] + "\nz.jpg,0,0,1,1"),
            "localization.txt, line 5: .*'z.jpg'",
        ),
        (
            dict(localization="a/1.jpg,0,0,9,9\na/2.jpg,0,0,99,9"),
            "localization.txt, line 2: .*40 x 60 pixels",
        ),
        (
            dict(localization="a/1.jpg,0,0,9,9\na/2.jpg,m.png,"),
            "localization.txt, line 2: Expected `id,x0,y0,x1,y1`",
        ),
    ],
)
def test_malformed_splits(write, changes, match):
    with pytest.raises(DataError, match=match):
        read_split(write(BOX_SPLIT, **changes), num_classes=2)


def test_masks_of_an_unknown_image(write):
    text = "a/1.jpg,m,\na/2.jpg,m,\nz.jpg,m,\nb/3.jpg,m,"
    with pytest.raises(DataError, match=r"localization.txt, line 3: .*'z.jpg'"):
        read_split(write(MASK_SPLIT, localization=text))


def test_an_image_without_a_mask(write):
    text = "a/1.jpg,m,\na/2.jpg,m,"
    with pytest.raises(DataError, match=r"has no line for image 'b/3.jpg'"):
        read_split(write(MASK_SPLIT, localization=text))


MALFORMED = [
    ("class_labels", "a/1.jpg", "`id,label`, but got 'a/1.jpg'"),
    ("class_labels", ",1", "`id,label`, but got ',1'"),
    ("class_labels", "a/1.jpg,-1", "a label .*got '-1'"),
    ("class_labels", "a/1.jpg,1.5", "a label .*got '1.5'"),
    ("class_labels", "a/1.jpg,1_0", "a label .*got '1_0'"),
    ("class_labels", "a/1.jpg,", "a label .*got ''"),
    ("class_labels", "a/1.jpg,1,2", "'a/1.jpg,1' is not in image_ids.txt"),
    ("image_sizes", "4,5", "`id,width,height`"),
    ("image_sizes", "a/1.jpg,x,5", "above 0, but got x,5"),
    ("image_sizes", "a/1.jpg,5,4.0", "above 0, but got 5,4.0"),
    ("image_sizes", "a/1.jpg,5,0", "above 0, but got 5,0"),
    ("localization", "0,0,1", "`id,x0,y0,x1,y1`"),
    ("localization", "a/1.jpg,0,y,1,1", "as numbers, but got '0 y 1 1'"),
    ("localization", "a/1.jpg,0,0,inf,1", "as numbers"),
    ("localization", "a/1.jpg,nan,0,1,1", "as numbers"),
    ("localization", "a/1.jpg,1_0,0,11,1", "as numbers"),
    ("localization", "a/1.jpg,3,0,2,1", "0 <= x0 <= x1.*got 3,0,2,1"),
    ("localization", "a/1.jpg,0,3,2,1", "0 <= y0 <= y1"),
    ("localization", "a/1.jpg,-1,0,1,1", "0 <= x0"),
    ("localization", "a/1.jpg,100,0,100,0", "100 x 50 pixels.*last pixel .*99,49"),
    ("localization", "a/1.jpg,0,0,400,40", "outside of its image of 100 x 50"),
]


@pytest.mark.parametrize(("name", "line", "match"), MALFORMED)
def test_malformed_lines_are_named(write, name, line, match):
    text = BOX_SPLIT[f"{name}.txt"]
    folder = write(BOX_SPLIT, **{name: f"{text}\n{line}"})
    number = text.count("\n") + 2
    rest = text.partition("\n")[2]
    if line.startswith("a/1.jpg,") and name != "localization":
        folder, number = write(BOX_SPLIT, **{name: f"{line}\n{rest}"}), 1
    with pytest.raises(DataError, match=f"{name}.txt, line {number}: .*{match}"):
        read_split(folder)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("a/2.jpg,m", "`id,mask_path,ignore_path`.*ends with a comma"),
        ("a/2.jpg,,i", "`mask_path` to be a path"),
        ("a/1.jpg,m2,i", "first line of image 'a/1.jpg'.*got 'i'"),
    ],
)
def test_malformed_mask_lines_are_named(write, line, match):
    text = MASK_SPLIT["localization.txt"]
    folder = write(MASK_SPLIT, localization=f"{text}\n{line}")
    with pytest.raises(DataError, match=f"localization.txt, line 5: .*{match}"):
        read_split(folder)


def test_masks_in_two_columns_are_told_of_the_third(write):
    folder = write(MASK_SPLIT, localization="a/1.jpg,m\na/2.jpg,m\nb/3.jpg,m")
    with pytest.raises(DataError, match=r"line 1: .*`id,mask_path,ignore_path`"):
        read_split(folder)


@pytest.mark.parametrize("split", [BOX_SPLIT, MASK_SPLIT])
@pytest.mark.parametrize("name", ["a,1.jpg", "1,2,3,4", "a,0", ",", "m.png,"])
def test_names_may_hold_commas(write, split, name):
    texts = {file: text.replace("a/1.jpg", name) for file, text in split.items()}
    expected = read_split(write(split))
    found = read_split(write(texts))
    assert found.image_ids == [name, "a/2.jpg", "b/3.jpg"]
    assert found.labels[name] == 0
    assert found.boxes.get(name) == expected.boxes.get("a/1.jpg")
    assert (found.masks or {}).get(name) == (expected.masks or {}).get("a/1.jpg")


@pytest.mark.parametrize("split", [BOX_SPLIT, MASK_SPLIT])
@pytest.mark.parametrize(
    "change",
    [
        lambda t: f"\ufeff{t}",
        lambda t: t.replace("\n", "\n\n"),
        lambda t: f"\n{t}\n \n",
    ],
)
def test_marks_and_blank_lines_do_not_matter(write, split, change):
    expected = read_split(write(split))
    assert read_split(write({k: change(v) for k, v in split.items()})) == expected


def test_line_ends_of_any_system(write):
    expected = read_split(write(BOX_SPLIT))
    folder = write({k: v.replace("\n", "\r\n") for k, v in BOX_SPLIT.items()})
    assert b"\r\n" in (folder / "image_ids.txt").read_bytes()
    assert read_split(folder) == expected


def test_a_box_that_counts_its_ends_from_outside_is_clipped_by_one(write):
    text = "a/1.jpg,0,0,100,50\na/2.jpg,1,2,40,60\nb/3.jpg,7,7,7,30"
    split = read_split(write(BOX_SPLIT, localization=text))
    assert split.boxes == {
        "a/1.jpg": [(0, 0, 99, 49)],
        "a/2.jpg": [(1, 2, 39, 59)],
        "b/3.jpg": [(7, 7, 7, 29)],
    }
    assert split.clipped == ["a/1.jpg", "a/2.jpg", "b/3.jpg"]


def test_all_faults_are_collected(write):
    folder = write(
        BOX_SPLIT,
        class_labels="a/1.jpg,x\na/2.jpg,0\nz,1",
        localization="a/1.jpg,0,0,9,9\na/2.jpg,5,5,1,1\nb/3.jpg,1,1,90,2",
    )
    report = Report("any", "here")
    split = read_split(folder, faults=report)
    assert [(p.kind, p.image_id) for p in report.problems] == [
        ("label out of range", "a/1.jpg"),
        ("unknown id", "z"),
        ("missing line", "b/3.jpg"),
        ("wrong box", "a/2.jpg"),
        ("wrong box", "b/3.jpg"),
    ]
    assert split.labels == {"a/2.jpg": 0}
    assert split.boxes == {"a/1.jpg": [(0, 0, 9, 9)]}


@pytest.mark.parametrize(
    ("split", "num_classes", "num_images", "num_boxes"),
    [
        ("CUB/train", 200, 5994, 5994),
        ("CUB/val", 200, 1000, 1000),
        ("CUB/test", 200, 5794, 5794),
        ("ILSVRC/val", 1000, 10000, 18532),
        ("OpenImages/val", 100, 2500, 3854),
    ],
)
def test_the_benchmark_s_own_files(
    shared_data, split, num_classes, num_images, num_boxes
):
    folder = shared_data / "wsol_benchmark" / split
    metadata = read_split(folder, num_classes)
    assert len(metadata.image_ids) == num_images
    assert set(metadata.labels.values()) == set(range(num_classes))
    described = metadata.masks or metadata.boxes
    assert sum(len(entries) for entries in described.values()) == num_boxes
    assert (metadata.masks is None) == (split[:4] != "Open")


SIZES = {"b/2.jpg": (100, 50), "a/1.jpg": (40, 60)}
BOXES = {
    "b/2.jpg": [(0, 0, 99, 49), (12.5, 0.125, 30.0, 7.75)],
    "a/1.jpg": [(1 / 3, 2.0, 33.3333333333, 59)],
}


def test_a_written_split_reads_back(tmp_path):
    folder = tmp_path / "new" / "val"
    write_split(folder, {"b/2.jpg": 7, "a/1.jpg": 0}, image_sizes=SIZES, boxes=BOXES)
    split = read_split(folder)
    assert split.image_ids == ["b/2.jpg", "a/1.jpg"]
    assert split.labels == {"b/2.jpg": 7, "a/1.jpg": 0}
    assert split.image_sizes == SIZES
    assert split.boxes == BOXES
    # Whole numbers are written as such.
    text = (folder / "localization.txt").read_text()
    assert text.startswith("b/2.jpg,0,0,99,49\nb/2.jpg,12.5,0.125,30,7.75\n")


def test_boxes_of_single_precision_are_written_exactly(tmp_path):
    # Scaled and truncated, a box that is off in its last digit may move by a pixel.
    rng = np.random.default_rng(0)
    rows = np.sort(rng.random((40, 2, 2), dtype=np.float32) * 4000, axis=1)
    boxes = [tuple(float(v) for v in row.ravel()) for row in rows]
    write_split(
        tmp_path,
        {"1.jpg": 0},
        image_sizes={"1.jpg": (4001, 4001)},
        boxes={"1.jpg": boxes},
    )
    assert read_split(tmp_path).boxes["1.jpg"] == boxes


def test_names_with_commas_read_back(tmp_path):
    name = "a,1,2,3,4.jpg"
    write_split(
        tmp_path, {name: 3}, image_sizes={name: (9, 8)}, boxes={name: [(0, 1, 2, 3)]}
    )
    split = read_split(tmp_path)
    assert (split.labels, split.boxes) == ({name: 3}, {name: [(0, 1, 2, 3)]})


def test_a_split_is_replaced(tmp_path):
    write_split(tmp_path, {"b/2.jpg": 7, "a/1.jpg": 0}, image_sizes=SIZES, boxes=BOXES)
    write_split(tmp_path, {"a/1.jpg": 1}, image_sizes=SIZES, boxes=BOXES)
    assert read_split(tmp_path).labels == {"a/1.jpg": 1}


@pytest.mark.parametrize("name", ["a\n1.jpg", "1.jpg\n", "1.jpg\r", ""])
def test_names_that_would_break_a_line(tmp_path, name):
    with pytest.raises(DataError, match="without line breaks"):
        write_split(
            tmp_path / "new",
            {name: 0},
            image_sizes={name: (9, 9)},
            boxes={name: [(0, 0, 1, 1)]},
        )
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file cannot be written"):
        write_split(tmp_path / "file", {"a/1.jpg": 1}, image_sizes=SIZES, boxes=BOXES)


def test_no_torch_is_loaded():
    code = (
        "import sys, mmdgdm.evaluation.stored.metadata;"
        "import mmdgdm.evaluation.functional.records;"
        "assert not {'torch', 'mmengine', 'mmcv'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
