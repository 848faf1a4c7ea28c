"""What CAGD, SAGD, DGDM and ADL promise alike, and what is each one's own."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.registry import MODELS as ROOT_MODELS
from torch import nn

from mmdgdm.errors import ConfigError
from mmdgdm.models.functional import importance_map, spatial_attention
from mmdgdm.models.necks import ADL, CAGD, DGDM, SAGD, DropBlock

LAYERS = {
    "CAGD": lambda: CAGD(keep_ratio=0.5),
    "CAGD-se": lambda: CAGD(attention="se", in_channels=8, reduction=2),
    "SAGD": lambda: SAGD(bg_threshold=0.1),
    "SAGD-mean": lambda: SAGD(scale="mean", detach=True),
    "SAGD-learns": lambda: SAGD(scale="mean", detach=False),
    "SAGD-soft": lambda: SAGD(erased_value=0.3, bg_rule="otsu", bg_threshold=1.0),
    "DGDM": DGDM,
    "DGDM-mean": lambda: DGDM(dict(scale="mean"), dict(scale="mean")),
    "DGDM-no-sagd": lambda: DGDM(sagd=None),
    "DGDM-no-cagd": lambda: DGDM(cagd=None),
    "ADL": ADL,
    "DropBlock": lambda: DropBlock(drop_prob=0.3),
    "DropBlock-shared": lambda: DropBlock(drop_prob=0.3, shared=True),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


def make(name):
    torch.manual_seed(0)
    return LAYERS[name]()


def features(*shape, dtype=torch.float32):
    generator = torch.Generator().manual_seed(3)
    return torch.rand(*(shape or (4, 8, 7, 7)), generator=generator).to(dtype)


@every_layer
def test_eval_returns_the_same_object(name):
    layer, feat = make(name).eval(), features()
    assert layer(feat) is feat
    stages = (feat, features(2, 3, 4, 4))
    assert layer(stages) is stages


@every_layer
def test_training_changes_features_but_neither_shape_nor_input(name):
    feat = features()
    before = feat.clone()
    out = make(name)(feat)
    assert out.shape == feat.shape
    assert out.dtype == feat.dtype
    assert not torch.equal(out, feat)
    assert torch.equal(feat, before)


@every_layer
def test_a_neck_takes_and_returns_a_tuple(name):
    out = make(name)((features(), features(4, 8, 3, 5)))
    assert isinstance(out, tuple)
    assert [tuple(o.shape) for o in out] == [(4, 8, 7, 7), (4, 8, 3, 5)]


@every_layer
def test_seed_decides(name):
    layer, feat = make(name), features()
    torch.manual_seed(1)
    first = layer(feat)
    torch.manual_seed(1)
    assert torch.equal(layer(feat), first)
    assert any(not torch.equal(layer(feat), first) for _ in range(20))


DTYPES = [torch.float32, torch.float16, torch.bfloat16]
#: Every scale and rule; with a probability of 0 or 1, draws decide between no masks.
SETTINGS = {
    "ADL": lambda: ADL(1.0),
    "ADL-importance": lambda: ADL(0.0),
    **{
        f"CAGD-{scale}-{attention}": lambda scale=scale, attention=attention: CAGD(
            0.25, 0.9, scale=scale, attention=attention, in_channels=64, reduction=4
        )
        for scale in ("plain", "expectation", "mean")
        for attention in ("mean", "se")
    },
    **{
        f"SAGD-{prob}-{scale}-{rule}-{detach}": (
            lambda prob=prob, scale=scale, rule=rule, detach=detach: SAGD(
                prob,
                scale=scale,
                bg_rule=rule,
                bg_threshold=0.6,
                erased_value=0.1,
                detach=detach,
            )
        )
        for prob in (0.0, 1.0)
        for scale in ("plain", "mean")
        for rule in ("max", "mean", "otsu")
        for detach in (True, False)
    },
    "SAGD-seeds": lambda: SAGD(1.0, seed_prob=0.3, draw="batch", importance=False),
    "DGDM": DGDM,
    "DGDM-plain": lambda: DGDM(dict(scale="plain"), dict(scale="plain", detach=False)),
    "DropBlock": lambda: DropBlock(0.1, 3),
    "DropBlock-shared": lambda: DropBlock(0.1, 3, shared=True),
}


@pytest.fixture
def same_draws(monkeypatch):
    """All dtypes draw the numbers of float32, so that their masks can be compared."""
    rand_like, bernoulli = torch.rand_like, torch.Tensor.bernoulli_
    monkeypatch.setattr(
        torch,
        "rand_like",
        lambda like: rand_like(like, dtype=torch.float32).to(like.dtype),
    )
    monkeypatch.setattr(
        torch.Tensor,
        "bernoulli_",
        lambda noise, prob: noise.copy_(bernoulli(noise.float(), prob)),
    )


def levels(shape, peak):
    """Values up to ``peak`` whose attention is far from each threshold."""
    generator = torch.Generator().manual_seed(0)
    count, channels, height, width = shape
    places = torch.tensor([0.05, 0.1, 0.4, 0.7, 0.97])
    drawn = torch.randint(5, (count, 1, height, width), generator=generator)
    drawn[:, :, 0, 0], drawn[:, :, -1, -1] = 4, 0
    strengths = torch.rand(count, channels, 1, 1, generator=generator)
    strengths[:, 0] = 1.0
    return peak * places[drawn] * strengths


def run(layer, feat, upstream):
    torch.manual_seed(7)
    feat = feat.clone().requires_grad_()
    out = layer(feat)
    out.backward(upstream)
    return out.detach(), feat.grad


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SETTINGS)
def test_every_dtype_gives_the_result_of_float64(name, dtype, same_draws):
    torch.manual_seed(0)
    layer = SETTINGS[name]()
    limits = torch.finfo(dtype)
    for shape, peak in (((8, 64, 28, 28), 3.0), ((2, 64, 28, 20), 1e4)):
        feat = levels(shape, peak).to(dtype)
        upstream = torch.randn(shape).to(dtype)
        out, grad = run(layer, feat, upstream)
        expected, slope = run(layer, feat.double(), upstream.double())
        assert out.dtype == grad.dtype == dtype
        assert expected.dtype == slope.dtype == torch.float64
        # What the dtype cannot hold is its largest number, and has no slope.
        over = expected > limits.max
        assert (over.float().mean() < 0.5).item()
        eps = max(4 * limits.eps, 2e-5)
        error = (out.double() - expected.clamp_max(limits.max)).abs()
        assert error.max() <= eps * expected.clamp_max(limits.max).max()
        error = (grad.double() - slope).abs()[~over]
        assert error.max() <= eps * slope.abs().max()


@pytest.mark.parametrize(
    "layer",
    [
        # One channel in twenty is left, and would be multiplied by 10.
        CAGD(0.0, 0.95, scale="mean"),
        CAGD(0.0, 0.95, scale="expectation"),
        # Of 100 places 99 are erased; in the last one a single channel responds.
        SAGD(1.0, scale="mean", block_size=1),
        DGDM(dict(keep_ratio=1.0), dict(drop_prob=1.0, scale="mean", block_size=1)),
    ],
)
def test_products_beyond_half_precision_become_its_largest_number(layer):
    feat = torch.full((2, 100, 10, 10), 8000.0, dtype=torch.float16)
    feat[:, 1:, 4, 4] = 0
    torch.manual_seed(0)
    out = layer(feat)
    assert out.max().item() == 65504.0
    assert set(out.unique().tolist()) == {0.0, 65504.0}
    torch.manual_seed(0)
    assert layer(feat.float()).max() >= 79_000


def test_infinite_and_missing_values_are_not_hidden():
    feat = torch.ones(1, 2, 5, 5, dtype=torch.float16)
    feat[0, 0, 1, 1], feat[0, 1, 2, 2] = float("inf"), float("nan")
    out = DropBlock(0.0, 3)(feat)
    assert out.isinf().sum() == out.isnan().sum() == 1


def test_a_learned_attention_is_as_wide_as_the_plain_one():
    # Under autocast the excitation is of half precision; sums of its input are not.
    layer = CAGD(0.0, 0.5, attention="se", in_channels=512, scale="mean")
    feat = torch.full((2, 512, 4, 4), 1e4)
    torch.manual_seed(0)
    expected = layer(feat)
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.float16):
        out = layer(feat)
    assert torch.equal(out, expected)


@every_layer
def test_channels_last_is_kept(name):
    feat = features().to(memory_format=torch.channels_last)
    out = make(name)(feat)
    assert out.is_contiguous(memory_format=torch.channels_last)


@every_layer
def test_memory_format_does_not_change_values(name):
    layer, feat = make(name), features()
    torch.manual_seed(5)
    plain = layer(feat)
    torch.manual_seed(5)
    last = layer(feat.to(memory_format=torch.channels_last))
    assert torch.allclose(plain, last, atol=1e-6)


@every_layer
def test_gradient_reaches_the_input(name):
    feat = features().requires_grad_()
    make(name)(feat).sum().backward()
    assert bool(torch.isfinite(feat.grad).all())
    assert feat.grad.abs().sum() > 0


@every_layer
@pytest.mark.parametrize("value", [0.0, 1.0, -1.0])
def test_constant_maps_stay_finite(name, value):
    feat = torch.full((2, 8, 5, 5), value, requires_grad=True)
    out = make(name)(feat)
    out.sum().backward()
    assert bool(torch.isfinite(out).all())
    assert bool(torch.isfinite(feat.grad).all())


@every_layer
def test_negative_inputs_stay_finite(name):
    out = make(name)(features() - 0.7)
    assert bool(torch.isfinite(out).all())


@every_layer
def test_deepcopy_is_independent(name):
    layer = make(name)
    other = copy.deepcopy(layer).eval()
    feat = features()
    assert layer.training
    assert not other.training
    assert other(feat) is feat
    assert not torch.equal(layer(feat), feat)


@every_layer
def test_jit_trace_in_eval(name):
    feat = features()
    traced = torch.jit.trace(make(name).eval(), feat)
    assert torch.equal(traced(feat), feat)


class Wrapped(nn.Module):
    """A convolution before the layer, so that the exported graph has a node."""

    def __init__(self, layer):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)
        self.layer = layer

    def forward(self, x):
        return self.layer(self.conv(x))


@every_layer
def test_torch_export_in_eval(name):
    module, feat = Wrapped(make(name)).eval(), features()
    exported = torch.export.export(module, (feat,))
    assert torch.allclose(exported.module()(feat), module.conv(feat), atol=1e-6)


@every_layer
@pytest.mark.parametrize(
    ("bad", "error", "match"),
    [
        (torch.ones(2, 3), ConfigError, r"\(N, C, H, W\), but got \(2, 3\)"),
        (torch.ones(1, 8, 2, 2, dtype=torch.int64), TypeError, "torch.int64"),
        ("text", TypeError, "but got str"),
    ],
)
def test_wrong_inputs_are_named(name, bad, error, match):
    with pytest.raises(error, match=match):
        make(name)(bad)


@pytest.mark.parametrize("name", ["CAGD", "SAGD", "SAGD-mean", "DGDM", "ADL"])
def test_layers_have_no_parameters(name):
    assert not list(make(name).state_dict())


@pytest.mark.parametrize("name", ["CAGD", "SAGD", "DGDM", "ADL", "DropBlock"])
def test_registered_under_the_scope_alone(name):
    assert type(ROOT_MODELS.build(dict(type=f"mmdgdm.{name}"))).__name__ == name


@pytest.mark.parametrize("layer", [SAGD(), DGDM(), SAGD(scale="mean")])
def test_samples_do_not_influence_each_other(layer):
    feat = features(6, 8, 7, 7)
    torch.manual_seed(2)
    together = layer(feat)
    changed = feat.clone()
    changed[1:] = changed[1:].flip(2) * 9
    torch.manual_seed(2)
    assert torch.equal(layer(changed)[0], together[0])


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: CAGD(keep_ratio=1.5), r"`keep_ratio`.*\[0, 1\].*1\.5"),
        (lambda: CAGD(keep_ratio="a"), "`keep_ratio`.*'a'"),
        (lambda: CAGD(drop_prob=-0.1), "`drop_prob`.*-0.1"),
        (lambda: CAGD(drop_prob=True), "`drop_prob`.*True"),
        (lambda: CAGD(drop_prob=1.0, scale="expectation"), r"`drop_prob`.*\[0, 1\)"),
        (lambda: CAGD(scale="half"), "`scale`.*'plain', 'expectation', 'mean'"),
        (lambda: CAGD(attention="max"), "`attention`"),
        (lambda: CAGD(attention="se"), "`in_channels`.*None"),
        (lambda: CAGD(attention="se", in_channels=0), "`in_channels`.*0"),
        (lambda: CAGD(attention="se", in_channels=8, reduction=0), "`reduction`"),
        (lambda: SAGD(drop_prob=2), "`drop_prob`"),
        (lambda: SAGD(drop_threshold=0), r"`drop_threshold`.*\(0, 1\]"),
        (lambda: SAGD(block_size=0), "`block_size`.*>= 1.*0"),
        (lambda: SAGD(block_size=2.5), "`block_size`.*2.5"),
        (lambda: SAGD(block_size=True), "`block_size`.*True"),
        (lambda: SAGD(block_size=1.0), r"`block_size`.*share in \(0, 1\).*1\.0"),
        (lambda: SAGD(block_size=0.0), "`block_size`.*0.0"),
        (lambda: SAGD(bg_threshold=0.8, drop_threshold=0.8), "`bg_threshold`"),
        (lambda: SAGD(bg_threshold=1.1, bg_rule="mean"), "`bg_threshold`.*1.1"),
        (lambda: SAGD(bg_rule="median"), "`bg_rule`.*'max', 'mean', 'otsu'"),
        (lambda: SAGD(erased_value=1.0), r"`erased_value`.*\[0, 1\).*1.0"),
        (lambda: SAGD(seed_prob=0), "`seed_prob`"),
        (lambda: SAGD(draw="pixel"), "`draw`.*'batch', 'sample'"),
        (lambda: SAGD(scale="expectation"), "`scale`"),
        (lambda: DGDM(None, None), "`cagd` and `sagd`"),
        (lambda: DGDM(cagd=0.5), "`cagd`.*0.5"),
        (lambda: DGDM(sagd=dict(drop_prob=3)), "`drop_prob`.*3"),
        (lambda: ADL(drop_rate=1.1), "`drop_rate`"),
        (lambda: ADL(drop_threshold=0.0), "`drop_threshold`"),
    ],
)
def test_impossible_arguments_are_refused_by_name(build, match):
    with pytest.raises(ConfigError, match=match):
        build()


def test_dgdm_is_the_product_of_both_masks_of_the_same_input():
    feat = torch.zeros(1, 4, 1, 2)
    feat[0, :, 0, 0] = torch.tensor([8.0, 6.0, 2.0, 1.0])  # the peak place
    feat[0, :, 0, 1] = torch.tensor([1.0, 1.0, 2.0, 3.0])
    layer = DGDM(
        dict(keep_ratio=0.5, drop_prob=1.0, scale="plain"),
        dict(drop_prob=1.0, drop_threshold=0.8, block_size=1, scale="plain"),
    )
    # Channels 0 and 1 are strongest; place 0 (4.25 against 1.75) is erased.
    assert layer(feat)[0, :, 0].tolist() == [[0, 1], [0, 1], [0, 0], [0, 0]]


def test_adl_is_the_published_rule():
    feat = features()
    attention = spatial_attention(feat)
    drop_mask = (attention < 0.6 * attention.amax((2, 3), keepdim=True)).float()
    dropped = ADL(drop_rate=1.0, drop_threshold=0.6)(feat)
    kept = ADL(drop_rate=0.0)(feat)
    assert torch.equal(dropped, feat * drop_mask)
    assert torch.equal(kept, feat * torch.sigmoid(attention))


def test_adl_draws_once_per_batch():
    torch.manual_seed(0)
    layer, feat = ADL(drop_rate=0.5), features(32, 8, 7, 7)
    peak = (feat.mean(1) == feat.mean(1).amax((1, 2), keepdim=True))[:, None]
    for _ in range(20):
        erased = (layer(feat) * peak).flatten(1).sum(1) == 0
        assert erased.all() or not erased.any()


@pytest.mark.parametrize("detach", [True, False])
def test_detach_decides_whether_the_attention_has_a_gradient(detach):
    feat = features().requires_grad_()
    layer = SAGD(drop_prob=0.0, scale="plain", detach=detach)
    layer(feat).sum().backward()
    without = importance_map(spatial_attention(feat.detach())).expand_as(feat)
    assert torch.allclose(feat.grad, without) is detach


def test_a_relative_block_follows_the_size_of_the_map():
    layer = SAGD(1.0, drop_threshold=0.9, block_size=0.25, scale="plain")
    for side, pixels in ((4, 1), (8, 2), (14, 4), (28, 7)):
        feat = torch.ones(1, 2, side, side + 3)
        feat[:, :, side // 2, side // 2] = 100.0
        assert (layer(feat)[0, 0] == 0).sum() == pixels**2


def test_a_learned_attention_learns_and_has_keys():
    layer = make("CAGD-se")
    layer(features()).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in layer.parameters())
    assert "excitation.0.weight" in layer.state_dict()


def test_a_learned_attention_does_not_change_the_mask_values():
    layer = CAGD(scale="plain", attention="se", in_channels=8, reduction=2)
    feat = torch.ones(4, 8, 2, 2)
    assert set(layer(feat).unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize(
    "layer",
    [
        SAGD(block_size=1, scale="mean"),
        CAGD(keep_ratio=0.3, drop_prob=0.9, scale="mean"),
        CAGD(0.3, 0.9, scale="mean", attention="se", in_channels=8, reduction=2),
    ],
)
def test_mean_scaling_keeps_each_samples_mean_activation(layer):
    feat = features(16, 8, 9, 9)
    for _ in range(10):
        out = layer(feat)
        assert torch.allclose(out.mean((1, 2, 3)), feat.mean((1, 2, 3)), atol=1e-5)


def test_half_precision_stays_finite_when_the_peak_is_erased():
    feat = torch.zeros(1, 4, 9, 9, dtype=torch.float16)
    feat[:, :, 4, 4], feat[:, :, 0, 0] = 6e4, 0.02
    layer = SAGD(drop_prob=1.0, scale="mean")
    assert bool(torch.isfinite(layer(feat)).all())


def test_a_learned_attention_names_a_wrong_channel_count():
    layer = CAGD(attention="se", in_channels=8)
    with pytest.raises(ConfigError, match=r"`in_channels` \(8\).*\(4, 6, 7, 7\)"):
        layer(features(4, 6, 7, 7))


@pytest.mark.parametrize(
    ("layer", "untouched"),
    [
        (CAGD(keep_ratio=0.0, drop_prob=1.0), 1.0),
        (SAGD(drop_prob=1.0, importance=False), 1.0),
        (DropBlock(drop_prob=0.9, shared=True), 1.0),
        # Without a drop mask, what is left is the importance map.
        (ADL(drop_rate=1.0), torch.sigmoid(torch.tensor(1.0)).item()),
    ],
)
def test_strength_scales_the_probability_of_erasing(layer, untouched):
    torch.manual_seed(0)
    feat = torch.ones(400, 4, 5, 5)
    layer.strength = 0.0
    assert torch.allclose(layer(feat), torch.full_like(feat, untouched))
    layer.strength = 1.0
    assert (layer(feat) == 0).float().mean() > 0.3


@pytest.mark.parametrize("name", ["CAGD", "SAGD"])
def test_half_the_strength_erases_half_as_often(name):
    torch.manual_seed(0)
    build = {
        "CAGD": lambda: CAGD(keep_ratio=0.0, drop_prob=0.8),
        "SAGD": lambda: SAGD(drop_prob=0.8, importance=False),
    }[name]
    layer, feat = build(), torch.ones(4000, 8, 3, 3)
    layer.strength = 0.5
    share = (layer(feat) == 0).float().mean().item()
    assert share == pytest.approx(0.4, abs=0.03)


def test_the_strength_of_dgdm_is_that_of_its_parts():
    layer = DGDM(dict(keep_ratio=0.0, drop_prob=1.0), dict(importance=False))
    layer.strength = 0.0
    feat = features()
    assert torch.equal(layer(feat), feat)
    assert layer.cagd.strength == layer.sagd.strength == 0.0
    assert not layer.state_dict()


@pytest.mark.parametrize("layer", [SAGD(block_size=3), DGDM(sagd=dict(block_size=4))])
def test_blocks_that_cover_every_map_are_refused(layer):
    with pytest.raises(
        ConfigError, match=r"cover a map of 1 x 2 .*`block_size` of SAGD"
    ):
        layer(features(1, 8, 1, 2))
    assert layer.eval()(features(1, 8, 1, 2)).shape == (1, 8, 1, 2)
    assert layer.train()(features(1, 8, 3, 3)).shape == (1, 8, 3, 3)


def test_the_representation_says_how_a_layer_is_set():
    assert repr(SAGD(0.5, block_size=0.2)).startswith(
        "SAGD(drop_prob=0.5, drop_threshold=0.8, block_size=0.2, bg_threshold=0.0, "
        "bg_rule='max', erased_value=0.0, seed_prob=1.0, draw='sample', scale='mean', "
        "importance=True, detach=True)"
    )
    assert repr(ADL()) == "ADL(drop_rate=0.75, drop_threshold=0.8)"
    assert "(cagd): CAGD(keep_ratio=0.75, drop_prob=0.5, scale='mean'" in repr(DGDM())
    assert "DropBlock(drop_prob=0.1, block_size=3, shared=False)" in repr(DropBlock())
