"""No name of foreign data leads a write out of its folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.image_facts import describe_image
from mmdgdm.evaluation.stored.metadata import write_split
from mmdgdm.evaluation.stored.record_files import write_records
from mmdgdm.evaluation.stored.scoremap_files import write_scoremap
from mmdgdm.utils.output_paths import path_inside
from mmdgdm.visualization.picture_files import read_pictures, write_pictures
from mmdgdm.visualization.sheets import Shot

pytestmark = pytest.mark.faults
MAP = np.linspace(0, 1, 16).reshape(4, 4)
ODD = ["../../x", "/x", "a/../../x", "", "a\0b", "x" * 5000]


@pytest.fixture
def folders(tmp_path):
    """A folder to write to, and another that is not to be touched."""
    for name in ("out", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "kept").write_text("kept")
    yield tmp_path / "out", tmp_path / "other"
    assert [path.name for path in (tmp_path / "other").rglob("*")] == ["kept"]
    assert (tmp_path / "other" / "kept").read_text() == "kept"
    assert {path.name for path in tmp_path.iterdir()} == {"out", "other"}


@pytest.mark.parametrize("name", ODD[:-1])
def test_a_name_that_leads_out_is_refused(folders, name):
    with pytest.raises(DataError):
        path_inside(folders[0], name)


def test_a_link_that_leads_out_is_refused(folders):
    out, other = folders
    (out / "link").symlink_to(other)
    (out / "file").symlink_to(other / "kept")
    (out / "inner").mkdir()
    (out / "fine").symlink_to(out / "inner")
    for name in ("link", "link/x", "file"):
        with pytest.raises(DataError, match="a link leads out of it"):
            path_inside(out, name)
    assert path_inside(out, "fine/x") == out / "fine" / "x"
    assert path_inside(out, "..x/y..").name == "y.."


def test_a_folder_that_is_itself_a_link_is_written_to(folders, monkeypatch):
    out, _ = folders
    (out / "real").mkdir()
    (out / "name").symlink_to(out / "real")
    assert path_inside(out / "name", "x") == out / "name" / "x"
    monkeypatch.chdir(out)
    assert path_inside("real", "x") == Path("real/x")


@pytest.mark.parametrize("image_id", ODD)
def test_maps_stay_in_their_folder(folders, image_id):
    with pytest.raises(DataError):
        write_scoremap(folders[0], image_id, scores=MAP)


def test_maps_do_not_follow_a_link(folders):
    out, other = folders
    (out / "a").symlink_to(other)
    (out / "b.jpg.npy").symlink_to(other / "kept")
    for image_id in ("a/1.jpg", "b.jpg"):
        with pytest.raises(DataError, match="a link leads out of it"):
            write_scoremap(out, image_id, scores=MAP)


def test_metadata_and_records_do_not_follow_a_link(folders):
    out, other = folders
    (out / "class_labels.txt").symlink_to(other / "kept")
    (out / "a.records.npz").symlink_to(other / "kept")
    with pytest.raises(DataError, match="a link leads out of it"):
        write_split(out, {"a": 0}, image_sizes={"a": (9, 9)}, boxes={})
    with pytest.raises(DataError, match="a link leads out of it"):
        write_records(out / "a.records.npz", ["a"], records=[b"1"])


def _shot(image_id):
    quantized = np.full((224, 224), 9, np.uint8)
    facts = describe_image(quantized, 0.5, image_id=image_id, image_size=(20, 10))
    return Shot(np.zeros((10, 20, 3), np.uint8), quantized, facts)


@pytest.mark.parametrize("image_id", ["../../x", "/x/y", "a\0b", "x" * 5000, "é\n<b>"])
def test_pictures_stay_in_their_folder(folders, image_id):
    out, _ = folders
    write_pictures(out, {3: _shot(image_id)})
    (shot,) = read_pictures(out)
    assert shot.facts.image_id == image_id


@pytest.mark.parametrize("link", ["images", "maps", "pictures.json"])
def test_pictures_do_not_follow_a_link(folders, link):
    out, other = folders
    target = other / "kept" if link.endswith("json") else other
    (out / link).symlink_to(target)
    with pytest.raises(DataError, match="a link leads out of it"):
        write_pictures(out, {0: _shot("a")})


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", None, 3])
def test_pictures_of_another_folder_are_not_shown(folders, name):
    out, _ = folders
    write_pictures(out, {0: _shot("a")}, draw=False)
    listing = out / "pictures.json"
    text = listing.read_text().replace('"images/00000_a.png"', _as_json(name))
    listing.write_text(text)
    with pytest.raises(DataError):
        read_pictures(out)


def _as_json(value):
    return {str: f'"{value}"', int: "3"}.get(type(value), "null")
