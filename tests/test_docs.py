"""What the documents name exists, and their Python runs."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import cv2
import pytest
import torch
import yaml
from mmengine.registry import MODELS, init_default_scope

REPO_ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path.relative_to(REPO_ROOT)
    for pattern in ("*.md", "docs/**/*.md", "configs/**/*.md")
    for path in REPO_ROOT.glob(pattern)
)
METAFILES = sorted((REPO_ROOT / "configs").glob("*/metafile.yml"))


def read(page):
    return (REPO_ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_relative_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", read(page)):
        path = (REPO_ROOT / page).parent / target
        assert path.is_dir() or path.stat().st_size > 0, target
        if path.suffix in (".jpg", ".png"):
            assert cv2.imread(str(path)) is not None, target


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_named_files_exist(page):
    folders = "configs|tools|benchmarks|experiments|tests"
    pattern = rf"(?<![\w/.])((?:{folders})/[\w./-]+\.(?:py|sh|md))"
    for name in re.findall(pattern, read(page)):
        assert (REPO_ROOT / name).is_file(), name


def python_blocks():
    return re.findall(r"```python\n(.*?)```", read("README.md"), flags=re.DOTALL)


def test_readme_models_build_and_run():
    blocks = [block for block in python_blocks() if block.startswith("model = ")]
    assert len(blocks) == 2
    init_default_scope("mmpretrain")
    for block in blocks:
        scope = {}
        exec(block, scope)
        model = MODELS.build(scope["model"]).eval()
        assert model(torch.rand(1, 3, 64, 64)).shape == (1, 1000)


def test_readme_layer_example_runs():
    (block,) = (block for block in python_blocks() if "import torch" in block)
    exec(block, {})


def test_readme_starts_with_the_two_commands():
    commands = re.findall(r"^make (\w+)", read("README.md"), flags=re.MULTILINE)
    assert commands[:2] == ["demo", "test"]


def test_lists_of_configs_are_up_to_date(monkeypatch):
    monkeypatch.syspath_prepend(str(REPO_ROOT / "docs"))
    pages = importlib.import_module("model_zoo").pages()
    assert len(pages) == 2 + len(METAFILES)
    for path, text in pages.items():
        remedy = "run `python docs/model_zoo.py`"
        assert path.read_text(encoding="utf-8") == text, remedy


def test_model_index_lists_every_metafile():
    index = yaml.safe_load(read("model-index.yml"))["Import"]
    assert index == [str(path.relative_to(REPO_ROOT)) for path in METAFILES]


@pytest.mark.parametrize("path", METAFILES, ids=lambda path: path.parent.name)
def test_metafile_lists_every_config_of_its_method(path):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    (collection,) = content["Collections"]
    listed = [model["Config"] for model in content["Models"]]
    leaves = sorted(
        str(leaf.relative_to(REPO_ROOT)) for leaf in path.parent.glob("*.py")
    )
    assert sorted(listed) == leaves
    for model in content["Models"]:
        assert model["Name"] == Path(model["Config"]).stem
        assert model["In Collection"] == collection["Name"]
    for name in (collection["README"], collection["Code"]["URL"]):
        assert (REPO_ROOT / name).is_file()
