"""Arguments from the third one on are given by name."""

from __future__ import annotations

import ast
from pathlib import Path

import mmdgdm

#: Python, mmengine, torch and torch.fx call these by position.
GIVEN = {
    *("_hook", "_act_traced", "find_spec", "before_train_iter", "after_test_iter"),
    *("after_val_iter", "get_log_after_epoch", "postprocess"),
    *("after_train_iter", "save_checkpoint"),
}


def node_is_public(node):
    if not isinstance(node, ast.FunctionDef) or node.name in GIVEN:
        return False
    return node.name == "__init__" or not node.name.startswith("_")


def functions():
    root = Path(mmdgdm.__file__).parent
    # What numba compiles is no concern of users.
    files = set(root.rglob("*.py")) - set(root.rglob("level_kernel.py"))
    for path in sorted(files - set(root.glob(".mim/**/*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            if node_is_public(node):
                yield f"{path.relative_to(root)}:{node.name}", node


def test_arguments_from_the_third_on_are_keyword_only():
    found = list(functions())
    assert len(found) > 100
    wrong = []
    for name, node in found:
        names = [a.arg for a in node.args.posonlyargs + node.args.args]
        if len([n for n in names if n not in ("self", "cls")]) > 2:
            wrong.append(name)
    assert not wrong
