"""A report in a real browser: no error, no request, and it does what it offers."""

from __future__ import annotations

import pytest

from mmdgdm.report.page import make_report, write_report

from .conftest import CLASSES, IDS

#: A person at work; what they see after each step.
USE = """() => {
  const $ = (name) => document.querySelector(name);
  const all = (name) => [...document.querySelectorAll(name)];
  const last = (title) => title.textContent.split(" · ").pop();
  const ids = () => all("#cards h3").map(last);
  const set = (element, value, ...events) => {
    element.value = value;
    for (const name of events) {
      element.dispatchEvent(new Event(name, { bubbles: true }));
    }
  };
  const box = () => ["x", "y", "width", "height"].map(
    (name) => Number($("#cards .predicted").getAttribute(name)));
  const seen = { count: $("#count").textContent };
  seen.kinds = all("[data-kind]").map((number) => number.textContent);
  seen.down = ids();
  set($("#sort"), "iou-up", "change");
  seen.up = ids();
  set($("#sort"), "gain-down", "change");
  seen.gain = ids();
  set($("#sort"), "confidence-down", "change");
  seen.confidence = ids();
  set($("#sort"), "class", "change");
  seen.byClass = ids();
  const wrongClass = $('#kinds input[value="wrong class"]');
  wrongClass.click();
  seen.filtered = ids();
  wrongClass.click();
  set($("#class"), "0", "change");
  seen.oneClass = ids();
  seen.box = box();
  set($("#view input"), "900", "input", "change");
  seen.higher = box();
  set($("#view input"), "100", "input", "change");
  seen.lower = box();
  seen.said = $("#cards .said").textContent;
  set(all("#view input")[2], "100", "input");
  seen.opacity = getComputedStyle($("#cards .map")).opacity;
  all("#view button")[0].click();
  seen.again = box();
  set($("#class"), "", "change");
  $("#cards .open").click();
  seen.open = [$("#large").open, last($("#large-title"))];
  $("#large").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
  seen.next = last($("#large-title"));
  seen.unnamed = all("button, select, input").filter((e) => !(
    e.textContent || e.labels?.length || e.getAttribute("aria-label"))).length;
  $("#large").close();
  seen.overflow = document.documentElement.scrollWidth - innerWidth;
  seen.paper = getComputedStyle(document.body).backgroundColor;
  seen.ink = getComputedStyle(document.body).color;
  seen.bars = getComputedStyle($(".plot svg")).fill;
  seen.smallest = Math.min(
    ...all(".plot text").map((text) => text.getBoundingClientRect().height));
  return seen;
}"""
PAPER = {True: "rgb(22, 24, 28)", False: "rgb(255, 255, 255)"}


@pytest.fixture(scope="module")
def address(runs, tmp_path_factory):
    """A report on disk."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, make_report(runs))
    return path.as_uri()


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.parametrize("dark", [True, False], ids=["dark", "light"])
@pytest.mark.parametrize("phone", [True, False], ids=["phone", "desktop"])
def test_a_person_sorts_filters_and_moves_the_threshold(
    address, open_page, phone, dark
):
    page, wrong = open_page(address, own=address, phone=phone, dark=dark)
    text = page.inner_text("body")
    assert all(name in text for name in (*CLASSES, *IDS))
    seen = page.evaluate(USE)
    assert wrong == []
    a, b, c = IDS  # too small, wrong class, too large by the first run
    assert seen["count"] == "3 of 3 images"
    assert seen["kinds"] == ["0", "1", "1", "1", "0"]
    assert seen["down"] == [b, c, a]
    assert seen["up"] == [a, c, b]
    assert seen["gain"] == [a, c, b]
    assert seen["confidence"] == [c, b, a]
    assert seen["byClass"] == [a, *sorted([b, c], key=str.casefold)]
    assert set(seen["filtered"]) == {a, c}
    assert seen["oneClass"] == [a]
    # A hill of 10 pixels that falls to 0 over 60 more, cut at half, 0.9 and 0.1.
    assert seen["box"] == seen["again"] == [0, 0, 40, 40]
    assert seen["higher"] == [0, 0, 16, 16]
    assert seen["lower"] == [0, 0, 64, 64]
    assert "IoU 0.4" in seen["said"]
    assert seen["opacity"] == "1"
    assert seen["open"] == [True, a]
    assert seen["next"] in (b, c)
    assert seen["unnamed"] == 0
    assert seen["overflow"] <= 0
    assert seen["paper"] == PAPER[dark]
    # What matplotlib leaves to the default, which is black, follows the page too.
    assert seen["bars"] == seen["ink"]
    assert seen["smallest"] >= 9
