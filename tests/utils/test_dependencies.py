"""The check of what pip cannot express."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from mmdgdm.utils import dependencies
from mmdgdm.utils.dependencies import REQUIRED, check_dependencies

TWIN = {"twin": (("twin", "twin-lite"), "2.0.0", "install twin-lite")}


@pytest.fixture
def check(monkeypatch):
    def check_with(versions: dict[str, str], required=TWIN, has_files=True) -> None:
        def find_version(name):
            if name not in versions:
                raise dependencies.metadata.PackageNotFoundError(name)
            return versions[name]

        spec = SimpleNamespace(find_spec=lambda module: module if has_files else None)
        with monkeypatch.context() as patch:
            patch.setattr(dependencies, "REQUIRED", required)
            patch.setattr(dependencies.metadata, "version", find_version)
            patch.setattr(dependencies, "util", spec)
            check_dependencies()

    return check_with


@pytest.mark.parametrize(
    "versions",
    [
        {"twin": "2.0.0"},
        {"twin-lite": "2.1.0+cpu"},
        {"twin": "1.7.0", "twin-lite": "2.10.0"},
    ],
)
def test_any_distribution_of_a_good_version_will_do(check, versions):
    check(versions)


def test_a_missing_module_is_named_with_what_to_install(check):
    with pytest.raises(
        ImportError,
        match=r"needs twin, but none of twin or twin-lite is installed: install twin-",
    ):
        check({"other": "9.0.0"})


@pytest.mark.parametrize("version", ["1.9.9", "2.0.0rc4"])
def test_an_old_version_is_named(check, version):
    with pytest.raises(
        ImportError, match=rf"needs twin >= 2.0.0, but {version} is installed: install"
    ):
        check({"twin": version})


def test_lost_files_are_named(check):
    with pytest.raises(
        ImportError,
        match=r"files are missing .*: uninstall twin and twin-lite first",
    ):
        check({"twin": "2.1.0"}, has_files=False)


def test_the_running_environment_passes():
    check_dependencies()


def test_mmcv_advice_names_the_extra(check):
    assert REQUIRED["mmcv"][0] == ("mmcv", "mmcv-lite")
    with pytest.raises(ImportError, match=r'pip install "mmdgdm\[lite\]"'):
        check({}, {"mmcv": REQUIRED["mmcv"]})


def test_the_check_imports_none_of_the_modules(repo_root):
    code = (
        "import sys; from mmdgdm.utils.dependencies import check_dependencies; "
        "check_dependencies(); print({'mmcv', 'torch', 'torchvision'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=repo_root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "set()\n"
