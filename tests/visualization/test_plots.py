"""Plots: what is drawn, in whose colour, and the files."""

from __future__ import annotations

import importlib.util
import json

import cv2
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.records import make_box_record, read_box_records
from mmdgdm.evaluation.stored.record_files import write_records
from mmdgdm.evaluation.stored.results import StoredResult
from mmdgdm.utils.training_logs import TrainingLog
from mmdgdm.visualization import plots
from mmdgdm.visualization.colors import METHOD_STYLES, method_styles

CUTS = np.arange(0, 1, 0.25)


def boxes(name, best=1, chosen=None, scale=1.0):
    curve = np.array([10.0, 40.0, 40.0, 0.0]) * scale
    metrics = {"threshold/max_box_acc": CUTS[best], "max_box_acc": 40.0}
    if chosen is not None:
        metrics["threshold/val_max_box_acc"] = chosen
    at = "" if chosen is None else "val_threshold/"
    by_class = {
        i: {"images": 3, "gt_known": 0.0, f"{at}gt_known": 10.0 * i * scale}
        for i in range(4)
    }
    curves = {"thresholds": CUTS, "max_box_acc": curve, "max_box_acc_30": curve + 5}
    scoremap = np.zeros((224, 224))
    scoremap[50:150, 50:150] = 1
    record = make_box_record(
        scoremap, np.array([[50, 50, 149, 149]]), label=0, threshold=chosen
    )
    table = read_box_records([record])
    return StoredResult(name, metrics, curves, by_class, ("a.jpg",), table)


def masks(name, chosen=None):
    metrics = {"pxap": 30.0, "threshold/pixel_iou": 0.5}
    if chosen is not None:
        metrics["threshold/val_pixel_iou"] = chosen
    curves = {
        "thresholds": CUTS,
        "pixel_precision": np.array([10.0, 20.0, 30.0, np.nan]),
        "pixel_recall": np.array([100.0, 60.0, 30.0, 0.0]),
        "pixel_iou": np.array([10.0, 17.0, 19.0, 0.0]),
    }
    return StoredResult(name, metrics, curves)


def points_of(axes, marker):
    lines = [line for line in axes.get_lines() if line.get_marker() == marker]
    return {line.get_color(): line.get_xydata().tolist() for line in lines}


def test_thresholds_have_a_panel_an_iou_and_marks():
    figure = plots.plot_thresholds([boxes("cam"), boxes("dgdm", chosen=0.5)])
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["box with IoU of 0.3", "box with IoU of 0.5 (GT-known)"]
    axes = figure.axes[1]
    black, red = (METHOD_STYLES[name].color for name in ("cam", "dgdm"))
    assert points_of(axes, "*") == {black: [[0.25, 40.0]], red: [[0.25, 40.0]]}
    rings = [line for line in axes.get_lines() if line.get_fillstyle() == "none"]
    assert [line.get_xydata().tolist() for line in rings] == [[[0.5, 40.0]]]
    assert rings[0].get_color() == red
    x, y = axes.get_lines()[0].get_data()
    assert np.array_equal(x, CUTS)
    assert np.array_equal(y, [10, 40, 40, 0])
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == ["cam", "dgdm", "best threshold", "threshold that val chose"]
    alone = plots.plot_thresholds([masks("mine")])
    assert "val chose" not in str(alone.legends[0].get_texts())
    assert [axes.get_title() for axes in alone.axes] == ["IoU of pixels"]
    with pytest.raises(ConfigError, match="results that share a score"):
        plots.plot_thresholds([boxes("cam"), masks("mine")])


def test_precision_and_recall():
    figure = plots.plot_precision_recall([masks("mine", chosen=0.25)])
    (axes,) = figure.axes
    color = method_styles(["mine"])["mine"].color
    assert points_of(axes, "*") == {color: [[30.0, 30.0]]}
    assert points_of(axes, "o") == {color: [[60.0, 20.0]]}
    assert figure.legends[0].get_texts()[0].get_text() == "mine, PxAP 30.0"
    with pytest.raises(ConfigError, match=r"results of masks .* but got cam"):
        plots.plot_precision_recall([boxes("cam")])


def test_coverage_and_kinds_come_from_records():
    figure = plots.plot_coverage([boxes("cam"), boxes("dgdm", chosen=0.4)])
    x, y = figure.axes[0].get_lines()[0].get_data()
    # Predicted are 101 x 101 pixels around 100 x 100: nothing is missed.
    assert np.allclose(x, 0)
    assert np.allclose(y, 100 * (1 - 100**2 / 101**2))
    kinds = plots.plot_kinds([boxes("cam")])
    widths = [patch.get_width() for patch in kinds.axes[0].patches]
    assert widths == [100.0, 0, 0, 0, 0]
    hatches = [patch.get_hatch() for patch in kinds.axes[0].patches]
    assert len({*hatches}) == 5
    with pytest.raises(ConfigError, match="at least one result"):
        plots.plot_kinds([])


def sized(name, chosen=None, scores=(40.0, 60.0, 80.0), sides=(60, 100, 101, 180)):
    """A run on squares of these sides: by default a small, two medium, a large one."""
    at = "" if chosen is None else "val_threshold/"
    metrics = {
        "threshold/max_box_acc": 0.25,
        **dict(
            zip((f"{at}gt_known_{s}" for s in ("small", "medium", "large")), scores)
        ),
    }
    if chosen is not None:
        metrics["threshold/val_max_box_acc"] = chosen
        metrics.update(gt_known_small=1.0, gt_known_medium=2.0, gt_known_large=3.0)
    records = [
        make_box_record(np.eye(224), np.array([[0, 0, side - 1, side - 1]]), label=0)
        for side in sides
    ]
    return StoredResult(name, metrics, {}, table=read_box_records(records))


def test_sizes_have_a_bar_a_run_and_their_numbers_of_images():
    pair = [sized("cam", chosen=0.5), sized("dgdm", chosen=0.5, scores=(1, 2, 3))]
    figure = plots.plot_sizes(pair)
    (axes,) = figure.axes
    assert [bar.get_height() for bar in axes.patches] == [40, 60, 80, 1, 2, 3]
    cam, dgdm = axes.patches[1], axes.patches[4]
    assert cam.get_x() + cam.get_width() <= dgdm.get_x()
    assert cam.get_facecolor()[:3] == to_rgb(METHOD_STYLES["cam"].color)
    assert dgdm.get_facecolor()[:3] == to_rgb(METHOD_STYLES["dgdm"].color)
    assert [line.get_marker() for line in axes.get_lines()] == ["o", "s"]
    shown = [label.get_text() for label in axes.get_xticklabels()]
    assert shown == [
        "small: below 15 %\n1 image",
        "medium: 15 to 50 %\n2 images",
        "large: above 50 %\n1 image",
    ]
    assert [text.get_text() for text in axes.texts] == ["40", "60", "80", "1", "2", "3"]
    assert "at val's threshold" in axes.get_ylabel()
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["cam", "dgdm"]


def test_sizes_without_an_object_or_a_threshold_of_val():
    one = sized("cam", sides=(60, 180), scores=(5, 0, 7))
    del one.metrics["gt_known_medium"]
    (axes,) = plots.plot_sizes([one]).axes
    assert [bar.get_height() for bar in axes.patches] == [5, 7]
    assert [round(bar.get_x() + bar.get_width() / 2) for bar in axes.patches] == [0, 2]
    assert axes.get_xticklabels()[1].get_text().endswith("0 images")
    assert "at the best threshold of all images" in axes.get_ylabel()
    with pytest.raises(ConfigError, match="at least one result"):
        plots.plot_sizes([])
    with pytest.raises(ConfigError, match=r"same images.* differ: cam .* dgdm .*"):
        plots.plot_sizes([one, sized("dgdm")])
    other = sized("cam", scores=(4, 5, 6))
    for size in ("small", "medium", "large"):
        other.metrics[f"max_box_acc_{size}"] = other.metrics.pop(f"gt_known_{size}")
    (axes,) = plots.plot_sizes([other]).axes
    assert [bar.get_height() for bar in axes.patches] == [4, 5, 6]
    assert axes.get_ylabel().startswith("MaxBoxAcc in percent")
    with pytest.raises(ConfigError, match="share 'gt_known' or 'max_box_acc' by size"):
        plots.plot_sizes([other, sized("dgdm")])
    with pytest.raises(DataError, match="mine to have records of boxes"):
        plots.plot_sizes([masks("mine")])


def test_classes_are_sorted_and_of_many_the_ends_are_shown():
    (axes,) = plots.plot_classes([boxes("cam", chosen=0.5)]).axes
    assert [patch.get_width() for patch in axes.patches] == [0, 10, 20, 30]
    pair = [boxes("cam", chosen=0.5), boxes("dgdm", chosen=0.5, scale=2)]
    (axes,) = plots.plot_classes(pair, classes=["a", "b", "$c", "d"], most=3).axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["a (3)", "b (3)", "d (3)"]
    assert axes.get_lines()[1].get_xdata().tolist() == [0, 20, 60]
    assert "3 of 4 classes, the lowest and the highest" in axes.get_xlabel()
    assert "at val's threshold" in axes.get_xlabel()
    with pytest.raises(ConfigError, match="'top1_loc' of each class"):
        plots.plot_classes(pair, score="top1_loc")


def test_methods_show_their_runs_and_their_mean():
    scores = {"GT-known": {"cam": [50.0, 52.0], "dgdm": [60.0]}, "Top-1": {"cam": [9]}}
    figure = plots.plot_methods(scores)
    first = figure.axes[0].get_lines()
    assert first[0].get_xdata().tolist() == [50, 52]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        *("CAM", "DGDM")
    ]
    with pytest.raises(ConfigError, match="a run of each method"):
        plots.plot_methods({"GT-known": {"cam": []}})


def test_trainings_have_a_panel_a_loss_and_a_score():
    train = {"loss": ([1.0, 2.0], [3.0, 2.0]), "lr": ([1.0], [0.1])}
    val = {"wsol/gt_known": ([1.0, 2.0], [40.0, 50.0]), "wsol/other": ([1.0], [2.0])}
    logs = [TrainingLog("cam", train, val, "epoch"), TrainingLog("x", {}, {}, "epoch")]
    figure = plots.plot_training(logs)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["loss, train", "GT-known, val, %"]
    assert figure.axes[1].get_lines()[0].get_ydata().tolist() == [40, 50]
    with pytest.raises(ConfigError, match="a loss or a score"):
        plots.plot_training(logs[1:])


@pytest.mark.parametrize("name", ["plot.xyz", "file/plot.png", "folder.png"])
def test_a_file_that_cannot_be_written(tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    figure = plots.plot_methods({"a": {"b": [1.0]}})
    with pytest.raises(ConfigError, match=f"The plot cannot be written to .*{name}"):
        plots.save_figure(figure, tmp_path / name)


@pytest.fixture
def tool(repo_root):
    def load(name):
        path = repo_root / "tools" / "visualization" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.main

    return load


def test_tools_write_what_results_allow(tool, tmp_path, capsys):
    result = boxes("cam", chosen=0.4)
    content = {f"wsol/{name}": value for name, value in result.metrics.items()}
    content.update({f"wsol/max_box_acc_v2_{percent}": 0 for percent in (30, 50, 70)})
    content["wsol/gt_known_medium"] = content["wsol/val_threshold/gt_known_medium"] = 0
    path = tmp_path / "cam.json"
    path.write_text(json.dumps(content))
    scoremap = np.zeros((224, 224))
    scoremap[50:150, 50:150] = 1
    record = make_box_record(
        scoremap, np.array([[9, 9, 99, 99]]), label=0, threshold=0.4
    )
    file = tmp_path / "cam.records.npz"
    write_records(file, ["a.jpg"], records=[record], classes=["wren"])
    out = tmp_path / "plots"
    plot_results = tool("plot_results")
    assert plot_results([str(path), "--out", str(out), "--format", "svg"]) == 0
    names = ["classes", "coverage", "errors", "sizes", "thresholds"]
    assert sorted(file.stem for file in out.glob("*.svg")) == names
    assert "wren (1)" in (out / "classes.svg").read_text()
    assert plot_results([str(path), str(path), "--out", str(out)]) == 2
    assert "results of different names" in capsys.readouterr().err
    assert plot_results([str(path), "--out", str(out), "--names", "a", "b"]) == 2
    log = tmp_path / "run" / "1" / "vis_data" / "scalars.json"
    log.parent.mkdir(parents=True)
    log.write_text('{"loss": 3.0, "epoch": 1, "iter": 5, "step": 5}\n')
    file = tmp_path / "t.png"
    assert tool("plot_training")([str(tmp_path / "run"), "--out", str(file)]) == 0
    assert cv2.imread(str(file)) is not None
