"""Options, error messages and exit codes of the tools."""

from __future__ import annotations

import argparse

import pytest
from torch._utils import ExceptionWrapper

from mmdgdm.cli.command_line import add_common_arguments, run_command
from mmdgdm.errors import ConfigError, DataError


def _parse(*argv):
    parser = argparse.ArgumentParser(prog="tool")
    add_common_arguments(parser)
    return parser.parse_args(argv)


def _raise(error):
    raise error


def test_options_are_parsed_as_mmengine_does():
    args = _parse("--cfg-options", "a.b=3", "c=[1,x]", "--local-rank", "2")
    assert args.cfg_options == {"a.b": 3, "c": [1, "x"]}
    assert args.local_rank == 2
    assert args.launcher == "none"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("my data/a b.pth", "my data/a b.pth"),
        ("'quoted'", "quoted"),
        ("None", None),
        ("true", True),
        ("1e-3", 0.001),
        ("", ""),
        ("a,b", ["a", "b"]),
        ("(1,)", (1,)),
    ],
)
def test_values_keep_their_spaces_and_types(text, value):
    assert _parse("--cfg-options", f"a={text}").cfg_options == {"a": value}


@pytest.mark.parametrize("option", ["a", "a=[(1,2]"])
def test_malformed_option_is_a_usage_error(capsys, option):
    with pytest.raises(SystemExit) as stop:
        _parse("--cfg-options", option)
    assert stop.value.code == 2
    assert f"--cfg-options: expected KEY=VALUE, but got {option}" in (
        capsys.readouterr().err
    )


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
