"""All images of a folder are opened, whatever they are for."""

from __future__ import annotations

import pytest

from mmdgdm.datasets.functional.images import Images
from mmdgdm.datasets.prepare.scan import scan_images
from mmdgdm.errors import DataError


def test_broken_and_equal_images_are_named(tmp_path, draw_image):
    for number, name in enumerate(["a.png", "b/c.jpg", "b/d/e.png"]):
        draw_image(tmp_path / name, number)
    (tmp_path / "b" / "twin.jpg").write_bytes((tmp_path / "b" / "c.jpg").read_bytes())
    (tmp_path / "b" / "d" / "bad.jpg").write_text("no image")
    (tmp_path / "notes.txt").write_text("no image either")
    (tmp_path / ".hidden").mkdir()
    draw_image(tmp_path / ".hidden" / "f.png", 9)
    # A link that leads back up would never end.
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    report = scan_images(tmp_path, Images(quick=False))
    assert report.counts == {"all": {"images": 5, "readable": 4}}
    (problem,) = report.problems
    assert problem.kind == "broken image"
    assert problem.where == str(tmp_path / "b" / "d" / "bad.jpg")
    assert report.notes == [
        "2 images have the same bytes as another: b/c.jpg, b/twin.jpg"
    ]


def test_a_folder_without_images_is_a_problem(tmp_path):
    (problem,) = scan_images(tmp_path, Images()).problems
    assert problem.message == "holds no image"
    with pytest.raises(DataError, match="`root` to be a folder, but got"):
        scan_images(tmp_path / "none", Images())
