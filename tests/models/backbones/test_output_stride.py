"""The one argument that all backbones share, and what they keep of mmpretrain's."""

from __future__ import annotations

import functools
from pathlib import Path

import mmpretrain
import mmpretrain.models.backbones as mmpretrain_backbones
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import init_default_scope
from torch import nn

from mmdgdm.errors import ConfigError
from mmdgdm.models.backbones import (
    VGGGAP,
    ConvNeXt,
    EfficientNetLite,
    InceptionV3,
    MobileNetV2,
    ResNet,
    SEResNet,
)
from mmdgdm.models.classifiers import WSOLClassifier

# For each backbone: its arguments, then by output stride the channels and the side of
# the map of each stage for a 224 x 224 image.
RESNET = {
    32: [(256, 56), (512, 28), (1024, 14), (2048, 7)],
    16: [(256, 56), (512, 28), (1024, 14), (2048, 14)],
    8: [(256, 56), (512, 28), (1024, 28), (2048, 28)],
}
MOBILENET = [(16, 112), (24, 56), (32, 28)]
CASES = [
    (ResNet, {"depth": 50}, RESNET),
    (SEResNet, {"depth": 50}, RESNET),
    (
        MobileNetV2,
        {},
        {
            32: [*MOBILENET, (64, 14), (96, 14), (160, 7), (320, 7), (1280, 7)],
            16: [*MOBILENET, (64, 14), (96, 14), (160, 14), (320, 14), (1280, 14)],
            8: [*MOBILENET, (64, 28), (96, 28), (160, 28), (320, 28), (1280, 28)],
        },
    ),
    (
        ConvNeXt,
        {},
        {
            32: [(96, 56), (192, 28), (384, 14), (768, 7)],
            16: [(96, 56), (192, 28), (384, 14), (768, 14)],
            8: [(96, 56), (192, 28), (384, 28), (768, 28)],
        },
    ),
    (
        VGGGAP,
        {},
        {
            16: [(64, 112), (128, 56), (256, 28), (512, 14), (512, 14), (1024, 14)],
            8: [(64, 112), (128, 56), (256, 28), (512, 28), (512, 28), (1024, 28)],
        },
    ),
    (
        InceptionV3,
        {},
        {
            32: [(64, 54), (192, 25), (288, 25), (768, 12), (2048, 5)],
            16: [(64, 56), (192, 28), (288, 14), (768, 14), (1024, 14)],
            8: [(64, 56), (192, 28), (288, 28), (768, 28), (1024, 28)],
        },
    ),
]
STRIDE_CASES = [(cls, kw, s, maps) for cls, kw, by in CASES for s, maps in by.items()]
SMALL = [
    (ResNet, {"depth": 18}),
    (SEResNet, {"depth": 50}),
    (MobileNetV2, {}),
    (ConvNeXt, {"arch": "atto"}),
    (VGGGAP, {"depth": 11, "gap_channels": (8,)}),
    (InceptionV3, {"gap_channels": (8,)}),
    (EfficientNetLite, {}),
]
small = pytest.mark.parametrize(
    ("cls", "kwargs"), SMALL, ids=[cls.__name__ for cls, _ in SMALL]
)


def randomize(module: nn.Module) -> None:
    """Give norms values that matter, so that no swap of them goes unnoticed."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in module.state_dict().items():
        if tensor.dim() == 1 and tensor.is_floating_point():
            noise = torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype)
            tensor.copy_(noise * 0.4 - 0.2 if "mean" in name else noise + 0.5)


@pytest.mark.parametrize(
    ("cls", "kwargs", "stride", "maps"),
    STRIDE_CASES,
    ids=[f"{c[0].__name__}-{c[2]}" for c in STRIDE_CASES],
)
def test_maps_have_the_size_of_the_literature(cls, kwargs, stride, maps):
    backbone = cls(output_stride=stride, out_indices=tuple(range(len(maps))), **kwargs)
    out = backbone.to("meta").eval()(torch.empty(2, 3, 224, 224, device="meta"))
    assert isinstance(out, tuple)
    assert [tuple(x.shape) for x in out] == [(2, c, side, side) for c, side in maps]


@small
def test_only_the_stages_asked_for_are_returned(cls, kwargs):
    images = torch.rand(1, 3, 96, 96)
    torch.manual_seed(0)
    every = cls(out_indices=(0, 1, 2, 3), **kwargs).eval()
    torch.manual_seed(0)
    some = cls(out_indices=(1, 3), **kwargs).eval()
    some.load_state_dict(every.state_dict(), strict=False)
    with torch.inference_mode():
        maps, chosen = every(images), some(images)
    assert len(chosen) == 2
    torch.testing.assert_close(chosen, (maps[1], maps[3]), atol=0, rtol=0)


@pytest.mark.parametrize("stride", [16, 8])
@pytest.mark.parametrize(
    ("cls", "kwargs"),
    [
        (ResNet, {"depth": 18}),
        (ResNet, {"depth": 50}),
        (ResNet, {"depth": 50, "style": "caffe"}),
        (MobileNetV2, {}),
        (ConvNeXt, {"arch": "atto", "layer_scale_init_value": 0.5}),
    ],
)
@torch.inference_mode()
def test_dilated_maps_hold_those_of_the_strided_network(cls, kwargs, stride):
    strided = cls(**kwargs)
    randomize(strided)
    dilated = cls(output_stride=stride, dilate=True, **kwargs)
    dilated.load_state_dict(strided.state_dict())
    images = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    images = images.double() - 0.5
    [wanted] = strided.double().eval()(images)
    [found] = dilated.double().eval()(images)
    step = 32 // stride
    torch.testing.assert_close(found[..., ::step, ::step], wanted, atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize(
    ("stride", "strides"), [(32, (1, 2, 2, 2)), (16, (1, 2, 2, 1)), (8, (1, 2, 1, 1))]
)
@pytest.mark.parametrize(
    ("cls", "name", "kwargs"),
    [
        (ResNet, "ResNet", {}),
        (ResNet, "ResNet", {"avg_down": True}),
        (SEResNet, "SEResNet", {}),
    ],
)
@torch.inference_mode()
def test_without_dilation_it_is_the_parent_with_other_strides(
    cls, name, kwargs, stride, strides
):
    parent = getattr(mmpretrain_backbones, name)(50, strides=strides, **kwargs)
    randomize(parent)
    child = cls(50, output_stride=stride, **kwargs)
    # In order: the parent leaves the pooling of `avg_down` out where it does not stride
    # and renumbers what follows, against the names of published weights.
    weights = zip(child.state_dict(), parent.state_dict().values())
    child.load_state_dict(dict(weights))
    parent.eval()
    images = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(child.eval()(images), parent(images), atol=0, rtol=0)


@pytest.mark.parametrize("stride", [16, 8])
@pytest.mark.parametrize(
    ("cls", "kwargs"),
    [(ResNet, {"depth": 18}), (MobileNetV2, {}), (ConvNeXt, {"arch": "atto"})],
)
def test_nothing_is_dilated_unless_asked_for(cls, kwargs, stride):
    backbone = cls(output_stride=stride, **kwargs)
    convs = [m for m in backbone.modules() if isinstance(m, nn.Conv2d)]
    assert {conv.dilation for conv in convs} == {(1, 1)}


@pytest.mark.parametrize("stride", [32, 16, 8])
@pytest.mark.parametrize(
    ("cls", "name", "kwargs"),
    [
        (ResNet, "ResNet", {"depth": 50}),
        (SEResNet, "SEResNet", {"depth": 50}),
        (MobileNetV2, "MobileNetV2", {}),
        (ConvNeXt, "ConvNeXt", {"arch": "tiny"}),
    ],
)
def test_names_and_shapes_are_those_of_mmpretrain(cls, name, kwargs, stride):
    ours = cls(output_stride=stride, **kwargs).state_dict()
    theirs = getattr(mmpretrain_backbones, name)(**kwargs).state_dict()
    assert [(k, v.shape) for k, v in ours.items()] == [
        (k, v.shape) for k, v in theirs.items()
    ]


@small
@pytest.mark.parametrize("value", [4, 0, "16", None])
def test_a_wrong_output_stride_lists_the_right_ones(cls, kwargs, value):
    valid = "8, 16" if cls is VGGGAP else "8, 16, 32"
    with pytest.raises(ConfigError) as caught:
        cls(output_stride=value, **kwargs)
    assert str(caught.value) == (
        f"Expected `output_stride` to be one of {valid}, but got {value!r}."
    )


@pytest.mark.parametrize(("cls", "kwargs", "by_stride"), CASES)
@pytest.mark.parametrize("indices", [(), (9,), (1, 0), (0, 0), 9, "0", (-9,), (-1, 0)])
def test_wrong_out_indices_are_named(cls, kwargs, by_stride, indices):
    last = len(by_stride[16]) - 1
    with pytest.raises(ConfigError, match=rf"`out_indices` .* 0 to {last}, but got"):
        cls(out_indices=indices, **kwargs)


@pytest.fixture
def on_meta(monkeypatch) -> torch.device:
    """A device for weights without memory; rates of drop path need real numbers."""
    linspace = functools.partial(torch.linspace, device="cpu")
    monkeypatch.setattr(torch, "linspace", linspace)
    return torch.device("meta")


@small
def test_stages_count_from_the_end_too(cls, kwargs):
    last = cls(**kwargs).out_indices
    assert cls(out_indices=-1, **kwargs).out_indices == last
    assert cls(out_indices=(0, -1), **kwargs).out_indices == [0, *last]


@pytest.mark.parametrize(
    ("cls", "kwargs"),
    [
        (ResNet, {"depth": 18, "num_stages": 4, "dilations": [1, 1, 1, 1]}),
        (ResNet, {"depth": 18, "strides": (1, 2, 2, 2)}),
        (ResNet, {"depth": 18, "output_stride": 8, "strides": [1, 2, 1, 1]}),
        (SEResNet, {"depth": 50, "num_stages": 4}),
        (ConvNeXt, {"arch": "atto", "gap_before_final_norm": False}),
        (ConvNeXt, {"arch": "atto", "stem_patch_size": 4}),
        (VGGGAP, {"num_classes": -1, "num_stages": 5, "with_last_pool": False}),
        (InceptionV3, {"aux_logits": False, "num_classes": None}),
        (EfficientNetLite, {"act_cfg": {"type": "ReLU6"}}),
        (EfficientNetLite, {"conv_cfg": {"type": "Conv2dAdaptivePadding"}}),
    ],
)
def test_arguments_that_agree_are_taken(cls, kwargs, on_meta):
    with on_meta:
        plain = {
            name: kwargs[name]
            for name in ("depth", "arch", "output_stride")
            if name in kwargs
        }
        assert str(cls(**kwargs)) == str(cls(**plain))


FIVE_STAGES = {"depths": [1] * 5, "channels": [4] * 5}


@pytest.mark.parametrize(
    ("cls", "kwargs", "message"),
    [
        (ResNet, {"depth": 50, "strides": (1, 2, 2, 1)}, "`strides` .* set `output_"),
        (ResNet, {"depth": 50, "dilations": (1, 1, 1, 2)}, "`dilations` .*`dilate`"),
        (
            ResNet,
            {"depth": 50, "output_stride": 16, "dilate": True, "dilations": (1,) * 4},
            "`dilations` to be None or left out, .*`dilate`",
        ),
        (
            SEResNet,
            {"depth": 50, "num_stages": 3},
            "`num_stages` to be 4 or left out, ",
        ),
        (ResNet, {"depth": 49}, r"`depth` to be one of 18, 34, 50, 101, 152,"),
        (SEResNet, {"depth": 18}, r"`depth` to be one of 50, 101, 152, but got 18"),
        (ConvNeXt, {"arch": "huger"}, "`arch` to be one of .*'tiny'.*but got 'huger'"),
        (ConvNeXt, {"arch": FIVE_STAGES}, "`depths` and `channels` of four stages"),
        (ConvNeXt, {"arch": {"depths": [1] * 4}}, "of four stages, but got {'depths'"),
        (ConvNeXt, {"gap_before_final_norm": True}, "`gap_before_final_norm` .*WSOLH"),
        (ConvNeXt, {"stem_patch_size": 2}, "`stem_patch_size` .*`output_stride`"),
        (VGGGAP, {"num_classes": 10}, "`num_classes` .*`head`"),
        (VGGGAP, {"with_last_pool": True}, "`with_last_pool` .*`output_stride`"),
        (VGGGAP, {"num_stages": 4}, "`num_stages` .*`out_indices`"),
        (VGGGAP, {"depth": 12}, r"`depth` to be one of 11, 13, 16, 19, but got 12"),
        (InceptionV3, {"frozen_stages": 5}, r"`frozen_stages` .*0, 1, 2, 3, 4,"),
        (InceptionV3, {"num_classes": 1000}, "`num_classes` .*but got 1000.*`head`"),
        (InceptionV3, {"aux_logits": True}, "`aux_logits` to be False or left out"),
        (EfficientNetLite, {"act_cfg": {"type": "Swish"}}, "`act_cfg` .*EfficientNet "),
    ],
)
def test_impossible_arguments_are_named(cls, kwargs, message):
    with pytest.raises(ConfigError, match=message):
        cls(**kwargs)


OURS = {
    "ConvNeXt": "ConvNeXt",
    "EfficientNet": "EfficientNetLite",
    "InceptionV3": "InceptionV3",
    "MobileNetV2": "MobileNetV2",
    "ResNet": "ResNet",
    "SEResNet": "SEResNet",
    "VGG": "VGGGAP",
}
MMPRETRAIN = Path(mmpretrain.__file__).parent / ".mim" / "configs" / "_base_" / "models"
# The others of mmpretrain's base configs build.
REFUSED = {
    # No squeeze-and-excitation, hence other networks.
    "EfficientNet": "Expected `arch` to be one of 'lite0', 'lite1', 'lite2', but got",
    # They end in a classifier of their own.
    "InceptionV3": "Expected `num_classes` to be None or left out, but got 1000",
    "VGG": "Expected `num_classes` to be -1 or left out, but got 1000",
}


def test_mmpretrains_base_configs_build_or_are_refused_in_a_sentence(on_meta):
    seen = dict.fromkeys(OURS, 0)
    for path in sorted(MMPRETRAIN.rglob("*.py")):
        model = Config.fromfile(path).get("model", {})
        backbone = model.get("backbone", {})
        kind = backbone.get("type")
        if kind not in OURS:
            continue
        seen[kind] += 1
        config = {**backbone, "type": f"mmdgdm.{OURS[kind]}"}
        with on_meta:
            if kind in REFUSED:
                with pytest.raises(ConfigError) as caught:
                    ROOT_MODELS.build(config)
                assert str(caught.value).startswith(REFUSED[kind])
                assert "\n" not in str(caught.value)
            else:
                theirs = ROOT_MODELS.build({**backbone, "type": f"mmpretrain.{kind}"})
                ours = ROOT_MODELS.build(config)
                assert list(ours.state_dict()) == list(theirs.state_dict())
    assert seen == {
        "ConvNeXt": 13,
        "EfficientNet": 12,
        "InceptionV3": 1,
        "MobileNetV2": 1,
        "ResNet": 10,
        "SEResNet": 2,
        "VGG": 8,
    }


@small
def test_train_returns_the_backbone_itself(cls, kwargs):
    backbone = cls(**kwargs)
    assert backbone.train() is backbone
    assert backbone.training
    assert backbone.eval() is backbone
    assert not backbone.training


# The number that freezes all of the first two stages and nothing after them, and the
# names of what is then frozen.
FROZEN = {
    ResNet: (2, ("conv1", "bn1", "layer1", "layer2")),
    SEResNet: (2, ("conv1", "bn1", "layer1", "layer2")),
    MobileNetV2: (2, ("conv1", "layer1", "layer2")),
    ConvNeXt: (
        2,
        ("downsample_layers.0", "downsample_layers.1", "stages.0", "stages.1"),
    ),
    VGGGAP: (2, ("features.0.", "features.2.")),
    InceptionV3: (2, ("Conv2d_",)),
    EfficientNetLite: (2, ("layers.0", "layers.1")),
}


@small
def test_frozen_stages_have_no_gradient_from_the_start(cls, kwargs):
    number, frozen = FROZEN[cls]
    backbone = cls(frozen_stages=number, **kwargs)
    for _ in range(2):  # as built, then after `train`
        for name, parameter in backbone.named_parameters():
            is_frozen = name.startswith(frozen)
            assert parameter.requires_grad is not is_frozen, name
        backbone.train()


@pytest.mark.parametrize("norm_eval", [False, True])
@pytest.mark.parametrize(
    ("cls", "kwargs"),
    [
        (ResNet, {"depth": 18}),
        (MobileNetV2, {}),
        (InceptionV3, {"out_indices": (3,)}),
        (VGGGAP, {"depth": 11, "norm_cfg": {"type": "BN"}, "out_indices": (4,)}),
    ],
)
def test_norm_eval_keeps_batch_norm_in_eval_mode(cls, kwargs, norm_eval):
    backbone = cls(norm_eval=norm_eval, **kwargs).train()
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert all(m.training is not norm_eval for m in norms)


def test_frozen_inception_keeps_its_batch_norm_in_eval_mode():
    backbone = InceptionV3(frozen_stages=2, out_indices=(3,)).train()
    assert not backbone.Conv2d_4a_3x3.bn.training
    assert backbone.Mixed_5b.branch1x1.bn.training


@pytest.mark.parametrize("cls", [cls for cls, _ in SMALL])
def test_registered_under_the_package_prefix(cls):
    kwargs = dict(SMALL)[cls]
    backbone = ROOT_MODELS.build({"type": f"mmdgdm.{cls.__name__}", **kwargs})
    assert type(backbone) is cls


@pytest.mark.parametrize(
    ("backbone", "places"),
    [
        (
            {"type": "mmdgdm.VGGGAP", "output_stride": 8, "gap_channels": [8]},
            ["features.9", "features.12", "features.16", "gap_convs.0"],
        ),
        (
            {"type": "mmdgdm.InceptionV3", "gap_channels": [8, 8]},
            ["Mixed_5d", "Mixed_6e", "gap_convs.1"],
        ),
        (
            {"type": "mmdgdm.MobileNetV2", "output_stride": 16},
            ["layer4", "layer7", "conv2"],
        ),
        (
            {"type": "mmdgdm.ConvNeXt", "arch": "atto", "output_stride": 16},
            ["stages.2", "stages.3.0"],
        ),
        (
            {"type": "mmdgdm.SEResNet", "depth": 50, "output_stride": 16},
            ["layer3.0", "layer4.0", "layer4.2"],
        ),
    ],
)
def test_layers_act_after_the_named_modules(backbone, places):
    init_default_scope("mmpretrain")
    necks = [{"type": "mmdgdm.ADL", "after": place} for place in places]
    model = WSOLClassifier(backbone=backbone, stage_necks=necks).train()
    model.extract_feat(torch.rand(2, 3, 64, 64))
    assert [neck.fired for neck in model.stage_necks] == [True] * len(places)
