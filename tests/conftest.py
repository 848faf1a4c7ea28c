"""Fixtures that all tests share."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple

import pytest

import mmdgdm  # noqa: F401  # first of all: workers that start together share caches

# Tests run side by side: threads of several processes would wait for each other.
# Set before torch is imported, and inherited by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPO_ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = REPO_ROOT.parent / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long",
        action="store_true",
        help="provoke faults in their long form, as `make test-faults` does",
    )


@pytest.fixture(scope="session")
def is_long(pytestconfig: pytest.Config) -> bool:
    """Whether faults are provoked in their long form: more kills, more examples."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The root of the repository."""
    return REPO_ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with optional real data, beside the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the real data sets of {SHARED_DATA}, which is missing")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def forget_default_scope() -> Iterator[None]:
    """Leave no default scope behind: mmengine keeps it for the whole process."""
    yield
    if "mmengine.registry" in sys.modules:
        from mmengine.registry import DefaultScope

        DefaultScope._instance_dict.clear()


class ScoresAndMaps(NamedTuple):
    """What a head makes of its features."""

    score: Any
    cam: Any


@pytest.fixture(scope="session")
def scores_and_maps() -> Callable[..., ScoresAndMaps]:
    """Class scores and maps of a head, of all classes or of the given labels."""

    def compute(head: Any, feats: Any, labels: Any = None) -> ScoresAndMaps:
        embedded = head.embed(feats)
        scores = head.scores(embedded).float()
        return ScoresAndMaps(scores, head.maps(embedded, labels))

    return compute


#: Windows of people: width and height in pixels.
PHONE, DESKTOP = (390, 844), (1280, 900)


class Opened(NamedTuple):
    """A page in a browser, and what went wrong on it so far."""

    page: Any
    wrong: list[str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser of this machine, without a window."""
    driver = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright, of the extra `dev`"
    )
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs chromium or google-chrome")
    with driver.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path)
        yield found
        found.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Opened]]:
    """Opens an address in a window of its own, and writes down what goes wrong.

    That is an error of a script, one on the console, an answer that says no, and any
    request that leaves ``own``, by default the folder of the address.
    """
    windows = []

    def open_address(
        address: str, *, own: str = "", phone: bool = False, dark: bool = False
    ) -> Opened:
        width, height = PHONE if phone else DESKTOP
        window = browser.new_context(
            viewport=dict(width=width, height=height),
            color_scheme="dark" if dark else "light",
        )
        windows.append(window)
        opened = Opened(window.new_page(), [])
        allowed = (own or address.rpartition("/")[0], "data:", "blob:")
        _watch(opened, allowed)
        opened.page.goto(address)
        return opened

    yield open_address
    for window in windows:
        window.close()


def _watch(opened: Opened, allowed: tuple[str, ...]) -> None:
    page, wrong = opened

    def note(what: str, is_wrong: bool = True) -> None:
        if is_wrong:
            wrong.append(what)

    page.on("pageerror", lambda error: note(str(error)))
    page.on("console", lambda said: note(said.text, said.type == "error"))
    page.on("request", lambda r: note(r.url, not r.url.startswith(allowed)))
    page.on("response", lambda r: note(f"{r.status} {r.url}", r.status >= 400))
