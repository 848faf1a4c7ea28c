"""The house rules that a reader of the code relies on, read from the code itself.

A file imports only from lower layers, never from a sibling of its own layer; the
numpy core needs neither torch nor mmengine; importing the package is cheap;
functions and files stay short; nothing public lacks a docstring.
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

# From the bottom up; the units of one row do not import each other. `utils`
# stands below `registry`, which checks the dependencies through it.
LAYERS = [
    {"mmdgdm", "mmdgdm.version", "mmdgdm.errors", "mmdgdm.evaluation"},
    {FUNCTIONAL},
    {"mmdgdm.utils"},
    {"mmdgdm.registry"},
    {
        "mmdgdm.models",
        "mmdgdm.datasets",
        "mmdgdm.evaluation.metrics",
        "mmdgdm.engine",
        "mmdgdm.visualization",
    },
    {"mmdgdm.apis"},
    {"tools"},
]
LAYER_OF = {unit: number for number, units in enumerate(LAYERS) for unit in units}
# Importing the numpy core runs these, so they take part in its promise.
LIGHT = ("mmdgdm", "mmdgdm.version", "mmdgdm.errors", "mmdgdm.evaluation")

MAX_FUNCTION_LINES = 50
MAX_FILE_LINES = 400

# Modules whose distribution has another name, or comes with a declared one.
PROVIDED_BY = {"PIL": "pillow", "cv2": "mmengine", "yaml": "mmengine"}
# mmcv is one of two extras, checked by `mmdgdm.utils.dependencies`; those of
# searches are another.
OPTIONAL = {"mmcv", "optuna", "filelock"}

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


def unit_of(module: str) -> str | None:
    """The longest unit of LAYERS that holds a module; None for foreign ones."""
    if module.split(".")[0] not in ("mmdgdm", "tools"):
        return None
    parts = module.split(".")
    for end in range(len(parts), 0, -1):
        unit = ".".join(parts[:end])
        # "mmdgdm" itself stands for its __init__ only.
        if unit in LAYER_OF and (unit != "mmdgdm" or end == len(parts)):
            return unit
    raise AssertionError(f"{module} belongs to no layer: give it one in LAYERS")


def find_violations(source: Source) -> list[str]:
    own = unit_of(source.module)
    found = []
    for imported in find_imports(source):
        unit = unit_of(imported)
        if unit is None or (unit == own and own != "tools"):
            continue
        # The bottom row is plain names without code that could tangle.
        if LAYER_OF[unit] >= LAYER_OF[own] and LAYER_OF[unit] > 0:
            found.append(f"{source.module} imports {imported}")
    return found


@each(SOURCES)
def test_imports_go_downward_only(source):
    assert find_violations(source) == []


@pytest.mark.parametrize(
    ("module", "text", "violations"),
    [
        ("mmdgdm.models.a", "from mmdgdm.errors import DataError", 0),
        ("mmdgdm.models.a", "from mmdgdm.models.b import c", 0),
        ("mmdgdm.models.a", "from . import b", 0),
        ("mmdgdm.models.a", "from mmdgdm.datasets import b", 1),
        ("mmdgdm.models.a", "def f():\n    import mmdgdm.apis.b", 1),
        ("mmdgdm.models.a", "from ..visualization import b", 1),
        ("mmdgdm.models.a", "from mmdgdm import apis", 1),
        ("mmdgdm.utils.a", "from mmdgdm.registry import MODELS", 1),
        ("mmdgdm.registry", "from mmdgdm.utils.a import b", 0),
        ("mmdgdm.evaluation.functional.a", "import mmdgdm.utils", 1),
        ("mmdgdm.evaluation.metrics.a", "import mmdgdm.evaluation.functional", 0),
        ("tools.a", "from mmdgdm.apis import b", 0),
        ("tools.a", "from tools.b import c", 1),
        ("mmdgdm.errors", "import mmdgdm.models", 1),
    ],
)
def test_the_layer_check_sees_a_violation(module, text, violations):
    assert len(find_violations(Source(module, False, text))) == violations


def stdlib() -> frozenset[str]:
    if sys.version_info < (3, 10):
        pytest.skip("needs the list of standard modules of Python 3.10")
    return sys.stdlib_module_names


@each([source for source in SOURCES if is_core(source)])
def test_the_numpy_core_imports_numpy_and_opencv_only(source):
    foreign = {name for name in find_imports(source) if not name.startswith(FUNCTIONAL)}
    allowed = {"numpy", "cv2"} | stdlib()
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
        ("mmdgdm.apis.evaluate", "torch mmengine mmcv mmpretrain"),
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
def test_functions_and_files_are_short(source):
    functions = [n for n in ast.walk(source.tree) if isinstance(n, FUNCTION_NODES)]
    lengths = {node.name: code_lines(node) for node in functions}
    assert {k: v for k, v in lengths.items() if v >= MAX_FUNCTION_LINES} == {}
    assert source.text.count("\n") < MAX_FILE_LINES


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
