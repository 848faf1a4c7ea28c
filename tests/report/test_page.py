"""A report: what stands in it, that it is whole, and that names cannot break it."""

from __future__ import annotations

import base64
import importlib.util
import json
from html.parser import HTMLParser

import numpy as np
import pytest

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.error_kinds import ERROR_KINDS
from mmdgdm.evaluation.functional.image_facts import describe_image
from mmdgdm.evaluation.functional.scoremaps import make_thresholds
from mmdgdm.report.gallery import (
    NO_KIND,
    level_table,
    make_gallery,
    small_map,
)
from mmdgdm.report.page import MAX_IMAGES, make_report
from mmdgdm.visualization.picture_files import read_pictures
from mmdgdm.visualization.sheets import Shot

from .conftest import CLASSES, IDS


class Page(HTMLParser):
    """Elements of a page by tag, its names, and the text of scripts and all else."""

    def __init__(self, text):
        super().__init__()
        self.found, self.scripts, self.texts, self.within = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.within.append(tag)

    def handle_endtag(self, tag):
        while self.within and self.within.pop() != tag:
            pass

    def handle_data(self, data):
        where = self.within[-1] if self.within else ""
        (self.scripts if where == "script" else self.texts).append(data)

    def named(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def page(runs):
    return make_report(runs, title="<b>Title")


def test_a_page_is_whole_and_asks_for_nothing(page):
    parsed = Page(page)
    assert [one.get("type") for one in parsed.named("script")] == [
        "application/json",
        None,
    ]
    assert parsed.named("link") == parsed.named("iframe") == parsed.named("img") == []
    addresses = [a.get("src") or a.get("href") or "" for _, a in parsed.found]
    assert {address[:1] for address in addresses} <= {"", "#"}
    (policy,) = [a for a in parsed.named("meta") if "http-equiv" in a]
    assert policy["content"].startswith("default-src 'none'; img-src data:;")
    names = [a["id"] for _, a in parsed.found if "id" in a]
    assert len(set(names)) == len(names)
    assert len(parsed.named("figure")) == 5


@pytest.mark.faults
def test_names_are_text(page):
    parsed = Page(page)
    assert parsed.named("b") == [{}, {}]  # names of the runs
    assert "<b>Title" in "".join(parsed.texts)
    data = json.loads(parsed.scripts[0])
    assert [image["id"] for image in data["images"]] == IDS
    assert [image["name"] for image in data["images"]] == [
        CLASSES[label] for label in (0, 1, 1)
    ]


def test_numbers_stand_side_by_side(page):
    words = " ".join(" ".join(Page(page).texts).split())
    # Of three images one is right, then all.
    assert "GT-known 33.3 100.0 +66.7" in words
    assert "At val's threshold" in words
    assert "cam : boxes at threshold 0.500 (chosen on val), 3 images; dgdm" in words


def test_boxes_are_the_evaluations_at_every_threshold(runs):
    for shot in read_pictures(runs[0].parent / "pictures"):
        table, facts = level_table(shot), shot.facts
        for threshold in [*make_thresholds()[::41], 0.2, 0.4, 0.6, 0.8, 0.999]:
            row = table[int(threshold * len(table))].astype(int)
            found = describe_image(
                shot.quantized,
                threshold,
                image_id="a",
                image_size=(224, 224),
                gt_boxes=[
                    [x * f for x, f in zip(b, (0.5, 1) * 2)] for b in facts.gt_boxes
                ],
            )
            assert tuple(row[:4]) == found.box
            assert abs((row[5] * 256 + row[6]) / 10_000 - found.iou) <= 0.5e-4
            known = facts.label == facts.predicted or found.kind != "right"
            assert ERROR_KINDS[row[4]] == (found.kind if known else "wrong class")


def test_a_map_without_truth_or_object_has_boxes_too():
    quantized = np.zeros((224, 224), np.uint8)
    facts = describe_image(quantized, 0.5, image_id="a", image_size=(9, 9))
    table = level_table(Shot(np.zeros((9, 9, 3), np.uint8), quantized, facts))
    assert table.tolist() == [[0, 0, 0, 0, NO_KIND, 0, 0]]


def test_two_thousand_images_of_two_runs_take_less_than_60_mb(runs, page):
    """Of noise, which packs worst, as many bytes each as an image can take."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (600, 600, 3)).astype(np.uint8)
    noise = rng.integers(0, 256, (224, 224)).astype(np.uint8)
    first = read_pictures(runs[0].parent / "pictures")[0]
    shot = first._replace(image=image)
    entries, drawn = make_gallery([[shot], [shot]], most=5)
    assert drawn == 1
    for run in entries[0]["runs"]:
        assert len(base64.b64decode(run["levels"])) == 255 * 7
        run["map"] = small_map(noise)
    rest = len(page) - len(json.dumps(make_gallery([[first]], most=1)[0]))
    assert MAX_IMAGES * len(json.dumps(entries[0])) + rest < 60e6


def test_what_does_not_fit_is_refused(runs, tmp_path):
    with pytest.raises(ConfigError, match="`names` to be one for each of 2 results"):
        make_report(runs, names=["one"])
    with pytest.raises(ConfigError, match="different names, but got a, a: set `names`"):
        make_report(runs, names=["a", "a"])
    with pytest.raises(ConfigError, match="`max_images` of 1 or more, but got 0"):
        make_report(runs, max_images=0)
    with pytest.raises(DataError, match=r"pictures\.json to be the list of a folder"):
        make_report(runs[:1], pictures=[tmp_path])
    shots = read_pictures(runs[0].parent / "pictures")
    with pytest.raises(DataError, match="but got none in common"):
        make_gallery([shots[:1], shots[1:]], most=9)


def test_tool_tells_where_the_page_is(runs, repo_root, tmp_path, capsys):
    path = repo_root / "tools" / "report.py"
    spec = importlib.util.spec_from_file_location("mmdgdm_report", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    out = tmp_path / "new" / "report.html"
    assert tool.main([str(runs[0]), "--out", str(out)]) == 0
    size = out.stat().st_size / 1e6
    assert capsys.readouterr().out == f"Wrote {out} ({size:.1f} MB).\n"
    assert "image by image" not in out.read_text(encoding="utf-8").split("<script")[0]
    assert tool.main([*map(str, runs), "--out", str(tmp_path / "a.txt")]) == 2
    assert "`--out` to be a .html file" in capsys.readouterr().err
    bare = tmp_path / "bare.json"
    bare.write_text(runs[0].read_text())
    (tmp_path / "bare.records.npz").write_bytes(
        runs[0].with_name("results.records.npz").read_bytes()
    )
    assert tool.main([str(bare), "--out", str(out)]) == 0
    assert "It shows no images" in capsys.readouterr().out
