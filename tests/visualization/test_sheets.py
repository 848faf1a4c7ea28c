"""Pictures: what is where, in which colour, and nothing of the input changed."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.image_facts import ImageFacts, describe_image
from mmdgdm.visualization.canvas import Canvas, blend_map, save_image
from mmdgdm.visualization.choosing import (
    choose_varied,
    kind_shares,
    spread_over_classes,
)
from mmdgdm.visualization.colors import (
    PRED_COLOR,
    TRUE_COLOR,
    get_colormap,
    method_styles,
)
from mmdgdm.visualization.growth import draw_growth
from mmdgdm.visualization.picture_files import read_pictures, write_pictures
from mmdgdm.visualization.sheets import Shot, draw_sheet, draw_shot, map_lines


def grey(height, width):
    return np.full((height, width, 3), 128, np.uint8)


def make_shot(image=None, name="a.jpg", box=(60, 60, 120, 120), label=1):
    image = grey(200, 200) if image is None else image
    quantized = np.zeros((224, 224), np.uint8)
    quantized[67:134, 67:134] = 255
    facts = describe_image(
        quantized,
        0.3,
        image_id=name,
        image_size=image.shape[1::-1],
        gt_boxes=[box],
        label=label,
        scores=[0.25, 0.75],
        map_label=label,
        classes=["cat", "dog"],
    )
    return Shot(image, quantized, facts)


def close(pixels, color):
    wanted = np.array(to_rgb(color)) * 255
    return np.abs(pixels.astype(int) - wanted).max(axis=-1) < 40


def test_boxes_are_drawn_where_they_are_solid_and_dashed():
    image = grey(50, 80)
    canvas = Canvas(80, 50)
    canvas.paste(image, 0, top=0)
    canvas.box((10, 10, 70, 40), TRUE_COLOR, line=3)
    pixels = canvas.pixels()
    assert pixels.shape == (50, 80, 3)
    assert close(pixels[10, 15:65], TRUE_COLOR).all()
    assert close(pixels[15:35, 70], TRUE_COLOR).all()
    assert (pixels[7:9, 40] < 60).any()  # the dark rim
    assert (pixels[25, 40] == 128).all()
    canvas = Canvas(80, 50)
    canvas.box((10, 10, 70, 40), PRED_COLOR, dashes=(3, 2), line=3)
    share = close(canvas.pixels()[10, 15:65], PRED_COLOR).mean()
    assert 0.3 < share < 0.8


def test_images_keep_their_shape_in_their_place():
    canvas = Canvas(100, 100)
    view = canvas.show(np.zeros((10, 40, 3), np.uint8), (10, 0, 80, 100))
    assert view == (10, 40, 80, 20)
    pixels = canvas.pixels()
    assert (pixels[40:60, 10:90] == 0).all()
    assert (pixels[39, 10:90] == 237).all()
    assert (pixels[:, 90:] == 255).all()


@pytest.mark.parametrize("shape", [(3000, 2), (2, 3000), (1, 1)])
def test_images_of_any_shape_are_drawn(shape):
    picture = draw_shot(make_shot(grey(*shape), box=(0, 0, 0, 0)))
    assert 200 < picture.shape[0] < 700
    assert picture.shape[1] > 600


def test_text_is_shortened_in_its_middle_and_never_a_formula():
    canvas = Canvas(400, 40)
    whole = canvas.measure("Black_footed_Albatross_0001.jpg")
    assert canvas.write("Black_footed_Albatross_0001.jpg", (0, 0), width=400) == whole
    assert 60 < canvas.write("Black_footed_Albatross_0001.jpg", (0, 9), width=90) <= 90
    assert canvas.write("a long name", (0, 0), width=2) == 0
    canvas.write(r"$\frac{$", (0, 20), width=99)
    assert (canvas.pixels() < 100).any()


def test_low_is_dark_high_is_bright_and_the_image_loses_its_colours():
    image = np.zeros((40, 40, 3), np.uint8)
    image[..., 0] = 255
    scoremap = np.zeros((4, 4))
    scoremap[:, 2:] = 1
    blend = blend_map(image, scoremap)
    left, right = blend[20, 2].astype(int), blend[20, 37].astype(int)
    assert right.sum() > left.sum() + 200
    assert np.ptp(left) < 10
    assert (image[..., 0] == 255).all()
    other = blend_map(image, scoremap, colormap="viridis")
    assert np.abs(other.astype(int) - blend).max() > 50
    with pytest.raises(ConfigError, match=r"`colormap` to be .*'inferno'.*'hot dog'"):
        get_colormap("hot dog")


def test_a_sheet_shows_each_method_beside_the_image():
    shots = [make_shot(), make_shot(name="b.jpg")]
    one = draw_sheet([[shot] for shot in shots], title="2 images")
    two = draw_sheet([[shot, shot] for shot in shots], methods=["A", "B"], columns=1)
    assert one.shape[1] == 916
    assert two.shape[1] == 678
    for sheet in (one, two):
        assert close(sheet, TRUE_COLOR).any()
        assert close(sheet, PRED_COLOR).any()
    # The predicted box stands on the maps alone, where there are several.
    rows = two[120:]
    assert not close(rows[:, :226], PRED_COLOR).any()
    with pytest.raises(ConfigError, match="at least one image"):
        draw_sheet([])
    with pytest.raises(ConfigError, match=r"Expected 2 shots .* \[1\]"):
        draw_sheet([[shots[0]]], methods=["A", "B"])


def test_the_lines_say_whose_map_it_is():
    assert map_lines(make_shot().facts) == [
        "map of the true class",
        "predicted: the true class, 0.75",
        "IoU 1.00 at 0.30, right",
    ]
    assert map_lines(make_shot(label=0).facts)[1:] == [
        "predicted: dog, 0.75",
        "IoU 1.00 at 0.30, wrong class",
    ]
    unknown = ImageFacts("a", 9, 9, 0.2, (0, 0, 1, 1))
    assert map_lines(unknown) == ["map of a class not known"]


def facts_of(kind, label, iou=0.5, name="a"):
    box = (0.0, 0.0, 1.0, 1.0)
    return ImageFacts(name, 9, 9, 0.2, box, iou=iou, kind=kind, label=label)


def test_all_kinds_and_all_classes_are_chosen():
    facts = [facts_of("right", i % 3, name=f"{i}") for i in range(30)]
    facts += [facts_of("too small", 2), facts_of("too large", 1, 0.1)]
    facts += [facts_of("too large", 1, 0.3)]
    chosen = choose_varied(facts, 6)
    assert [facts[i].kind for i in chosen] == [
        *("right", "right", "right", "too small", "too large", "too large")
    ]
    assert {facts[i].label for i in chosen[:3]} == {0, 1, 2}
    assert chosen[4:] == [32, 31]  # by falling IoU
    assert choose_varied(facts, 99) != []
    assert kind_shares(facts[-3:]) == "3 images: too small 33 %, too large 67 %"


@pytest.mark.parametrize(
    ("labels", "count", "places"),
    [
        ([0, 1] * 4, 4, [0, 1, 4, 5]),
        ([0] * 9, 3, [0, 3, 6]),
        ([0, 0, 0, 1], 3, [0, 1, 3]),
        (list(range(10)), 3, [0, 3, 6]),
        ([5, 5], 7, [0, 1]),
        ([0, 1], 0, []),
    ],
)
def test_images_are_spread_over_classes(labels, count, places):
    assert spread_over_classes(labels, count) == places


def test_a_folder_gives_back_what_was_written(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (300, 1500, 3)).astype(np.uint8)
    shots = {3: make_shot(), 12: make_shot(noise, name="x/ä b.png", label=0)}
    write_pictures(tmp_path, shots)
    names = ["00003_a.jpg", "00012_x-b.jpg"]
    entries = json.loads((tmp_path / "pictures.json").read_text())
    assert [entry["file"] for entry in entries] == names
    for name in names:
        assert cv2.imread(str(tmp_path / name)).shape[1] == 710
    found = read_pictures(tmp_path)
    for shot, (image, quantized, facts) in zip(shots.values(), found):
        assert facts == shot.facts
        assert np.array_equal(quantized, shot.quantized)
        assert image.shape[1] == min(1024, shot.image.shape[1])
    (tmp_path / entries[0]["map"]).unlink()
    with pytest.raises(DataError, match=r"00003_a\.png to be a picture"):
        read_pictures(tmp_path)
    (tmp_path / "pictures.json").write_text('[{"file": "a.jpg"}]')
    with pytest.raises(DataError, match=r"pictures\.json to be the list .*'image'"):
        read_pictures(tmp_path)


def test_growth_shows_some_of_many_validations():
    steps = {f"epoch {i}": [make_shot(), make_shot()] for i in range(1, 10)}
    few = draw_growth({"epoch 1": steps["epoch 1"]})
    many = draw_growth(steps)
    assert many.shape[0] == few.shape[0]
    assert many.shape[1] == few.shape[1] + 5 * 136


def test_known_methods_have_their_style_and_others_another():
    styles = method_styles(["DGDM_seed0", "cam", "mine", "other"])
    assert (styles["cam"].color, styles["cam"].marker) == ("#000000", "o")
    assert len({style.color for style in styles.values()}) == 4
    assert len({style.marker for style in styles.values()}) == 4
    assert list(method_styles(["x", "adl"])) == ["x", "adl"]


def test_a_file_keeps_order_and_colours(tmp_path):
    blue = np.full((40, 40, 3), (0, 0, 255), np.uint8)
    save_image(blue, tmp_path / "new" / "a.png")
    assert cv2.imread(str(tmp_path / "new" / "a.png"))[0, 0].tolist() == [255, 0, 0]
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OSError, match=r"Cannot write the image .*a\.png"):
        save_image(blue, tmp_path / "a.png")
