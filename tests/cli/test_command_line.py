"""Options, error messages and exit codes of the tools."""

from __future__ import annotations

import argparse

import pytest
from torch._utils import ExceptionWrapper

from mmdgdm.cli.command_line import (
    add_common_arguments,
    load_run_config,
    run_command,
)
from mmdgdm.errors import ConfigError, DataError


def _parse(*argv):
    parser = argparse.ArgumentParser(prog="tool")
    add_common_arguments(parser)
    return parser.parse_args(argv)


def _raise(error):
    raise error


def test_options_are_text_until_the_config_is_known():
    args = _parse("--cfg-options", "a.b=3", "c=[1,x]", "--local-rank", "2")
    assert args.cfg_options == [("a.b", "3"), ("c", "[1,x]")]
    assert args.local_rank == 2
    assert args.launcher == "none"


def test_options_may_be_given_more_than_once():
    args = _parse("--cfg-options", "a=x=y", "--cfg-options", "b=", "a=2")
    assert dict(args.cfg_options) == {"a": "2", "b": ""}


def test_malformed_option_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as stop:
        _parse("--cfg-options", "a")
    assert stop.value.code == 2
    assert "--cfg-options: expected KEY=VALUE, but got a" in capsys.readouterr().err


def test_config_of_a_run_is_read_with_its_options(tmp_path):
    (tmp_path / "a.py").write_text("model = dict(width=1)")
    args = _parse("--cfg-options", "model.width=3", "--work-dir", "2024_01")
    args.config = str(tmp_path / "a.py")
    cfg = load_run_config(args)
    assert (cfg.model.width, cfg.work_dir, cfg.launcher) == (3, "2024_01", "none")


@pytest.mark.parametrize(
    ("option", "in_config", "expected"),
    [("a", "b", "a"), (None, "b", "b"), (None, None, "work_dirs/dgdm_cub")],
)
def test_work_dir_is_taken_in_order(tmp_path, option, in_config, expected):
    path = tmp_path / "dgdm_cub.py"
    path.write_text(f"work_dir = {in_config!r}")
    args = _parse(*(["--work-dir", option] if option else []))
    args.config = str(path)
    assert load_run_config(args).work_dir == expected


def test_success_is_zero(capsys):
    assert run_command(lambda: 3) == 0
    assert capsys.readouterr().err == ""


def test_error_of_the_user_is_one_line(capsys, monkeypatch):
    monkeypatch.delenv("MMDGDM_TRACEBACK", raising=False)
    monkeypatch.delenv("RANK", raising=False)
    assert run_command(lambda: _raise(ConfigError("It is\n wrong."))) == 2
    assert capsys.readouterr().err == "error: It is wrong.\n"


@pytest.mark.parametrize(("value", "shown"), [("1", True), ("0", False), ("", False)])
def test_traceback_is_shown_on_request(capsys, monkeypatch, value, shown):
    monkeypatch.setenv("MMDGDM_TRACEBACK", value)
    assert run_command(lambda: _raise(ConfigError("wrong"))) == 2
    printed = capsys.readouterr().err
    assert ("Traceback" in printed) is shown
    assert printed.endswith("error: wrong\n")


def test_other_processes_say_who_they_are(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    run_command(lambda: _raise(ConfigError("wrong")))
    assert capsys.readouterr().err == "error (process 1): wrong\n"


def test_error_from_a_data_loader_process_is_one_line(capsys, monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    try:
        _raise(DataError("a.png: cannot be read"))
    except DataError:
        wrapped = ExceptionWrapper(where="in DataLoader worker process 0")
    assert run_command(wrapped.reraise) == 2
    assert capsys.readouterr().err == "error: a.png: cannot be read\n"


def test_errors_of_the_program_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 / 0)
