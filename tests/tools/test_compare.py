"""tools/compare.py: differences of results in files, and what is refused."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest

from mmdgdm.comparison.results import compare_results
from mmdgdm.evaluation.stored.class_scores import write_class_scores
from mmdgdm.evaluation.stored.evaluate import EvaluationSettings, evaluate_scoremaps
from mmdgdm.evaluation.stored.metadata import write_split
from mmdgdm.evaluation.stored.record_files import record_path
from mmdgdm.evaluation.stored.scoremap_files import write_scoremap

BOX = (0, 0, 99, 99)


@pytest.fixture
def run(repo_root):
    """``main`` of the tool."""
    path = repo_root / "tools" / "compare.py"
    spec = importlib.util.spec_from_file_location("mmdgdm_compare", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda *argv: module.main(list(map(str, argv)))


def write_result(root, name, hits, labels=None, threshold=None, **options):
    """A result with these hits: a square where the object is, or beside it."""
    ids = [f"{k}.jpg" for k in range(len(hits))]
    labels = labels or [k % 2 for k in range(len(hits))]
    sizes = dict.fromkeys(ids, (224, 224))
    metadata = root / f"{name}_metadata"
    boxes = {image_id: [BOX] for image_id in ids}
    write_split(metadata, dict(zip(ids, labels)), image_sizes=sizes, boxes=boxes)
    for image_id, hit in zip(ids, hits):
        scores = np.zeros((224, 224), dtype=np.float32)
        start = 0 if hit else 120
        scores[start : start + 100, start : start + 100] = 1
        write_scoremap(root / name, image_id, scores=scores)
    path = root / f"{name}.json"
    result = evaluate_scoremaps(
        root / name,
        metadata,
        settings=EvaluationSettings(topk=(1,), threshold=threshold, interval=0.1),
        record_file=record_path(path),
        **options,
    )
    result.pop("curves")
    path.write_text(json.dumps(result))
    return path


def scores_file(root, name, right, labels):
    by_image = {
        f"{k}.jpg": np.eye(2)[label if fits else 1 - label]
        for k, (label, fits) in enumerate(zip(labels, right))
    }
    write_class_scores(root / name, by_image)
    return root / name


def test_differences_by_hand(run, tmp_path, capsys):
    labels = [0, 0, 1, 1]
    right = scores_file(tmp_path, "a.npz", [1, 1, 0, 1], labels)
    first = write_result(tmp_path, "a", [1, 0, 1, 0], labels, 0.5, scores=right)
    right = scores_file(tmp_path, "b.npz", [1, 1, 1, 1], labels)
    second = write_result(tmp_path, "b", [1, 1, 1, 1], labels, 0.5, scores=right)
    out = tmp_path / "new" / "differences.csv"
    assert run(first, second, "--csv", out) == 0
    with open(out, encoding="utf-8") as file:
        rows = {(r["group"], r["name"], r["score"]): r for r in csv.DictReader(file)}

    def values(*key):
        names = ("images", "first_value", "second_value", "difference")
        return [float(rows[key][name]) for name in names]

    assert values("all", "all", "gt_known") == [4, 50, 100, 50]
    assert values("all", "all", "max_box_acc_v2") == [4, 50, 100, 50]
    # Where both are right: the first image alone.
    assert values("all", "all", "top1_loc") == [4, 25, 100, 75]
    assert values("all", "all", "top1_cls") == [4, 75, 100, 25]
    assert values("class", "0", "top1_cls") == [2, 100, 100, 0]
    assert values("size", "medium", "gt_known") == [4, 50, 100, 50]
    interval = rows["all", "all", "gt_known"]
    assert (float(interval["low"]), float(interval["high"])) == (0, 100)
    assert len(rows) == 4 * 4  # all, medium, two classes
    said = capsys.readouterr().out
    row = "| all (4) | GT-known | 50.00 | 100.00 | +50.00 | +0.00 to +100.00 | |"
    assert row in " ".join(said.split())
    assert f"At val's threshold; that of GT-known is 0.5 of {first}, 0.5 of" in said
    assert "label 0" not in said


def test_a_clear_difference_is_marked(run, tmp_path, capsys):
    first = write_result(tmp_path, "a", [0, 1, 0, 0] * 5)
    second = write_result(tmp_path, "b", [1, 1, 1, 1] * 5)
    assert run(first, second, first, "--by-class", "--resamples", 500) == 0
    better, same = capsys.readouterr().out.split("A: ")[1:]
    assert better.count(" * |") > 4
    assert " * |" not in same
    assert "label 1 (10)" in better
    assert "At each score's best threshold" in same


def test_classes_stand_by_name(run, tmp_path, capsys):
    first = write_result(tmp_path, "a", [1, 0])
    (tmp_path / "classes.txt").write_text("0 jay\n1 owl\n")
    second = write_result(tmp_path, "b", [1, 0])
    assert run(first, second, "--by-class", "--resamples", 10) == 0
    said = capsys.readouterr().out
    assert "| owl (1) " in said
    assert "label" not in said


def test_images_in_another_order_are_paired(tmp_path):
    first = write_result(tmp_path, "a", [1, 0, 0, 0, 1, 1])
    second = tmp_path / "b.json"
    second.write_text(first.read_text())
    with np.load(record_path(first)) as file:
        arrays = dict(file)
    ends = np.concatenate(([0], arrays["ends"]))
    parts = [arrays["records"][a:b] for a, b in zip(ends, ends[1:])][::-1]
    np.savez(
        record_path(second),
        image_ids=arrays["image_ids"][::-1],
        records=np.concatenate(parts),
        ends=np.cumsum([len(part) for part in parts]),
    )
    rows = compare_results([first, second], num_resamples=20).differences
    assert {(row.difference, row.low, row.high) for row in rows} == {(0, 0, 0)}


def test_a_score_that_one_result_lacks_is_left_out(run, tmp_path, capsys):
    right = scores_file(tmp_path, "a.npz", [1, 1], [0, 1])
    first = write_result(tmp_path, "a", [1, 0], scores=right, threshold=0.5)
    second = write_result(tmp_path, "b", [1, 0])
    assert run(first, second) == 0
    said = capsys.readouterr().out
    assert "not all results know it: Top-1 Loc, Top-1 Cls." in said
    assert "At each score's best threshold" in said  # the second knows no other


def assert_refused(run, capsys, paths, *parts):
    assert run(*paths) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    for part in parts:
        assert part in said


def test_what_cannot_be_compared(run, tmp_path, capsys):
    first = write_result(tmp_path, "a", [1, 0])
    assert_refused(run, capsys, [first], "two results or more", "got 1")
    assert_refused(run, capsys, [first, tmp_path / "no.json"], "no.json")
    more = write_result(tmp_path, "more", [1, 0, 1])
    assert_refused(run, capsys, [first, more], "0 are missing and 1 are new", "'2.jpg'")
    turned = write_result(tmp_path, "turned", [1, 0], labels=[1, 0])
    assert_refused(run, capsys, [first, turned], "same classes", "2 images", "'0.jpg'")
    other = write_result(tmp_path, "other", [1, 1])
    record_path(first).rename(record_path(other))
    assert_refused(run, capsys, [turned, other], "gt_known is 100.0", "they give 50")
    assert_refused(run, capsys, [first, turned], "a.records.npz", "no such file")
    (tmp_path / "empty.json").write_text("{}")
    record_path(other).rename(record_path(tmp_path / "empty.json"))
    paths = [tmp_path / "empty.json", turned]
    assert_refused(run, capsys, paths, "'wsol/gt_known'", "got nothing")


def test_the_tool_loads_neither_torch_nor_mmengine(repo_root):
    code = (
        "import sys, runpy; runpy.run_path('tools/compare.py'); "
        "print(*{'torch', 'mmengine', 'mmcv'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=repo_root,
    )
    assert done.stdout.strip() == ""
