"""A tiny set with masks, whole and damaged."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mmdgdm.datasets.prepare.images import Images
from mmdgdm.datasets.prepare.open_images import check_open_images

VAL = "metadata/OpenImages/val"


@pytest.fixture
def root(tmp_path, draw_image):
    """Two images in each split; in val and test each has two masks."""
    for number, split in enumerate(("train", "val", "test")):
        names = [f"{split}/0c{k}/{k}.jpg" for k in range(2)]
        folder = tmp_path / "metadata" / "OpenImages" / split
        folder.mkdir(parents=True)
        (folder / "image_ids.txt").write_text("\n".join(names))
        labels = [f"{name},{k}" for k, name in enumerate(names)]
        (folder / "class_labels.txt").write_text("\n".join(labels))
        rows = []
        for k, name in enumerate(names):
            draw_image(tmp_path / "OpenImages" / name, 10 * number + k)
            stem = name[:-4]
            for mask in (f"{stem}_m.png", f"{stem}_ignore.png"):
                draw_image(tmp_path / "OpenImages_masks" / mask, k, (20, 16))
            rows.append(f"{name},{stem}_m.png,{stem}_ignore.png")
        if split != "train":
            (folder / "image_sizes.txt").write_text("")
            (folder / "localization.txt").write_text("\n".join(rows))
    return tmp_path


def check(root):
    return check_open_images(root, Images())


def test_a_sound_set_is_complete(root):
    report = check(root)
    assert report.problems == []
    assert report.counts["val"] == {"images": 2, "classes": 2, "masks": 4}
    assert report.counts["train"] == {"images": 2, "classes": 2}


def test_damaged_masks_are_named(root, draw_image):
    masks = root / "OpenImages_masks" / "val"
    (masks / "0c0" / "0_m.png").unlink()
    draw_image(masks / "0c1" / "1_ignore.png", 1, (21, 16))
    first, second = check(root).problems
    where = root / VAL / "localization.txt"
    assert (first.kind, first.where) == ("missing mask", f"{where}, line 1")
    assert str(masks / "0c0" / "0_m.png") in first.message
    assert (second.kind, second.image_id) == ("mask of wrong size", "val/0c1/1.jpg")
    assert "20 x 16, 21 x 16" in second.message


def test_masks_are_read_as_the_pipeline_reads_them(root):
    """A mask that the pipeline would refuse is named by the checker too."""
    masks = root / "OpenImages_masks" / "val"
    object_in_transparency = np.full((16, 20, 4), 255, np.uint8)
    object_in_transparency[:4, :, 3] = 0
    Image.fromarray(object_in_transparency).save(masks / "0c0" / "0_m.png")
    (path := masks / "0c1" / "1_m.png").write_bytes(path.read_bytes()[:-4])
    first, second = check(root).problems
    assert (first.kind, second.kind) == ("broken mask", "broken mask")
    assert "80 of its pixels differ when read by transparency" in first.message
    assert "it is truncated" in second.message


def test_a_missing_split_and_a_shared_image_are_named(root):
    for path in (root / VAL).iterdir():
        path.unlink()
    (root / VAL).rmdir()
    ids = root / "metadata" / "OpenImages" / "train" / "image_ids.txt"
    labels = ids.with_name("class_labels.txt")
    ids.write_text("train/0c0/0.jpg\ntest/0c1/1.jpg")
    labels.write_text("train/0c0/0.jpg,0\ntest/0c1/1.jpg,1")
    kinds = [(p.kind, p.image_id) for p in check(root).problems]
    assert kinds == [
        ("missing part", None),
        ("image in two splits", "test/0c1/1.jpg"),
    ]


def test_the_real_set_must_have_the_published_counts(root):
    ids = root / "metadata" / "OpenImages" / "test" / "image_ids.txt"
    ids.write_text(ids.read_text() + "\ntest/01226z/2.jpg")
    messages = [p.message for p in check(root).problems if p.kind == "wrong count"]
    assert "train: Expected 29,819 images, but got 2" in messages
    assert "test: Expected 5,000 images, but got 3" in messages
    assert "val: Expected 100 classes, but got 2" in messages
