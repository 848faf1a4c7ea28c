"""tools/web.py: which models it shows, and how it starts and ends."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
from urllib.request import urlopen

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import CheckpointLoader

NAME = "cam_resnet18_1xb32-12e_toy"


@pytest.fixture(scope="module")
def tool(repo_root):
    spec = importlib.util.spec_from_file_location("web", repo_root / "tools" / "web.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def weights(tmp_path_factory, repo_root):
    """Random weights of a small model."""
    torch.manual_seed(0)
    config = Config.fromfile(repo_root / f"configs/cam/{NAME}.py")
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        model = MODELS.build(config.model)
    path = tmp_path_factory.mktemp("model") / "toy.pth"
    torch.save(model.state_dict(), path)
    return str(path)


@pytest.fixture
def load(tool, monkeypatch):
    """From the words of a command line to models."""
    # Loading a model makes all loaders safe ones.
    monkeypatch.setattr(CheckpointLoader, "_schemes", CheckpointLoader._schemes.copy())
    return lambda *words: tool.load_models(tool.parse_args([*words, "--device", "cpu"]))


def test_models_are_called_by_their_config_checkpoint_and_method(load, weights):
    (one,) = load(NAME, weights)
    assert one.title == f"{NAME}, toy.pth"
    assert one.localizer.cam_method == "cam"
    config = f"configs/cam/{NAME}.py"
    _, second = load(NAME, weights, "--second", config, weights)
    assert second.title == one.title
    first, second = load(NAME, weights, "--second-cam-method", "gradcam")
    assert first.title == one.title
    assert second.title == f"{NAME}, toy.pth, gradcam"
    assert second.localizer.cam_method == "gradcam"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--second", "a", "b", "c"], "but got 3 words"),
        (["no_such_config"], "Expected `model` to be a config"),
        (["a.onnx", "weights.pth"], "Expected no `weights` with a.onnx"),
    ],
)
def test_what_the_user_can_mend(tool, words, message, weights, capsys):
    pytest.importorskip("gradio", reason="needs the extra `web`")
    words = words if words[0] != "--second" else [NAME, weights, *words]
    assert tool.main([*words, "--port", "0"]) == 2
    assert message in capsys.readouterr().err


def test_a_port_in_use_is_said_before_a_model_is_loaded(tool, capsys):
    pytest.importorskip("gradio", reason="needs the extra `web`")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert tool.main(["no_such_config", "--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: Expected port {port} of 127.0.0.1 to be free")
    assert said.count("\n") == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_it_serves_until_it_is_ended_and_cleans_up(repo_root, weights, tmp_path):
    pytest.importorskip("gradio", reason="needs the extra `web`")
    command = [sys.executable, "tools/web.py", NAME, weights, "--port", "0"]
    process = subprocess.Popen(
        command,
        cwd=repo_root,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = next(line for line in process.stdout if line.startswith("Open http"))
        assert urlopen(line.split()[1]).status == 200
        assert list(tmp_path.glob("mmdgdm_web_*"))
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert list(tmp_path.glob("mmdgdm_web_*")) == []
