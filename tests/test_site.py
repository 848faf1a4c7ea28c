"""The documentation site builds without a warning, leads somewhere, and opens."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from filelock import FileLock

from .conftest import DESKTOP, PHONE

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


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built once for all processes of a run."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    built = folder / "site"
    with FileLock(folder / "site.lock"):
        if not (built / "index.html").is_file():
            options = ["-b", "html", "-q", "-W", "--keep-going"]
            done = subprocess.run(
                [sys.executable, "-m", "sphinx", *options, "docs", built],
                cwd=ROOT,
                capture_output=True,
                text=True,
            )
            (folder / "site.said").write_text(f"{done.returncode} {done.stderr}")
    assert (folder / "site.said").read_text() == "0 "
    return built


@needs_sphinx
@pytest.mark.slow
def test_site_builds_without_a_warning_and_its_links_lead_somewhere(site):
    assert (site / "api" / "mmdgdm.models.necks.html").is_file()
    assert broken_links(site) == []


#: How a page looks at a window's size: what is too wide, and how dark the paper is.
LOOKS = """() => [
  document.documentElement.scrollWidth - innerWidth,
  getComputedStyle(document.body).backgroundColor,
  [...document.images].filter((image) => !image.naturalWidth).length,
]"""


@needs_sphinx
@pytest.mark.slow
def test_pages_open_in_a_browser_on_phones_and_desktops_light_and_dark(site, open_page):
    page, wrong = open_page((site / "index.html").as_uri(), own=site.as_uri())
    paths = sorted(site.glob("*.html")) + sorted(site.glob("research/*.html"))
    assert len(paths) > 25
    for path in paths:
        page.goto(path.as_uri())
        for phone in (False, True):
            width, height = PHONE if phone else DESKTOP
            page.set_viewport_size(dict(width=width, height=height))
            seen = {}
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                overflow, seen[scheme], missing = page.evaluate(LOOKS)
                assert (path.name, overflow, missing) == (path.name, 0, 0)
            assert seen == {"light": "rgb(255, 255, 255)", "dark": seen["dark"]}
            assert seen["dark"] != seen["light"]
        assert (path.name, wrong) == (path.name, [])
