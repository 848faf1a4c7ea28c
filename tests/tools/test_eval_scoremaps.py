"""tools/eval_scoremaps.py: its files, its errors, and that it needs no torch."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.evaluator import Evaluator
from mmpretrain.structures import DataSample

from mmdgdm.evaluation.functional.scoremaps import normalize_scoremap
from mmdgdm.evaluation.stored.class_scores import write_class_scores
from mmdgdm.evaluation.stored.metadata import read_split, write_split
from mmdgdm.evaluation.stored.record_files import read_record_classes, read_records
from mmdgdm.evaluation.stored.scoremap_files import write_scoremap

BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('torch', 'torchvision', 'mmengine', 'mmcv',
                                  'mmpretrain'):
            raise ImportError(name + ' is blocked')

sys.meta_path.insert(0, Blocker())
import runpy

sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


@pytest.fixture(scope="module")
def run(repo_root):
    """``main`` of the tool, with one process unless said otherwise."""
    path = repo_root / "tools" / "eval_scoremaps.py"
    spec = importlib.util.spec_from_file_location("mmdgdm_eval_scoremaps", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def main(*argv):
        return module.main(["--workers", "1", *map(str, argv)])

    return main


SQUARE = (50, 50, 150, 150)


def level_map(outer, inner):
    """The square at one score, and a quarter of it at a higher one."""
    scores = np.zeros((224, 224), dtype=np.float32)
    scores[50:150, 50:150] = outer
    scores[50:100, 50:100] = inner
    return scores


@pytest.fixture
def folder(tmp_path):
    """Four images: at 0.4 and below the box is the square, above it a quarter."""
    labels = {f"c{k % 2}/{k}.jpg": k % 2 for k in range(4)}
    boxes = [SQUARE, SQUARE, SQUARE, (50, 50, 100, 100)]
    boxes = {name: [box] for name, box in zip(labels, boxes)}
    write_split(
        tmp_path / "val",
        labels,
        image_sizes=dict.fromkeys(labels, (224, 224)),
        boxes=boxes,
    )
    for name in labels:
        write_scoremap(tmp_path / "maps", name, scores=level_map(0.4, 1.0))
    scores = {name: np.eye(6)[label] for name, label in labels.items()}
    scores["c1/3.jpg"] = np.eye(6)[5]
    write_class_scores(tmp_path / "scores.npz", scores)
    return tmp_path


def no_constants(name):
    raise AssertionError(f"{name} is no JSON")


def read_json(path):
    return json.loads(path.read_text(), parse_constant=no_constants)


def evaluate(run, folder, *options):
    """The result of a run that must succeed."""
    out = folder / "out" / "result.json"
    assert run(folder / "maps", folder / "val", "--json", out, *options) == 0
    return read_json(out)


def test_classes_stand_by_name(run, folder, capsys):
    names = folder / "names.txt"
    names.write_text("1 001.Jay\n2 002.Great owl\n")
    found = evaluate(run, folder, "--by-class", "--classes", names)
    assert [found["by_class"][k]["name"] for k in "01"] == ["001.Jay", "002.Great owl"]
    assert "| 002.Great owl |      2 |    50.00 |" in capsys.readouterr().out
    # Without the option those beside the splits are taken.
    (folder / "classes.txt").write_text("0 jay\n1 owl\n")
    found = evaluate(run, folder)
    assert [found["by_class"][k]["name"] for k in "01"] == ["jay", "owl"]
    records = folder / "out" / "result.records.npz"
    assert read_record_classes(records) == ("jay", "owl")
    names.write_text("0 jay\n")
    assert run(folder / "maps", folder / "val", "--classes", names) == 2
    assert "it names 1, and there is label 1" in capsys.readouterr().err


def test_a_result_on_val(run, folder, capsys):
    plot = folder / "new" / "curves.png"
    found = evaluate(run, folder, "--scores", folder / "scores.npz", "--plot", plot)
    metrics = found["metrics"]
    records = read_records(folder / "out" / "result.records.npz")
    assert list(records) == read_split(folder / "val").image_ids
    assert (
        metrics["wsol/gt_known"]
        == metrics["wsol/top1_loc"]
        == metrics["wsol/max_box_acc"]
        == 75
    )
    assert metrics["wsol/top1_cls"] == metrics["wsol/top5_cls"] - 25 == 75
    assert (metrics["wsol/gt_known_small"], metrics["wsol/gt_known_medium"]) == (0, 100)
    # The square is 101 x 101 pixels, the quarter 51 x 51.
    ratio = (3 + (101 / 51) ** 2) / 4
    assert metrics["wsol/box_area_ratio"] == pytest.approx(ratio)
    assert metrics["wsol/threshold/max_box_acc"] == 0
    assert len(found["curves"]) == 10
    assert all(len(curve) == 1000 for curve in found["curves"].values())
    assert found["curves"]["thresholds"][:3] == [0, 0.001, 0.002]
    assert found["curves"]["gt_known"][399:401] == [75, 25]
    assert {k: v["images"] for k, v in found["by_class"].items()} == {"0": 2, "1": 2}
    assert [found["by_class"][k]["gt_known"] for k in "01"] == [100, 50]
    assert {k: v["images"] for k, v in found["by_size"].items()} == {
        "small": 1,
        "medium": 3,
        "large": 0,
    }
    facts = found["evaluated"]
    assert (facts["images"], facts["classes"], facts["resized"]) == (4, 2, 0)
    assert facts["iou_thresholds"] == [0.3, 0.5, 0.7]
    assert (facts["interval"], facts["threshold"]) == (0.001, None)
    assert set(facts["versions"]) == {"mmdgdm", "python", "numpy", "opencv", "boxes"}
    picture = cv2.imread(str(plot))
    assert min(picture.shape[:2]) > 300
    said = capsys.readouterr().out
    assert "| GT-known " in said
    assert "4 images: 0 maps enlarged, 0 constant, which tell no place." in said
    assert "left out" not in said


def test_a_threshold_goes_from_val_to_test(run, folder, capsys):
    val = evaluate(run, folder)["metrics"]
    (folder / "out" / "result.json").rename(folder / "val.json")
    chosen = val["wsol/threshold_by_median/max_box_acc"]
    assert val["wsol/threshold/max_box_acc"] == 0 < chosen
    for options, value, rule in (
        ((folder / "val.json",), chosen, "median"),
        ((folder / "val.json", "--calibration", "argmax"), 0, "argmax"),
        (("0",), 0, None),
    ):
        result = evaluate(run, folder, "--threshold", *options)
        found = result["metrics"]
        assert found["wsol/val_threshold/gt_known"] == 75
        assert found["wsol/threshold/val_max_box_acc"] == value
        assert result["evaluated"]["threshold_rule"] == rule
        assert found.get(f"wsol/threshold_by_{rule}/val_max_box_acc", 0) == value
        told = f"The threshold {value:g} was chosen by {rule} on val.\n"
        assert (told in capsys.readouterr().out) == (rule is not None)
    old = {k: v for k, v in val.items() if "_by_" not in k}
    (folder / "val.json").write_text(json.dumps({"metrics": old}), encoding="utf-8")
    evaluate(run, folder, "--threshold", folder / "val.json")
    assert "by argmax on val, whose file holds none by median.\n" in (
        capsys.readouterr().out
    )
    found = evaluate(run, folder, "--threshold", 0.5)
    assert found["metrics"]["wsol/val_threshold/gt_known"] == 25
    assert found["metrics"]["wsol/gt_known"] == 75
    assert found["evaluated"]["threshold"] == 0.5


def test_a_result_at_a_fixed_threshold_gives_none(run, folder, capsys):
    evaluate(run, folder, "--threshold", 0.5)
    code = run(
        folder / "maps", folder / "val", "--threshold", folder / "out/result.json"
    )
    assert_user_error(code, capsys, r"result.json", "fixed threshold, 0.5")


def test_other_overlaps_and_steps(run, folder):
    options = ["--iou", 30, 50, 70, 95, "--interval", 0.01, "--topk", 2]
    found = evaluate(run, folder, "--scores", folder / "scores.npz", *options)
    assert found["metrics"]["wsol/max_box_acc_95"] == 75
    assert found["metrics"]["wsol/max_box_acc_v2"] == pytest.approx(75)
    assert len(found["curves"]["max_box_acc_v2_95"]) == 100
    assert "wsol/top2_loc" in found["metrics"]
    assert "wsol/top5_loc" not in found["metrics"]
    assert found["evaluated"]["iou_thresholds"] == [0.3, 0.5, 0.7, 0.95]


def test_left_out_images_are_listed(run, folder, capsys):
    (folder / "maps/c0/2.jpg.npy").unlink()
    found = evaluate(run, folder, "--allow-missing")
    assert found["evaluated"]["missing"] == ["c0/2.jpg"]
    said = capsys.readouterr().out
    assert said.startswith(
        "1 of 4 images have no map and are left out, which can raise the scores: "
        "c0/2.jpg.\n"
    )
    assert "| GT-known" in said


def test_overlaps_without_one_half(run, folder):
    found = evaluate(run, folder, "--iou", 30, 70)["metrics"]
    both = (found["wsol/max_box_acc_v2_30"] + found["wsol/max_box_acc_v2_70"]) / 2
    assert found["wsol/max_box_acc_v2"] == both
    assert "wsol/max_box_acc_v2_50" not in found
    assert found["wsol/gt_known"] == 75


def evaluate_baseline(run, folder, name, *options):
    out = folder / "out" / f"{name}.json"
    assert run("--baseline", name, folder / "val", "--json", out, *options) == 0
    return read_json(out)


def test_a_centred_box_in_place_of_maps(run, folder, capsys):
    # The square's 101 pixels lie 12 to the left of the middle and as many above it.
    found = evaluate_baseline(run, folder, "center", "--scores", folder / "scores.npz")
    metrics, facts = found["metrics"], found["evaluated"]
    assert metrics["wsol/gt_known"] == metrics["wsol/top1_loc"] == 75
    assert (facts["baseline"], facts["scoremap_root"]) == ("center", None)
    assert (facts["images"], facts["missing"], facts["constant"]) == (4, [], 0)
    # The largest box of which the square is half: 142 of 224 pixels, ring 41.
    side = facts["sides"]["wsol/threshold/max_box_acc"]
    assert side == 142 / 224
    assert metrics["wsol/threshold/max_box_acc"] == pytest.approx(41 / 112, abs=0.005)
    assert "The best centred box has 0.634 of the image's sides.\n" in (
        capsys.readouterr().out
    )
    val = folder / "out" / "center.json"
    options = ("--threshold", val, "--calibration", "argmax", "--workers", 2)
    test = evaluate_baseline(run, folder, "center", *options)
    assert test["metrics"]["wsol/val_threshold/gt_known"] == 75
    assert test["evaluated"]["sides"]["wsol/threshold/val_max_box_acc"] == side
    assert "Val's centred box has 0.634" in capsys.readouterr().out


def test_the_whole_image_in_place_of_maps(run, folder):
    found = evaluate_baseline(run, folder, "full", "--iou", 20, 30)
    assert found["metrics"]["wsol/max_box_acc_20"] == 75
    assert found["metrics"]["wsol/gt_known"] == 0
    assert found["evaluated"]["constant"] == 4
    assert "sides" not in found["evaluated"]


def test_options_may_stand_between_the_folders(run, folder):
    out = folder / "r.json"
    assert run(folder / "maps", "--json", out, folder / "val") == 0
    assert read_json(out)["evaluated"]["baseline"] is None


# Errors


def test_maps_or_a_baseline_not_both_nor_neither(run, folder, capsys):
    code = run(folder / "maps", folder / "val", "--baseline", "full")
    assert_user_error(code, capsys, "either `scoremap_root`", "maps and 'full'")
    code = run(folder / "val")
    assert_user_error(code, capsys, "or `baseline`", "but got neither")


def assert_user_error(code, capsys, *parts):
    lines = capsys.readouterr().err.strip().splitlines()
    lines = [line for line in lines if line.strip()]
    assert code == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    for part in parts:
        assert part in lines[0]


@pytest.mark.parametrize(
    ("name", "text", "parts"),
    [
        ("image_ids", "", ["image_ids.txt: names no image"]),
        ("image_ids", "a.jpg\na.jpg", ["image_ids.txt, line 2", "'a.jpg' again"]),
        ("class_labels", "c0/0.jpg,x", ["class_labels.txt, line 1"]),
        (
            "localization",
            "c0/0.jpg,0,0,9,9\nc1/1.jpg,0,0,500,9\nc0/2.jpg,0,0,9,9",
            ["localization.txt, line 2", "224"],
        ),
        ("localization", "c0/0.jpg,0,0,9,9", ["no line for image 'c1/1.jpg'"]),
    ],
)
def test_malformed_metadata(run, folder, capsys, name, text, parts):
    (folder / "val" / f"{name}.txt").write_text(text)
    assert_user_error(run(folder / "maps", folder / "val"), capsys, *parts)


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--iou", 50, 50], ["`iou_thresholds` to differ"]),
        (["--iou", 50, 0.7], ["`--iou` in percent"]),
        (["--iou", 50, 101], ["`iou_thresholds`"]),
        (["--interval", 0], ["`interval`"]),
        (["--workers", 0], ["`workers`"]),
        (["--threshold", 1], ["[0, 1)"]),
        (["--threshold", "nowhere.json"], ["nowhere.json"]),
        (["--scores", "nowhere.npz"], ["nowhere.npz"]),
        (["--json", "result.txt"], ["`--json`", "result.txt"]),
        (["--mask-root", "."], ["`mask_root`"]),
        (["--plot", "/dev/null/p.png", "--interval", 0.1], ["/dev/null/p.png"]),
    ],
)
def test_malformed_options(run, folder, capsys, options, parts):
    code = run(folder / "maps", folder / "val", *options)
    assert_user_error(code, capsys, *parts)


def test_malformed_maps(run, folder, capsys):
    code = run(folder / "nowhere", folder / "val")
    assert_user_error(code, capsys, "nowhere to be a folder of score maps")
    path = folder / "maps" / "c1/3.jpg.npy"
    path.write_bytes(path.read_bytes()[:1000])
    for workers in (1, 2):
        code = run(folder / "maps", folder / "val", "--workers", workers)
        assert_user_error(code, capsys, "Image 'c1/3.jpg'", str(path))
    path.unlink()
    code = run(folder / "maps", folder / "val")
    assert_user_error(code, capsys, "1 have none: 'c1/3.jpg'")


@pytest.mark.parametrize("good", [True, False])
def test_the_tool_needs_neither_torch_nor_mmengine(repo_root, folder, good):
    tool = repo_root / "tools" / "eval_scoremaps.py"
    argv = [tool, folder / "maps", folder / "val", "--workers", "2"]
    argv += ["--json", folder / "r.json", "--plot", folder / "p.png"]
    argv += ["--threshold", "0.2" if good else "7"]
    done = subprocess.run(
        [sys.executable, "-c", BLOCKER, *argv],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(repo_root)},
    )
    if good:
        assert done.returncode == 0, done.stderr
        assert (
            read_json(folder / "r.json")["metrics"]["wsol/val_threshold/gt_known"] == 75
        )
    else:
        assert done.returncode == 2
        # Before it the progress bar cleans up.
        assert done.stderr.endswith(
            "error: Expected a threshold in [0, 1), but got 7.\n"
        )


# Masks


def test_maps_of_the_true_masks_score_100(run, shared_data, tmp_path):
    root = shared_data / "stamps"
    metadata = root / "metadata_masks" / "val"
    split = read_split(metadata)
    chosen = split.image_ids[::12]
    for name in chosen:
        parts = []
        for path, _ in split.masks[name]:
            mask = cv2.imread(str(root / path), cv2.IMREAD_GRAYSCALE)
            parts.append(cv2.resize(mask, (224, 224), interpolation=cv2.INTER_NEAREST))
        scores = (np.max(parts, axis=0) > 0).astype(np.float32)
        write_scoremap(tmp_path / "maps", name, scores=scores)
    out, plot = tmp_path / "result.json", tmp_path / "curves.png"
    options = ["--allow-missing", "--mask-root", root, "--json", out, "--plot", plot]
    assert run(tmp_path / "maps", metadata, *options) == 0
    found = read_json(out)
    assert found["metrics"]["wsol/pxap"] == found["metrics"]["wsol/pixel_iou"] == 100
    assert found["evaluated"]["images"] == len(chosen)
    assert len(found["curves"]["pixel_recall"]) == 1000
    assert cv2.imread(str(plot)) is not None


def test_what_is_undefined_becomes_null(run, tmp_path):
    texts = dict(
        image_ids="a.jpg",
        class_labels="a.jpg,0",
        image_sizes="",
        localization="a.jpg,a.png,",
    )
    (tmp_path / "val").mkdir()
    for name, text in texts.items():
        (tmp_path / "val" / f"{name}.txt").write_text(text)
    cv2.imwrite(str(tmp_path / "a.png"), np.eye(4, dtype=np.uint8))
    write_scoremap(tmp_path / "maps", "a.jpg", scores=np.zeros((224, 224)))
    options = ["--mask-root", tmp_path, "--threshold", 0.5, "--interval", 0.5]
    found = evaluate(run, tmp_path, *options, "--plot", tmp_path / "curves.png")
    assert found["metrics"]["wsol/val_threshold/pixel_precision"] is None
    assert found["curves"]["pixel_precision"] == [25, None]
    assert found["metrics"]["wsol/pxap"] == 25
    assert found["evaluated"]["constant"] == 1


def test_baselines_are_scored_on_masks(run, tmp_path):
    texts = dict(
        image_ids="a.jpg",
        class_labels="a.jpg,0",
        image_sizes="",
        localization="a.jpg,a.png,",
    )
    (tmp_path / "val").mkdir()
    for name, text in texts.items():
        (tmp_path / "val" / f"{name}.txt").write_text(text)
    mask = np.zeros((224, 224), dtype=np.uint8)
    mask[56:167, 56:167] = 255
    cv2.imwrite(str(tmp_path / "a.png"), mask)
    options = ["--mask-root", tmp_path]
    center = evaluate_baseline(run, tmp_path, "center", *options)
    assert center["metrics"]["wsol/pxap"] == center["metrics"]["wsol/pixel_iou"] == 100
    assert "sides" not in center["evaluated"]
    full = evaluate_baseline(run, tmp_path, "full", *options)["metrics"]
    assert full["wsol/pixel_iou"] == pytest.approx(100 * (111 / 224) ** 2)
    round_one = evaluate_baseline(run, tmp_path, "gaussian", *options)["metrics"]
    assert 75 < round_one["wsol/pixel_iou"] < 100


# Two doors: this tool and a running experiment


def random_cam(rng, kind, shape):
    if kind == "constant":
        return np.full(shape, 0.3)
    noise = rng.normal(size=shape)
    if kind == "noise":
        return noise
    ys, xs = np.indices(shape) - rng.integers(0, 1 + max(shape), (2, 1, 1))
    spot = 9 * np.exp(-(ys**2 + xs**2) / rng.uniform(1, 300)) - 4
    return np.round(spot) if kind == "steps" else spot + 0.1 * noise


@st.composite
def predictions(draw):
    """Raw maps, boxes and class scores of a few images."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    images = []
    for k in range(draw(st.integers(1, 4))):
        shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
        dtype = draw(st.sampled_from([np.float16, np.float32, np.float64]))
        kind = draw(st.sampled_from(["spot", "noise", "steps", "constant"]))
        size = tuple(map(int, rng.integers(2, 500, 2)))
        boxes = rng.random((draw(st.integers(1, 3)), 2, 2)) * (np.array(size) - 1)
        boxes = np.sort(boxes.astype(np.float32), axis=1).reshape(-1, 4)
        score = rng.integers(0, 4, 6).astype(np.float32)
        cam = random_cam(rng, kind, shape)
        # Far from zero, single precision would lose the map.
        cam = cam + 1e7 if dtype is np.float64 else cam.astype(dtype)
        images.append((f"{k}.jpg", cam, size, boxes, score, k % 2))
    return images


def through_mmengine(images, threshold):
    evaluator = Evaluator(
        dict(type="mmdgdm.WSOLMetric", interval=0.02, threshold=threshold)
    )
    for name, cam, (width, height), boxes, score, label in images:
        sample = DataSample(metainfo=dict(image_id=name, ori_shape=(height, width)))
        sample.set_field(torch.tensor([label]), "gt_label")
        sample.set_field(torch.from_numpy(score), "pred_score")
        sample.set_field(torch.from_numpy(boxes), "gt_bboxes")
        sample.set_field(torch.from_numpy(cam)[None], "cam")
        sample.set_field(torch.tensor([label]), "cam_labels")
        evaluator.process(data_samples=[sample], data_batch=None)
    return evaluator.evaluate(len(images))


def write_all(root, images):
    for name, cam, *_ in images:
        write_scoremap(root / "maps", name, scores=normalize_scoremap(cam))
    labels = {name: label for name, *_, label in images}
    sizes = {name: size for name, _, size, *_ in images}
    boxes = {name: found.tolist() for name, _, _, found, _, _ in images}
    write_split(root / "val", labels, image_sizes=sizes, boxes=boxes)
    write_class_scores(root / "s.npz", {n: score for n, *_, score, _ in images})


@pytest.mark.parametrize("threshold", [None, 0.37])
@settings(deadline=None, max_examples=20)
@given(images=predictions())
def test_stored_maps_score_as_a_running_experiment(
    run, tmp_path_factory, threshold, images
):
    root = tmp_path_factory.mktemp("dump")
    write_all(root, images)
    options = ["--interval", 0.02, "--scores", root / "s.npz"]
    options += [] if threshold is None else ["--threshold", threshold]
    stored = evaluate(run, root, *options)["metrics"]
    assert stored == through_mmengine(images, threshold)
