"""Write a page of the API reference for each package: ``docs/api/``.

Sphinx calls this before it reads the pages (``docs/conf.py``). What stands on them
comes from the docstrings.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def packages() -> Iterator[tuple[str, list[str]]]:
    """Each package by its dotted name, with the names of its public modules."""
    for path in sorted((ROOT / "mmdgdm").rglob("__init__.py")):
        folder = path.parent.relative_to(ROOT)
        if any(part.startswith(".") for part in folder.parts):
            continue
        modules = sorted(
            found.stem for found in path.parent.glob("*.py") if found.stem[0] != "_"
        )
        yield ".".join(folder.parts), modules


def heading(text: str, mark: str) -> str:
    """A title of reStructuredText."""
    return f"{text}\n{mark * len(text)}\n\n"


def exported(package: str) -> str:
    """What is imported from a package itself, with links to where it stands."""
    module = importlib.import_module(package)
    found = [getattr(module, name) for name in getattr(module, "__all__", ())]
    places = [
        f"{thing.__module__}.{thing.__qualname__}"
        for thing in found
        if getattr(thing, "__module__", "").startswith(f"{package}.")
        and hasattr(thing, "__qualname__")
    ]
    links = ", ".join(f":obj:`~{place}`" for place in places)
    return f"Import from ``{package}``: {links}.\n\n" if links else ""


def page(package: str, modules: list[str]) -> str:
    """The page of one package."""
    text = heading(package, "=") + f".. automodule:: {package}\n\n" + exported(package)
    for name in modules:
        text += heading(name, "-") + f".. automodule:: {package}.{name}\n\n"
    return text


def write(folder: Path) -> None:
    """Write all pages and their list, and remove those of packages that are gone."""
    found = dict(packages())
    pages = {f"{package}.rst": page(package, found[package]) for package in found}
    pages["index.rst"] = (
        heading("API reference", "=")
        + "All classes and functions, from their docstrings: a page a package.\n\n"
        + ".. toctree::\n   :maxdepth: 1\n\n"
        + "".join(f"   {package}\n" for package in found)
    )
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.rst"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        # A page that stays is not built again.
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
