"""A hand-made result: three maps, with their pictures, and names that are attacks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmdgdm.evaluation.functional.image_facts import describe_image
from mmdgdm.evaluation.functional.scoremaps import quantize_scoremap
from mmdgdm.evaluation.stored.class_scores import write_class_scores
from mmdgdm.evaluation.stored.evaluate import EvaluationSettings, evaluate_scoremaps
from mmdgdm.evaluation.stored.metadata import write_split
from mmdgdm.evaluation.stored.record_files import record_path
from mmdgdm.evaluation.stored.scoremap_files import write_scoremap
from mmdgdm.visualization.picture_files import write_pictures
from mmdgdm.visualization.sheets import Shot

CLASSES = ["<script>throw 1<\u002fscript>", "</script><img src=x onerror=boom()>"]
IDS = ["<script>a.jpg", '"><b>b.jpg', "c&amp;.jpg"]
LABELS = [0, 1, 1]
SIZE = (448, 224)
BOX = (0, 0, 199, 99)  # 100 x 100 at the size of evaluation


def hill(side):
    """1 within a square of this side, falling to 0 over the 60 pixels around."""
    y, x = np.mgrid[:224, :224]
    return np.clip(1 - (np.maximum(x, y) - side) / 60, 0, 1).astype(np.float32)


def write_run(folder, sides):
    """A result with a hill of each side, val's threshold 0.5, and its pictures."""
    boxes = {name: [BOX] for name in IDS}
    sizes = dict.fromkeys(IDS, SIZE)
    labels = dict(zip(IDS, LABELS))
    write_split(folder / "metadata", labels, image_sizes=sizes, boxes=boxes)
    scores = {n: np.array([0.6 + 0.1 * i, 0.3]) for i, n in enumerate(IDS)}
    write_class_scores(folder / "scores.npz", scores)
    shots = {}
    for place, (name, side) in enumerate(zip(IDS, sides)):
        scoremap = hill(side)
        write_scoremap(folder / "maps", name, scores=scoremap)
        quantized = quantize_scoremap(scoremap)
        known = dict(gt_boxes=[BOX], label=LABELS[place], classes=CLASSES)
        known.update(image_id=name, image_size=SIZE, scores=scores[name], map_label=0)
        facts = describe_image(quantized, 0.5, **known)
        image = np.full((112, 224, 3), 60 * place, np.uint8)
        shots[place] = Shot(image, quantized, facts)
    write_pictures(folder / "pictures", shots, draw=False)
    path = folder / "results.json"
    result = evaluate_scoremaps(
        folder / "maps",
        folder / "metadata",
        settings=EvaluationSettings(topk=(1,), threshold=0.5),
        scores=folder / "scores.npz",
        record_file=record_path(path),
    )
    result.pop("curves")
    path.write_text(json.dumps(result), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Two results: too small, wrong class, too large; and all boxes good enough."""
    root = tmp_path_factory.mktemp("runs")
    sides = {"cam": (10, 70, 190), "dgdm": (70, 72, 74)}
    return [write_run(root / name, sides=one) for name, one in sides.items()]
