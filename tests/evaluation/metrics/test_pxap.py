"""PxAP through mmengine's evaluator, with scores worked out by hand."""

from __future__ import annotations

import importlib.util
import pickle
from itertools import chain, zip_longest
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmpretrain.structures import DataSample

from mmdgdm.datasets.transforms.loading import LoadWSOLMask
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.scoremaps import make_thresholds, normalize_scoremap
from mmdgdm.evaluation.metrics.pxap import PxAP
from mmdgdm.evaluation.stored.metadata import read_split


def load_slow():
    path = Path(__file__).parents[1] / "slow_pxap.py"
    spec = importlib.util.spec_from_file_location("slow_pxap", path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


slow = load_slow()


def quarters(a, b, c, d, dtype=torch.float32):
    """Picture at 224 x 224 of four quarters: above a and b, below c and d."""
    small = torch.tensor([[a, b], [c, d]], dtype=dtype)
    return small.repeat_interleave(112, 0).repeat_interleave(112, 1)


def mask_of(a, b, c, d):
    return quarters(a, b, c, d, torch.uint8)


CAM = quarters(1.0, 0.75, 0.5, 0.0)
LEFT = mask_of(1, 0, 1, 0)


def sample(cam=CAM, mask=LEFT, label=3, **changes):
    fields = dict(
        gt_label=torch.tensor([label]),
        gt_mask=mask,
        cam=cam[None],
        cam_labels=torch.tensor([label]),
    )
    fields.update(changes)
    out = DataSample(metainfo=dict(image_id=f"image {label}"))
    for name, value in fields.items():
        out.set_field(value, name)
    return out


def evaluate(samples, metric=None, **arguments):
    evaluator = Evaluator(metric or dict(type="mmdgdm.PxAP", **arguments))
    for start in range(0, len(samples), 2):
        evaluator.process(data_samples=samples[start : start + 2], data_batch=None)
    return evaluator.evaluate(len(samples))


def varied_samples(count, seed=0):
    """Samples of noisy maps and masks of many sizes, with ignored regions."""
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(count):
        side, (h, w) = int(rng.choice([7, 14, 28])), rng.integers(20, 300, 2)
        small = rng.choice([0, 1, 255], (4, 4), p=[0.6, 0.3, 0.1]).astype(np.uint8)
        mask = cv2.resize(small, (int(w), int(h)), interpolation=cv2.INTER_NEAREST)
        cam = cv2.resize((small == 1).astype(np.float32), (side, side))
        cam += rng.normal(size=cam.shape).astype(np.float32)
        samples.append(sample(torch.from_numpy(cam), torch.from_numpy(mask)))
    return samples


# Scores


def test_scores_of_one_image():
    scores = evaluate([sample()])
    # Half of the object at precision 1, the other half at 2 of 3.
    assert scores == {
        "wsol/pxap": pytest.approx(100 * (1 / 2 + 1 / 2 * 2 / 3), rel=1e-15),
        "wsol/pixel_iou": 200 / 3,
        "wsol/threshold/pixel_iou": 0.001,
    }
    assert all(type(value) is float for value in scores.values())


@pytest.mark.parametrize(
    ("threshold", "iou", "precision", "recall"),
    [
        (0, 50, 50, 100),
        (0.001, 200 / 3, 200 / 3, 100),
        (0.5, 200 / 3, 200 / 3, 100),
        (0.50001, 100 / 3, 50, 50),
        (0.75, 100 / 3, 50, 50),
        (0.8, 50, 100, 50),
    ],
)
def test_scores_at_a_fixed_threshold(threshold, iou, precision, recall):
    scores = evaluate([sample()], threshold=threshold, interval=0.3)
    assert {k: v for k, v in scores.items() if "/val_" in k} == {
        "wsol/val_threshold/pixel_iou": pytest.approx(iou, rel=1e-15),
        "wsol/threshold/val_pixel_iou": threshold,
        "wsol/val_threshold/pixel_precision": pytest.approx(precision, rel=1e-15),
        "wsol/val_threshold/pixel_recall": pytest.approx(recall, rel=1e-15),
    }
    plain = evaluate([sample()], interval=0.3)
    assert plain == {k: v for k, v in scores.items() if "/val_" not in k}


def test_precision_is_nan_where_nothing_is_predicted():
    scores = evaluate([sample(torch.ones(7, 7))], threshold=0.5)
    assert np.isnan(scores["wsol/val_threshold/pixel_precision"])
    assert (
        scores["wsol/val_threshold/pixel_recall"]
        == scores["wsol/val_threshold/pixel_iou"]
        == 0
    )


def test_a_perfect_map_scores_100():
    scores = evaluate([sample(LEFT.float()), sample(5 - 3 * (LEFT == 0).float())])
    assert scores["wsol/pxap"] == scores["wsol/pixel_iou"] == 100
    assert scores["wsol/threshold/pixel_iou"] == 0.001


def test_a_constant_map_scores_the_share_of_the_object():
    scores = evaluate([sample(torch.full((7, 7), 0.3), mask_of(1, 0, 0, 255))])
    assert scores["wsol/pixel_iou"] == 100 / 3
    assert scores["wsol/pxap"] == pytest.approx(100 / 3, rel=1e-15)
    assert scores["wsol/threshold/pixel_iou"] == 0


def test_ignored_pixels_are_left_out():
    # Of the two background quarters, the one that the map gets wrong.
    assert evaluate([sample(mask=mask_of(1, 255, 1, 0))])["wsol/pxap"] == 100


def test_all_pixels_of_the_data_set_are_ranked_together():
    inverse = sample(quarters(0.0, 1.0, 0.0, 1.0))
    right = sample(LEFT.float())
    # Of the pixels at 1, half are right; the other half of the object is at 0.
    assert evaluate([inverse, right])["wsol/pxap"] == 50
    assert evaluate([right] * 3 + [inverse])["wsol/pxap"] == 75 * 0.75 + 25 * 0.5


def test_the_map_of_the_ground_truth_class_counts():
    both = sample(cam_labels=torch.tensor([3, 0]))
    both.set_field(torch.stack([LEFT.float(), 1 - LEFT.float()]), "cam")
    assert evaluate([both])["wsol/pxap"] == 100
    both.set_field(torch.tensor([0, 3]), "cam_labels")
    assert evaluate([both])["wsol/pxap"] == 50


def test_masks_are_taken_at_their_stored_size():
    small = torch.tensor([[1, 0, 0], [1, 0, 0]], dtype=torch.uint8)
    for mask in (small, small.repeat_interleave(150, 0).repeat_interleave(50, 1)):
        share = 75 / 224  # The columns x of 224 with 3 x / 224 < 1.
        assert evaluate([sample(torch.ones(7, 7), mask)])["wsol/pxap"] == 100 * share


@pytest.mark.parametrize("interval", [0.001, 0.01, 1 / 49])
def test_small_raw_maps_match_the_slow_version(interval):
    samples, cuts = varied_samples(12), make_thresholds(interval)
    images = [
        (
            normalize_scoremap(out.cam[0].numpy()).tolist(),
            slow.nearest(out.gt_mask.tolist(), 224, 224),
        )
        for out in samples
    ]
    positive, negative = slow.fast_histograms(images, cuts)
    scores = evaluate(samples, interval=interval)
    assert scores["wsol/pxap"] == slow.pxap_in_floats(positive, negative)
    curve = [
        sum(positive[k:]) * 100 / (sum(positive) + sum(negative[k:]))
        for k in range(len(cuts))
    ]
    assert scores["wsol/pixel_iou"] == max(curve)
    assert scores["wsol/threshold/pixel_iou"] == cuts[curve.index(max(curve))]


def test_real_masks_through_their_loader(shared_data):
    root = shared_data / "stamps"
    if not (root / "metadata_masks").is_dir():
        pytest.skip(f"needs the masks of {root}, which are missing")
    masks = read_split(root / "metadata_masks" / "val").masks
    samples = []
    for pairs in list(masks.values())[::12]:
        paths = [tuple(str(root / name) for name in pair) for pair in pairs]
        mask = LoadWSOLMask()({"ori_gt_mask_paths": paths})["ori_gt_mask"]
        small = cv2.resize(mask, (224, 224), interpolation=cv2.INTER_NEAREST)
        cam = torch.from_numpy((small == 1).astype(np.float32))
        samples.append(sample(cam, torch.from_numpy(mask)))
    assert len(samples) == 20
    assert evaluate(samples)["wsol/pxap"] == 100
    for out in samples:
        out.set_field(out.cam * 0 + 1, "cam")
    assert 10 < evaluate(samples)["wsol/pxap"] < 50


# Records


def processed(samples, **arguments):
    metric = PxAP(**arguments)
    metric.process(None, [s.to_dict() for s in samples])
    metric.wait()
    return metric


def gather(parts, size):
    """Put records of processes together as mmengine does it."""
    received = [pickle.loads(pickle.dumps(part.results)) for part in parts]
    merged = chain.from_iterable(zip_longest(*received))
    return [record for record in merged if record is not None][:size]


@pytest.mark.parametrize("count", [1, 2, 5, 31, 32, 33])
def test_one_two_and_three_processes_give_the_same(count):
    samples = varied_samples(count, seed=count)
    found = evaluate(samples, threshold=0.4)
    whole = {name.removeprefix("wsol/"): value for name, value in found.items()}
    for world in (1, 2, 3):
        # The sampler repeats images so that all processes have equally many.
        padded = samples + samples * (-count % world)
        padded = padded[: count + -count % world]
        parts = [processed(padded[k::world], threshold=0.4) for k in range(world)]
        assert {len(part.results) for part in parts} == {len(padded) // world}
        records = gather(parts, count)
        assert len(records) == count
        assert parts[0].compute_metrics(records) == whole
        assert parts[0].compute_metrics(records[::-1]) == whole


def test_records_are_small():
    # 50,000 images stay below 150 MB where one process gathers them.
    results = processed(varied_samples(10), threshold=0.4).results
    records = [record for _, record in results]
    assert all(isinstance(record, bytes) for record in records)
    assert max(map(len, records)) < 3000


def test_the_repeated_image_at_the_end_is_dropped():
    samples = varied_samples(20)
    metric = processed([*samples, sample(1 - LEFT.float())])
    assert metric.evaluate(size=20) == evaluate(samples)


def test_the_next_evaluation_starts_afresh():
    metric = PxAP()
    perfect = sample(LEFT.float())
    for samples in (varied_samples(12), [perfect]):
        last = evaluate(samples, metric)
    assert last["wsol/pxap"] == 100


def test_samples_are_not_changed():
    before, after = sample(), sample()
    evaluate([after])
    for name, value in before.items():
        assert torch.equal(value, after.get(name))


@pytest.mark.parametrize(
    ("constant", "expected"),
    [
        ([], []),
        ([7, 5], ["2 of 14 score maps are constant: they were scored as all zeros."]),
    ],
)
def test_constant_maps_are_counted_once_an_evaluation(monkeypatch, constant, expected):
    said = []
    monkeypatch.setattr(
        "mmdgdm.evaluation.metrics.record_metric.print_log",
        lambda message, **_: said.append(message),
    )
    evaluate([*(sample(torch.ones(n, n)) for n in constant), *varied_samples(12)])
    assert said == expected


# Errors


@pytest.mark.parametrize("field", ["gt_label", "gt_mask", "cam", "cam_labels"])
def test_a_missing_field_is_named(field):
    out = sample()
    out.pop(field)
    with pytest.raises(DataError, match=rf"Image 'image 3'.* to carry `{field}` \("):
        evaluate([out])


def test_a_missing_mask_points_to_its_loader():
    out = sample()
    out.pop("gt_mask")
    with pytest.raises(DataError, match=r"LoadWSOLMask before mmdgdm\.PackWSOLInputs"):
        evaluate([out])


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (dict(gt_label=torch.tensor([1, 3])), r"one class, but got \[1, 3\]"),
        (dict(cam_labels=torch.tensor([3, 4])), r"\(1, 224, 224\) and \(2,\)"),
        (dict(cam_labels=torch.tensor([1])), r"class 3, but got \[1\].*`cam_targets`"),
        (dict(gt_mask=LEFT * 2), r"`mask` to hold 0, 1 and 255.*\[2\]"),
        (dict(gt_mask=LEFT.float()), "`mask`.*of float32"),
        (dict(gt_mask=LEFT[None]), r"`mask`.*shape \(1, 224, 224\)"),
        (dict(cam=CAM * float("nan")), "`scoremap` to hold finite.*NaN"),
    ],
)
def test_malformed_fields_name_the_image(changes, match):
    with pytest.raises(DataError, match=f"Image 'image 3': .*{match}"):
        evaluate([sample(**changes)])


def test_no_object_pixel_in_the_whole_data_set():
    empty = sample(mask=mask_of(0, 255, 0, 0))
    with pytest.raises(DataError, match="at least one object pixel"):
        evaluate([empty])
    # One image without an object is no error; its pixels are background.
    scores = evaluate([empty, sample(torch.ones(7, 7), mask_of(1, 1, 1, 1))])
    assert scores["wsol/pxap"] == pytest.approx(100 * 4 / 7)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (dict(interval=0), "`interval`"),
        (dict(interval=1), "`interval`"),
        (dict(threshold=1.0), "`threshold`"),
        (dict(threshold=-0.1), "`threshold`"),
        (dict(threshold=float("nan")), "`threshold`"),
    ],
)
def test_malformed_arguments(arguments, match):
    with pytest.raises(ConfigError, match=match):
        PxAP(**arguments)


def test_no_image_is_an_error():
    with pytest.raises(DataError, match="No image was scored"):
        PxAP().evaluate(size=0)


def test_a_prefix_stands_before_all_names():
    assert evaluate([sample(LEFT.float())], prefix="val")["val/pxap"] == 100
