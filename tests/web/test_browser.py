"""The web demo in a real browser: it answers, asks nobody else, and escapes names."""

from __future__ import annotations

import re
import socket
import threading

import pytest

from mmdgdm.web import server
from mmdgdm.web.server import open_server

pytestmark = pytest.mark.slow
#: gradio asks for the progress of an upload that may be over by then.
HARMLESS = re.compile(r"404 .*/upload_progress|status of 404|^Response$")


@pytest.fixture
def address(models, monkeypatch):
    """Where the page is served, by a process that asks for no other host."""
    pytest.importorskip("gradio", reason="needs the extra `web`")
    monkeypatch.setattr(server, "MAX_UPLOAD", "100kb")
    asked, find = set(), socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        asked.add(host)
        return find(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with open_server(models, host="127.0.0.1", port=0) as opened:
        thread = threading.Thread(target=opened.run)
        thread.start()
        yield opened.url
        opened.stop()
        thread.join(timeout=20)
        assert not thread.is_alive()
    assert asked == {"127.0.0.1"}


def boxes(page):
    """The corners that are said below each drawing."""
    texts = page.locator(".said:has(b)").all_inner_texts()
    return [tuple(map(int, re.findall(r"(\d+), (\d+)", t)[1])) for t in texts]


def wait_for(page, wanted):
    """Wait until the boxes are these; the message shows what they were."""
    for _ in range(300):
        if boxes(page) == wanted:
            return
        page.wait_for_timeout(100)
    assert boxes(page) == wanted


def drop(page, file):
    page.set_input_files("input[type=file]", file)


@pytest.mark.parametrize(
    ("phone", "dark"), [(True, True), (False, False)], ids=["phone-dark", "desktop"]
)
def test_a_person_drops_an_image_and_moves_the_threshold(
    address, models, open_page, photo, phone, dark
):
    page, wrong = open_page(address, own=address, phone=phone, dark=dark)
    page.locator("input[type=file]").wait_for(state="attached")
    drop(page, photo)
    # Hills of 10 and 70 pixels that fall to 0 over 60 more, cut at 0.5 and 0.3, of
    # 224 pixels that are 448 wide.
    wait_for(page, [(80, 40), (224, 112)])
    drawings = page.locator("img[src*=gradio_api]")
    assert drawings.count() == 2
    first = drawings.nth(0).get_attribute("src")
    slider = page.locator("input[type=range]").nth(0)
    slider.fill("0.9")
    wait_for(page, [(32, 16), (224, 112)])
    page.wait_for_function("(old) => document.images[0].src !== old", arg=first)
    assert [model.localizer.runs for model in models] == [1, 1]

    page.get_by_label("Class to map").click()
    assert page.get_by_role("option").count() == 1 + 4
    page.get_by_role("option").nth(2).click()
    wait_for(page, [(72, 36), (264, 132)])
    text = page.inner_text("body")
    for name in ("<script>throw 1</script>", "<img src=x onerror=boom()>", "<b>first"):
        assert name in text
    assert "wren (2)" in text
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper)[:3])) < 300) == dark
    assert [one for one in wrong if not HARMLESS.search(one)] == []


def test_what_cannot_be_shown_is_said_in_the_page(address, open_page, photo, tmp_path):
    page, _ = open_page(address, own=address)
    page.locator("input[type=file]").wait_for(state="attached")
    drop(page, photo)
    wait_for(page, [(80, 40), (224, 112)])
    page.get_by_label("Clear").click()
    wait_for(page, [])
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    drop(page, broken)
    page.get_by_role("alert").get_by_text("Expected broken.jpg to be an").wait_for()
    page.get_by_label("Clear").click()
    large = tmp_path / "large.jpg"
    large.write_bytes(bytes(200_000))
    drop(page, large)
    page.get_by_text("exceed the maximum allowed size").wait_for()
