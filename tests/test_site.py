"""The documentation site builds without a warning, and its links lead somewhere."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
needs_sphinx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("furo", "myst_parser")),
    reason="needs the extra `docs`",
)


class Page(HTMLParser):
    """The places of a page that links may name, and what it links to and loads."""

    def __init__(self, path):
        super().__init__()
        self.places = set()
        self.links = []
        self.loaded = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.places.add(found.get("id"))
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if found.get("src"):
            self.loaded.append(found["src"])
        if tag == "link" and found.get("rel") in ("stylesheet", "preload"):
            self.loaded.append(found["href"])


def broken_links(site):
    """Links and loaded files of a built site that lead nowhere, or outside."""
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    broken = []
    for path, page in pages.items():
        for link in (*page.links, *page.loaded):
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "mailto") and link in page.links:
                continue
            target = path
            if parts.path:
                target = (path.parent / unquote(parts.path)).resolve()
            place = unquote(parts.fragment)
            known = target not in pages or not place or place in pages[target].places
            if parts.netloc or not target.is_file() or not known:
                broken.append((path.name, link))
    return broken


def test_broken_links_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<h1 id="top"></h1><a href="#top"></a><a href="b.html#there"></a>'
        '<a href="#gone"></a><a href="c.html"></a><a href="https://example.org"></a>'
        '<script src="https://example.org/x.js"></script>'
    )
    (tmp_path / "b.html").write_text('<img id="there" src="none.png">')
    assert sorted(broken_links(tmp_path)) == [
        ("a.html", "#gone"),
        ("a.html", "c.html"),
        ("a.html", "https://example.org/x.js"),
        ("b.html", "none.png"),
    ]


@needs_sphinx
@pytest.mark.slow
def test_site_builds_without_a_warning_and_its_links_lead_somewhere(tmp_path):
    options = ["-b", "html", "-q", "-W", "--keep-going"]
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "docs", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "api" / "mmdgdm.models.necks.html").is_file()
    assert broken_links(tmp_path) == []
