"""Packaging of mmdgdm.

The folders ``configs`` and ``tools`` and the file ``model-index.yml`` travel as
``mmdgdm/.mim``, where OpenMMLab's tools look for them: as copies in a wheel, as
links into the source tree for an editable installation.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.develop import develop

ROOT = Path(__file__).resolve().parent
MIM_SOURCES = ("configs", "tools", "model-index.yml")
MIM_FOLDER = Path("mmdgdm", ".mim")


def read_version() -> str:
    text = (ROOT / "mmdgdm" / "version.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', text, flags=re.MULTILINE)
    if match is None:
        raise RuntimeError('Expected mmdgdm/version.py to hold `__version__ = "..."`.')
    return match.group(1)


def read_requirements(name: str) -> list[str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    lines = (line.split("#", maxsplit=1)[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def find_mim_files() -> list[Path]:
    """List the files that travel as ``mmdgdm/.mim``, relative to the root."""
    sources = [ROOT / name for name in MIM_SOURCES]
    found = sources + [path for source in sources for path in source.rglob("*")]
    files = (path.relative_to(ROOT) for path in found if path.is_file())
    return sorted(path for path in files if not is_by_product(path))


def is_by_product(path: Path) -> bool:
    return any(part.startswith((".", "__pycache__")) for part in path.parts)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.is_symlink() or path.exists():
        path.unlink()


def link_mim() -> None:
    """Make ``mmdgdm/.mim`` in the source tree, for an editable installation."""
    folder = ROOT / MIM_FOLDER
    remove(folder)
    folder.mkdir()
    try:
        for name in MIM_SOURCES:
            target = Path("..", "..", name)
            (folder / name).symlink_to(target, (ROOT / name).is_dir())
    except OSError:  # links need a privilege on Windows
        for path in find_mim_files():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, folder / path)


class BuildWithMim(build_py):
    """Add ``mmdgdm/.mim`` to the built package."""

    def run(self) -> None:
        built = Path(self.build_lib, "mmdgdm")
        if not self.editable_mode and built.resolve() != ROOT / "mmdgdm":
            remove(built)  # it may hold modules of before that are gone by now
        super().run()
        if self.editable_mode:
            link_mim()
            return
        for target, source in self.mim_mapping().items():
            self.mkpath(str(Path(target).parent))
            self.copy_file(source, target)

    def mim_mapping(self) -> dict[str, str]:
        folder = Path(self.build_lib, MIM_FOLDER)
        return {str(folder / path): str(path) for path in find_mim_files()}

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), *self.mim_mapping()]

    def get_output_mapping(self) -> dict[str, str]:
        return {**super().get_output_mapping(), **self.mim_mapping()}


class DevelopWithMim(develop):
    """Add ``mmdgdm/.mim`` for ``setup.py develop`` too, which builds nothing."""

    def run(self) -> None:
        link_mim()
        super().run()


setup(
    name="mmdgdm",
    version=read_version(),
    description="Weakly supervised object localization on top of OpenMMLab: "
    "dual-attention guided dropblock and an exact evaluator",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="mmdgdm contributors",
    license="Apache-2.0",
    keywords="computer vision, weakly supervised object localization, OpenMMLab",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    packages=find_packages(include=["mmdgdm", "mmdgdm.*"]),
    package_data={"mmdgdm": ["py.typed"], "mmdgdm.report": ["templates/*"]},
    include_package_data=False,
    entry_points={"console_scripts": ["mmdgdm = mmdgdm.cli.main:main"]},
    python_requires=">=3.9",
    install_requires=read_requirements("runtime"),
    extras_require={
        "cam": read_requirements("cam"),
        "complete": read_requirements("complete"),
        "docs": read_requirements("docs"),
        "export": read_requirements("export"),
        "lite": read_requirements("lite"),
        "mim": read_requirements("mim"),
        "fast": read_requirements("fast"),
        "pretrained": read_requirements("pretrained"),
        "search": read_requirements("search"),
        "test": read_requirements("test"),
        "web": read_requirements("web"),
        "dev": [
            line
            for name in (
                "test",
                "search",
                "fast",
                "cam",
                "export",
                "docs",
                "web",
                "dev",
            )
            for line in read_requirements(name)
        ],
    },
    cmdclass={"build_py": BuildWithMim, "develop": DevelopWithMim},
    zip_safe=False,
)
