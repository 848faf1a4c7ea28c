"""tools/search.py: a whole search on the toy set, and what it refuses."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest
from mmengine.config import Config

pytest.importorskip("optuna", reason="needs the extra `search`")

REPO_ROOT = Path(__file__).resolve().parents[2]
CONFIG = REPO_ROOT / "configs/cam/cam_resnet18_1xb32-12e_toy.py"
OPTIONS = [
    "train_dataloader.dataset.num_images=64",
    "val_dataloader.dataset.num_images=12",
    "train_cfg.max_epochs=1",
    "train_cfg.val_interval=1",
    "model.backbone.base_channels=8",
    "model.backbone.stem_channels=8",
    "model.head.in_channels=64",
    # Whatever builds the test set fails, and the trial with it.
    "test_dataloader.dataset.type=NoSuchData",
]


@pytest.fixture
def run_search(monkeypatch, capsys):
    """``main`` in this process; its trials run in processes of their own."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("MMDGDM_TRACEBACK", raising=False)
    path = REPO_ROOT / "tools" / "search.py"
    spec = importlib.util.spec_from_file_location("mmdgdm_tools_search", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(*arguments):
        code = module.main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=printed.out, stderr=printed.err)

    return run


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text("optim_wrapper.optimizer.lr: {log_uniform: [1e-3, 1e-1]}\n")
    return path


def read_table(folder):
    with (folder / "trials.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_two_trials_and_what_they_leave(run_search, space, tmp_path):
    folder = tmp_path / "search"
    arguments = [CONFIG, "--space", space, "--work-dir", folder, "--seed", 5]
    arguments += ["--metric", "wsol/max_box_acc_v2", "--cfg-options", *OPTIONS]
    done = run_search(*arguments, "--trials", 2)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = read_table(folder)
    assert [row["state"] for row in rows] == ["complete"] * 2
    metric = "metric: wsol/max_box_acc_v2"
    assert all(row[metric] == row["val/wsol/max_box_acc_v2"] for row in rows)
    best = max(rows, key=lambda row: float(row[metric]))
    rate = best["optim_wrapper.optimizer.lr"]
    assert f"optim_wrapper.optimizer.lr={rate}" in done.stdout
    config = Config.fromfile(folder / "best.py")
    assert config.optim_wrapper.optimizer.lr == float(rate)
    assert config.model.backbone.base_channels == 8
    told = json.loads((folder / "best.json").read_text())
    assert told["values"] == {"optim_wrapper.optimizer.lr": float(rate)}
    assert told["score"] == float(best[metric])
    assert told["trial"] == int(best["trial"])
    for name in ("history", "slices"):
        assert cv2.imread(str(folder / f"{name}.png")) is not None
    trained = Config.fromfile(folder / "trials" / "0001" / "trial.py")
    assert trained.test_dataloader is None
    assert trained.val_dataloader.dataset.split == "val"
    # There are two already: nothing is trained again.
    again = run_search(*arguments, "--trials", 2)
    assert again.returncode == 0
    assert "trial 0" not in again.stdout
    assert read_table(folder) == rows
    other = run_search(*arguments[:-1], "train_cfg.max_epochs=2")
    assert other.returncode == 2
    assert "holds a search with another config" in other.stderr


@pytest.mark.slow
def test_if_all_trials_fail_the_exit_code_is_one(run_search, space, tmp_path):
    arguments = ["--space", space, "--work-dir", tmp_path / "s", "--trials", 1]
    broken = "load_from=no_such_file.pth"
    done = run_search(CONFIG, *arguments, "--cfg-options", broken)
    assert done.returncode == 1
    assert "error: all trials failed" in done.stderr
    (row,) = read_table(tmp_path / "s")
    assert row["state"] == "failed"
    assert "no_such_file.pth" in row["error"]
    log = tmp_path / "s" / "trials" / "0000" / "train.log"
    assert row["error"].endswith(str(log))
    assert "no_such_file.pth" in log.read_text()


def test_without_optuna_one_sentence_says_what_to_install():
    tool = REPO_ROOT / "tools" / "search.py"
    code = (
        "import runpy, sys; sys.modules['optuna'] = None; "
        f"runpy.run_path({str(tool)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: A search needs Optuna")
    assert 'pip install "mmdgdm[search]"' in last


def test_a_wrong_key_is_one_sentence(run_search, tmp_path):
    space = tmp_path / "space.yaml"
    space.write_text("model.head.erase: {uniform: [0, 1]}\n")
    done = run_search(CONFIG, "--space", space, "--work-dir", tmp_path / "s")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert f"error: Space file {space}: `model.head.erase` does not fit" in done.stderr
    assert not (tmp_path / "s").exists()
