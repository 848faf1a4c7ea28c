"""The check of what pip cannot express."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mmdgdm.utils.dependencies import REQUIRED, Dependency, check_dependencies

TWIN = Dependency("twin", ("twin", "twin-lite"), "2.0.0", "install twin-lite")


def check(versions: dict[str, str], has_files: bool = True) -> None:
    check_dependencies((TWIN,), versions.get, lambda module: has_files)


@pytest.mark.parametrize(
    "versions",
    [
        {"twin": "2.0.0"},
        {"twin-lite": "2.1.0+cpu"},
        {"twin": "1.7.0", "twin-lite": "2.10.0"},
    ],
)
def test_any_distribution_of_a_good_version_will_do(versions):
    check(versions)


def test_a_missing_module_is_named_with_what_to_install():
    with pytest.raises(
        ImportError,
        match=r"needs twin, but none of twin or twin-lite is installed: install twin-",
    ):
        check({"other": "9.0.0"})


@pytest.mark.parametrize("version", ["1.9.9", "2.0.0rc4"])
def test_an_old_version_is_named(version):
    with pytest.raises(
        ImportError, match=rf"needs twin >= 2.0.0, but {version} is installed: install"
    ):
        check({"twin": version})


def test_lost_files_are_named():
    with pytest.raises(
        ImportError, match=r"files are missing .*: uninstall twin and twin-lite, then"
    ):
        check({"twin": "2.1.0"}, has_files=False)


def test_the_running_environment_passes():
    check_dependencies()


def test_mmcv_advice_names_the_extra():
    (mmcv,) = (item for item in REQUIRED if item.module == "mmcv")
    assert mmcv.distributions == ("mmcv", "mmcv-lite")
    with pytest.raises(ImportError, match=r'pip install "mmdgdm\[lite\]"'):
        check_dependencies((mmcv,), lambda name: None)


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
