"""Write the short tables of ``docs/results.md`` from the stored results.

    python experiments/short_results.py

A data set has a short table once it has runs in ``experiments/results`` and a long
table in ``docs/research/methods.md``, which ``experiments/methods.py DATA --page``
writes: from there come the trivial baselines, which no run holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from methods import DATA, METHODS, ROOT, Records
from methods_table import cell
from page import insert_table

PAGE = ROOT / "docs" / "results.md"
LONG_PAGE = ROOT / "docs" / "research" / "methods.md"
RESULTS = ROOT / "experiments" / "results"
#: Real photographs come first.
TITLES = {
    "cub10": "Ten species of CUB-200-2011: real photographs, EfficientNet-Lite0",
    "tiny_imagenet": "Forty classes of Tiny ImageNet: ResNet-18 from scratch",
    "tiny_imagenet_pretrained": "Forty classes of Tiny ImageNet: EfficientNet-Lite0",
    "stamps": "Stamps: cut-out photographs on photographs, EfficientNet-Lite0",
    "raccoon": "Raccoon: photographs of what the classifier does not know",
    "toy": "Toy: drawn creatures, a small ResNet-18 from scratch",
}
#: Parts of methods are compared on the long page.
PARTS = ("-cagd", "-sagd", "-nobg", "-noimportance")
SHOWN = (
    "Top-1 Cls",
    "GT-known, val's threshold",
    "MaxBoxAcc, val's threshold",
    "MaxBoxAccV2",
)


def long_rows(data: str, page: Path) -> list[dict[str, str]]:
    """The rows of a data set's long table by heading; none where it has no table."""
    text = page.read_text(encoding="utf-8")
    _, _, rest = text.partition(f"<!-- table: {data} -->\n")
    table = rest.partition(f"<!-- end: {data} -->")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return [dict(zip(cells[0], row)) for row in cells[2:]]


def method_rows(data: str, records: Records) -> Iterator[list[str]]:
    """A row for each method that was run: its name, its seeds, its scores."""
    columns = {name: key for name, key in DATA[data].columns.items() if name in SHOWN}
    for method in METHODS:
        runs: dict[str, Any] = records.read(method)["runs"]
        if runs and not any(part in method for part in PARTS):
            tests = [run["test"] for run in runs.values()]
            scores = [
                cell([test[key] for test in tests], 1) for key in columns.values()
            ]
            yield [method.upper(), str(len(tests)), *scores]


def short_table(data: str, results: Path, page: Path) -> str:
    """The short table of a data set, or nothing if it has no runs or no long table."""
    rows = list(method_rows(data, Records(results / data)))
    known = long_rows(data, page)
    if not rows or not known:
        return ""
    shown = [name for name in DATA[data].columns if name in SHOWN]
    for row in known:
        if "(trivial" in row["method"]:
            rows.append([row["method"], "", *(row[name] for name in shown)])
    head = ["method", "seeds", *shown]
    lines = [head, ["---"] * len(head), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"\n## {TITLES[data]}\n\n{table}\n"


def short_tables(results: Path = RESULTS, page: Path = LONG_PAGE) -> str:
    """All short tables, with a heading each."""
    found = (short_table(data, results, page) for data in TITLES)
    return "".join(found) + "\n"


if __name__ == "__main__":
    insert_table(PAGE, "short", short_tables())
