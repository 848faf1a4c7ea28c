"""Write the lists of configs: ``docs/model_zoo.md`` and the models of each metafile.

    python docs/model_zoo.py

The head of a metafile, what it says of its method, is written by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
#: Ending of a config's name, and what the data are called. Small sets come first.
SMALL = {
    "toy": "toy",
    "stamps": "stamps",
    "stamps-metadata": "stamps",
    "stamps-masks": "stamps, masks",
    "raccoon": "raccoon",
    "cub10": "ten species of CUB-200-2011",
    "tiny-imagenet": "forty classes of Tiny ImageNet",
    "tiny-imagenet-128": "forty classes of Tiny ImageNet",
}
#: Folders of results that are named otherwise than the data in a config's name.
FOLDERS = {
    "tiny-imagenet": "tiny_imagenet",
    "tiny-imagenet-128": "tiny_imagenet_pretrained",
}
LARGE = {"cub": "CUB-200-2011", "ilsvrc": "ILSVRC", "openimages": "OpenImages30k"}
HEAD = """\
# All configs

Written by `python docs/model_zoo.py`. A name says the method and its parts, the
backbone, GPUs and images a batch, epochs, and the data.

## Small sets

| config | data | result |
|---|---|---|
"""
MIDDLE = """
## CUB-200-2011, ILSVRC, OpenImages30k

None of these is trained here: the sets were not at hand. That each one builds, takes a
training step and predicts is tested.

"""


class Leaf(NamedTuple):
    """A config by what its name says."""

    path: Path
    method: str
    backbone: str
    data: str


def leaves() -> Iterator[Leaf]:
    """All configs, sorted by name."""
    for path in sorted((ROOT / "configs").glob("[!_]*/*.py")):
        method, backbone, _, data = path.stem.split("_")
        yield Leaf(path, method, backbone, data)


def result_of(leaf: Leaf) -> str:
    """The page with a config's results, or that there are none."""
    results = ROOT / "experiments" / "results"
    folder = FOLDERS.get(leaf.data, leaf.data)
    pages = {"results.md": f"{folder}/{leaf.method}.json"}
    if leaf.data == "toy" and leaf.backbone != "resnet18":
        names = {"repvgg": "RepVGG", "efficientnet-lite0": "EfficientNet-Lite0"}
        folder = f"toy_frame/backbone={names[leaf.backbone]}"
        pages = {"research/sensitivity.md": f"{folder}/{leaf.method}.json"}
    # The same training as the method's own on stamps.
    if leaf.data == "stamps-metadata":
        return "[results](results.md)"
    for page, file in pages.items():
        if (results / file).is_file():
            return f"[{Path(page).stem}]({page})"
    return "not run"


def zoo(found: list[Leaf]) -> str:
    """The page of all configs."""
    text = HEAD
    for leaf in found:
        if leaf.data in SMALL:
            link = f"[{leaf.path.name}](../{leaf.path.relative_to(ROOT)})"
            text += f"| {link} | {SMALL[leaf.data]} | {result_of(leaf)} |\n"
    text += MIDDLE + f"| method | backbone | {' | '.join(LARGE.values())} |\n"
    text += "|---" * (len(LARGE) + 2) + "|\n"
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for leaf in found:
        if leaf.data in LARGE:
            link = f"[config](../{leaf.path.relative_to(ROOT)})"
            rows.setdefault((leaf.method, leaf.backbone), {})[leaf.data] = link
    for (method, backbone), links in rows.items():
        cells = " | ".join(links.get(data, "") for data in LARGE)
        text += f"| {method} | {backbone} | {cells} |\n"
    return text


def metafile(head: str, found: Iterable[Leaf]) -> str:
    """A metafile: its head as it stands, and the models of its folder."""
    head = head.partition("Models:\n")[0]
    name = head.partition("- Name: ")[2].partition("\n")[0]
    text = f"{head}Models:\n"
    for leaf in found:
        text += f"  - Name: {leaf.path.stem}\n    In Collection: {name}\n"
        text += f"    Config: {leaf.path.relative_to(ROOT)}\n"
    return text


def pages() -> dict[Path, str]:
    """All files that this script writes, and their text."""
    found = list(leaves())
    written = {ROOT / "docs" / "model_zoo.md": zoo(found)}
    for path in sorted((ROOT / "configs").glob("*/metafile.yml")):
        own = [leaf for leaf in found if leaf.path.parent == path.parent]
        written[path] = metafile(path.read_text(encoding="utf-8"), own)
    index = "".join(f"  - {path.relative_to(ROOT)}\n" for path in list(written)[1:])
    written[ROOT / "model-index.yml"] = f"Import:\n{index}"
    return written


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
