"""The examples of the docstrings run, and give what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from collections import OrderedDict

import pytest
from mmengine.runner.checkpoint import CheckpointLoader

import mmdgdm


def list_modules() -> list[str]:
    found = pkgutil.walk_packages(mmdgdm.__path__, "mmdgdm.")
    return [module.name for module in found if ".mim" not in module.name]


@pytest.mark.parametrize("name", list_modules())
def test_examples_run(name, tmp_path, monkeypatch):
    if name.startswith("mmdgdm.search"):
        pytest.importorskip("optuna", reason="needs the extra `search`")
    loaders = OrderedDict(CheckpointLoader._schemes)  # an example adds to them
    monkeypatch.setattr(CheckpointLoader, "_schemes", loaders)
    monkeypatch.chdir(tmp_path)  # where an example would write
    result = doctest.testmod(importlib.import_module(name))

    assert result.failed == 0
    assert list(tmp_path.iterdir()) == []
