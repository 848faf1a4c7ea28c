"""``mmdgdm::cam/...`` as the base of a config, wherever the package is installed.

mmengine finds the configs of packages by name: ``_base_ = "mmdgdm::..."`` in a text
config, ``from mmdgdm.configs...`` within ``read_base()`` of a pure Python one, and
``mmengine.hub``. It knows a fixed table of packages, though, looks for the files of
an editable installation where its metadata lie, and reads the names of a base in the
scope of its package, while ours are written for mmpretrain's. This module mends all
three, once mmengine's configs are imported: to import mmdgdm stays cheap.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Optional

from mmdgdm.yapf_import import import_yapf

_PACKAGE = Path(__file__).resolve().parent
_MODULE = "mmengine.config.config"
_PREFIX = "mmdgdm::"


def configs_root() -> Path:
    """The folder that holds ``configs``: ``mmdgdm/.mim``, or the source tree's root."""
    installed = _PACKAGE / ".mim"
    return installed if (installed / "configs").is_dir() else _PACKAGE.parent


def list_configs() -> list[Path]:
    """The files of the configs that can be run, by method and name."""
    return sorted((configs_root() / "configs").glob("[!_]*/*.py"))


def find_config(name: str) -> Path:
    """The file that is meant by a config's path or name.

    Args:
        name: A path, ``mmdgdm::cam/<name>.py``, or the name of one of
            :func:`list_configs` with or without its folder and its ending.

    Returns:
        The file; it exists unless nothing of that name does.
    """
    if name.startswith(_PREFIX):
        return configs_root() / "configs" / name[len(_PREFIX) :]
    stem = name[:-3] if name.endswith(".py") else name
    if not Path(name).is_file():
        for path in list_configs():
            if stem in (path.stem, f"{path.parent.name}/{path.stem}"):
                return path
    return Path(name)


def teach_mmengine() -> None:
    """Let mmengine find our configs by name, now or when its configs are imported."""
    if _MODULE in sys.modules:
        _teach(sys.modules[_MODULE])
    elif not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport())


class _AfterImport(importlib.abc.MetaPathFinder):
    """Lets one module be imported as ever, and changes it then."""

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], target: Any = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if fullname != _MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                sys.meta_path.remove(self)
                import_yapf()
                execute(module)
                _teach(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _teach(module: ModuleType) -> None:
    """Change ``mmengine.config.config``, and what ``mmengine.hub`` will import."""
    config_utils: Any = sys.modules["mmengine.config.utils"]
    config_utils.MODULE2PACKAGE["mmdgdm"] = "mmdgdm"
    # `read_base()` looks below the package for `configs`, all others for `.mim`.
    _answer(module, "get_installed_path", lambda _: str(configs_root()))
    for name in ("mmengine.utils", "mmengine.utils.package_utils", "mmengine.hub.hub"):
        if name in sys.modules:
            _answer(sys.modules[name], "get_installed_path", lambda _: str(_PACKAGE))
    find = module.Config._get_cfg_path

    def find_config(path: str, filename: str) -> tuple[str, Optional[str]]:
        package, _, name = path.partition("::")
        if package != "mmdgdm":
            return find(path, filename)
        return str(configs_root() / "configs" / name), None

    module.Config._get_cfg_path = staticmethod(find_config)


def _answer(module: ModuleType, name: str, answer: Callable[[str], str]) -> None:
    """Let a function of a module answer in another way for this package."""
    known = getattr(module, name)
    setattr(module, name, lambda p: answer(p) if p == "mmdgdm" else known(p))
