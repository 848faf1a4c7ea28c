"""Facts of an image: its box, how good it is, and whose map it was."""

from __future__ import annotations

import numpy as np
import pytest

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.image_facts import (
    boxes_over_thresholds,
    describe_image,
)
from mmdgdm.evaluation.functional.max_box_acc import level_hits


def peak():
    quantized = np.zeros((224, 224), np.uint8)
    quantized[20:120, 40:180] = 60
    quantized[56:111, 56:111] = 255
    return quantized


@pytest.mark.parametrize(
    ("threshold", "box", "kind"),
    [(0.5, (112.0, 28.0, 222.0, 55.5), "right"), (0.1, (80, 10, 360, 60), "too large")],
)
def test_the_box_stands_in_pixels_of_the_image(threshold, box, kind):
    facts = describe_image(
        peak(),
        threshold,
        image_id="a.jpg",
        image_size=(448, 112),
        gt_boxes=[[112, 28, 223, 55]],
        label=1,
        scores=[0.25, 0.75],
        map_label=1,
        classes=["cat", "dog"],
    )
    assert facts.box == box
    assert facts.gt_boxes == ((112.0, 28.0, 223.0, 55.0),)
    assert facts.kind == kind
    assert (facts.predicted, facts.confidence) == (1, 0.75)
    names = (facts.true_class, facts.predicted_class, facts.map_class)
    assert names == ("dog", "dog", "dog")


def test_the_wrong_class_is_told_and_names_may_be_unknown():
    facts = describe_image(
        peak(),
        0.5,
        image_id="a.jpg",
        image_size=(224, 224),
        gt_boxes=[[56, 56, 111, 111]],
        label=0,
        scores=[0.25, 0.75],
    )
    assert (facts.iou, facts.kind) == (1.0, "wrong class")
    assert (facts.true_class, facts.predicted_class) == ("label 0", "label 1")


def test_without_ground_truth_there_is_a_box_only():
    facts = describe_image(peak(), 0.5, image_id="a", image_size=(224, 224))
    assert facts.box == (56.0, 56.0, 111.0, 111.0)
    known = (facts.iou, facts.kind, facts.label, facts.predicted, facts.map_class)
    assert known == (None,) * 5


def test_boxes_over_thresholds_are_those_of_the_evaluation():
    rng = np.random.default_rng(3)
    quantized = rng.integers(0, 256, (224, 224)).astype(np.uint8)
    cuts = [0.0, 0.3, 0.301, 0.999]
    hits = level_hits(
        quantized,
        np.array([[0, 0, 9, 9]]),
        iou_thresholds=[0.5],
        box_thresholds=np.array(cuts),
    )
    assert np.array_equal(boxes_over_thresholds(quantized, cuts), hits.boxes)
    with pytest.raises(ConfigError, match=r"thresholds to be in \[0, 1\)"):
        boxes_over_thresholds(quantized, [1.0])
