"""Our configs by name; installations of both kinds are in tests/test_packaging.py."""

from __future__ import annotations

import sys

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmdgdm import named_configs
from mmdgdm.engine.setup.config_check import load_config
from mmdgdm.errors import ConfigError
from mmdgdm.named_configs import configs_root
from mmdgdm.utils import register_all_modules


def test_configs_of_a_checkout_that_was_never_installed(tmp_path, monkeypatch):
    package = tmp_path / "mmdgdm"
    monkeypatch.setattr(named_configs, "_PACKAGE", package)
    assert configs_root() == tmp_path
    (package / ".mim" / "configs").mkdir(parents=True)
    assert configs_root() == package / ".mim"


def test_base_by_name_reads_as_the_file_does(repo_root, tmp_path):
    (tmp_path / "mine.yml").write_text("_base_: mmdgdm::_base_/default_runtime.py\n")
    plain = Config.fromfile(repo_root / "configs" / "_base_" / "default_runtime.py")
    assert Config.fromfile(tmp_path / "mine.yml").to_dict() == plain.to_dict()


def test_base_that_does_not_exist_is_named(tmp_path):
    (tmp_path / "mine.py").write_text("_base_ = 'mmdgdm::cam/gone.py'")
    with pytest.raises(ConfigError, match=r"mine\.py cannot be read .*cam/gone\.py"):
        load_config(tmp_path / "mine.py")


def test_configs_of_other_packages_are_left_to_mmengine(tmp_path):
    (tmp_path / "mine.py").write_text("_base_ = 'no_such_package::a/b.py'")
    with pytest.raises(AssertionError, match="does not support to load no_such_pack"):
        Config.fromfile(tmp_path / "mine.py")


def test_nothing_waits_for_an_import_that_has_been():
    assert "mmengine.config.config" in sys.modules
    kinds = [type(finder).__name__ for finder in sys.meta_path]
    assert "_AfterImport" not in kinds


@pytest.mark.parametrize(("init", "scope"), [(True, "mmpretrain"), (False, "mmdgdm")])
def test_names_in_our_configs_are_of_the_scope_of_mmpretrain(init, scope):
    with DefaultScope.overwrite_default_scope("mmdgdm"):
        register_all_modules(init)
        assert DefaultScope.get_current_instance().scope_name == scope
