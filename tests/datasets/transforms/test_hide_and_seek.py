"""HideAndSeek: which cells can be hidden, how often, and with what."""

from __future__ import annotations

import numpy as np
import pytest
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS

from mmdgdm.datasets.transforms import HideAndSeek
from mmdgdm.errors import ConfigError, DataError

FILL = (10, 20, 30)


def hide(image, **arguments):
    return HideAndSeek(FILL, **arguments)(dict(img=image))["img"]


def is_hidden(image):
    return (image == FILL).all(axis=2)


def test_cells_are_hidden_whole_on_pictures_of_any_shape():
    np.random.seed(0)
    counts = np.zeros((3, 5))
    for _ in range(2000):
        hidden = is_hidden(hide(np.full((11, 18, 3), 99, np.uint8), grid_sizes=[4]))
        cells = hidden[::4, ::4]
        # The last row of cells is 3 pixels high, the last column 2 wide.
        assert (hidden == cells.repeat(4, 0).repeat(4, 1)[:11, :18]).all()
        counts += cells
    # Five standard deviations of a fair coin thrown 2,000 times.
    assert (abs(counts / 2000 - 0.5) < 0.056).all()


def test_cells_are_independent():
    np.random.seed(1)
    pairs = [
        is_hidden(hide(np.zeros((2, 4, 3), np.uint8), grid_sizes=[2]))[0, ::2]
        for _ in range(2000)
    ]
    left, right = np.array(pairs).T
    assert abs((left & right).mean() - 0.25) < 0.05


def test_the_share_of_hidden_cells_is_the_probability():
    np.random.seed(2)
    hidden = is_hidden(
        hide(np.zeros((200, 200, 3), np.uint8), grid_sizes=[2], drop_prob=0.2)
    )
    assert abs(hidden.mean() - 0.2) < 0.02


def test_each_size_is_drawn_and_zero_leaves_the_picture():
    np.random.seed(3)
    image = np.full((6, 6, 3), 99, np.uint8)
    seen = set()
    for _ in range(200):
        out = hide(image, grid_sizes=[0, 3, 6], drop_prob=1.0)
        seen.add(int(is_hidden(out).sum()))
    assert seen == {0, 36}
    assert (image == 99).all()


def test_the_fill_is_rounded_for_pixels_and_kept_for_floats():
    fill = (123.675, 116.28, 103.53)
    transform = HideAndSeek(fill, grid_sizes=[1], drop_prob=1.0)
    assert transform(dict(img=np.zeros((1, 1, 3), np.uint8)))["img"].tolist() == [
        [[124, 116, 104]]
    ]
    out = transform(dict(img=np.zeros((1, 1, 3), np.float32)))["img"]
    assert out.dtype == np.float32
    assert np.allclose(out, fill)


def test_registered_under_the_scope():
    built = ROOT_TRANSFORMS.build(dict(type="mmdgdm.HideAndSeek", fill=FILL))
    assert "grid_sizes=[0, 16, 32, 44, 56]" in repr(built)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (dict(grid_sizes=[]), "`grid_sizes`"),
        (dict(grid_sizes=[-1]), "`grid_sizes`"),
        (dict(grid_sizes=[1.5]), "`grid_sizes`"),
        (dict(grid_sizes=16), "`grid_sizes`"),
        (dict(drop_prob=1.1), "`drop_prob`"),
        (dict(drop_prob=None), "`drop_prob`"),
    ],
)
def test_impossible_arguments_are_named(arguments, match):
    with pytest.raises(ConfigError, match=match):
        HideAndSeek(FILL, **arguments)


def test_a_fill_of_other_channels_is_refused():
    with pytest.raises(DataError, match=r"\(H, W, 3\).*got \(2, 2\) for 'a.jpg'"):
        HideAndSeek(FILL)(dict(img=np.zeros((2, 2)), img_path="a.jpg"))
