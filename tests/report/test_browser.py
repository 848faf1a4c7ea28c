"""A report in a real browser: no error, no request, and it does what it offers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape

import pytest

from mmdgdm.report.page import make_report

from .conftest import IDS

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
#: Before all else: what goes wrong is written down.
WATCH = """<script>
window.wrong = [];
addEventListener("error", (event) => wrong.push(String(event.message)));
addEventListener("securitypolicyviolation", (event) => wrong.push(event.blockedURI));
console.error = (...words) => wrong.push(words.join(" "));
</script>"""
#: A person at work; what they see after each step.
USE = """<script>addEventListener("load", () => {
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
  seen.resources = performance.getEntriesByType("resource").map((one) => one.name)
    .filter((name) => !name.startsWith("data:"));
  seen.width = innerWidth;
  seen.overflow = document.documentElement.scrollWidth - innerWidth;
  seen.paper = getComputedStyle(document.body).backgroundColor;
  seen.wrong = wrong;
  parent.postMessage(JSON.stringify(seen), "*");
});</script>"""
#: A window of any size, since the browser's own has a least width.
WINDOW = """<!DOCTYPE html><pre id="seen"></pre><script>
addEventListener("message", (event) => {
  document.getElementById("seen").textContent = event.data;
});
</script><iframe src="report.html" width="%d" height="%d" frameborder="0"></iframe>"""


@pytest.mark.skipif(BROWSER is None, reason="needs chromium or google-chrome")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "scheme", "paper"),
    [((390, 844), 0, "rgb(22, 24, 28)"), ((1280, 900), 1, "rgb(255, 255, 255)")],
    ids=["phone-dark", "desktop-light"],
)
def test_a_person_sorts_filters_and_moves_the_threshold(
    runs, tmp_path, size, scheme, paper
):
    page = make_report(runs).replace("<head>", f"<head>{WATCH}", 1)
    path = tmp_path / "report.html"
    path.write_text(page.replace("</body>", f"{USE}</body>"), encoding="utf-8")
    window = tmp_path / "window.html"
    window.write_text(WINDOW % size, encoding="utf-8")
    done = subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu"),
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1400,1000",
            f"--blink-settings=preferredColorScheme={scheme}",
            *("--virtual-time-budget=5000", "--dump-dom", window.as_uri()),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found = re.search(r'<pre id="seen">(.+?)</pre>', done.stdout, flags=re.DOTALL)
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    seen = json.loads(unescape(found[1]))
    assert seen["wrong"] == seen["resources"] == []
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
    assert seen["paper"] == paper
    assert seen["width"] == size[0]
