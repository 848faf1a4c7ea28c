"""No result takes another's place, leaves its folder, or is read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdgdm.apis.inference.file_names import check_no_result_is_read, name_sources
from mmdgdm.errors import ConfigError


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["/a/x.jpg"], ["x.jpg"]),
        (["/a/x.jpg", "/a/b/x.jpg"], ["x.jpg", "b/x.jpg"]),
        (["/a/b/x.jpg", "/c/x.jpg"], ["a/b/x.jpg", "c/x.jpg"]),
        (["/a/../../x.jpg", "/b/x.jpg"], ["x.jpg", "b/x.jpg"]),
        (["/a/x.jpg", "/a/X.JPG"], ["x.jpg", "X-2.JPG"]),
        (["http://h/a/x.jpg?y=/../z", "/a/x.jpg"], ["x.jpg", "x-2.jpg"]),
        (["http://h/a/..%2f..%2fetc", "http://h"], ["etc", "image"]),
        (["http://h/%2e%2e"], ["image"]),
    ],
)
def test_names(sources, names):
    found = name_sources(sources)
    assert [name.as_posix() for name in found] == names
    assert not any(name.is_absolute() or ".." in name.parts for name in found)


def test_relative_paths_are_meant_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = name_sources(["../x.jpg", str(tmp_path / "x.jpg")])
    assert [n.as_posix() for n in names] == ["x.jpg", f"{tmp_path.name}/x.jpg"]


def test_results_are_not_read_again():
    check_no_result_is_read(["a/x.jpg", "http://h/out/images/x.jpg"], Path("out"))
    with pytest.raises(ConfigError, match=r"out/images/x\.jpg lies where results"):
        check_no_result_is_read(["a.jpg", "out/images/x.jpg"], Path("out"))
