"""Plots of curves: what is drawn, and the file."""

from __future__ import annotations

import cv2
import matplotlib.colors
import numpy as np
import pytest
from matplotlib.figure import Figure

from mmdgdm.errors import ConfigError
from mmdgdm.evaluation.functional.names import human_name
from mmdgdm.visualization.curves import PLOT_ENDINGS, plot_curves, save_curves

CUTS = np.arange(0, 1, 0.25)
BOXES = {
    "curves": {
        "thresholds": CUTS,
        "gt_known": np.array([10.0, 40.0, 40.0, 0.0]),
        "max_box_acc": np.array([10.0, 40.0, 40.0, 0.0]),
        "max_box_acc_v2_30": np.array([50.0, 40.0, 30.0, 20.0]),
    },
    "metrics": {
        "wsol/gt_known": 40.0,
        "wsol/threshold/gt_known": 0.25,
        "wsol/max_box_acc_v2_30": 50.0,
        "wsol/threshold/max_box_acc_v2_30": 0.0,
    },
    "evaluated": {"images": 17, "threshold": None},
}
MASKS = {
    "curves": {
        "thresholds": CUTS,
        "pixel_precision": np.array([10.0, 20.0, 30.0, np.nan]),
        "pixel_recall": np.array([100.0, 60.0, 30.0, 0.0]),
        "pixel_iou": np.array([10.0, 17.0, 19.0, 0.0]),
    },
    "metrics": {"wsol/pixel_iou": 19.0, "wsol/threshold/pixel_iou": 0.5},
    "evaluated": {"images": 3, "threshold": 0.375},
}


def lines_of(result):
    (axes,) = plot_curves(result).axes
    return axes, {line.get_label(): line for line in axes.get_lines()}


def dots_of(axes):
    dots = [line for line in axes.get_lines() if line.get_marker() == "o"]
    return {line.get_color(): line.get_xydata().tolist() for line in dots}


@pytest.mark.parametrize(
    ("result", "names"),
    [
        (BOXES, ["GT-known", "MaxBoxAccV2@0.3"]),
        (MASKS, ["Pixel precision", "Pixel recall", "Pixel IoU"]),
    ],
)
def test_curves_are_drawn_as_they_are(result, names):
    axes, lines = lines_of(result)
    curves = {human_name(name): curve for name, curve in result["curves"].items()}
    for name in names:
        x, y = lines[name].get_data()
        assert np.array_equal(x, CUTS)
        assert np.array_equal(y, curves[name], equal_nan=True)
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    assert shown[: len(names)] == names
    assert str(result["evaluated"]["images"]) in axes.get_title()


def test_dots_stand_at_the_best_points():
    axes, lines = lines_of(BOXES)
    names = ("GT-known", "MaxBoxAccV2@0.3")
    colours = {name: lines[name].get_color() for name in names}
    assert dots_of(axes) == {
        colours["GT-known"]: [[0.25, 40.0]],
        colours["MaxBoxAccV2@0.3"]: [[0.0, 50.0]],
    }
    assert len({matplotlib.colors.to_rgb(colour) for colour in colours.values()}) == 2
    axes, lines = lines_of(MASKS)
    assert dots_of(axes) == {lines["Pixel IoU"].get_color(): [[0.5, 19.0]]}


def test_the_fixed_threshold_is_marked():
    _, lines = lines_of(MASKS)
    assert set(lines["fixed at 0.375"].get_xdata()) == {0.375}
    assert not [name for name in lines_of(BOXES)[1] if "fixed" in name]


@pytest.mark.parametrize("result", [BOXES, MASKS])
def test_the_file_is_a_picture(tmp_path, result):
    path = tmp_path / "new" / "plot.png"
    save_curves(result, path)
    picture = cv2.imread(str(path))
    assert picture.shape == (528, 768, 3)
    # Not a blank sheet: several colours are in use.
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20


@pytest.mark.parametrize("name", ["plot.xyz", "file/plot.png", "folder.png"])
def test_a_file_that_cannot_be_written(tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ConfigError, match=f"The plot cannot be written to .*{name}"):
        save_curves(BOXES, tmp_path / name)


def test_endings_are_those_that_can_be_written():
    assert {*Figure().canvas.get_supported_filetypes()} == PLOT_ENDINGS
