"""The console command: every tool is one, and runs as its file does."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace

import pytest
from mmengine.config import Config

from mmdgdm.cli.main import complete_words, find_commands, main
from mmdgdm.engine.setup.config_check import load_config
from mmdgdm.named_configs import list_configs

NAME = "cam_resnet18_1xb32-12e_toy"
LITE = "cam_efficientnet-lite0_1xb32-4e_stamps"


@pytest.fixture(autouse=True)
def keep_argv(monkeypatch):
    monkeypatch.setattr(sys, "argv", sys.argv)


def test_every_script_of_tools_is_a_command_and_described(repo_root, capsys):
    commands = find_commands(repo_root / "tools")
    wanted = {"train", "test", "localize", "eval", "prepare", "search", "configs"}
    assert wanted | {"convert", "show"} <= set(commands)
    assert len(commands) == 1 + len(list((repo_root / "tools").glob("*.py")))
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    assert done.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  train     Train a model from a config." in lines
    assert any(line.startswith("  convert ") and "lite" in line for line in lines)


def all_commands(folder, words=()):
    for name, path in find_commands(folder).items():
        yield [*words, name]
        if path.is_dir():
            yield from all_commands(path, [*words, name])


def test_help_fits_80_columns_and_tells_no_default_where_there_is_none(
    repo_root, monkeypatch, capsys
):
    monkeypatch.setenv("COLUMNS", "80")
    commands = [[], *all_commands(repo_root / "tools")]
    assert ["show", "plot_results"] in commands
    for command in commands:
        with pytest.raises(SystemExit):
            main([*command, "--help"])
        text = capsys.readouterr().out
        assert [line for line in text.splitlines() if len(line) > 80] == [], command
        assert "default: None" not in text, command


@pytest.mark.parametrize(
    ("argv", "usage"),
    [
        (["train", "--help"], "usage: mmdgdm train "),
        (["convert", "efficientnet_lite", "-h"], "usage: mmdgdm convert efficientnet_"),
        (["convert", "to_mmpretrain", "-h"], "usage: mmdgdm convert to_mmpretrain "),
    ],
)
def test_arguments_are_the_tools_own(argv, usage, capsys):
    with pytest.raises(SystemExit) as done:
        main(argv)
    assert done.value.code == 0
    assert capsys.readouterr().out.startswith(usage)


def test_the_shell_completes_names_of_configs_and_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "camera.py").touch()
    (tmp_path / "cam_photos").mkdir()
    found = complete_words("cam", Namespace(command="train"))
    assert {"camera.py", "cam_photos/", NAME, LITE} <= set(found)
    assert all(word.startswith("cam") for word in found)
    assert complete_words("cam_r", Namespace(command="eval")) == []


def test_an_unknown_command_names_the_known_ones(capsys):
    with pytest.raises(SystemExit) as done:
        main(["trian"])
    assert done.value.code == 2
    assert "trian" in (said := capsys.readouterr().err)
    assert "train" in said.replace("trian", "")


def test_a_process_of_its_own_scores_maps_without_torch(tmp_path):
    code = (
        "import runpy, sys; sys.argv = ['mmdgdm', 'eval', 'maps', 'metadata']\n"
        "try: runpy.run_module('mmdgdm', run_name='__main__')\n"
        "finally: assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.lstrip().startswith("error: ")
    assert "AssertionError" not in done.stderr


def test_configs_are_listed_shown_and_copied(tmp_path, capsys):
    assert main(["configs", "list", "resnet18", "toy"]) == 0
    listed = capsys.readouterr().out.split()
    wanted = [p.stem for p in list_configs() if "resnet18" in p.stem]
    assert listed == [name for name in wanted if "toy" in name]
    assert main(["configs", "show", NAME]) == 0
    assert "type='mmdgdm.WSOLClassifier'" in capsys.readouterr().out
    folder = tmp_path / "mine"
    assert main(["configs", "copy", NAME, str(folder)]) == 0
    copied = Config.fromfile(folder / f"{NAME}.py")
    assert copied.to_dict() == load_config(NAME).to_dict()
    assert main(["configs", "copy", NAME, str(folder)]) == 2
    assert "not to exist yet" in capsys.readouterr().err


def test_a_name_nearly_right_is_a_guess(capsys):
    assert main(["configs", "show", "cam_resnet18_1xb32-12e_toys"]) == 2
    assert f"did you mean `{NAME}`" in capsys.readouterr().err


def test_weights_are_found_near_the_config_wherever_one_stands(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    mine = tmp_path / "configs" / "mine.py"
    mine.write_text(f"_base_ = 'mmdgdm::cam/{LITE}.py'")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "configs")
    named = "pretrained/efficientnet_lite0.pth"
    assert load_config(mine).model.backbone.init_cfg.checkpoint == named
    for folder in ("home/.cache/mmdgdm", "configs", "."):
        path = tmp_path / folder / named
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        if folder == "configs":
            monkeypatch.chdir(tmp_path)
        found = load_config(mine).model.backbone.init_cfg.checkpoint
        # Nearer than what was there before, but for the last.
        nearest = folder if folder != "." else "configs"
        assert found == str(tmp_path / nearest / named)
