from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from PIL import Image

from mmdgdm.datasets import ILSVRC, WSOLDataset
from mmdgdm.errors import ConfigError, DataError

CAT, DOG = "n00000001", "n00000002"
TRAIN = (f"{CAT}/{CAT}_1.JPEG", f"{CAT}/{CAT}_2.JPEG", f"{DOG}/{DOG}_1.JPEG")
#: Label and boxes of each image of val, all of 20 x 10 pixels.
VAL = {
    "ILSVRC2012_val_00000001": (DOG, [(3, 2, 13, 6), (0, 0, 19, 9)]),
    "ILSVRC2012_val_00000002": (CAT, [(5, 4, 20, 10)]),
}
FIRST, SECOND = VAL
MAPPING = f"{CAT} cat, true cat\n{DOG} dog\n"
XML = "Annotations/CLS-LOC/val"


def solution() -> str:
    rows = [
        f"{stem},"
        + "".join(f"{wnid} {' '.join(map(str, box))} " for box in boxes)
        + "\n"
        for stem, (wnid, boxes) in reversed(VAL.items())
    ]
    return "".join(["ImageId,PredictionString\n", *rows])


def annotation(stem: str) -> str:
    wnid, boxes = VAL[stem]
    objects = "".join(
        f"<object><name>{wnid}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for x0, y0, x1, y1 in boxes
    )
    size = "<size><width>20</width><height>10</height></size>"
    return f"<annotation>{size}{objects}</annotation>"


def write_images(folder: Path) -> None:
    paths = [f"train/{name}" for name in TRAIN] + [f"val/{stem}.JPEG" for stem in VAL]
    for name in paths:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 10)).save(folder / name)


def write_xml(folder: Path) -> None:
    folder.mkdir(parents=True)
    for stem in VAL:
        (folder / f"{stem}.xml").write_text(annotation(stem))


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """The plain layout with XML files and without a synset mapping."""
    root = tmp_path / "plain"
    write_images(root)
    write_xml(root / XML)
    return root


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    """Kaggle's layout with both of its annotations."""
    root = tmp_path / "kaggle"
    write_images(root / "ILSVRC/Data/CLS-LOC")
    write_xml(root / "ILSVRC" / XML)
    (root / "LOC_synset_mapping.txt").write_text(MAPPING)
    (root / "LOC_val_solution.csv").write_text(solution())
    return root


def infos(dataset: ILSVRC) -> list[dict]:
    return [dataset.get_data_info(i) for i in range(len(dataset))]


def labels(dataset: ILSVRC) -> dict[str, int]:
    return {info["image_id"]: info["gt_label"] for info in infos(dataset)}


TRAIN_LABELS = {f"train/{name}": int(name.startswith(DOG)) for name in TRAIN}


def check_val(dataset: ILSVRC, folder: Path) -> None:
    first, second = infos(dataset)
    assert first["image_id"] == f"val/{FIRST}.JPEG"
    assert first["img_path"] == str(folder / f"val/{FIRST}.JPEG")
    assert (first["gt_label"], second["gt_label"]) == (1, 0)
    assert first["image_size"] == (20, 10)
    assert first["ori_gt_bboxes"].dtype == np.float32
    assert first["ori_gt_bboxes"].tolist() == [[3, 2, 13, 6], [0, 0, 19, 9]]
    # x1 = 20 and y1 = 10 lie one past the last column and row.
    assert second["ori_gt_bboxes"].tolist() == [[5, 4, 19, 9]]


def test_train_by_folders(plain):
    dataset = ILSVRC(plain)

    assert labels(dataset) == TRAIN_LABELS
    assert dataset.num_classes == 2
    assert dataset.metainfo["wnids"] == dataset.metainfo["classes"] == (CAT, DOG)
    info = dataset.get_data_info(2)
    assert info["img_path"] == str(plain / "train" / TRAIN[2])
    assert "ori_gt_bboxes" not in info


def test_train_by_folders_in_kaggles_layout(kaggle):
    dataset = ILSVRC(kaggle)

    assert labels(dataset) == TRAIN_LABELS
    assert dataset.metainfo["wnids"] == (CAT, DOG)
    assert dataset.metainfo["classes"] == ("cat, true cat", "dog")
    path = kaggle / "ILSVRC/Data/CLS-LOC/train" / TRAIN[0]
    assert dataset.get_data_info(0)["img_path"] == str(path)


@pytest.mark.parametrize(
    "lines",
    [
        [f"{name.removesuffix('.JPEG')} {i}" for i, name in enumerate(TRAIN, 1)],
        [f"{name} {int(name.startswith(DOG))}" for name in TRAIN],
    ],
)
def test_train_by_list(plain, lines):
    (plain / "list.txt").write_text("\n".join(reversed(lines)))
    dataset = ILSVRC(plain, ann_file="list.txt")

    assert list(labels(dataset).items()) == list(reversed(TRAIN_LABELS.items()))
    assert f"Annotation: \t{plain / 'list.txt'}" in repr(dataset)


def test_val_by_xml(plain):
    check_val(ILSVRC(plain, split="val", test_mode=True), plain)


@pytest.mark.parametrize("ann_file", ["", "LOC_val_solution.csv"])
@pytest.mark.parametrize("root", ["", "ILSVRC"])
def test_val_in_kaggles_layout(kaggle, ann_file, root):
    if ann_file:
        ann_file = str(kaggle / ann_file)
    dataset = ILSVRC(kaggle / root, split="val", ann_file=ann_file, test_mode=True)

    check_val(dataset, kaggle / "ILSVRC/Data/CLS-LOC")
    assert (ann_file or XML) in repr(dataset)


def test_val_takes_the_solution_where_there_is_no_xml(plain):
    for path in (plain / XML).iterdir():
        path.unlink()
    (plain / XML).rmdir()
    (plain / "LOC_val_solution.csv").write_text(solution())

    check_val(ILSVRC(plain, split="val", test_mode=True), plain)


def test_val_without_boxes(plain):
    expected = {f"val/{FIRST}.JPEG": 1, f"val/{SECOND}.JPEG": 0}
    (plain / "val.txt").write_text(f"{FIRST}.JPEG 1\n{SECOND}.JPEG 0\n")
    (plain / "LOC_val_solution.csv").write_text(solution())
    for ann_file in ("", "val.txt", "LOC_val_solution.csv"):
        dataset = ILSVRC(
            plain, split="val", ann_file=ann_file, with_boxes=False, test_mode=True
        )
        assert labels(dataset) == expected
        assert "ori_gt_bboxes" not in dataset.get_data_info(0)


def test_sample_after_the_pipeline(plain):
    config = {
        "type": "mmdgdm.ILSVRC",
        "data_root": str(plain),
        "split": "val",
        "test_mode": True,
        "pipeline": [
            {"type": "mmdgdm.LoadWSOLImage"},
            {"type": "mmpretrain.Resize", "scale": (8, 8)},
            {"type": "mmdgdm.PackWSOLInputs"},
        ],
    }
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        dataset = DATASETS.build(config)

    sample = dataset[1]["data_samples"]
    assert dataset[1]["inputs"].shape == (3, 8, 8)
    assert sample.gt_bboxes.tolist() == [[5, 4, 19, 9]]
    assert sample.gt_label.tolist() == [0]


@pytest.mark.parametrize(
    ("ann_file", "split"), [("", "train"), ("list.txt", "train"), ("val.txt", "val")]
)
def test_boxes_of_an_annotation_without_boxes(plain, ann_file, split):
    for name in ("list.txt", "val.txt"):
        (plain / name).write_text(f"{TRAIN[0]} 0\n")
    message = rf"`with_boxes` to be False for split '{split}' .*no boxes, but got True"
    with pytest.raises(ConfigError, match=message):
        ILSVRC(plain, split=split, ann_file=ann_file, test_mode=True)


def test_unknown_split(plain):
    with pytest.raises(ConfigError, match=r"`split` to be one of .*'test'"):
        ILSVRC(plain, split="test")


def test_wrong_folder(tmp_path):
    with pytest.raises(DataError, match=r"images of split 'val' .*nowhere/val, "):
        ILSVRC(tmp_path / "nowhere", split="val")


def test_classes_that_nothing_tells(plain):
    (plain / "train").rename(plain / "elsewhere")
    with pytest.raises(DataError, match=r"LOC_synset_mapping\.txt nor folders"):
        ILSVRC(plain, split="val")


def test_val_without_annotation(plain):
    (plain / XML).rename(plain / "elsewhere")
    with pytest.raises(DataError, match=r"no annotation of val, neither "):
        ILSVRC(plain, split="val")
    check_val(ILSVRC(plain, split="val", ann_file="elsewhere", test_mode=True), plain)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (
            MAPPING + "n00000003 owl\n",
            "lacks folders of 1 of the 3 .*n00000003",
        ),
        (f"{CAT} cat\n", f"holds a folder {DOG}, which is none of the 1 classes"),
    ],
)
def test_folders_and_mapping_that_disagree(plain, mapping, message):
    (plain / "LOC_synset_mapping.txt").write_text(mapping)
    with pytest.raises(DataError, match=message):
        ILSVRC(plain)


def test_empty_class_folder(plain):
    (plain / "train" / TRAIN[2]).unlink()
    with pytest.raises(DataError, match=f"train/{DOG}: holds no image"):
        ILSVRC(plain)


@pytest.mark.parametrize("content", [None, b"", b"\xff\n"])
def test_list_that_cannot_be_read(plain, content):
    if content is not None:
        (plain / "list.txt").write_bytes(content)
    with pytest.raises(DataError, match=r"list\.txt: (there is|names|is) no"):
        ILSVRC(plain, ann_file="list.txt")


def test_list_naming_an_unknown_class(plain):
    (plain / "list.txt").write_text(f"{CAT}/a 1\nn00000009/b 2\n")
    with pytest.raises(DataError, match=r"list\.txt, line 2: .*'n00000009/b'"):
        ILSVRC(plain, ann_file="list.txt")


def test_val_image_without_annotation(plain):
    (plain / XML / f"{SECOND}.xml").unlink()
    with pytest.raises(DataError, match=f"has no entry for image '{SECOND}.JPEG'"):
        ILSVRC(plain, split="val")


@pytest.mark.parametrize("ann_file", ["", "LOC_val_solution.csv"])
def test_val_annotation_without_image(plain, ann_file):
    (plain / "LOC_val_solution.csv").write_text(solution())
    (plain / "val" / f"{SECOND}.JPEG").unlink()
    with pytest.raises(DataError, match=f"describes '{SECOND}', of which .* no image"):
        ILSVRC(plain, split="val", ann_file=ann_file)


def test_two_files_of_one_image(plain):
    Image.new("L", (20, 10)).save(plain / "val" / f"{FIRST}.png")
    with pytest.raises(DataError, match=f"two files of one image.*{FIRST}.png"):
        ILSVRC(plain, split="val")


def test_malformed_xml_names_the_file(plain):
    path = plain / XML / f"{SECOND}.xml"
    path.write_text(annotation(SECOND).replace("<xmin>5", "<xmin>20"))
    with pytest.raises(DataError, match=rf"{SECOND}\.xml: .*20,4,20,10 lies outside"):
        ILSVRC(plain, split="val", test_mode=True)


def test_malformed_solution_names_file_and_line(plain):
    text = solution().replace("3 2 13 6", "30 2 13 6")
    (plain / "solution.csv").write_text(text)
    with pytest.raises(DataError, match=r"solution\.csv, line 3: .*got 30,2,13,6"):
        ILSVRC(plain, split="val", ann_file="solution.csv", test_mode=True)


def test_unreadable_image_header(plain):
    (plain / "solution.csv").write_text(solution())
    (plain / "val" / f"{FIRST}.JPEG").write_bytes(b"no image")
    with pytest.raises(DataError, match=rf"{FIRST}\.JPEG: it cannot be decoded"):
        ILSVRC(plain, split="val", ann_file="solution.csv", test_mode=True)


def test_size_that_is_not_the_images(plain):
    Image.new("RGB", (21, 10)).save(plain / "val" / f"{FIRST}.JPEG")
    pipeline = [{"type": "mmdgdm.LoadWSOLImage"}, {"type": "mmdgdm.PackWSOLInputs"}]
    dataset = ILSVRC(plain, split="val", test_mode=True, pipeline=pipeline)
    with pytest.raises(DataError, match="20"):
        dataset[0]


def real_wnids(shared_data: Path) -> list[str]:
    """The wnids of ILSVRC in the order of the labels."""
    text = (shared_data / "imagenet_sample" / "labels.txt").read_text()
    rows = [line.rsplit(" ", 1) for line in text.splitlines()]
    return [Path(path).name[:9] for path, _ in sorted(rows, key=lambda r: int(r[1]))]


def test_labels_and_boxes_are_those_of_the_benchmark(shared_data, tmp_path):
    # Two lines of Kaggle's LOC_val_solution.csv against the benchmark's own file.
    metadata = shared_data / "wsol_benchmark" / "ILSVRC" / "test"
    benchmark = WSOLDataset(tmp_path, str(metadata), num_classes=1000, test_mode=True)
    rows = {
        "ILSVRC2012_val_00037956": "n03481172 131 0 499 254",
        "ILSVRC2012_val_00048981": "n03995372 85 1 499 272",
    }
    expected = [benchmark.get_data_info(int(stem[-8:]) - 1) for stem in rows]
    (tmp_path / "val").mkdir()
    for info in expected:
        path = tmp_path / info["image_id"]
        Image.new("L", info["image_size"]).save(path, format="JPEG")
    wnids = real_wnids(shared_data)
    texts = {
        "LOC_val_solution.csv": "ImageId,PredictionString\n"
        + "".join(f"{stem},{row} \n" for stem, row in rows.items()),
        # The order of the lines does not matter.
        "LOC_synset_mapping.txt": "".join(f"{wnid} x\n" for wnid in reversed(wnids)),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)

    dataset = ILSVRC(tmp_path, split="val", test_mode=True)
    assert dataset.metainfo["wnids"] == tuple(wnids)
    assert len(dataset) == 2
    for info, other in zip(infos(dataset), expected):
        assert info["image_id"] == other["image_id"]
        assert info["gt_label"] == other["gt_label"]
        assert info["image_size"] == other["image_size"]
        assert np.array_equal(info["ori_gt_bboxes"], other["ori_gt_bboxes"])


@pytest.mark.parametrize("name", ["ilsvrc", "openimages"])
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_config_names_the_places(name, split, repo_root, tmp_path):
    """A sample of each split of the base config, from a tree as it describes."""
    config = Config.fromfile(repo_root / f"configs/_base_/datasets/{name}.py")
    loader = config[f"{split}_dataloader"].dataset
    folder = tmp_path / loader.data_root
    if loader.type == "mmdgdm.ILSVRC":
        write_images(folder)
        write_xml(folder / XML)
    else:
        write_metadata_split(folder, loader, masks=name == "openimages")
    loader.data_root = str(folder)
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        sample = DATASETS.build(loader)[0]

    assert sample["inputs"].shape == (3, 224, 224)
    kept = {"gt_bboxes", "gt_mask"} & set(sample["data_samples"].keys())
    truth = {"ilsvrc": {"gt_bboxes"}, "openimages": {"gt_mask"}}[name]
    assert kept == (set() if split == "train" else truth)


def write_metadata_split(folder: Path, loader: dict, masks: bool) -> None:
    split = Path(loader["ann_file"]).name
    image, mask = f"{split}/0/a.jpg", f"{split}/0/a_m.png"
    images = folder / loader["data_prefix"]
    (images / image).parent.mkdir(parents=True)
    Image.new("RGB", (20, 10)).save(images / image)
    if masks and split != "train":
        mask_file = folder / loader["mask_root"] / mask
        mask_file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (20, 10), 255).save(mask_file)
    metadata = folder / loader["ann_file"]
    metadata.mkdir(parents=True)
    (metadata / "image_ids.txt").write_text(image)
    (metadata / "class_labels.txt").write_text(f"{image},{loader['num_classes'] - 1}")
    if split != "train":
        (metadata / "image_sizes.txt").write_text("" if masks else f"{image},20,10")
        truth = f"{mask}," if masks else "1,1,5,5"
        (metadata / "localization.txt").write_text(f"{image},{truth}")
