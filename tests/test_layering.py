"""The house rules that a reader of the code relies on, read from the code itself.

The layers of ``pyproject.toml`` import downward only; the numpy core needs neither
torch nor mmengine; importing the package is cheap; functions stay short; nothing
public lacks a docstring.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

REPO_ROOT = Path(__file__).resolve().parents[1]
FUNCTIONAL = "mmdgdm.evaluation.functional"

# Importing the numpy core runs these, so they take part in its promise.
_LIGHT = " .version .named_configs .yapf_import .errors .evaluation"
LIGHT = tuple(f"mmdgdm{name}" for name in _LIGHT.split(" "))

MAX_FUNCTION_LINES = 50

# Modules whose distribution has another name, or comes with a declared one.
PROVIDED_BY = {"PIL": "pillow", "cv2": "mmengine", "yaml": "mmengine"}
# mmcv is one of two extras, checked by `mmdgdm.utils.dependencies`; those of
# searches, of speed, of export and of the web demo are others.
OPTIONAL = {"mmcv", "optuna", "numba", "onnxruntime", "safetensors", "argcomplete"}
OPTIONAL |= {"gradio", "fastapi", "uvicorn"}

FUNCTION_NODES = (ast.FunctionDef, ast.AsyncFunctionDef)


class Source(NamedTuple):
    """A Python file of the package or of the tools."""

    module: str
    is_package: bool
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)


def read_source(path: Path, root: Path) -> Source:
    parts = path.relative_to(root).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    module = ".".join(parts[:-1] if is_package else parts)
    return Source(module, is_package, path.read_text(encoding="utf-8"))


def find_sources(root: Path) -> list[Source]:
    paths = [p for name in ("mmdgdm", "tools") for p in (root / name).rglob("*.py")]
    paths = [p for p in paths if ".mim" not in p.relative_to(root).parts]
    return [read_source(path, root) for path in sorted(paths)]


SOURCES = find_sources(REPO_ROOT)
MODULES = {source.module for source in SOURCES}


def each(sources: list[Source]) -> pytest.MarkDecorator:
    names = [source.module for source in sources]
    return pytest.mark.parametrize("source", sources, ids=names)


def is_core(source: Source) -> bool:
    return source.module in LIGHT or source.module.startswith(FUNCTIONAL)


def absolute(node: ast.ImportFrom, source: Source) -> str:
    """The full name of the module that ``from ... import`` names."""
    if not node.level:
        return node.module or ""
    package = source.module.split(".")
    package = package[: len(package) - node.level + source.is_package]
    return ".".join(package + ([node.module] if node.module else []))


def find_imports(source: Source) -> Iterator[str]:
    """All imported modules, also those inside functions and conditions."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = absolute(node, source)
            # A name may be a submodule: `from mmdgdm import apis`.
            names = [f"{module}.{alias.name}" for alias in node.names]
            yield from [name for name in names if name in MODULES] or [module]


def test_imports_go_downward_only():
    if sys.version_info < (3, 11):
        pytest.skip("import-linter needs Python 3.11")
    from importlinter.cli import lint_imports

    assert lint_imports(config_filename=str(REPO_ROOT / "pyproject.toml")) == 0


def stdlib() -> frozenset[str]:
    if sys.version_info < (3, 10):
        pytest.skip("needs the list of standard modules of Python 3.10")
    return sys.stdlib_module_names


@each([source for source in SOURCES if is_core(source)])
def test_the_numpy_core_imports_numpy_and_opencv_only(source):
    foreign = {name for name in find_imports(source) if not name.startswith(FUNCTIONAL)}
    allowed = {"numpy", "cv2", "numba"} | stdlib()
    wrong = {n for n in foreign if n.split(".")[0] not in allowed and n not in LIGHT}
    assert wrong == set()


def declared_distributions() -> set[str]:
    text = (REPO_ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    return set(re.findall(r"^[a-z][\w-]*", text, flags=re.MULTILINE))


@each(SOURCES)
def test_third_party_imports_are_declared(source):
    imported = {name.split(".")[0] for name in find_imports(source)}
    foreign = imported - stdlib() - {"mmdgdm", "tools"} - OPTIONAL
    needed = {PROVIDED_BY.get(name, name) for name in foreign}
    assert needed - declared_distributions() == set()


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("mmdgdm", "torch mmengine mmcv mmpretrain cv2 numpy"),
        ("mmdgdm.errors", "torch mmengine mmcv mmpretrain cv2 numpy"),
        ("mmdgdm.utils", "torch mmengine mmcv mmpretrain cv2"),
        (f"{FUNCTIONAL}.max_box_acc", "torch mmengine mmcv mmpretrain"),
        ("mmdgdm.evaluation.stored.evaluate", "torch mmengine mmcv mmpretrain"),
    ],
)
def test_importing_loads_nothing_heavy(module, unwanted):
    code = f"import sys, {module}; print(*set({unwanted.split()}) & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPO_ROOT,
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def code_lines(node: ast.FunctionDef) -> int:
    """The lines of a function from ``def`` to its end, without its docstring."""
    length = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node) is not None:
        length -= node.body[0].end_lineno - node.body[0].lineno + 1
    return length


@each(SOURCES)
def test_functions_are_short(source):
    functions = [n for n in ast.walk(source.tree) if isinstance(n, FUNCTION_NODES)]
    lengths = {node.name: code_lines(node) for node in functions}
    assert {k: v for k, v in lengths.items() if v >= MAX_FUNCTION_LINES} == {}


@each(SOURCES)
def test_the_library_raises_instead_of_asserting(source):
    lines = [n.lineno for n in ast.walk(source.tree) if isinstance(n, ast.Assert)]
    assert lines == []


def find_public(body: list, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """The public classes, functions and methods with their dotted names."""
    for node in body:
        if not isinstance(node, (ast.ClassDef, *FUNCTION_NODES)):
            continue
        if node.name.startswith("_"):
            continue
        yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from find_public(node.body, f"{prefix}{node.name}.")


@each(SOURCES)
def test_everything_public_has_a_docstring(source):
    tree = source.tree
    public = find_public(tree.body)
    assert [name for name, node in public if not ast.get_docstring(node)] == []
    assert ast.get_docstring(tree), "the module itself"


def test_the_rules_see_all_folders():
    assert {"mmdgdm", "mmdgdm.registry", f"{FUNCTIONAL}", "mmdgdm.models"} <= MODULES
    assert any(module.startswith("tools.") for module in MODULES)
