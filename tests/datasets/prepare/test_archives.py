"""Archives become whole folders or nothing."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import tarfile
import zipfile
from pathlib import Path

import pytest

from mmdgdm.datasets.prepare.archives import new_folder, unpack_archives
from mmdgdm.errors import ConfigError, DataError


def tar_bytes(files, mode="w"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def unpack(tmp_path):
    root = tmp_path / "data"
    root.mkdir()

    def run(dataset, overwrite=False):
        return unpack_archives(dataset, tmp_path, root=root, overwrite=overwrite)

    return run


def files_below(root):
    found = (p for p in root.rglob("*") if p.is_file())
    return {str(p.relative_to(root)): p.read_bytes() for p in found}


def test_the_folder_within_becomes_the_target(tmp_path, unpack):
    files = {"attributes.txt": b"a", "CUB_200_2011/images.txt": b"i"}
    (tmp_path / "CUB_200_2011.tgz").write_bytes(tar_bytes(files, "w:gz"))
    (tmp_path / "CUBV2.tar").write_bytes(tar_bytes({"001.Jay/1.jpg": b"v"}))
    assert len(unpack("cub")) == 2
    assert files_below(tmp_path / "data") == {
        "CUB_200_2011/attributes.txt": b"a",
        "CUB_200_2011/images.txt": b"i",
        "CUBV2/001.Jay/1.jpg": b"v",
    }


def test_a_tar_of_tars_becomes_folders(tmp_path, unpack):
    inner = {f"n0000000{k}.tar": tar_bytes({"a.JPEG": b"%d" % k}) for k in range(2)}
    (tmp_path / "ILSVRC2012_img_train.tar").write_bytes(tar_bytes(inner))
    unpack("ilsvrc")
    assert files_below(tmp_path / "data") == {
        "train/n00000000/a.JPEG": b"0",
        "train/n00000001/a.JPEG": b"1",
    }


def test_what_exists_is_replaced_only_on_demand(tmp_path, unpack):
    (tmp_path / "CUBV2.tar").write_bytes(tar_bytes({"new": b"n"}))
    (tmp_path / "data" / "CUBV2").mkdir()
    (tmp_path / "data" / "CUBV2" / "old").write_bytes(b"o")
    (note,) = unpack("cub")
    assert "was not unpacked" in note
    assert files_below(tmp_path / "data") == {"CUBV2/old": b"o"}
    unpack("cub", overwrite=True)
    assert files_below(tmp_path / "data") == {"CUBV2/new": b"n"}


@pytest.mark.faults
@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_paths_that_lead_out_are_refused(tmp_path, unpack, name, kind):
    if kind == "tar":
        data = tar_bytes({"good": b"g", name: b"e"})
        (tmp_path / "CUBV2.tar").write_bytes(data)
    else:
        with zipfile.ZipFile(tmp_path / "OpenImages_images.zip", "w") as archive:
            archive.writestr("good", "g")
            archive.writestr(name, "e")
    if (kind, name) == ("tar", "/evil"):
        unpack("cub")  # tarfile takes off the leading slash.
        assert set(files_below(tmp_path / "data")) == {"CUBV2/good", "CUBV2/evil"}
    else:
        with pytest.raises(DataError, match="paths of its own"):
            unpack("cub" if kind == "tar" else "openimages")
        assert list((tmp_path / "data").iterdir()) == []
    assert not list(tmp_path.glob("evil")) + list(tmp_path.parent.glob("evil"))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_broken_archive_leaves_nothing_behind(tmp_path, unpack, share):
    data = tar_bytes({f"{k}": bytes(range(256)) * 40 for k in range(9)}, "w:gz")
    (tmp_path / "CUB_200_2011.tgz").write_bytes(data[: int(share * len(data))])
    with pytest.raises(DataError, match=r"CUB_200_2011\.tgz to be a sound archive"):
        unpack("cub")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_folder_without_archives_is_refused(unpack):
    with pytest.raises(ConfigError, match="ILSVRC2012_img_train"):
        unpack("ilsvrc")


@pytest.mark.faults
def test_folder_that_a_kill_left_aside_is_put_back(tmp_path):
    target = tmp_path / "data"
    target.mkdir()
    (target / "a").write_text("old")

    def replace_and_die():
        with new_folder(target, overwrite=True) as folder:
            (folder / "a").write_text("new")
            # Between the two renames nothing stands under the name.
            Path.rename = lambda self, other: (
                os.rename(self, other),
                os.kill(os.getpid(), signal.SIGKILL),
            )

    process = multiprocessing.get_context("fork").Process(target=replace_and_die)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert not target.exists()
    with pytest.raises(DataError, match="data"), new_folder(target):
        pass
    assert (target / "a").read_text() == "old"
    with new_folder(target, overwrite=True) as folder:
        (folder / "a").write_text("new")
    assert (target / "a").read_text() == "new"
