"""Arguments from the third one on are given by name."""

from __future__ import annotations

import ast
from pathlib import Path

import mmdgdm.models

#: mmengine, torch and torch.fx call these by position.
GIVEN = {"_hook", "_act_traced"}


def functions():
    root = Path(mmdgdm.models.__file__).parent
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name not in GIVEN:
                yield f"{path.relative_to(root)}:{node.name}", node


def test_arguments_from_the_third_on_are_keyword_only():
    found = dict(functions())
    assert len(found) > 100
    wrong = []
    for name, node in found.items():
        names = [a.arg for a in node.args.posonlyargs + node.args.args]
        if len([n for n in names if n not in ("self", "cls")]) > 2:
            wrong.append(name)
    assert not wrong
