"""Models whose maps are known, under names that are attacks."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mmdgdm.apis.inference.results import Localization, LocalizedClass, find_boxes
from mmdgdm.apis.inference.sources import Picture
from mmdgdm.web.views import Model

CLASSES = ["<script>throw 1</script>", "<img src=x onerror=boom()>", "wren", "wren"]


def hill(side):
    """1 within a square of this side, falling to 0 over the 60 pixels around."""
    y, x = np.mgrid[:224, :224]
    return np.clip(1 - (np.maximum(x, y) - side) / 60, 0, 1).astype(np.float32)


class Hills:
    """Sees in every image a hill of each class, 20 pixels wider from one to the next.

    Attributes:
        runs: How often it was asked.
    """

    cam_method = "cam"
    threshold_source = "validation chose it"

    def __init__(self, side=10, threshold=0.5, classes=CLASSES):
        self.side, self.threshold, self.classes = side, threshold, classes
        self.runs = 0

    def stream(self, inputs, topk=1, classes=None):
        self.runs += 1
        for pixels in inputs:
            height, width = pixels.shape[:2]
            found = []
            for label in classes or range(topk):
                cam = hill(self.side + 20 * label)
                boxes = find_boxes(cam, self.threshold, image_size=(width, height))
                one = LocalizedClass(
                    label, self.classes[label], 0.5 / (label + 1), boxes, cam
                )
                found.append(one)
            facts = (self.threshold, self.threshold_source)
            yield (
                Picture(pixels),
                Localization(None, width, height, tuple(found), *facts),
            )


@pytest.fixture
def models():
    return [Model("<b>first", Hills()), Model("second", Hills(side=70, threshold=0.3))]


@pytest.fixture
def photo(tmp_path):
    """An image of 448 x 224 pixels whose name is an attack."""
    path = tmp_path / "<img src=x onerror=boom()>.png"
    Image.fromarray(np.full((224, 448, 3), 90, np.uint8)).save(path)
    return path
