"""Take the pictures of the report, the web demo and the site that the pages show.

What they show is made first: `make demo` trains on drawn images and writes a report,
`make docs` builds the site. The web demo is served here, with the two trained models.

Example:
    python docs/screenshots.py
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from mmdgdm.apis import WSOLInferencer
from mmdgdm.datasets.toy import Toy
from mmdgdm.web.server import open_server
from mmdgdm.web.views import Model

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "work_dirs" / "demo"
SITE = ROOT / "docs" / "_build" / "html"
METHODS = ("cam", "dgdm")
#: The drawn image that is dropped on the page, and its side in pixels.
DRAWN, SIDE = 9, 320
#: Windows by the ending of a picture's name: size, and whether they are dark.
WINDOWS = {"desktop": ((1000, 760), False), "phone": ((390, 780), True)}
#: Pictures that show a page to its end.
WHOLE = ("screen_web_desktop",)


def check_inputs() -> None:
    """Stop unless there is something to take pictures of."""
    for path, command in (
        (DEMO / "report.html", "make demo"),
        (SITE / "index.html", "make docs"),
    ):
        if not path.is_file():
            raise SystemExit(f"error: {path} is missing: `{command}` writes it.")
    if shutil.which("chromium") is None:
        raise SystemExit("error: chromium is missing, which takes the pictures.")


@contextmanager
def serve() -> Iterator[str]:
    """Serve the web demo with both models of `make demo`; gives its address."""
    models = []
    for method in METHODS:
        name = f"{method}_resnet18_1xb32-12e_toy"
        weights = (DEMO / method / "last_checkpoint").read_text().strip()
        path = DEMO / method / Path(weights).name
        models.append(
            Model(method.upper(), WSOLInferencer(name, str(path), device="cpu"))
        )
    with open_server(models, host="127.0.0.1", port=0) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        yield server.url
        server.stop()
        thread.join()


def scroll_to(page: Page, name: str) -> None:
    """Scroll until an element is near the top, with a little space above it."""
    page.add_style_tag(content=f"{name} {{ scroll-margin-top: 24px; }}")
    page.wait_for_timeout(500)  # for what moves to stand still
    page.evaluate("(name) => document.querySelector(name).scrollIntoView()", name)


def show_report(page: Page) -> None:
    """The report where its images begin."""
    page.goto((DEMO / "report.html").as_uri())
    scroll_to(page, "#images")


def show_web(page: Page, address: str, image: Path) -> None:
    """The web demo with an image on it."""
    page.goto(address)
    page.set_input_files("input[type=file]", image)
    page.get_by_text("Box from").nth(len(METHODS) - 1).wait_for()
    page.wait_for_function("[...document.images].every((one) => one.naturalWidth)")
    scroll_to(page, "h2")


def show_site(page: Page) -> None:
    """The first page of the site."""
    page.goto((SITE / "index.html").as_uri())
    scroll_to(page, "html")


def save(page: Page, path: Path) -> None:
    """Write what is seen as a small file."""
    taken = page.screenshot(full_page=path.stem in WHOLE)
    with Image.open(io.BytesIO(taken)) as image:
        image.convert("RGB").save(path, quality=82, method=6)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def take(browser: Browser, address: str, *, image: Path, out: Path) -> None:
    """Take all pictures."""
    shown: dict[str, Any] = {
        "report": show_report,
        "web": lambda page: show_web(page, address, image),
        "site": show_site,
    }
    for ending, ((width, height), dark) in WINDOWS.items():
        for name, show in shown.items():
            page = browser.new_page(
                viewport=dict(width=width, height=height),
                color_scheme="dark" if dark else "light",
            )
            show(page)
            save(page, out / f"screen_{name}_{ending}.webp")
            page.close()


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs" / "pictures", help="where they go"
    )
    args = parser.parse_args()
    check_inputs()
    toy = Toy(split="test", num_classes=8, image_size=SIDE, pipeline=[])
    with tempfile.TemporaryDirectory() as folder, serve() as address:
        image = Path(folder, "drawn.png")
        cv2.imwrite(str(image), toy[DRAWN]["img"])
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium")
            )
            take(browser, address, image=image, out=args.out)
            browser.close()


if __name__ == "__main__":
    main()
