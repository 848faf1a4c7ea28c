"""Put tables that a benchmark made into pages of the documentation."""

from __future__ import annotations

from pathlib import Path


def insert_table(page: Path, name: str, text: str) -> None:
    """Replace what stands between the two marks that a page has for a table.

    Args:
        page: A file with the lines ``<!-- table: NAME -->`` and ``<!-- end: NAME -->``.
        name: The table's name.
        text: The new table, with a line end.
    """
    begin, end = f"<!-- table: {name} -->\n", f"<!-- end: {name} -->\n"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise SystemExit(f"error: {page} has no lines {begin!r} and {end!r}")
    page.write_text(f"{before}{begin}{text}{end}{after}", encoding="utf-8")
