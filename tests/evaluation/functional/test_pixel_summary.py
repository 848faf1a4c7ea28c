"""All pixel scores: by hand, as sums of parts, and against the slow reference."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.pixel_summary import (
    make_pixel_record,
    summarize_pixels,
)
from mmdgdm.evaluation.functional.scoremaps import make_thresholds

CUTS = make_thresholds(0.1)


@pytest.fixture(scope="module")
def slow():
    path = Path(__file__).parents[1] / "slow_pxap.py"
    spec = importlib.util.spec_from_file_location("slow_pxap", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def summarize(images, cuts=CUTS, threshold=None):
    settings = dict(thresholds=cuts, threshold=threshold)
    records = [make_pixel_record(*pair, **settings) for pair in images]
    return summarize_pixels(records, **settings)


SCORES = np.array([[1.0, 0.75, 0.5, 0.25, 0.9]])
MASK = np.array([[1, 0, 1, 0, 255]], dtype=np.uint8)


def test_five_pixels_by_hand():
    # Object scores 1 and 0.5, background 0.75 and 0.25, one ignored.
    # Precision and recall: 1/1 and 1/2 above 0.75, 1/2 and 1/2 above 0.5, 2/3 and 1
    # above 0.25, 2/4 and 1 in all. Area: 1 * 1/2 + 2/3 * 1/2.
    found = summarize([(SCORES, MASK)])
    assert found.metrics["pxap"] == pytest.approx(100 * 5 / 6)
    # IoU: 1/2 from 0.8 on, 1/3 from 0.6, 2/3 from 0.3 to 0.5, 2/4 below.
    assert found.metrics["pixel_iou"] == pytest.approx(200 / 3)
    assert found.metrics["threshold/pixel_iou"] == CUTS[3]
    assert set(found.metrics) == {"pxap", "pixel_iou", "threshold/pixel_iou"}
    expected = [50] * 3 + [200 / 3] * 3 + [100 / 3] * 2 + [50] * 2
    assert found.curves["pixel_iou"] == pytest.approx(expected)
    assert found.curves["pixel_recall"].tolist() == [100] * 6 + [50] * 4
    assert found.curves["pixel_precision"][[0, 3, 6, 8]] == pytest.approx(
        [50, 200 / 3, 50, 100]
    )


def test_a_pixel_at_the_fixed_threshold_is_predicted():
    for threshold, tp, fp in ((0.5, 2, 1), (0.51, 1, 1), (0.75, 1, 1), (0.0, 2, 2)):
        found = summarize([(SCORES, MASK)], threshold=threshold).metrics
        assert found["val_threshold/pixel_iou"] == tp * 100 / (2 + fp)
        assert found["val_threshold/pixel_precision"] == tp * 100 / (tp + fp)
        assert found["val_threshold/pixel_recall"] == tp * 100 / 2
        assert found["threshold/val_pixel_iou"] == threshold


def test_precision_of_nothing_is_nan():
    found = summarize([(SCORES * 0.5, MASK)], threshold=0.8).metrics
    assert np.isnan(found["val_threshold/pixel_precision"])
    assert found["val_threshold/pixel_iou"] == found["val_threshold/pixel_recall"] == 0


def test_constant_maps_are_counted():
    pairs = [(SCORES * 0, MASK), (SCORES, MASK), (SCORES * 0 + 0.7, MASK)]
    assert summarize(pairs).num_constant == 2
    # All pixels are of one score: the object's share.
    assert summarize(pairs[:1]).metrics["pxap"] == 50


def random_images(seed, number=6):
    """Images of different sizes; the scores meet the thresholds often."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(number):
        shape = tuple(rng.integers(2, 9, 2))
        scores = rng.choice([rng.random(shape), rng.integers(0, 11, shape) / 10])
        mask = rng.choice([0, 1, 255], shape, p=[0.5, 0.4, 0.1]).astype(np.uint8)
        images.append((scores, mask))
    return images


@pytest.mark.parametrize("seed", range(4))
def test_random_sets_match_the_reference(slow, seed):
    images, fixed = random_images(seed), [0.3, 0.37, 0.0, 0.95][seed]
    found = summarize(images, threshold=fixed)
    rows = [(scores.tolist(), mask.tolist()) for scores, mask in images]
    assert found.metrics["pxap"] == pytest.approx(float(slow.pxap(rows, CUTS)))
    best = (-1, None)
    for k, cut in enumerate(CUTS):
        true, false, missed = slow.predicted(rows, cut)
        overlap = true * 100 / (true + false + missed)
        assert found.curves["pixel_iou"][k] == overlap
        best = max(best, (overlap, -k))
    assert found.metrics["pixel_iou"] == best[0]
    assert found.metrics["threshold/pixel_iou"] == CUTS[-best[1]]
    true, false, missed = slow.predicted(rows, fixed)
    assert found.metrics["val_threshold/pixel_iou"] == true * 100 / (
        true + false + missed
    )
    assert found.metrics["val_threshold/pixel_precision"] == true * 100 / (true + false)
    assert found.metrics["val_threshold/pixel_recall"] == true * 100 / (true + missed)


def test_the_order_of_records_does_not_matter():
    images = random_images(9)
    whole = summarize(images, threshold=0.4)
    again = summarize(images[::-1], threshold=0.4)
    assert again.metrics == whole.metrics
    for name, curve in whole.curves.items():
        assert np.array_equal(again.curves[name], curve)


def test_no_record_is_an_error():
    with pytest.raises(DataError, match="No image was scored"):
        summarize([])


def test_records_that_do_not_fit():
    plain, fixed = (
        make_pixel_record(SCORES, MASK, thresholds=CUTS, threshold=t)
        for t in (None, 0.3)
    )
    for records, threshold in (([fixed], None), ([plain], 0.3), ([fixed, plain], 0.3)):
        with pytest.raises(DataError, match="counted with the thresholds"):
            summarize_pixels(records, thresholds=CUTS, threshold=threshold)


def test_malformed_input():
    with pytest.raises(DataError, match="same shape"):
        make_pixel_record(SCORES, MASK.T, thresholds=CUTS)
    with pytest.raises(DataError, match="at least one object pixel"):
        summarize([(SCORES, MASK * 0)])
    for threshold in (1.0, -0.1, float("nan")):
        with pytest.raises(ConfigError, match="`threshold`"):
            make_pixel_record(SCORES, MASK, thresholds=CUTS, threshold=threshold)
