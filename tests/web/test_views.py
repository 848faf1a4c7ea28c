"""What the page shows of an image: boxes of the evaluation, and no needless runs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmdgdm.apis.inference.results import find_boxes
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.web import views
from mmdgdm.web.views import Model, check_same_classes, choose, class_titles, draw, look

from .conftest import Hills, hill


@pytest.fixture
def one(models):
    return models[:1]


def test_a_threshold_moves_the_box_and_no_network_runs(photo, models):
    visit = look(str(photo), models)
    assert (visit.name, visit.pixels.shape) == (photo.name, (224, 448, 3))
    for place, side in enumerate((10, 70)):
        boxes = []
        for threshold in (0.2, 0.5, 0.9):
            view = draw(visit, place, threshold=threshold)
            wanted = find_boxes(hill(side), threshold, image_size=(448, 224))
            np.testing.assert_array_equal(view.shown.boxes, wanted)
            assert view.drawing.shape == (240, 480, 3)
            boxes.append(view.shown.box[2])
        assert boxes == sorted(boxes, reverse=True)
        assert len(set(boxes)) == 3
    drawn = [draw(visit, 0, threshold=threshold).drawing for threshold in (0.2, 0.9)]
    assert (drawn[0] != drawn[1]).any()
    assert [model.localizer.runs for model in models] == [1, 1]


def test_a_network_runs_once_for_a_class_that_is_not_mapped(photo, one, monkeypatch):
    monkeypatch.setattr(views, "TOPK", 2)
    localizer = one[0].localizer
    visit = look(str(photo), one)
    assert draw(visit, 0, threshold=0.5).shown.label == 0
    chosen = choose(visit, 1, models=one)
    assert draw(chosen, 0, threshold=0.5).shown.label == 1
    assert localizer.runs == 1
    for _ in range(2):
        chosen = choose(chosen, 3, models=one)
        assert draw(chosen, 0, threshold=0.5).shown.scoremap.sum() == hill(70).sum()
        assert localizer.runs == 2
    back = choose(chosen, None, models=one)
    assert draw(back, 0, threshold=0.5).shown.label == 0
    assert localizer.runs == 2


def test_large_images_are_drawn_small_and_seen_whole(one, tmp_path):
    path = tmp_path / "large.png"
    cv2.imwrite(str(path), np.zeros((1000, 2000, 3), np.uint8))
    visit = look(str(path), one)
    assert visit.pixels.shape == (1000, 2000, 3)
    view = draw(visit, 0, threshold=0.5)
    assert view.drawing.shape == (320, 640, 3)
    wanted = find_boxes(hill(10), 0.5, image_size=(2000, 1000))
    np.testing.assert_array_equal(view.shown.boxes, wanted)


def test_what_is_no_image_is_named_without_its_folder(one, tmp_path, monkeypatch):
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"^Expected broken\.jpg to be an image file"):
        look(str(path), one)
    path = tmp_path / "wide.png"
    cv2.imwrite(str(path), np.zeros((10, 20, 3), np.uint8))
    monkeypatch.setattr(views, "MAX_PIXELS", 199)
    with pytest.raises(DataError, match=r"Expected wide\.png .* it has 20 x 10\."):
        look(str(path), one)
    monkeypatch.setattr(views, "MAX_PIXELS", 200)
    assert look(str(path), one).name == "wide.png"


def test_models_side_by_side_name_the_same_classes(models):
    check_same_classes(models)
    other = Model("other", Hills(classes=["wren"]))
    with pytest.raises(ConfigError, match=r"<b>first \(4 classes\) and other \(1\)"):
        check_same_classes([*models, other])


def test_names_that_stand_twice_get_their_index():
    names = ["wren", "crane", "wren"]
    assert class_titles(names) == ["wren (0)", "crane", "wren (2)"]
