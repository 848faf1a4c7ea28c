"""Put the table of versions that were tested into ``docs/versions.md``.

``nox`` runs the tests first (``noxfile.py``). Then: ``python experiments/versions.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from page import insert_table

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "experiments" / "results" / "versions"
PAGE = ROOT / "docs" / "versions.md"
#: Heading and packages of each column.
COLUMNS: dict[str, tuple[str, ...]] = {
    "Python": ("python",),
    "torch, torchvision": ("torch", "torchvision"),
    "numpy": ("numpy",),
    "OpenCV": ("opencv-python",),
    "mmengine, mmcv-lite": ("mmengine", "mmcv-lite"),
    "numba": ("numba",),
    "setuptools": ("setuptools",),
}


def table(results: Path = RESULTS) -> str:
    """The table, as Markdown.

    Args:
        results: The folder with a file for each set.

    Returns:
        A line for each set, by its name.
    """
    found = {path.stem: json.loads(path.read_text()) for path in results.glob("*.json")}
    head = ("set", *COLUMNS, "passed", "failed", "skipped")
    rows = [head, ["---"] * len(head)]
    rows += [_row(name, found[name]) for name in sorted(found)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(name: str, result: dict[str, Any]) -> list[str]:
    versions, tests = result["versions"], result["tests"]
    shown = [
        ", ".join(versions[package].partition("+")[0] or "none" for package in packages)
        for packages in COLUMNS.values()
    ]
    counts = [f"{tests[kind]:,}" for kind in ("passed", "failed", "skipped")]
    return [f"`{name}`: {result['meaning']}", *shown, *counts]


def main() -> None:
    """Write the table."""
    insert_table(PAGE, "versions", table())


if __name__ == "__main__":
    main()
