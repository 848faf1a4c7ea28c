"""Every way in which a checkpoint enters refuses one that is an attack."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmdgdm.apis.runner import build_runner
from mmdgdm.errors import CheckpointError

pytestmark = pytest.mark.faults
TOY = "cam_resnet18_1xb32-12e_toy"
#: What follows the name of a tool.
COMMANDS = {
    "test": "{config} {bad} --work-dir {out}",
    "train, resume": "{config} --resume {bad} --work-dir {out}",
    "train, load_from": "{config} --work-dir {out} --cfg-options load_from={bad}",
    "train, init_cfg": "{config} --work-dir {out} --cfg-options "
    "model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint={bad}",
    "localize": "{image} --model {config} --weights {bad} --out-dir {out}",
    "export": "{toy} {bad} {out}/a.onnx",
    "visualization/browse_dataset": "{toy} --layers --checkpoint {bad} --out {out}.png",
    "convert, efficientnet_lite": "efficientnet_lite lite0 {bad} {out}.pth",
    "convert, torchvision": "torchvision resnet50 {bad} {out}.pth",
    "convert, wsol_benchmark": "wsol_benchmark resnet50 {bad} {out}.pth",
    "convert, to_mmpretrain": "to_mmpretrain {toy} {bad} {out}.pth",
    "convert, from_mmpretrain": "from_mmpretrain resnet18_8xb32_in1k {bad} {out}.pth",
    "convert, safetensors": "safetensors {bad} {out}.safetensors",
}


class Attack:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch '{self.target}'",)


@pytest.fixture
def attack(tmp_path, monkeypatch):
    """A file that makes ``ran`` where it is loaded as torch would by this setting."""
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    monkeypatch.delenv("MMDGDM_TRACEBACK", raising=False)
    path = tmp_path / "bad.pth"
    torch.save({"state_dict": {"a": Attack(tmp_path / "ran")}, "meta": {}}, path)
    return path


def _load_tool(repo_root, name):
    path = repo_root / "tools" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.mark.parametrize("command", COMMANDS)
def test_a_tool_refuses_an_attack(
    command, attack, tiny_folder, repo_root, tmp_path, capsys
):
    image = next((tiny_folder / "data" / "test").rglob("*.png"))
    places = dict(bad=attack, out=tmp_path / "out", image=image, toy=TOY)
    places["config"] = tiny_folder / "tiny.py"
    argv = [word.format(**places) for word in COMMANDS[command].split()]
    main = _load_tool(repo_root, command.partition(",")[0])
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert "bad.pth is refused: it asks for posix.system" in error
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_a_search_refuses_an_attack(attack, tiny_folder, repo_root, tmp_path):
    pytest.importorskip("optuna", reason="needs the extra `search`")
    space = tmp_path / "space.yaml"
    space.write_text("optim_wrapper.optimizer.lr: {uniform: [0.1, 0.2]}\n")
    config = tmp_path / "bad.py"
    config.write_text(f"_base_ = [{str(tiny_folder / 'tiny.py')!r}]\n")
    command = [sys.executable, str(repo_root / "tools/search.py"), str(config)]
    command += ["--space", str(space), "--metric", "accuracy/top1", "--trials", "1"]
    command += ["--work-dir", str(tmp_path / "out"), "--cfg-options"]
    command += [f"load_from={attack}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "posix.system" in done.stdout + done.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("mode", ["resume", "load_from"])
def test_a_program_of_ones_own_refuses_an_attack(attack, tiny_folder, tmp_path, mode):
    cfg = Config.fromfile(tiny_folder / "tiny.py")
    cfg.work_dir, cfg.load_from = str(tmp_path / "out"), str(attack)
    cfg.resume = mode == "resume"
    runner = build_runner(cfg)
    with pytest.raises(CheckpointError, match=r"asks for posix\.system"):
        runner.train()
    assert not (tmp_path / "ran").exists()
