from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.registry import DATASETS, DefaultScope
from PIL import Image

from mmdgdm.datasets import CUB, BaseWSOLDataset, WSOLDataset
from mmdgdm.errors import ConfigError, DataError

TEXTS = {
    "images.txt": "1 001.Jay/jay_1.png\n2 001.Jay/jay_2.png\n3 002.Owl/owl_1.png\n"
    "4 002.Owl/owl_2.png\n",
    "image_class_labels.txt": "1 1\n2 1\n3 2\n4 2\n",
    "train_test_split.txt": "1 1\n2 0\n3 0\n4 1\n",
    "bounding_boxes.txt": "1 0.0 0.0 5.0 5.0\n2 3.0 2.0 10.0 4.0\n"
    "3 0.0 0.0 20.0 10.0\n4 1.0 1.0 2.0 2.0\n",
    "classes.txt": "1 001.Jay\n2 002.Owl\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four 20 x 10 images of two classes, two in each split."""
    root = tmp_path / "CUB_200_2011"
    root.mkdir()
    for name, text in TEXTS.items():
        (root / name).write_text(text)
    for line in TEXTS["images.txt"].splitlines():
        path = root / "images" / line.split()[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((10, 20, 3), np.uint8))
    return root


def replace_line(root: Path, name: str, number: int, line: str) -> None:
    lines = TEXTS[name].splitlines()
    lines[number - 1] = line
    (root / name).write_text("\n".join(lines))


def infos_of(dataset: BaseWSOLDataset) -> list[dict]:
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def test_split_label_and_box(root):
    dataset = CUB(root, split="test", test_mode=True)
    first, second = (dataset.get_data_info(i) for i in range(2))

    assert len(dataset) == 2
    assert dataset.metainfo["classes"] == ("001.Jay", "002.Owl")
    assert first["image_id"] == "001.Jay/jay_2.png"
    assert first["img_path"] == str(root / "images/001.Jay/jay_2.png")
    assert (first["gt_label"], second["gt_label"]) == (0, 1)
    assert first["image_size"] == (20, 10)
    assert first["ori_gt_bboxes"].dtype == np.float32
    assert first["ori_gt_bboxes"].tolist() == [[3, 2, 13, 6]]
    # x + width = 20 is clipped to the last column.
    assert second["ori_gt_bboxes"].tolist() == [[0, 0, 19, 9]]


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("3.9 2.9 10.0 4.0", [3, 2, 13, 6]),
        ("3.5 2.5 10.4 4.6", [3, 2, 13, 7]),
        ("12.0 5.0 12.0 6.0", [12, 5, 19, 9]),
        ("19.0 9.0 1.0 1.0", [19, 9, 19, 9]),
    ],
)
def test_boxes_are_clipped_and_truncated(root, text, box):
    replace_line(root, "bounding_boxes.txt", 2, f"2 {text}")

    info = CUB(root, split="test", test_mode=True).get_data_info(0)
    assert info["ori_gt_bboxes"].tolist() == [box]


def test_training_reads_neither_boxes_nor_image_headers(root):
    (root / "bounding_boxes.txt").unlink()
    shutil.rmtree(root / "images")
    dataset = CUB(root)

    assert [dataset.get_data_info(i)["image_id"] for i in range(2)] == [
        "001.Jay/jay_1.png",
        "002.Owl/owl_2.png",
    ]
    assert "ori_gt_bboxes" not in dataset.get_data_info(0)
    assert "image_size" not in dataset.get_data_info(0)


def test_exif_orientation_does_not_turn_the_image(root):
    path = root / "images/001.Jay/jay_2.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (20, 10)).save(path, exif=exif)
    replace_line(root, "images.txt", 2, "2 001.Jay/jay_2.jpg")
    pipeline = [{"type": "mmdgdm.LoadWSOLImage"}, {"type": "mmdgdm.PackWSOLInputs"}]
    sample = CUB(root, split="test", test_mode=True, pipeline=pipeline)[0]

    assert sample["inputs"].shape == (3, 10, 20)


def test_is_built_from_a_config(root):
    config = {"type": "mmdgdm.CUB", "data_root": str(root), "split": "train"}
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        dataset = DATASETS.build(config)

    assert type(dataset) is CUB
    assert len(dataset) == 2
    assert "Split: \ttrain" in repr(dataset)


def test_unknown_split(root):
    with pytest.raises(ConfigError, match=r"`split` to be one of .*'val'"):
        CUB(root, split="val")


def test_wrong_folder(tmp_path):
    with pytest.raises(DataError, match=r"nowhere/classes\.txt: there is no such file"):
        CUB(tmp_path / "nowhere")


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_missing_file(root, name):
    (root / name).unlink()

    with pytest.raises(DataError, match=rf"{name}: there is no such file"):
        CUB(root, split="test", test_mode=True)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_line_without_a_value(root, name):
    replace_line(root, name, 2, "2")

    with pytest.raises(DataError, match=rf"{name}, line 2: Expected '<id> <value>'"):
        CUB(root, split="test", test_mode=True)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_duplicate_id(root, name):
    (root / name).write_text(TEXTS[name] + TEXTS[name].splitlines()[0])

    number = len(TEXTS[name].splitlines()) + 1
    message = rf"{name}, line {number}: id 1 comes again \(first on line 1\)"
    with pytest.raises(DataError, match=message):
        CUB(root, split="test", test_mode=True)


@pytest.mark.parametrize("name", sorted({*TEXTS} - {"images.txt", "classes.txt"}))
def test_unknown_and_missing_ids(root, name):
    value = TEXTS[name].splitlines()[0].partition(" ")[2]
    (root / name).write_text(f"{TEXTS[name]}9 {value}\n")
    with pytest.raises(DataError, match=rf"{name}, line 5: id 9 is not in images\.txt"):
        CUB(root, split="test", test_mode=True)

    (root / name).write_text(TEXTS[name].rpartition("4")[0])
    with pytest.raises(DataError, match=rf"{name}: .*has no line for id 4"):
        CUB(root, split="test", test_mode=True)


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("image_class_labels.txt", "2 3", r"class id within \[1, 2\].*'3'"),
        ("image_class_labels.txt", "2 0", r"class id within \[1, 2\].*'0'"),
        ("image_class_labels.txt", "2 x", r"class id within \[1, 2\].*'x'"),
        ("train_test_split.txt", "2 2", r"1 \(train\) or 0 \(test\), but got '2'"),
        ("bounding_boxes.txt", "2 1 2 3", r"as numbers, but got '1 2 3'"),
        ("bounding_boxes.txt", "2 1 2 3 4 5", "as numbers"),
        ("bounding_boxes.txt", "2 1 2 x 4", "as numbers"),
        ("bounding_boxes.txt", "2 nan 2 3 4", "as numbers"),
        ("bounding_boxes.txt", "2 20 2 3 4", "outside of its image of 20 x 10 pixels"),
        ("bounding_boxes.txt", "2 0 10 3 4", "outside of its image of 20 x 10 pixels"),
        (
            "bounding_boxes.txt",
            "2 15 5 40 40",
            "outside of its image of 20 x 10 pixels",
        ),
        ("bounding_boxes.txt", "2 -1 2 3 4", "0 <= x0"),
        ("bounding_boxes.txt", "2 1 2 0 4", "above 0"),
        ("classes.txt", "3 002.Owl", "class ids 1 to 2, but got 3"),
    ],
)
def test_malformed_value_names_file_and_line(root, name, line, message):
    replace_line(root, name, 2, line)

    with pytest.raises(DataError, match=rf"{name}, line 2: .*{message}"):
        CUB(root, split="test", test_mode=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such"),
        (b"", "the file has no"),
        (b"no image", "it cannot be"),
    ],
)
def test_unreadable_image_header(root, content, message):
    path = root / "images/001.Jay/jay_2.png"
    path.unlink() if content is None else path.write_bytes(content)

    with pytest.raises(DataError, match=rf"jay_2\.png: .*{message}"):
        CUB(root, split="test", test_mode=True)


def test_empty_split(root):
    (root / "train_test_split.txt").write_text("1 1\n2 1\n3 1\n4 1\n")

    with pytest.raises(
        DataError, match=r"train_test_split\.txt: puts no image .*'test'"
    ):
        CUB(root, split="test")


@pytest.mark.parametrize("split", ["train", "test"])
def test_stamps_raw_layout_gives_the_boxes_of_its_metadata(shared_data, split):
    root = shared_data / "stamps"
    raw = CUB(root / "CUB_200_2011", split=split, with_boxes=True)
    text = WSOLDataset(root, f"metadata/{split}", num_classes=12, with_boxes=True)

    assert raw.num_classes == 12
    assert len(raw) == len(text)
    expected = {
        info["image_id"]: info for info in map(text.get_data_info, range(len(text)))
    }
    for info in map(raw.get_data_info, range(len(raw))):
        other = expected[f"CUB_200_2011/images/{info['image_id']}"]
        assert np.array_equal(info["ori_gt_bboxes"], other["ori_gt_bboxes"])
        assert info["image_size"] == other["image_size"]
        assert info["gt_label"] == other["gt_label"]
        assert Path(info["img_path"]) == Path(other["img_path"])


@pytest.fixture
def leave_out(root):
    """Write image ids into metadata beside the folder of the data set."""

    def write(*image_ids: str) -> CUB:
        folder = root.parent / "metadata" / "val"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "image_ids.txt").write_text("\n".join(image_ids))
        return CUB(root.parent, left_out="metadata/val")

    return write


@pytest.mark.parametrize("prefix", ["", "CUB_200_2011/images/", "./"])
def test_images_of_val_are_left_out_of_train(leave_out, prefix):
    dataset = leave_out(f"{prefix}001.Jay/jay_1.png")
    assert [info["image_id"] for info in infos_of(dataset)] == ["002.Owl/owl_2.png"]
    # Labels are those of all classes, also where one has no image left.
    assert dataset.num_classes == 2
    assert dataset.get_data_info(0)["gt_label"] == 1


@pytest.mark.parametrize("image_id", ["001.Jay/jay_2.png", "001.Jay/jay_9.png"])
def test_an_image_of_no_or_another_split_cannot_be_left_out(leave_out, image_id):
    message = rf"val/image_ids\.txt: Expected only images .* got '{image_id}'"
    with pytest.raises(DataError, match=message):
        leave_out("001.Jay/jay_1.png", image_id)


def test_not_all_images_can_be_left_out(leave_out):
    with pytest.raises(DataError, match="none would be left"):
        leave_out("001.Jay/jay_1.png", "002.Owl/owl_2.png")


def test_what_is_left_out_must_be_there(root):
    with pytest.raises(DataError, match=r"val/image_ids\.txt: there is no such file"):
        CUB(root, left_out="../metadata/val")


def test_cub10_is_parted_as_its_metadata(shared_data):
    root = shared_data / "cub10"
    if not root.is_dir():
        pytest.skip(f"needs the data set {root}, which is missing")
    for split, left_out in (("train", "metadata/val"), ("test", "")):
        raw = CUB(root, split=split, left_out=left_out)
        text = WSOLDataset(root, f"metadata/{split}", num_classes=10)
        prefix = "CUB_200_2011/images/"
        found = {prefix + i["image_id"]: i["gt_label"] for i in infos_of(raw)}
        assert found == {i["image_id"]: i["gt_label"] for i in infos_of(text)}


def test_box_rule_on_the_real_data_set(shared_data, tmp_path):
    # The first line of the real bounding_boxes.txt, and a line whose box fills its
    # image of 500 x 375 pixels, against the benchmark's own file.
    metadata = shared_data / "wsol_benchmark" / "CUB" / "test"
    benchmark = WSOLDataset(tmp_path, str(metadata), num_classes=200, test_mode=True)
    expected = benchmark.get_data_info(0)
    path = tmp_path / "images" / expected["image_id"]
    path.parent.mkdir(parents=True)
    Image.new("L", expected["image_size"]).save(path)
    for name, text in {
        "images.txt": f"1 {expected['image_id']}",
        "image_class_labels.txt": "1 1",
        "train_test_split.txt": "1 0",
        "bounding_boxes.txt": "1 60.0 27.0 325.0 304.0",
        "classes.txt": "1 001.Black_footed_Albatross",
    }.items():
        (tmp_path / name).write_text(text)

    info = CUB(tmp_path, split="test", test_mode=True).get_data_info(0)
    assert np.array_equal(info["ori_gt_bboxes"], expected["ori_gt_bboxes"])
