"""WSOLMetric through mmengine's evaluator, with scores worked out by hand."""

from __future__ import annotations

import logging
import pickle
import threading
import time

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmpretrain.structures import DataSample

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.records import read_box_records
from mmdgdm.evaluation.functional.scoremaps import make_thresholds
from mmdgdm.evaluation.metrics import WSOLMetric
from mmdgdm.evaluation.stored.record_files import read_records

LARGE, SMALL = (40, 40, 139, 139), (40, 40, 79, 79)
# A box ends one pixel after its region, so a target does too.
LARGE_TARGET, SMALL_TARGET = (40, 40, 140, 140), (40, 40, 80, 80)
FAR = (180, 180, 220, 220)


def cam_of(*regions):
    """Map at 224 x 224 of regions (x0, y0, x1, y1, value), ends included."""
    cam = torch.zeros(224, 224)
    for x0, y0, x1, y1, value in regions:
        cam[y0 : y1 + 1, x0 : x1 + 1] = value
    return cam


#: Above 0.5 only the small square is left; 127 / 255 lies between .498 and .499.
TWO_LEVELS = cam_of((*LARGE, 0.5), (*SMALL, 1.0))


def sample(
    cam=TWO_LEVELS,
    boxes=(LARGE_TARGET,),
    rank=0,
    label=3,
    ori_shape=(224, 224),
    **changes,
):
    """A prediction in which the ground-truth class has the given rank."""
    score = torch.zeros(7)
    score[label] = 0.5
    score[[c for c in range(7) if c != label][:rank]] = 1.0
    fields = dict(
        gt_label=torch.tensor([label]),
        pred_score=score,
        gt_bboxes=torch.tensor(boxes, dtype=torch.float32),
        cam=cam[None],
        cam_labels=torch.tensor([label]),
    )
    fields.update(changes)
    out = DataSample(metainfo=dict(image_id=f"image {label}", ori_shape=ori_shape))
    for name, value in fields.items():
        out.set_field(value, name)
    return out


def evaluate(samples, metric=None, meta=None, **arguments):
    evaluator = Evaluator(metric or dict(type="mmdgdm.WSOLMetric", **arguments))
    evaluator.dataset_meta = meta
    for start in range(0, len(samples), 2):
        evaluator.process(data_samples=samples[start : start + 2], data_batch=None)
    return evaluator.evaluate(len(samples))


def at_val(name):
    return name.replace("wsol/", "wsol/val_threshold/")


def four_samples():
    return [
        sample(boxes=[LARGE_TARGET]),
        sample(boxes=[SMALL_TARGET], rank=1),
        sample(boxes=[SMALL_TARGET], rank=5),
        sample(boxes=[FAR]),
    ]


BEST = {
    "wsol/top1_cls": 50.0,
    "wsol/top5_cls": 75.0,
    "wsol/gt_known": 50.0,
    "wsol/top1_loc": 25.0,
    "wsol/top5_loc": 25.0,
    "wsol/max_box_acc": 50.0,
    "wsol/max_box_acc_30": 50.0,
    "wsol/max_box_acc_70": 50.0,
    "wsol/max_box_acc_v2_30": 50.0,
    "wsol/max_box_acc_v2_50": 50.0,
    "wsol/max_box_acc_v2_70": 50.0,
    "wsol/max_box_acc_v2": 50.0,
    "wsol/threshold/gt_known": 0.499,
    "wsol/threshold/top1_loc": 0.0,
    "wsol/threshold/top5_loc": 0.0,
    "wsol/threshold/max_box_acc": 0.499,
    "wsol/threshold/max_box_acc_30": 0.499,
    "wsol/threshold/max_box_acc_70": 0.499,
    "wsol/threshold/max_box_acc_v2_30": 0.499,
    "wsol/threshold/max_box_acc_v2_50": 0.499,
    "wsol/threshold/max_box_acc_v2_70": 0.499,
}
# What tells a failing; the numbers are tested where they are defined.
COVERAGE = ("wsol/box_area_ratio", "wsol/over_coverage", "wsol/under_coverage")
FIXED = {
    "wsol/val_threshold/gt_known": 25.0,
    "wsol/val_threshold/top1_loc": 25.0,
    "wsol/val_threshold/top5_loc": 25.0,
    "wsol/val_threshold/max_box_acc": 25.0,
    "wsol/val_threshold/max_box_acc_30": 25.0,
    "wsol/val_threshold/max_box_acc_70": 25.0,
    "wsol/val_threshold/max_box_acc_v2_30": 25.0,
    "wsol/val_threshold/max_box_acc_v2_50": 25.0,
    "wsol/val_threshold/max_box_acc_v2_70": 25.0,
    "wsol/val_threshold/max_box_acc_v2": 25.0,
    "wsol/threshold/val_max_box_acc": 0.2,
}


def test_scores_of_four_images():
    scores = evaluate(four_samples())
    assert {name: scores[name] for name in BEST} == BEST
    # The objects take 20, 3, 3 and 3 % of their images.
    sizes = {"wsol/gt_known_small": 200 / 3, "wsol/gt_known_medium": 0.0}
    assert {name: scores[name] for name in sizes} == pytest.approx(sizes)
    # Below 0.499 three overlaps are reached, above it six, by two images of four: one
    # standard error apart. 499 weights of 0.607 and 100 ones pass half of the sum.
    chosen = "wsol/threshold_by_median/max_box_acc"
    assert scores[chosen] == pytest.approx(0.598)
    others = {*COVERAGE, "wsol/threshold/box_area_ratio", chosen}
    assert set(scores) == {*BEST, *sizes, *others}
    assert all(type(value) is float for value in scores.values())


def test_scores_at_a_fixed_threshold():
    fixed = evaluate(four_samples(), threshold=0.2)
    assert {name: fixed[name] for name in FIXED} == FIXED
    more = {*COVERAGE, "wsol/gt_known_small", "wsol/gt_known_medium"}
    names = {name for name in fixed if "/val_" in name}
    assert names == {*FIXED, *(at_val(name) for name in more)}
    fixed = evaluate(four_samples(), threshold=0.6)
    assert fixed["wsol/val_threshold/gt_known"] == 50
    assert fixed["wsol/val_threshold/top1_loc"] == 0
    assert fixed["wsol/val_threshold/top5_loc"] == 25
    plain = evaluate(four_samples(), calibration="argmax")
    assert plain == {k: v for k, v in fixed.items() if "/val_" not in k}


def test_scores_of_each_class():
    samples = [sample(label=4), sample(label=2, boxes=[FAR]), sample(label=4)]
    scores = evaluate(samples, classwise=True)
    assert scores["wsol/gt_known_classes"] == [2, 4]
    assert scores["wsol/gt_known_classwise"] == [0.0, 100.0]
    names = dict(classes=("a", "b", "jay", "c", "owl"))
    scores = evaluate(samples, classwise=True, meta=names)
    assert scores["wsol/gt_known_classes"] == ["jay", "owl"]


def test_a_fixed_threshold_need_not_be_among_the_curve_s():
    scores = evaluate(four_samples(), interval=0.3, threshold=0.4985)
    assert scores["wsol/val_threshold/gt_known"] == 50
    assert scores["wsol/threshold/gt_known"] == make_thresholds(0.3)[2]


def test_multi_contour_counts_where_single_does_not():
    cam = cam_of((*LARGE, 1.0), (180, 180, 219, 219, 1.0))
    scores = evaluate([sample(cam, [FAR])])
    assert (scores["wsol/max_box_acc"], scores["wsol/max_box_acc_v2"]) == (0, 100)


def test_version_2_is_the_mean_over_overlaps():
    # The large square's box (101 x 101) shares 61 columns of its 101 with the
    # first target and 40 with the second: 0.60 and 0.39.
    targets = [(40, 40, 100, 140), (101, 40, 140, 140)]
    scores = evaluate([sample(cam_of((*LARGE, 1.0)), [box]) for box in targets])
    assert scores["wsol/max_box_acc_v2_30"] == 100
    assert scores["wsol/max_box_acc_v2_50"] == 50
    assert scores["wsol/max_box_acc_v2_70"] == 0
    assert scores["wsol/max_box_acc_v2"] == 50
    assert scores["wsol/max_box_acc"] == 50


def test_the_map_of_the_ground_truth_class_counts():
    wrong = cam_of((*FAR, 1.0))
    both = sample(
        cam=TWO_LEVELS,
        rank=1,
        label=3,
        cam_labels=torch.tensor([3, 0]),
    )
    both.set_field(torch.stack([TWO_LEVELS, wrong]), "cam")
    assert evaluate([both])["wsol/gt_known"] == 100
    both.set_field(torch.tensor([0, 3]), "cam_labels")
    assert evaluate([both])["wsol/gt_known"] == 0


def test_any_box_of_an_image_counts():
    assert evaluate([sample(boxes=[FAR, LARGE_TARGET])])["wsol/max_box_acc"] == 100


def test_boxes_are_scaled_from_the_original_image():
    # A picture twice as wide as it is high, 448 x 112: x halves, y doubles.
    box = [(80, 20, 280, 70)]
    assert (
        evaluate([sample(boxes=box, ori_shape=(112, 448))])["wsol/max_box_acc_v2_70"]
        == 100
    )
    swapped = sample(boxes=box, ori_shape=(448, 112))
    with pytest.raises(DataError, match=r"'image 3'.*within the image.*\(112, 448\)"):
        evaluate([swapped])


def test_small_raw_maps_match_the_reference(reference):
    rng = np.random.default_rng(0)
    samples, rows = [], {False: [], True: []}
    thresholds, deltas = make_thresholds(0.05), (0.3, 0.5, 0.7)
    for _ in range(12):
        cam = rng.normal(size=(7, 7))
        cam[2:5, 3:6] += 3
        cam = torch.from_numpy(cam.astype(np.float32))
        x0, y0 = rng.integers(100, 150), rng.integers(30, 80)
        box = (x0, y0, x0 + rng.integers(70, 149), y0 + rng.integers(40, 110))
        samples.append(sample(cam, [box], ori_shape=(200, 300)))
        quantised = reference.quantise(reference.normalise(cam.numpy()))
        target = [reference.scale(box, (300, 200))]
        for multi, table in rows.items():
            table.append(reference.hits(quantised, target, thresholds, deltas, multi))
    scores = evaluate(samples, interval=0.05)
    for k, delta in enumerate(deltas):
        value, place = reference.best_of_curve([row[k] for row in rows[True]])
        assert scores[f"wsol/max_box_acc_v2_{100 * delta:g}"] == value
        assert (
            scores[f"wsol/threshold/max_box_acc_v2_{100 * delta:g}"]
            == thresholds[place]
        )
    value, place = reference.best_of_curve([row[1] for row in rows[False]])
    assert scores["wsol/max_box_acc"] == value > 0
    assert scores["wsol/threshold/max_box_acc"] == thresholds[place]


def test_ties_of_scores_go_to_the_lower_class():
    tied = torch.full((7,), 1 / 7)
    scores = evaluate([sample(label=label, pred_score=tied) for label in (0, 4, 5)])
    assert scores["wsol/top1_cls"] == 100 / 3
    assert scores["wsol/top5_cls"] == 200 / 3


# Records


def processed(samples, **arguments):
    metric = WSOLMetric(**arguments)
    metric.process(None, [s.to_dict() for s in samples])
    metric.wait()
    return metric


def test_one_compact_record_per_image():
    metric = processed([*four_samples(), sample(cam_of((*SMALL, 1.0)))])
    assert len(metric.results) == 5
    for record in metric.results:
        assert len(pickle.dumps(record)) < 500
    assert len(pickle.dumps(metric.results)) < 5 * 300


def test_results_do_not_depend_on_how_records_are_split():
    whole = processed(four_samples(), threshold=0.3)
    parts = [processed(four_samples()[start::2], threshold=0.3) for start in (1, 0)]
    merged = [
        pickle.loads(pickle.dumps(record)) for part in parts for record in part.results
    ]
    expected = whole.compute_metrics(whole.results)
    assert whole.compute_metrics(merged) == expected


def test_records_are_in_the_order_of_the_samples(monkeypatch):
    samples = [sample(label=k % 7) for k in range(40)]
    made = WSOLMetric.make_record

    def slow_at_first(self, fields):
        if fields["gt_label"] == 0:
            time.sleep(0.02)
        return made(self, fields)

    monkeypatch.setattr(WSOLMetric, "make_record", slow_at_first)
    names = [name for name, _ in processed(samples).results]
    assert names == [f"image {k % 7}" for k in range(40)]


def test_the_network_does_not_wait_for_records(monkeypatch):
    go_on = threading.Event()
    made = WSOLMetric.make_record

    def blocked(self, fields):
        assert go_on.wait(10)
        return made(self, fields)

    monkeypatch.setattr(WSOLMetric, "make_record", blocked)
    metric = WSOLMetric()
    metric.process(None, [s.to_dict() for s in four_samples()])
    assert metric.results == []
    go_on.set()
    assert metric.evaluate(4)["wsol/top1_cls"] == 50


def test_no_thread_is_left():
    before = threading.active_count()
    evaluate(four_samples())
    metric = WSOLMetric()
    # Seen at once or at the end, as the threads go.
    with pytest.raises(DataError, match="Image 'image 3'"):
        evaluate([sample(cam_labels=torch.tensor([9]))], metric)
    assert threading.active_count() == before
    # What went wrong is not seen again by the next evaluation.
    assert evaluate(four_samples(), metric)["wsol/top1_cls"] == 50


def test_records_are_kept_with_the_names_of_their_images(tmp_path):
    samples = four_samples()
    for k, one in enumerate(samples):
        one.set_metainfo(dict(image_id=f"{k}.jpg"))
    path = tmp_path / "test.records.npz"
    evaluate(samples, record_file=str(path))
    found = read_records(path)
    assert list(found) == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert read_box_records(list(found.values())).ranks.tolist() == [0, 1, 5, 0]
    with pytest.raises(DataError, match="there are 1 different names"):
        evaluate(four_samples(), record_file=str(path))
    with pytest.raises(ConfigError, match=r"`record_file` to be a \.npz"):
        WSOLMetric(record_file="records.json")


def test_repeated_images_at_the_end_are_dropped():
    # With several processes, the sampler repeats images to fill the last batch.
    metric = processed([*four_samples(), four_samples()[0]])
    assert metric.evaluate(size=4)["wsol/top1_cls"] == 50


def test_the_next_evaluation_starts_afresh():
    metric = WSOLMetric()
    for samples, expected in ((four_samples(), 50), (four_samples()[:1], 100)):
        assert evaluate(samples, metric)["wsol/top1_cls"] == expected


def test_samples_are_not_changed():
    before, after = sample(), sample()
    evaluate([after])
    for name, value in before.items():
        assert torch.equal(value, after.get(name))


@pytest.mark.parametrize(
    ("constant", "expected"),
    [
        ([], []),
        ([7, 5], ["2 of 6 score maps are constant: they were scored as all zeros."]),
    ],
)
def test_constant_maps_are_counted_once_an_evaluation(monkeypatch, constant, expected):
    said = []
    monkeypatch.setattr(
        "mmdgdm.evaluation.metrics.record_metric.print_log",
        lambda message, **_: said.append(message),
    )
    evaluate([*four_samples(), *(sample(torch.ones(n, n)) for n in constant)])
    assert said == expected


def test_a_constant_map_scores_as_the_zero_box():
    scores = evaluate([sample(torch.ones(7, 7), [(0, 0, 0, 0)])])
    assert scores["wsol/max_box_acc_v2"] == 100
    assert scores["wsol/threshold/max_box_acc"] == 0


# Errors


@pytest.mark.parametrize(
    "field", ["gt_label", "gt_bboxes", "pred_score", "cam", "cam_labels"]
)
def test_a_missing_field_is_named(field):
    out = sample()
    out.pop(field)
    with pytest.raises(DataError, match=rf"Image 'image 3'.* to carry `{field}` \("):
        evaluate([out])


def test_a_missing_shape_is_named():
    out = sample()
    out.pop("ori_shape")
    with pytest.raises(DataError, match=r"`ori_shape`.*PackWSOLInputs"):
        evaluate([out])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_half_precision_is_widened_exactly(dtype):
    rng = torch.Generator().manual_seed(0)
    cam = torch.randn(7, 7, generator=rng).to(dtype)
    scores = torch.tensor([1.0, 1.001, 1.002, 1.001, 0.0, 0.0, 0.0]).to(dtype)
    fields = dict(pred_score=scores, gt_bboxes=torch.tensor([LARGE_TARGET]).to(dtype))
    wide = {name: value.double() for name, value in fields.items()}
    found = evaluate([sample(cam, **fields)], topk=(1, 2, 3))
    assert found == evaluate([sample(cam.double(), **wide)], topk=(1, 2, 3))


def test_no_score_is_needed_without_topk():
    out = sample()
    out.pop("pred_score")
    scores = evaluate([out], topk=())
    assert scores["wsol/gt_known"] == 100
    assert not [name for name in scores if "/top" in name]


def test_a_missing_map_of_the_class_points_to_the_head():
    with pytest.raises(
        DataError, match=r"ground-truth class 3, but got \[1\].*`cam_targets`"
    ):
        evaluate([sample(cam_labels=torch.tensor([1]))])


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (dict(gt_label=torch.tensor([1, 3])), r"one class, but got \[1, 3\]"),
        (dict(cam_labels=torch.tensor([3, 4])), r"\(1, 224, 224\) and \(2,\)"),
        (dict(gt_bboxes=torch.zeros(0, 4)), "at least one box"),
        (dict(gt_bboxes=torch.tensor([[5.0, 5, 4, 9]])), "x0 <= x1"),
        (dict(gt_bboxes=torch.tensor([[5.0, 5, 224, 9]])), "within the image"),
        (dict(pred_score=torch.full((7,), float("nan"))), "7 NaN"),
    ],
)
def test_malformed_fields_name_the_image(changes, match):
    with pytest.raises(DataError, match=f"Image 'image 3': .*{match}"):
        evaluate([sample(**changes)])


def test_a_map_with_nan_names_the_image():
    cam = TWO_LEVELS.clone()
    cam[3, 3] = float("nan")
    with pytest.raises(DataError, match=r"Image 'image 3': .*1 NaN"):
        evaluate([sample(cam)])


def test_topk_beyond_the_number_of_classes_is_left_out(caplog, monkeypatch):
    logger = logging.getLogger("mmengine")
    monkeypatch.setattr(MMLogger, "get_current_instance", lambda: logger)
    with caplog.at_level(logging.WARNING, logger="mmengine"):
        scores = evaluate([sample(), sample(rank=1)], topk=(1, 8))
    assert "There are 7 classes: `topk` [8] of WSOLMetric are left out." in caplog.text
    assert scores["wsol/top1_loc"] == 50
    assert not [name for name in scores if "top8" in name]
    assert "wsol/gt_known" in evaluate([sample(), sample()], topk=(9,))
    assert evaluate([sample()], topk=(7,))["wsol/top7_loc"] == 100


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (dict(topk=(0,)), "`topk`"),
        (dict(topk=(1.5,)), "`topk`"),
        (dict(topk=1), "`topk` to be a list"),
        (dict(interval=0), "`interval`"),
        (dict(threshold=1.0), "`threshold`"),
        (dict(threshold=-0.1), "`threshold`"),
        (dict(iou_thresholds=()), "`iou_thresholds`"),
        (dict(iou_thresholds=(0.5, 30)), "`iou_thresholds`"),
    ],
)
def test_malformed_arguments(arguments, match):
    with pytest.raises(ConfigError, match=match):
        WSOLMetric(**arguments)


def test_no_image_is_an_error():
    with pytest.raises(DataError, match="at least one image"):
        WSOLMetric().evaluate(size=0)


def test_a_prefix_stands_before_all_names():
    scores = evaluate([sample()], prefix="val")
    assert scores["val/gt_known"] == 100
    assert all(name.startswith("val/") for name in scores)
