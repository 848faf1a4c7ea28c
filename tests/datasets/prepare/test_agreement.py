"""What the check calls complete, the data sets load and read, and the other way round.

Each case changes a sound set, and says whether it is then to be taken or refused.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from mmdgdm.datasets import CUB, ILSVRC, BaseWSOLDataset, WSOLDataset
from mmdgdm.datasets.functional.images import Images
from mmdgdm.datasets.prepare.check import check_data
from mmdgdm.errors import DataError

RAW = "CUB_200_2011"
CUB_VAL = "metadata/CUB/val"
XML = "Annotations/CLS-LOC/val"
FIRST = f"{XML}/ILSVRC2012_val_00000001.xml"
TRAIN = "train/n00000001/n00000001_0.JPEG"
VAL = "val/ILSVRC2012_val_00000001.JPEG"
MASK_VAL = "metadata/OpenImages/val"
SOLUTION = (
    "ImageId,PredictionString\n"
    "ILSVRC2012_val_00000001,n00000001 1 2 20 25 n00000001 3 3 40 30 \n"
    "ILSVRC2012_val_00000002,n00000002 1 2 20 25 \n"
)
MAPPING = "n00000001 cat\nn00000002 dog\n"


LOAD = [{"type": "mmdgdm.LoadWSOLImage"}, {"type": "mmdgdm.PackWSOLInputs"}]
LOAD_MASK = [LOAD[0], {"type": "mmdgdm.LoadWSOLMask"}, LOAD[1]]


def build_splits(kind: str, root: Path) -> Iterator[BaseWSOLDataset]:
    """The data sets of all splits."""
    # Sharing a buffer among workers collects garbage, which takes most of the time.
    common = {"pipeline": LOAD, "serialize_data": False}
    if kind == "cub":
        for split in ("train", "test"):
            yield CUB(root, split, with_boxes=True, **common)
        yield WSOLDataset(
            root,
            CUB_VAL,
            data_prefix="CUBV2",
            num_classes=3,
            test_mode=True,
            **common,
        )
    elif kind == "ilsvrc":
        for split in ("train", "val"):
            yield ILSVRC(root, split, test_mode=split == "val", **common)
    else:
        for split in ("train", "val", "test"):
            is_test = split != "train"
            yield WSOLDataset(
                root,
                f"metadata/OpenImages/{split}",
                data_prefix="OpenImages",
                mask_root="OpenImages_masks",
                num_classes=2,
                test_mode=is_test,
                **{**common, "pipeline": LOAD_MASK if is_test else LOAD},
            )


def loads(kind: str, root: Path) -> bool:
    """Whether all splits build and all of their samples are read."""
    try:
        for dataset in build_splits(kind, root):
            for index in range(len(dataset)):
                dataset[index]
    except DataError:
        return False
    return True


def put(name: str, text: str):
    """Write a file."""
    return lambda root: write(root / name, text.encode())


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def sub(name: str, old: str, new: str):
    """Replace text in a file, which must be there."""

    def change(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new, 1))

    return change


def recode(name: str, head: bytes = b"", end: bytes = b"\n"):
    """Write a text file with a mark at its head or with other line ends."""

    def change(root: Path) -> None:
        data = (root / name).read_bytes()
        write(root / name, head + data.replace(b"\n", end))

    return change


def remove(name: str):
    def change(root: Path) -> None:
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def both(*changes):
    def change(root: Path) -> None:
        for one in changes:
            one(root)

    return change


def rename(old: str, new: str):
    return lambda root: (root / old).rename(root / new)


def reformat(old: str, new: str):
    """Store an image in another format."""

    def change(root: Path) -> None:
        Image.open(root / old).save(root / new)
        (root / old).unlink()

    return change


def nest(root: Path) -> Path:
    outer = root.parent / "outer"
    outer.mkdir()
    root.rename(outer / "ILSVRC")
    return outer


def to_kaggle(root: Path) -> Path:
    """Kaggle's layout with the csv file, beside ``ILSVRC``."""
    kaggle = root.parent / "kaggle" / "ILSVRC"
    (kaggle / "Data").mkdir(parents=True)
    shutil.rmtree(root / "Annotations")
    root.rename(kaggle / "Data" / "CLS-LOC")
    (kaggle.parent / "LOC_val_solution.csv").write_text(SOLUTION)
    (kaggle.parent / "LOC_synset_mapping.txt").write_text(MAPPING)
    return kaggle.parent


def csv_alone(text: str):
    return both(remove("Annotations"), put("LOC_val_solution.csv", text))


def box(text: str):
    """Another box of the second image, id 2, of 40 x 30 pixels."""
    return sub(f"{RAW}/bounding_boxes.txt", "2 5.0 4.0 20.0 10.0", f"2 {text}")


def xml_box(*corners: str):
    names = ("xmin", "ymin", "xmax", "ymax")
    old = (1, 2, 20, 25)
    return both(
        *(
            sub(FIRST, f"<{n}>{a}</{n}>", f"<{n}>{b}</{n}>")
            for n, a, b in zip(names, old, corners)
        )
    )


def val_box(text: str):
    old = "001.Jay/0.jpg,1,2,30,20"
    return sub(f"{CUB_VAL}/localization.txt", old, f"001.Jay/0.jpg,{text}")


def size(width: object, height: object):
    text = f"<size><width>{width}</width><height>{height}</height></size>"
    return sub(FIRST, "</annotation>", f"{text}</annotation>")


CUB_TEXTS = [
    f"{RAW}/{name}.txt"
    for name in (
        "images",
        "image_class_labels",
        "train_test_split",
        "bounding_boxes",
        "classes",
    )
]
VAL_TEXTS = [
    f"{CUB_VAL}/{name}.txt"
    for name in ("image_ids", "class_labels", "image_sizes", "localization")
]
BOM = b"\xef\xbb\xbf"

CUB_GOOD = {
    "as it is": both(),
    "classes in another order": put(CUB_TEXTS[4], "2 002.Owl\n3 003.Wren\n1 001.Jay\n"),
    "files of macOS": both(
        put(f"{RAW}/images/001.Jay/._Jay_1.jpg", "x"), put(f"{RAW}/._images.txt", "x")
    ),
    "images of other endings": both(
        reformat(f"{RAW}/images/001.Jay/Jay_1.jpg", f"{RAW}/images/001.Jay/Jay_1.bmp"),
        sub(CUB_TEXTS[0], "Jay_1.jpg", "Jay_1.bmp"),
    ),
    "a comma in a name": both(
        rename(f"{RAW}/images/001.Jay/Jay_1.jpg", f"{RAW}/images/001.Jay/Jay,1 a.jpg"),
        sub(CUB_TEXTS[0], "Jay_1.jpg", "Jay,1 a.jpg"),
    ),
    "a comma in a name of val": both(
        rename("CUBV2/001.Jay/0.jpg", "CUBV2/001.Jay/0,1,2,3.jpg"),
        *(sub(name, "001.Jay/0.jpg", "001.Jay/0,1,2,3.jpg") for name in VAL_TEXTS),
    ),
    "a box of a pixel": box("39 29 1 1"),
    "a box up to the border": box("10 5 30 25"),
    "a box a little past the border": box("10 5 40 25"),
    "a box of a pixel in val": val_box("39,29,39,29"),
    "coordinates with a point in val": val_box("1.0,2.0,30.0,20.5"),
    "ends that count from outside in val": val_box("0,0,40,30"),
    **{f"mark in {n}": recode(n, BOM) for n in (*CUB_TEXTS, *VAL_TEXTS)},
    **{f"CRLF in {n}": recode(n, end=b"\r\n") for n in (*CUB_TEXTS, *VAL_TEXTS)},
    **{f"blank lines in {n}": recode(n, b"\n", b"\n \n") for n in CUB_TEXTS},
    **{f"blank lines in {n}": recode(n, b"\n", b"\n\n") for n in VAL_TEXTS},
}
CUB_BAD = {
    "a class id left out": put(CUB_TEXTS[4], "1 001.Jay\n2 002.Owl\n4 003.Wren\n"),
    "class ids from 0": put(CUB_TEXTS[4], "0 001.Jay\n1 002.Owl\n2 003.Wren\n"),
    "empty test split": lambda root: (root / CUB_TEXTS[2]).write_text(
        "".join(f"{k} 1\n" for k in range(1, 13))
    ),
    "one image under two ids": sub(CUB_TEXTS[0], "Jay_1.jpg", "Jay_0.jpg"),
    "one image in two spellings": sub(CUB_TEXTS[0], "001.Jay/Jay_1", "001.Jay/./Jay_0"),
    "one val image in two spellings": both(
        *(sub(name, "002.Owl/1", "001.Jay//0") for name in VAL_TEXTS)
    ),
    "a box mostly outside": box("39 4 5 5"),
    "a box outside": box("90 4 5 5"),
    "a box left of the image": box("-3 4 5 5"),
    "a box without width": box("3 4 0 5"),
    "a box of text": box("3 4 x 5"),
    "a box of three numbers": box("3 4 5"),
    "a box without end": box("3 4 inf 5"),
    "a box mostly outside in val": val_box("30,2,90,20"),
    "a box outside in val": val_box("40,2,41,20"),
    "a reversed box in val": val_box("9,2,8,20"),
    "an underscore in a number in val": val_box("1_0,2,30,20"),
    "no such class": sub(CUB_TEXTS[1], "2 1\n", "2 4\n"),
    "no such split": sub(CUB_TEXTS[2], "2 1\n", "2 2\n"),
    "an id twice": sub(CUB_TEXTS[1], "2 1\n", "2 1\n2 1\n"),
    "an id too few": sub(CUB_TEXTS[2], "2 1\n", ""),
    "an id too many": sub(CUB_TEXTS[3], "1 5.0", "99 1 1 5 5\n1 5.0"),
    "a label that is none in val": sub(VAL_TEXTS[1], ",2", ",3"),
    "a size that is not the image's in val": sub(VAL_TEXTS[2], ",40,30", ",41,30"),
    "an id too few in val": sub(VAL_TEXTS[1], "001.Jay/0.jpg,0\n", ""),
    "an id twice in val": sub(VAL_TEXTS[1], "001.", "001.Jay/0.jpg,0\n001."),
    "missing image": remove(f"{RAW}/images/001.Jay/Jay_1.jpg"),
    "empty image": put(f"{RAW}/images/001.Jay/Jay_1.jpg", ""),
    "missing image of val": remove("CUBV2/001.Jay/0.jpg"),
    **{f"without {n}": remove(n) for n in (*CUB_TEXTS, *VAL_TEXTS)},
    **{f"empty {n}": put(n, "") for n in (*CUB_TEXTS, *VAL_TEXTS)},
    **{f"no text {n}": recode(n, b"\xff\xfe") for n in (*CUB_TEXTS, *VAL_TEXTS)},
}
ILSVRC_GOOD = {
    "as it is": both(),
    "nested once more": nest,
    "Kaggle's layout": to_kaggle,
    "Kaggle's csv in the parent": lambda root: to_kaggle(root) / "ILSVRC",
    "coordinates with a point": xml_box("1.0", "2.0", "20.0", "25.0"),
    "fractions": xml_box("1.5", "2", "20.25", "25"),
    "a box of a pixel": xml_box("39", "29", "39", "29"),
    "a box of a column": xml_box("5", "2", "5", "25"),
    "a box up to the border": xml_box("0", "0", "40", "30"),
    "a box a little past the border": xml_box("10", "2", "50", "25"),
    "the image's size": size(40, 30),
    "a size of 0": size(0, 0),
    "blank lines in the mapping": put("LOC_synset_mapping.txt", f"\n{MAPPING}\n \n"),
    "a mark in the mapping": put("LOC_synset_mapping.txt", f"\ufeff{MAPPING}"),
    "a mark in an XML file": recode(FIRST, BOM),
    "a csv": csv_alone(SOLUTION),
    "a mark in the csv": csv_alone(f"\ufeff{SOLUTION}"),
    "blank lines in the csv": csv_alone(SOLUTION.replace("\n", "\n\n")),
    "CRLF in the csv": csv_alone(SOLUTION.replace("\n", "\r\n")),
    "a csv without header": csv_alone(SOLUTION.partition("\n")[2]),
    "coordinates with a point in the csv": csv_alone(SOLUTION.replace("25", "25.0")),
    "files of macOS": both(
        put("train/n00000001/._n00000001_0.JPEG", "x"),
        put("train/._n00000001", "x"),
        put("train/__MACOSX/n00000001/a.JPEG", "x"),
        put("val/._ILSVRC2012_val_00000001.JPEG", "x"),
        put(f"{XML}/._ILSVRC2012_val_00000001.xml", "x"),
        put("val/.DS_Store", "x"),
    ),
    "images of other endings": both(
        reformat(TRAIN, "train/n00000001/0.bmp"),
        reformat(VAL, "val/ILSVRC2012_val_00000001.bmp"),
    ),
    "a comma in a name": both(
        rename(VAL, "val/a,1.JPEG"), rename(FIRST, f"{XML}/a,1.xml")
    ),
}
ILSVRC_BAD = {
    "another size": size(41, 30),
    "a size of text": size("a", 30),
    "a class subset with the whole mapping": put(
        "LOC_synset_mapping.txt", MAPPING + "n00000003 owl\n"
    ),
    "a class that the mapping lacks": put("LOC_synset_mapping.txt", "n00000001 cat\n"),
    "a mapping with a class twice": put(
        "LOC_synset_mapping.txt", MAPPING + "n00000002 hound\n"
    ),
    "a mapping without names": put("LOC_synset_mapping.txt", "n00000001\nn00000002\n"),
    "a folder that is no class": put("train/cat/1.JPEG", "x"),
    "a class without images": lambda root: [
        path.unlink() for path in (root / "train/n00000002").iterdir()
    ],
    "two files of an image": lambda root: shutil.copy(
        root / VAL, (root / VAL).with_suffix(".png")
    ),
    "an image without annotation": remove(FIRST),
    "an annotation without image": remove(VAL),
    "images of val in folders": both(
        put("val_/x", ""), rename("val", "val_/n00000001"), rename("val_", "val")
    ),
    "a box mostly outside": xml_box("30", "2", "90", "25"),
    "a box outside": xml_box("40", "2", "41", "25"),
    "a reversed box": xml_box("20", "2", "19", "25"),
    "a box of text": xml_box("a", "2", "20", "25"),
    "an unknown class": sub(FIRST, "n00000001", "n00000009"),
    "two classes": sub(FIRST, "n00000001", "n00000002"),
    "no object": put(FIRST, "<annotation></annotation>"),
    "no XML": put(FIRST, "<annot"),
    "an empty XML": put(FIRST, ""),
    "an image twice in the csv": csv_alone(SOLUTION + SOLUTION.split("\n")[1]),
    "a csv line too short": csv_alone(SOLUTION.replace(" 20 25 \n", " 20 \n")),
    "an empty csv": csv_alone(""),
    "an unknown class in the csv": csv_alone(SOLUTION.replace("n00000002", "n9")),
    "an empty image": put(VAL, ""),
    "an empty image of train": put(TRAIN, ""),
    "no train": remove("train"),
    "no val": remove("val"),
    "no boxes": remove("Annotations"),
}
MASK_TEXT = f"{MASK_VAL}/localization.txt"
MASK_NAME = "val/0c0/0.jpg"
MASKS_GOOD = {
    "as it is": both(),
    "no ignore mask": sub(MASK_TEXT, "val/0c0/0_ignore.png", ""),
    "a comma in a name": both(
        rename(f"OpenImages/{MASK_NAME}", "OpenImages/val/0c0/0,1.jpg"),
        sub(f"{MASK_VAL}/image_ids.txt", MASK_NAME, "val/0c0/0,1.jpg"),
        sub(f"{MASK_VAL}/class_labels.txt", MASK_NAME, "val/0c0/0,1.jpg"),
        sub(MASK_TEXT, MASK_NAME, "val/0c0/0,1.jpg"),
    ),
    "a mark": recode(MASK_TEXT, BOM),
    "blank lines": recode(MASK_TEXT, b"\n", b"\n\n"),
    "a mark alone for sizes": put(f"{MASK_VAL}/image_sizes.txt", "\ufeff\n"),
}
MASKS_BAD = {
    "two columns": sub(MASK_TEXT, ",val/0c0/0_ignore.png", ""),
    "two columns in a later line": sub(MASK_TEXT, ",val/0c1/1_ignore.png", ""),
    "no mask": sub(MASK_TEXT, "val/0c0/0_m.png", ""),
    "a second ignore mask": sub(
        MASK_TEXT, "val/0c1", "val/0c0/0.jpg,val/0c0/0_m.png,val/0c0/0_m.png\nval/0c1"
    ),
    "an image without mask": put(MASK_TEXT, "val/0c0/0.jpg,val/0c0/0_m.png,\n"),
    "missing mask": remove("OpenImages_masks/val/0c0/0_m.png"),
    "empty mask": put("OpenImages_masks/val/0c0/0_m.png", ""),
    "a label too high": sub(f"{MASK_VAL}/class_labels.txt", "1.jpg,1", "1.jpg,2"),
    "boxes among masks": sub(MASK_TEXT, ",val/0c1/1_m.png", ",1,2,3"),
}
CASES = [
    (kind, name, change, good)
    for kind, good, cases in (
        ("cub", True, CUB_GOOD),
        ("cub", False, CUB_BAD),
        ("ilsvrc", True, ILSVRC_GOOD),
        ("ilsvrc", False, ILSVRC_BAD),
        ("openimages", True, MASKS_GOOD),
        ("openimages", False, MASKS_BAD),
    )
    for name, change in cases.items()
]


@pytest.mark.parametrize(
    ("kind", "change", "good"),
    [(kind, change, good) for kind, _, change, good in CASES],
    ids=[f"{kind}: {name}" for kind, name, _, _ in CASES],
)
def test_check_and_data_sets_agree(request, kind, change, good):
    fixtures = {"cub": "cub", "ilsvrc": "ilsvrc", "openimages": "masked"}
    root = request.getfixturevalue(fixtures[kind])
    moved = change(root)
    root = moved if isinstance(moved, Path) and moved.is_dir() else root
    report = check_data(kind, root, images=Images(quick=False)).report
    assert report.complete is good, report.problems
    assert loads(kind, root) is good
