"""Stored maps against a split: boxes and masks, workers, what is missing."""

from __future__ import annotations

import importlib.util
import json
import platform
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.level_ranks import ranking_engine
from mmdgdm.evaluation.stored.class_scores import write_class_scores
from mmdgdm.evaluation.stored.evaluate import EvaluationSettings, evaluate_scoremaps
from mmdgdm.evaluation.stored.metadata import write_split
from mmdgdm.evaluation.stored.scoremap_files import write_scoremap
from mmdgdm.version import __version__

DELTAS = (0.3, 0.5, 0.7)
COARSE = EvaluationSettings(interval=0.05)


def load_slow(name):
    path = Path(__file__).parents[1] / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


slow, slow_pxap = load_slow("slow_reference"), load_slow("slow_pxap")


def random_map(rng, shape):
    """A spot and some noise, within [0, 1]."""
    height, width = shape
    ys, xs = np.mgrid[:height, :width]
    y, x = rng.uniform(0, height), rng.uniform(0, width)
    spread = rng.uniform(0.2, 0.5) * max(shape)
    spot = np.exp(-((ys - y) ** 2 + (xs - x) ** 2) / spread**2)
    coarse = cv2.resize(rng.random((9, 9)), (width, height), None, 0, 0, 0)
    return 0.1 + 0.7 * spot + 0.1 * coarse


def random_boxes(rng, size, number):
    corners = rng.integers(0, [[size]], (number, 2, 2))
    return [tuple(map(float, c.ravel())) for c in np.sort(corners, axis=1)]


class MadeUp:
    """A split with boxes, its maps and its class scores, all on disk."""

    def __init__(self, root, number=17, shapes=((7, 7), (14, 10)), seed=0):
        rng = np.random.default_rng(seed)
        self.maps, self.metadata = root / "maps", root / "val"
        self.score_file = root / "scores.npz"
        self.ids = [f"class {k % 3}/{k}.jpg" for k in range(number)]
        self.labels, self.sizes, self.boxes, self.scores = {}, {}, {}, {}
        self.arrays = {}
        for k, name in enumerate(self.ids):
            size = (int(rng.integers(30, 400)), int(rng.integers(30, 400)))
            array = random_map(rng, shapes[k % len(shapes)])
            array = array.astype([np.float64, np.float32, np.float16][k % 3])
            self.labels[name], self.sizes[name] = k % 3, size
            self.boxes[name] = random_boxes(rng, size, 1 + k % 3)
            self.scores[name] = rng.choice([0.1, 0.2, 0.3, 0.4], 6)
            self.scores[name][k % 3] += rng.choice([0, 0.1, 0.3])
            self.arrays[name] = array
            write_scoremap(self.maps, name, scores=array)
        write_split(
            self.metadata, self.labels, image_sizes=self.sizes, boxes=self.boxes
        )
        write_class_scores(self.score_file, self.scores)

    def evaluate(self, settings=COARSE, **arguments):
        return evaluate_scoremaps(
            self.maps, self.metadata, settings=settings, **arguments
        )


@pytest.fixture
def made_up(tmp_path):
    return MadeUp(tmp_path)


# Against the slow reference


def slow_tables(data, cuts):
    """Rows of hits, one for each image, by the name of the score."""
    rows = {}
    for name in data.ids:
        array = data.arrays[name]
        if array.shape != (224, 224):
            array = slow.normalise(array)
        quantised = slow.quantise(array.astype(np.float64))
        targets = [slow.scale(box, data.sizes[name]) for box in data.boxes[name]]
        single, multi = (
            slow.hits(quantised, targets, cuts, DELTAS, m) for m in (False, True)
        )
        order = sorted(range(6), key=lambda c: (-data.scores[name][c], c))
        entries = {"wsol/gt_known": single[1], "wsol/max_box_acc": single[1]}
        entries["wsol/max_box_acc_30"], entries["wsol/max_box_acc_70"] = (
            single[0],
            single[2],
        )
        for k in (1, 5):
            right = data.labels[name] in order[:k]
            entries[f"wsol/top{k}_loc"] = [hit and right for hit in single[1]]
            entries[f"wsol/top{k}_cls"] = [right] * len(cuts)
        for delta, row in zip(DELTAS, multi):
            entries[f"wsol/max_box_acc_v2_{100 * delta:g}"] = row
        for key, row in entries.items():
            rows.setdefault(key, []).append(row)
    return rows


def test_random_maps_match_the_reference(tmp_path):
    shapes = [(224, 224), (7, 7), (28, 20), (300, 200)]
    data = MadeUp(tmp_path, number=32, shapes=shapes, seed=4)
    cuts, fixed = slow.count_thresholds(0.1), 0.37
    chosen = EvaluationSettings(interval=0.1, threshold=fixed)
    result = data.evaluate(chosen, scores=data.score_file)
    metrics = result["metrics"]
    for name, rows in slow_tables(data, cuts).items():
        value, place = slow.best_of_curve(rows)
        assert metrics[name] == value, name
        if not name.endswith("cls"):
            assert metrics[name.replace("/", "/threshold/")] == cuts[place]
            assert result["curves"][name.split("/")[1]].shape == (10,)
    assert 0 < metrics["wsol/top1_loc"] < metrics["wsol/gt_known"] < 100
    assert result["evaluated"]["resized"] == 24
    for name, rows in slow_tables(data, [fixed]).items():
        if not name.endswith("cls"):
            assert (
                metrics[name.replace("/", "/val_threshold/")]
                == slow.best_of_curve(rows)[0]
            )


# Workers, and what is missing


def plain(result):
    return json.loads(json.dumps(result, default=lambda array: array.tolist()))


@pytest.mark.parametrize("number", [1, 16, 17, 33])
def test_the_number_of_workers_does_not_matter(tmp_path, number):
    data = MadeUp(tmp_path, number)
    expected = None
    for workers in (1, 2, 3):
        seen = []
        result = data.evaluate(
            scores=data.score_file,
            workers=workers,
            progress=lambda done, total, seen=seen: seen.append((done, total)),
        )
        expected = expected or plain(result)
        assert plain(result) == expected
        steps = [min(k, number) for k in range(16, number + 16, 16)]
        assert seen == [(done, number) for done in steps]
    assert expected["evaluated"]["images"] == number


@pytest.mark.parametrize("workers", [1, 2])
def test_a_broken_map_is_named_by_all_workers(made_up, workers):
    write_scoremap(made_up.maps, made_up.ids[3], scores=np.full((5, 5), 7.0))
    with pytest.raises(DataError, match=r"^Image 'class 0/3.jpg': .*3.jpg.npy.*7.0"):
        made_up.evaluate(workers=workers)


def remove(data, *names):
    for name in names:
        (data.maps / f"{name}.npy").unlink()


def test_missing_maps(made_up):
    gone = made_up.ids[4:11]
    remove(made_up, *gone)
    with pytest.raises(
        DataError, match=r"17 images, but 7 have none: .*8.jpg', \.\.\."
    ):
        made_up.evaluate()
    result = made_up.evaluate(allow_missing=True)
    assert result["evaluated"]["missing"] == gone
    assert result["evaluated"]["images"] == 10
    assert sum(group["images"] for group in result["by_class"].values()) == 10
    kept = [name for name in made_up.ids if name not in gone]
    labels = {name: made_up.labels[name] for name in kept}
    write_split(
        made_up.metadata, labels, image_sizes=made_up.sizes, boxes=made_up.boxes
    )
    assert made_up.evaluate()["metrics"] == result["metrics"]


def test_all_maps_are_missing(made_up):
    remove(made_up, *made_up.ids)
    with pytest.raises(DataError, match="17 have none"):
        made_up.evaluate(allow_missing=True)


# Class scores


def test_without_class_scores_their_metrics_are_left_out(made_up):
    result = made_up.evaluate()
    with_scores = made_up.evaluate(scores=made_up.score_file)["metrics"]
    names = [name for name in with_scores if "/top" not in name]
    assert len(names) < len(with_scores)
    assert result["metrics"] == {name: with_scores[name] for name in names}


def test_incomplete_class_scores(made_up):
    lacking = made_up.ids[5]
    others = {k: v for k, v in made_up.scores.items() if k != lacking}
    write_class_scores(made_up.score_file, others)
    with pytest.raises(DataError, match=rf"Image '{lacking}'.*scores.npz"):
        made_up.evaluate(scores=made_up.score_file)
    remove(made_up, lacking)
    made_up.evaluate(scores=made_up.score_file, allow_missing=True)


def test_class_scores_may_hold_further_images(made_up):
    expected = made_up.evaluate(scores=made_up.score_file)["metrics"]
    more = {"other.jpg": np.zeros(6), **made_up.scores}
    write_class_scores(made_up.score_file, more)
    assert made_up.evaluate(scores=made_up.score_file)["metrics"] == expected


def test_topk_beyond_the_classes(made_up):
    chosen = EvaluationSettings(topk=(1, 7))
    with pytest.raises(ConfigError, match=r"`topk`.*scores.npz, 6, but got \(1, 7\)"):
        made_up.evaluate(chosen, scores=made_up.score_file)
    chosen = EvaluationSettings(interval=0.1, topk=(6,))
    found = made_up.evaluate(chosen, scores=made_up.score_file)["metrics"]
    assert found["wsol/top6_cls"] == 100
    assert found["wsol/top6_loc"] == found["wsol/gt_known"]


@pytest.mark.parametrize(
    ("row", "match"), [(np.full(6, np.nan), "6 NaN"), (np.zeros(2), r"\[0, 1\].*got 2")]
)
def test_class_scores_that_fit_no_image(made_up, row, match):
    write_class_scores(made_up.score_file, dict.fromkeys(made_up.ids, row))
    chosen = EvaluationSettings(topk=(1,))
    with pytest.raises(
        DataError, match=rf"'class \d/\d.jpg' in .*scores.npz: .*{match}"
    ):
        made_up.evaluate(chosen, scores=made_up.score_file)


# What is reported


def test_what_was_evaluated(made_up):
    write_scoremap(made_up.maps, made_up.ids[0], scores=np.zeros((224, 224)))
    write_scoremap(made_up.maps, made_up.ids[1], scores=np.full((7, 7), 0.3))
    write_scoremap(made_up.maps, made_up.ids[2], scores=np.full((224, 224), 0.7))
    chosen = EvaluationSettings(interval=0.1, threshold=0.2, topk=(2,))
    facts = made_up.evaluate(chosen, scores=made_up.score_file)["evaluated"]
    assert facts == {
        "images": 17,
        "classes": 3,
        "missing": [],
        "resized": 15,
        "constant": 3,
        "scoremap_root": str(made_up.maps),
        "baseline": None,
        "metadata": str(made_up.metadata),
        "mask_root": None,
        "scores": str(made_up.score_file),
        "interval": 0.1,
        "iou_thresholds": DELTAS,
        "topk": (2,),
        "threshold": 0.2,
        "threshold_rule": None,
        "calibration": "median",
        "versions": {
            "mmdgdm": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "boxes": ranking_engine(),
        },
    }


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (dict(workers=0), "`workers`"),
        (dict(workers=1.5), "`workers`"),
        (dict(settings=EvaluationSettings(threshold=1.0)), "`threshold`"),
        (dict(settings=EvaluationSettings(interval=0)), "`interval`"),
        (dict(settings=EvaluationSettings(topk=(0,))), "`topk`"),
        (dict(mask_root="masks"), "`mask_root` only where metadata lists masks"),
    ],
)
def test_malformed_arguments(made_up, arguments, match):
    with pytest.raises(ConfigError, match=match):
        made_up.evaluate(**arguments)


# Masks


def write_masks(root, images, ignore):
    """Masks of images as pictures, {id: list of arrays}, and their metadata."""
    lines = []
    for name, masks in images.items():
        for k, mask in enumerate(masks):
            file = f"masks/{name}_{k}.png"
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / file), mask.astype(np.uint8) * 255)
            left_out = ""
            if k == 0 and name in ignore:
                left_out = f"masks/{name}_ignore.png"
                cv2.imwrite(str(root / left_out), ignore[name] * 255)
            lines.append(f"{name},{file},{left_out}")
    texts = dict(
        image_ids=list(images),
        class_labels=[f"{name},{k}" for k, name in enumerate(images)],
        image_sizes=[],
        localization=lines,
    )
    (root / "val").mkdir()
    for name, entries in texts.items():
        (root / "val" / f"{name}.txt").write_text("\n".join(entries))


@pytest.fixture
def masked(tmp_path):
    """Three images; one has three masks and an ignored part of another size."""
    rng = np.random.default_rng(5)

    def mask(height, width):
        y, x = rng.integers(0, height - 4), rng.integers(0, width - 4)
        out = np.zeros((height, width), dtype=np.uint8)
        out[y : y + height // 2, x : x + width // 2] = 1
        return out

    images = {
        "a.jpg": [mask(40, 30)],
        "b.jpg": [mask(20, 50), mask(20, 50), mask(9, 9)],
        "c.jpg": [mask(300, 240)],
    }
    ignore = {"b.jpg": mask(31, 17), "c.jpg": mask(8, 8)}
    write_masks(tmp_path, images, ignore)
    maps = {}
    for name, shape in zip(images, [(224, 224), (12, 12), (30, 25)]):
        maps[name] = random_map(rng, shape)
        write_scoremap(tmp_path / "maps", name, scores=maps[name])
    maps = {
        k: m if m.shape == (224, 224) else slow.normalise(m) for k, m in maps.items()
    }
    rows = []
    for name, masks in images.items():
        left_out = ignore[name].tolist() if name in ignore else None
        merged = slow_pxap.merge([m.tolist() for m in masks], left_out, 224, 224)
        rows.append((maps[name].tolist(), merged))
    return tmp_path, rows


def evaluate_masks(root, **arguments):
    chosen = EvaluationSettings(interval=0.05, threshold=0.37, topk=(1,))
    arguments = {"mask_root": root, "settings": chosen, **arguments}
    return evaluate_scoremaps(root / "maps", root / "val", **arguments)


def test_masks_match_the_reference(masked):
    root, rows = masked
    assert {v for _, mask in rows for row in mask for v in row} == {0, 1, 255}
    found = evaluate_masks(root)
    cuts = slow.count_thresholds(0.05)
    counts = slow_pxap.fast_histograms(rows, cuts)
    assert found["metrics"]["wsol/pxap"] == slow_pxap.pxap_in_floats(*counts)
    true, false, missed = slow_pxap.predicted(rows, 0.37)
    overlap = true * 100 / (true + false + missed)
    assert found["metrics"]["wsol/val_threshold/pixel_iou"] == overlap
    place = cuts.index(found["metrics"]["wsol/threshold/pixel_iou"])
    true, false, missed = slow_pxap.predicted(rows, cuts[place])
    overlap = true * 100 / (true + false + missed)
    assert (
        found["metrics"]["wsol/pixel_iou"]
        == overlap
        == max(found["curves"]["pixel_iou"])
    )
    assert found["evaluated"]["resized"] == 2
    assert plain(evaluate_masks(root, workers=2)) == plain(found)


def test_masks_of_16_bits_give_the_same(masked):
    root, _ = masked
    found = evaluate_masks(root)
    for path in (root / "masks").iterdir():
        levels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        # Instance numbers, all of which an 8-bit reader takes for 0.
        cv2.imwrite(str(path), (levels // 255).astype(np.uint16) * 3)

    assert plain(evaluate_masks(root)) == plain(found)


def test_the_threshold_of_boxes_is_refused_for_masks(masked):
    root, _ = masked
    path = root / "val.json"
    path.write_text('{"wsol/threshold/max_box_acc": 0.25}')
    with pytest.raises(
        ConfigError, match=r"val.json to hold 'wsol/threshold/pixel_iou'"
    ):
        evaluate_masks(root, threshold=str(path))
    path.write_text(
        '{"wsol/threshold/max_box_acc": 0.25, "wsol/threshold/pixel_iou": 0.5}'
    )
    found = evaluate_masks(root, threshold=str(path))
    assert found["evaluated"]["threshold"] == 0.5


def test_class_scores_beside_masks(masked):
    root, _ = masked
    scores = {f"{k}.jpg": row for k, row in zip("abc", np.eye(3)[[0, 1, 1]])}
    write_class_scores(root / "s.npz", scores)
    found = evaluate_masks(root, scores=root / "s.npz")["metrics"]
    assert found["wsol/top1_cls"] == 200 / 3
    assert "wsol/top1_cls" not in evaluate_masks(root)["metrics"]


def test_masks_need_their_folder(masked):
    root, _ = masked
    with pytest.raises(ConfigError, match="`mask_root` to be given"):
        evaluate_masks(root, mask_root=None)
    with pytest.raises(DataError, match=r"'a.jpg': .*a.jpg_0.png .*FileNotFoundError"):
        evaluate_masks(root, mask_root=root / "maps")
    (root / "masks/b.jpg_ignore.png").write_text("no picture")
    with pytest.raises(
        DataError,
        match=r"'b.jpg': .*b.jpg_ignore.png to be an image file, but it cannot",
    ):
        evaluate_masks(root)
