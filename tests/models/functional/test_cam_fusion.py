"""Maps of views, put back and averaged: by hand, and against a slow restatement."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from mmdgdm.errors import DataError
from mmdgdm.models.functional.cam_fusion import (
    View,
    axis_weights,
    fuse_views,
)

CORNERS = [(0, 0, 0.875, 0.875), (0.125, 0, 1, 0.875)]
CORNERS += [(0, 0.125, 0.875, 1), (0.125, 0.125, 1, 1)]
CENTRE = (0.0625, 0.0625, 0.9375, 0.9375)


def random_map(*shape, seed=0):
    return torch.rand(*shape, generator=torch.manual_seed(seed))


def slow_fusion(cams, views, height, width):
    """Every place by itself: bilinear samples of the views that see it."""
    out = torch.zeros(len(cams[0]), height, width, dtype=torch.float64)
    for j, i in itertools.product(range(height), range(width)):
        v, u = (j + 0.5) / height, (i + 0.5) / width
        seen = []
        for cam, (window, flip) in zip(cams, views):
            x0, y0, x1, y1 = window
            if not (x0 <= u <= x1 and y0 <= v <= y1):
                continue
            s, t = (u - x0) / (x1 - x0), (v - y0) / (y1 - y0)
            s = 1 - s if flip in ("horizontal", "diagonal") else s
            t = 1 - t if flip in ("vertical", "diagonal") else t
            h, w = cam.shape[1:]
            y, x = (
                min(max(t * h - 0.5, 0), h - 1),
                min(max(s * w - 0.5, 0), w - 1),
            )
            (a, b), (c, d) = (int(y), y % 1), (int(x), x % 1)
            e, f = min(a + 1, h - 1), min(c + 1, w - 1)
            upper = cam[:, a, c] * (1 - d) + cam[:, a, f] * d
            lower = cam[:, e, c] * (1 - d) + cam[:, e, f] * d
            seen.append((upper * (1 - b) + lower * b).double())
        out[:, j, i] = sum(seen) / len(seen)
    return out.float()


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        (None, [[1, 2], [3, 4]]),
        ("horizontal", [[2, 1], [4, 3]]),
        ("vertical", [[3, 4], [1, 2]]),
        ("diagonal", [[4, 3], [2, 1]]),
    ],
)
def test_flipped_maps_are_turned_upright(direction, expected):
    cam = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    upright = fuse_views([cam], [View(flip_direction=direction)])
    assert upright.tolist() == [expected]


def test_an_upright_view_and_its_mirror_image_average():
    upright = torch.tensor([[[1.0, 2.0, 3.0]]])
    mirrored = torch.tensor([[[9.0, 6.0, 5.0]]])
    fused = fuse_views([upright, mirrored], [View(), View(flip_direction="horizontal")])
    assert fused.tolist() == [[[3.0, 4.0, 6.0]]]


@pytest.mark.parametrize("size", [1, 2, 5, 7, 10, 14, 28])
def test_a_single_whole_view_is_copied_exactly(size):
    cam = random_map(3, size, 7) * 100 - 50
    assert torch.equal(fuse_views([cam], [View()]), cam)


def test_two_halves_lie_side_by_side():
    left, right = torch.tensor([[[1.0], [2.0]]]), torch.tensor([[[3.0], [4.0]]])
    views = [View((0, 0, 0.5, 1)), View((0.5, 0, 1, 1))]
    assert fuse_views([left, right], views).tolist() == [[[1, 3], [2, 4]]]


def test_overlap_is_averaged_and_the_rest_is_not():
    views = [View((0, 0, 0.75, 1)), View((0.25, 0, 1, 1), "horizontal")]
    cams = [torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([[[10.0, 20.0, 30.0]]])]
    # The second lies upright as 30, 20, 10 at the places 1, 2, 3.
    assert fuse_views(cams, views).tolist() == [[[1.0, 16.0, 11.5, 10.0]]]


def test_five_crops_take_each_place_from_the_views_that_see_it():
    cams = [torch.full((1, 7, 7), float(k)) for k in (1, 2, 4, 8)]
    fused = fuse_views(cams, [View(window) for window in CORNERS])[0]
    assert fused.shape == (8, 8)
    corners = [fused[y, x].item() for y in (0, -1) for x in (0, -1)]
    assert corners == [1, 2, 4, 8]
    assert fused[4, 4].item() == 15 / 4
    assert fused[0, 4].item() == 1.5
    fused = fuse_views([*cams, cams[0]], [View(w) for w in (*CORNERS, CENTRE)])[0]
    assert fused[4, 4].item() == pytest.approx(16 / 5)
    assert fused[0, 0].item() == 1


@pytest.mark.parametrize("num", [2, 3, 4])
def test_a_sliding_grid_covers_every_place(num):
    starts = [k * 0.6 / (num - 1) for k in range(num)]
    views = [View((x, y, x + 0.4, y + 0.4)) for x in starts for y in starts]
    if num < 3:
        with pytest.raises(DataError, match="cover the whole image"):
            fuse_views([torch.ones(1, 5, 5)] * len(views), views)
        return
    fused = fuse_views([torch.ones(1, 5, 5)] * len(views), views)
    assert torch.allclose(fused, torch.ones_like(fused), atol=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_like_the_slow_restatement(seed):
    draw = torch.manual_seed(seed)
    views = [View((0, 0, 1, 1), "vertical")]
    sizes = [(4, 6)]
    for direction in ("horizontal", None, "diagonal"):
        a, b, c, d = (torch.rand(4, generator=draw) / 2).tolist()
        views.append(View((a, b, a + 0.3 + c / 3, b + 0.3 + d / 3), direction))
        sizes.append((3 + seed % 3, 5))
    cams = [random_map(2, *size, seed=seed + k) for k, size in enumerate(sizes)]
    fused = fuse_views(cams, views)
    shares = [(w[3] - w[1], w[2] - w[0]) for w, _ in views]
    height = max(math.ceil(h / share) for (h, _), (share, _) in zip(sizes, shares))
    width = max(math.ceil(w / share) for (_, w), (_, share) in zip(sizes, shares))
    assert fused.shape == (2, height, width)
    expected = slow_fusion(cams, views, height, width)
    assert torch.allclose(fused, expected, atol=1e-5)


def test_scales_are_resized_to_the_larger():
    small, large = torch.tensor([[[2.0]]]), torch.tensor([[[1.0, 3.0], [5.0, 7.0]]])
    assert fuse_views([small, large], [View(), View()]).tolist() == [
        [[1.5, 2.5], [3.5, 4.5]]
    ]


def test_rows_of_weights_sum_to_one_inside_and_zero_outside():
    weights = axis_weights(3, 10, start=0.2, end=0.8)
    assert weights.sum(1).tolist() == pytest.approx([0, 0, 1, 1, 1, 1, 1, 1, 0, 0])


def test_mixed_precision_rounds_no_map():
    cam = random_map(2, 5, 7)
    views = [View((0, 0, 1, 1)), View((0.1, 0.2, 0.9, 0.8), "horizontal")]
    exact = fuse_views([cam, cam], views)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(fuse_views([cam, cam], views), exact)


def test_weights_kept_from_inference_serve_training_too():
    axis_weights.cache_clear()
    cam = torch.tensor([[[1.0, 2.0]]])
    with torch.inference_mode():
        fuse_views([cam], [View()])
    cam.requires_grad_()
    fused = fuse_views([cam], [View()])
    (fused * torch.tensor([3.0, 5.0])).sum().backward()
    assert axis_weights.cache_info().hits > 0
    assert cam.grad.tolist() == [[[3.0, 5.0]]]


@pytest.mark.parametrize(
    ("cams", "views", "message"),
    [
        ([], [], "at least one"),
        ([torch.ones(1, 2, 2)], [View(), View()], "1 maps of 2 views"),
        ([torch.ones(2, 2)], [View()], r"\(K, h, w\)"),
        ([torch.ones(1, 2, 2), torch.ones(2, 2, 2)], [View()] * 2, "same K classes"),
        ([torch.ones(1, 2, 2)], [View((0, 0, 1.2, 1))], "`window`"),
        ([torch.ones(1, 2, 2)], [View((0.5, 0, 0.5, 1))], "`window`"),
        ([torch.ones(1, 2, 2)], [View((0, 0, 0.5, 1))], "leave out 4 of the 8"),
        ([torch.ones(1, 2, 2)], [View(flip_direction="left")], "'left'"),
    ],
)
def test_views_that_do_not_fit_are_refused(cams, views, message):
    with pytest.raises(DataError, match=message):
        fuse_views(cams, views)
