"""Readers of files meet anything: a result comes out, or an error of this package."""

from __future__ import annotations

import ast
import contextlib
import io
import json
from functools import partial

import numpy as np
import pytest
import yaml
from hypothesis import strategies as st
from PIL import Image

from mmdgdm.cli.own_config import format_config
from mmdgdm.comparison.results import compare_results
from mmdgdm.datasets.cub import read_classes as read_cub_classes
from mmdgdm.datasets.cub import read_cub
from mmdgdm.datasets.functional.ilsvrc_files import read_classes, read_ilsvrc
from mmdgdm.datasets.prepare.box_files import read_boxes, read_coco
from mmdgdm.datasets.prepare.box_matching import ImageNames, add_box
from mmdgdm.datasets.prepare.report import Report
from mmdgdm.errors import DataError
from mmdgdm.evaluation.functional.records import make_box_record
from mmdgdm.evaluation.stored.class_scores import read_class_scores, write_class_scores
from mmdgdm.evaluation.stored.metadata import (
    SplitMetadata,
    find_class_names,
    read_split,
    write_split,
)
from mmdgdm.evaluation.stored.record_files import record_path, write_records
from mmdgdm.evaluation.stored.results import read_result
from mmdgdm.evaluation.stored.scoremap_files import read_scoremap
from mmdgdm.evaluation.stored.thresholds import box_thresholds, read_threshold
from mmdgdm.utils.image_files import read_image, read_image_size, read_mask
from mmdgdm.utils.model_facts import ModelFacts
from mmdgdm.utils.training_logs import read_training
from mmdgdm.visualization.picture_files import read_pictures

from .changes import changed_bytes, changed_content, changed_json, changed_lines

pytestmark = pytest.mark.faults
IDS = ["a/0001.jpg", "b/0002,x.jpg", "c 3.png"]
SIZES = {name: (30, 20 + i) for i, name in enumerate(IDS)}
BOXES = {name: [(1.5, 2, 20, 15)] * (1 + i) for i, name in enumerate(IDS)}


def _bytes_of(write, *args, **kwargs):
    """What a function that writes to a file writes."""
    file = io.BytesIO()
    write(file, *args, **kwargs)
    return file.getvalue()


def _split_is_sound(split):
    for name, boxes in split.boxes.items():
        for x0, y0, x1, y1 in boxes:
            width, height = split.image_sizes.get(name, (np.inf, np.inf))
            assert 0 <= x0 <= x1 <= width - 1
            assert 0 <= y0 <= y1 <= height - 1
    assert all(0 <= label < 3 for label in split.labels.values())


@pytest.mark.parametrize(
    "name",
    ["image_ids.txt", "class_labels.txt", "image_sizes.txt", "localization.txt"],
)
def test_metadata(provoke, tmp_path, name):
    write_split(tmp_path, dict(zip(IDS, range(3))), image_sizes=SIZES, boxes=BOXES)
    path = tmp_path / name

    def read(data):
        path.write_bytes(data)
        _split_is_sound(read_split(tmp_path, 3, faults=Report("a", "b")))
        read_split(tmp_path, 3)

    provoke(changed_lines(path.read_text()), read)


def test_metadata_of_masks(provoke, tmp_path):
    write_split(tmp_path, dict(zip(IDS, range(3))), image_sizes=SIZES, boxes={})
    path = tmp_path / "localization.txt"
    text = "".join(f"{name},m/{i}.png,{'i.png' * i}\n" for i, name in enumerate(IDS))

    def read(data):
        path.write_bytes(data)
        read_split(tmp_path, 3, faults=Report("a", "b"))
        read_split(tmp_path, 3)

    provoke(changed_lines(text), read)


def test_class_names(provoke, tmp_path):
    def read(data):
        (tmp_path / "classes.txt").write_bytes(data)
        find_class_names(tmp_path)

    provoke(changed_lines("0 a cat\n1 dog\n2 é\n"), read)


CUB_FILES = {
    "images.txt": "1 001.A/a.jpg\n2 002.B/b.jpg\n3 002.B/c.jpg\n",
    "image_class_labels.txt": "1 1\n2 2\n3 2\n",
    "train_test_split.txt": "1 1\n2 0\n3 0\n",
    "bounding_boxes.txt": "1 1.0 2.0 10.0 9.0\n2 1.0 2.0 10.0 9.0\n3 0 0 31.0 9.0\n",
    "classes.txt": "1 001.A\n2 002.B\n",
}


@pytest.mark.parametrize("name", CUB_FILES)
def test_cub(provoke, tmp_path, name):
    for other, text in CUB_FILES.items():
        (tmp_path / other).write_text(text)
    for line in CUB_FILES["images.txt"].splitlines():
        path = tmp_path / "images" / line.partition(" ")[2]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 20)).save(path)

    def read(data):
        (tmp_path / name).write_bytes(data)
        for faults in ((Report("a", "b"),), ()):
            classes = read_cub_classes(tmp_path, *faults)
            options = dict(faults=faults[0]) if faults else {}
            splits = read_cub(tmp_path, len(classes), **options)
            for split in splits.values() if name != "classes.txt" else ():
                _split_is_sound(split)

    provoke(changed_lines(CUB_FILES[name]), read)


WNIDS = {"n01440764": 0, "n01443537": 1}
XML = """<annotation><size><width>30</width><height>20</height></size>
<object><name>n01440764</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax>
<ymax>8</ymax></bndbox></object></annotation>"""
SOLUTION = """ImageId,PredictionString
a_1,n01440764 1 2 9 8 n01440764 0 0 29 19
a_2,n01443537 1 2 9 8
"""


@pytest.fixture
def ilsvrc(tmp_path):
    """A root with images of val."""
    (tmp_path / "val").mkdir()
    for name in ("a_1.JPEG", "a_2.JPEG"):
        Image.new("RGB", (30, 20)).save(tmp_path / "val" / name)
    return tmp_path


@pytest.mark.parametrize("name", ["solution.csv", "list.txt", "xml/a_1.xml"])
def test_ilsvrc(provoke, ilsvrc, name):
    text = dict(zip((".csv", ".txt", ".xml"), (SOLUTION, "a_1.JPEG 0\na_2 1\n", XML)))
    path = ilsvrc / name
    path.parent.mkdir(exist_ok=True)
    annotation = path.parent if path.suffix == ".xml" else path
    (annotation / "a_2.xml").write_text(XML) if annotation.is_dir() else None

    def read(data):
        path.write_bytes(data)
        options = dict(labels=WNIDS, annotation=annotation, with_boxes=True)
        report = Report("a", "b")
        _split_is_sound(read_ilsvrc(ilsvrc, "val", **options, faults=report))
        read_ilsvrc(ilsvrc, "val", **options)

    valid = text[path.suffix]
    is_xml = path.suffix == ".xml"
    provoke(changed_bytes(valid.encode()) if is_xml else changed_lines(valid), read)


def test_ilsvrc_classes(provoke, tmp_path):
    def read(data):
        (tmp_path / "LOC_synset_mapping.txt").write_bytes(data)
        read_classes(tmp_path, Report("a", "b"))
        read_classes(tmp_path)

    provoke(changed_lines("n01440764 tench, Tinca\nn01443537 goldfish\n"), read)


COCO = dict(
    images=[dict(id=1, file_name="a/0001.jpg"), dict(id=2, file_name="c 3.png")],
    categories=[dict(id=5, name="cat"), dict(id=6, name="dog")],
    annotations=[
        dict(image_id=1, category_id=5, bbox=[1, 2, 10, 9.5]),
        dict(image_id=2, category_id=6, bbox=[0, 0, 30, 20]),
    ],
)
TABLE = 'image,x0,y0,x1,y1,name\na/0001.jpg,1,2,9,8,cat\n"c 3.png",0,0,29,19,dog\n'
VOC = XML.replace("n01440764", "cat")


def _match(found, report):
    """What is done with boxes of other programs, up to the metadata."""
    whole = SplitMetadata(list(IDS), dict.fromkeys(IDS, 0), dict(SIZES))
    known = ImageNames(IDS)
    for item in found:
        for image_id in known.find(item.image):
            add_box(whole, image_id, item=item, faults=report)
        assert item.name is None or isinstance(item.name, str)
    _split_is_sound(whole)


@pytest.mark.parametrize("kind", ["coco", "csv", "voc", "yolo", "yolo names", "yaml"])
def test_boxes_of_other_programs(provoke, tmp_path, kind):
    folder = tmp_path / "labels"
    (folder / "a").mkdir(parents=True)
    data_yaml = "names:\n  0: cat\n  1: dog\nnc: 2\n"
    texts = {
        "coco": (tmp_path / "a.json", changed_json(COCO)),
        "csv": (tmp_path / "a.csv", changed_lines(TABLE)),
        "voc": (folder / "a/0001.xml", changed_bytes(VOC.encode())),
        "yolo": (folder / "a/0001.txt", changed_lines("0 0.5 0.5 1 0.2\n1 0 0 1 1\n")),
        "yolo names": (folder / "classes.txt", changed_lines("cat\ndog\n")),
        "yaml": (folder / "data.yaml", changed_bytes(data_yaml.encode())),
    }
    path, inputs = texts[kind]
    if kind == "yolo":
        (folder / "classes.txt").write_text("cat\ndog\n")
    elif kind.startswith("y"):
        (folder / "a/0001.txt").write_text("0 0.5 0.5 1 0.2\n")
    source = path if path.parent == tmp_path else folder

    def read(data):
        path.write_bytes(data)
        report = Report("a", "b")
        _match(read_boxes(source, report), report)
        report.to_dict() if hasattr(report, "to_dict") else str(report)
        if kind == "coco":
            list(read_coco(path, Report("a", "b")))

    provoke(inputs, read)


@pytest.mark.parametrize("side", [224, 7])
def test_scoremaps(provoke, tmp_path, side):
    path = tmp_path / "a.npy"
    valid = _bytes_of(np.save, np.linspace(0, 1, side**2).reshape(side, side))

    def read(data):
        path.write_bytes(data)
        scores, _ = read_scoremap(path)
        assert scores.shape == (224, 224)
        assert scores.min() >= 0
        assert scores.max() <= 1

    inputs = changed_bytes(valid[:200], 3).map(lambda head: head + valid[200:])
    provoke(st.one_of(inputs, changed_bytes(valid)), read)


def test_class_scores(provoke, tmp_path):
    path = tmp_path / "a.npz"
    write_class_scores(path, {name: np.arange(3.0) for name in IDS})

    def read(data):
        path.write_bytes(data)
        read_class_scores(path)

    provoke(changed_bytes(path.read_bytes()), read)


def _write_result(path):
    """A result with records of three images."""
    scores = np.zeros((224, 224))
    scores[20:90, 30:120] = 1
    boxes = np.array([[30, 20, 119, 89]])
    records = [make_box_record(scores, boxes, label=i, rank=0) for i in range(3)]
    write_records(record_path(path), IDS, records=records, classes=["a", "b", "c"])
    scores = ("gt_known", "max_box_acc", "max_box_acc_v2", "max_box_acc_v2_50")
    metrics = {f"wsol/{name}": 50.0 for name in (*scores, "top1_cls")}
    metrics.update({f"wsol/threshold/{name}": 0.3 for name in scores})
    path.write_text(json.dumps(metrics))
    return metrics


@pytest.mark.parametrize("part", ["json", "records"])
def test_results(provoke, tmp_path, part):
    path = tmp_path / "a.json"
    metrics = _write_result(path)
    records = record_path(path).read_bytes()

    def read(data):
        (path if part == "json" else record_path(path)).write_bytes(data)
        read_result(path)

    is_json = part == "json"
    provoke(changed_json(metrics) if is_json else changed_bytes(records), read)


def test_results_with_curves(provoke, tmp_path):
    path = tmp_path / "a.json"
    content = dict(
        metrics={"max_box_acc": 50.0, "threshold/max_box_acc": 0.3},
        curves=dict(thresholds=[0, 0.5], max_box_acc=[20.0, None]),
        by_class={"0": dict(gt_known=10.0)},
    )

    def read(data):
        path.write_bytes(data)
        result = read_result(path)
        assert all(isinstance(label, int) for label in result.by_class)

    provoke(changed_json(content), read)


def test_compared_results(provoke, tmp_path):
    path, other = tmp_path / "a.json", tmp_path / "b.json"
    metrics = _write_result(path)
    _write_result(other)

    def read(data):
        path.write_bytes(data)
        compare_results([path, other], num_resamples=10)

    provoke(changed_json(metrics), read)


def test_thresholds(provoke, tmp_path):
    path = tmp_path / "a.json"

    def read(data):
        path.write_bytes(data)
        found = read_threshold(str(path), box_thresholds())
        assert 0 <= found.value < 1

    content = {"metrics": {"wsol/threshold/max_box_acc": 0.4, "wsol/gt_known": 3.0}}
    provoke(changed_json(content), read)


def test_pictures(provoke, tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "i.png")
    Image.new("L", (224, 224)).save(tmp_path / "m.png")
    entry = dict(
        image="i.png", map="m.png", file="d.jpg", image_id="a", width=30, height=20
    )
    entry.update(threshold=0.5, box=[0, 0, 9, 9], gt_boxes=[[0, 0, 9, 9]], label=1)
    names = ("iou", "kind", "true_class", "predicted", "predicted_class", "confidence")
    entry.update(dict.fromkeys((*names, "map_label", "map_class")))

    def read(data):
        (tmp_path / "pictures.json").write_bytes(data)
        read_pictures(tmp_path)

    provoke(changed_json([entry]), read)


def test_spaces(provoke, tmp_path):
    read_space = pytest.importorskip("mmdgdm.search.space").read_space
    text = "a.lr: {log_uniform: [1e-3, 1e-1]}\nb: {choice: [1, [2, x]]}\n"

    def read(data):
        (tmp_path / "a.yaml").write_bytes(data)
        read_space(tmp_path / "a.yaml")

    content = yaml.safe_load(text)
    nested = changed_content(content).map(lambda one: yaml.safe_dump(one).encode())
    provoke(st.one_of(changed_bytes(text.encode()), nested), read)


def test_prepared_folders(provoke, tmp_path):
    options = dict(arch="lite0", method="dgdm", epochs=3, pictures=tmp_path)

    def read(data):
        (tmp_path / "prepared.json").write_bytes(data)
        text = format_config(tmp_path, **options)
        compile(text, "config", "exec")
        # The text of a config is code: what is read stands in it as a value alone.
        (value,) = [line for line in text.splitlines() if line.startswith("images =")]
        ast.literal_eval(value.partition("=")[2].strip())

    facts = dict(images="/x/y", classes=["a", "b"], boxes=True)
    provoke(changed_json(facts), read)


def test_training_logs(provoke, tmp_path):
    path = tmp_path / "1" / "vis_data" / "scalars.json"
    path.parent.mkdir(parents=True)
    train = dict(loss=1.5, lr=0.1, epoch=1, iter=10, step=10)
    lines = [train, {**train, "step": 20}, {"wsol/gt_known": 3.5, "step": 1}]

    def read(data):
        path.write_bytes(data)
        read_training(tmp_path)

    def join(content):
        rows = content if isinstance(content, list) else [content]
        return "\n".join(map(json.dumps, rows)).encode()

    text = "\n".join(map(json.dumps, lines)).encode()
    provoke(st.one_of(changed_content(lines).map(join), changed_bytes(text)), read)


def test_facts_of_exported_models(provoke):
    facts = ModelFacts(("cat",), (64, 64), True, (0.0,), (1.0,), True)

    def read(data):
        ModelFacts.from_json(data.decode("utf-8", "replace"), source="a.onnx")

    provoke(changed_json(json.loads(facts.to_json())), read)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF", "BMP", "WEBP"])
def test_images(provoke, tmp_path, kind):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    valid = _bytes_of(partial(image.save, format=kind) if kind else None)
    path = tmp_path / "a"

    def read(data):
        path.write_bytes(data)
        for decode in (
            read_image,
            partial(read_image, decoder="pillow", upright=True),
            read_mask,
            read_image_size,
        ):
            with contextlib.suppress(DataError):
                decode(path)

    provoke(changed_bytes(valid), read)
