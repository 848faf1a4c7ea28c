"""EfficientNetLite against the published weights and a second writing of the net."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import MODELS as ROOT_MODELS
from torch.nn import functional

from mmdgdm.converters.efficientnet_lite import (
    convert_efficientnet_lite0,
    convert_efficientnet_lite0_file,
    find_efficientnet_lite0,
)
from mmdgdm.errors import CheckpointError, ConfigError
from mmdgdm.models.backbones import EfficientNetLite

# (repeats, kernel, stride, expansion, channels) of the seven groups of blocks.
ARCHITECTURE = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]


@pytest.fixture(scope="module")
def published() -> dict[str, torch.Tensor]:
    try:
        path = find_efficientnet_lite0()
    except CheckpointError as error:
        pytest.skip(str(error))
    return torch.load(path, weights_only=True)


@pytest.fixture(scope="module")
def converted(published) -> dict[str, torch.Tensor]:
    return convert_efficientnet_lite0(published)


def load_backbone(weights, **kwargs) -> EfficientNetLite:
    backbone = EfficientNetLite(**kwargs)
    prefix = "backbone."
    own = {k[len(prefix) :]: v for k, v in weights.items() if k.startswith(prefix)}
    backbone.load_state_dict(own)
    return backbone.eval()


def classify(backbone, weights, images) -> torch.Tensor:
    features = backbone(images)[-1].mean(dim=(2, 3))
    return functional.linear(
        features, weights["head.fc.weight"], weights["head.fc.bias"]
    )


def same_conv(x, weight, stride=1, groups=1):
    """TensorFlow's 'same': the odd pixel of padding goes to the right and bottom."""
    kernel, size = weight.shape[-1], x.shape[-1]
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    low, high = total // 2, total - total // 2
    return functional.conv2d(
        functional.pad(x, (low, high, low, high)), weight, None, stride, 0, 1, groups
    )


def restated_logits(weights, x):
    """EfficientNet-Lite0 in plain functions on the published names."""

    def norm(x, name):
        mean, var = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
        scale, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return functional.batch_norm(x, mean, var, scale, shift, False, 0.0, 1e-3)

    def block(x, name, kernel, stride, expansion):
        y = x
        if expansion > 1:
            y = functional.conv2d(y, weights[f"{name}._expand_conv.weight"])
            y = functional.relu6(norm(y, f"{name}._bn0"))
        weight = weights[f"{name}._depthwise_conv.weight"]
        assert weight.shape[1:] == (1, kernel, kernel)
        y = same_conv(y, weight, stride, groups=weight.shape[0])
        y = functional.relu6(norm(y, f"{name}._bn1"))
        y = norm(
            functional.conv2d(y, weights[f"{name}._project_conv.weight"]),
            f"{name}._bn2",
        )
        return x + y if x.shape == y.shape else y

    x = functional.relu6(norm(same_conv(x, weights["_conv_stem.weight"], 2), "_bn0"))
    number = 0
    for repeats, kernel, stride, expansion, channels in ARCHITECTURE:
        for repeat in range(repeats):
            step = stride if repeat == 0 else 1
            x = block(x, f"_blocks.{number}", kernel, step, expansion)
            assert x.shape[1] == channels
            number += 1
    x = functional.relu6(
        norm(functional.conv2d(x, weights["_conv_head.weight"]), "_bn1")
    )
    return functional.linear(
        x.mean(dim=(2, 3)), weights["_fc.weight"], weights["_fc.bias"]
    )


@pytest.mark.parametrize("size", [224, 161])
@torch.inference_mode()
def test_logits_equal_a_plain_restatement(published, converted, size):
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    images = images * 2 - 1
    logits = classify(load_backbone(converted), converted, images)
    torch.testing.assert_close(
        logits, restated_logits(published, images), atol=1e-5, rtol=1e-5
    )


def read_picture(path: Path) -> torch.Tensor:
    """The central 7/8 of a picture, as the weights were trained: RGB, 224 px."""
    image = cv2.imread(str(path))[..., ::-1]
    height, width = image.shape[:2]
    side = min(height, width) * 7 // 8
    top, left = (height - side) // 2, (width - side) // 2
    image = cv2.resize(image[top : top + side, left : left + side], (224, 224))
    return torch.from_numpy((image.astype(np.float32) - 127) / 128).permute(2, 0, 1)


@pytest.fixture(scope="module")
def pictures(shared_data) -> tuple[torch.Tensor, torch.Tensor]:
    folder = shared_data / "imagenet_sample"
    if not folder.is_dir():
        pytest.skip(f"needs the pictures of {folder}, which is missing")
    lines = (folder / "labels.txt").read_text(encoding="utf-8").split("\n")
    pairs = [line.rsplit(" ", 1) for line in lines if line][::10]
    images = torch.stack([read_picture(folder / name) for name, _ in pairs])
    return images, torch.tensor([int(label) for _, label in pairs])


def accuracy(backbone, weights, images, labels) -> float:
    scores = torch.cat([classify(backbone, weights, x) for x in images.split(10)])
    return (scores.argmax(dim=1) == labels).float().mean().item()


@torch.inference_mode()
def test_published_weights_classify_real_pictures(converted, pictures):
    images, labels = pictures
    assert len(labels) == 100
    assert accuracy(load_backbone(converted), converted, images, labels) > 0.6


@torch.inference_mode()
def test_dilation_keeps_the_accuracy_of_the_published_weights(converted, pictures):
    images, labels = pictures
    backbone = load_backbone(converted, output_stride=16, dilate=True)
    assert accuracy(backbone, converted, images[::4], labels[::4]) > 0.6


def test_converted_file_loads_through_init_cfg(published, converted, tmp_path):
    path = convert_efficientnet_lite0_file(None, tmp_path / "lite0.pth")
    init_cfg = {"type": "Pretrained", "checkpoint": str(path), "prefix": "backbone."}
    backbone = EfficientNetLite(init_cfg=init_cfg)
    backbone.init_weights()
    expected = load_backbone(converted).state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in backbone.state_dict().items())


def expected_keys() -> set[str]:
    norms = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    convs = ["layers.0", "layers.6", "layers.1.0.depthwise_conv"]
    convs += ["layers.1.0.linear_conv"]
    for stage, blocks in ((2, 2), (3, 2), (4, 6), (5, 5)):
        for name in ("expand_conv", "depthwise_conv", "linear_conv"):
            convs += [f"layers.{stage}.{i}.{name}" for i in range(blocks)]
    keys = {f"{conv}.bn.{name}" for conv in convs for name in norms}
    return keys | {f"{conv}.conv.weight" for conv in convs}


@pytest.mark.parametrize("output_stride", [32, 16, 8])
@pytest.mark.parametrize("dilate", [False, True])
def test_state_dict_keys_are_pinned(output_stride, dilate):
    backbone = EfficientNetLite(output_stride=output_stride, dilate=dilate)
    assert set(backbone.state_dict()) == expected_keys()


@pytest.mark.parametrize(
    ("output_stride", "sizes"),
    [
        (32, [112, 112, 56, 28, 14, 7, 7]),
        (16, [112, 112, 56, 28, 14, 14, 14]),
        (8, [112, 112, 56, 28, 28, 28, 28]),
    ],
)
@torch.inference_mode()
def test_output_stride_sets_the_size_of_the_maps(output_stride, sizes):
    backbone = EfficientNetLite(output_stride=output_stride, out_indices=range(7))
    backbone.eval()
    maps = backbone(torch.rand(1, 3, 224, 224))
    channels = [32, 16, 24, 40, 112, 320, 1280]
    assert [tuple(x.shape) for x in maps] == [
        (1, c, s, s) for c, s in zip(channels, sizes)
    ]


@torch.inference_mode()
def test_dilation_does_not_change_the_size_of_the_maps():
    backbone = EfficientNetLite(output_stride=8, dilate=True).eval()
    assert backbone(torch.rand(1, 3, 64, 80))[0].shape == (1, 1280, 8, 10)


def depthwise_convs(backbone: EfficientNetLite, stage: int) -> list[torch.nn.Conv2d]:
    return [block.depthwise_conv.conv for block in backbone.layers[stage]]


@pytest.mark.parametrize(
    ("dilate", "stage4", "stage5"),
    [
        (False, [1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1]),
        (True, [1, 2, 2, 2, 2, 2], [2, 4, 4, 4, 4]),
    ],
)
def test_dilation_takes_the_place_of_the_strides(dilate, stage4, stage5):
    backbone = EfficientNetLite(output_stride=8, dilate=dilate)
    assert [c.dilation[0] for c in depthwise_convs(backbone, 4)] == stage4
    assert [c.dilation[0] for c in depthwise_convs(backbone, 5)] == stage5
    assert all(c.dilation == (1, 1) for c in depthwise_convs(backbone, 3))


def test_one_output_stride_does_not_change_the_next_backbone():
    EfficientNetLite(output_stride=8)
    assert depthwise_convs(EfficientNetLite(), 4)[0].stride == (2, 2)


def test_batch_norm_and_activations_follow_the_original_training():
    modules = list(EfficientNetLite().modules())
    norms = [m for m in modules if isinstance(m, torch.nn.BatchNorm2d)]
    assert {(m.eps, m.momentum) for m in norms} == {(1e-3, 0.01)}
    assert any(isinstance(m, torch.nn.ReLU6) for m in modules)
    assert not any(isinstance(m, (torch.nn.SiLU, torch.nn.Sigmoid)) for m in modules)


def test_train_returns_the_backbone_itself():
    backbone = EfficientNetLite()
    assert backbone.train() is backbone
    assert backbone.training
    assert backbone.eval() is backbone
    assert not backbone.training


@pytest.mark.parametrize("frozen_stages", [0, 3, 7])
def test_frozen_stages_have_no_gradient_from_the_start(frozen_stages):
    backbone = EfficientNetLite(frozen_stages=frozen_stages)
    for _ in range(2):  # as built, then after `train`
        for index, stage in enumerate(backbone.layers):
            frozen = index < frozen_stages
            assert stage.training is not frozen
            assert all(p.requires_grad is not frozen for p in stage.parameters())
        backbone.train()


@pytest.mark.parametrize("norm_eval", [False, True])
def test_norm_eval_keeps_batch_norm_in_eval_mode(norm_eval):
    backbone = EfficientNetLite(norm_eval=norm_eval).train()
    norms = [m for m in backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert all(m.training is not norm_eval for m in norms)
    assert backbone.layers[0].conv.training


def test_norm_cfg_is_passed_on():
    backbone = EfficientNetLite(norm_cfg={"type": "BN", "eps": 0.5})
    assert backbone.layers[0].bn.eps == 0.5


def test_registered_under_the_package_prefix():
    backbone = ROOT_MODELS.build({"type": "mmdgdm.EfficientNetLite"})
    assert type(backbone) is EfficientNetLite


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"arch": "b0"}, r"Expected `arch` to be one of 'lite0', but got 'b0'"),
        (
            {"output_stride": 4},
            r"Expected `output_stride` to be one of 8, 16, 32, but got 4",
        ),
    ],
)
def test_wrong_choices_are_named(kwargs, message):
    with pytest.raises(ConfigError, match=message):
        EfficientNetLite(**kwargs)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [({"out_indices": (7,)}, "out_indices"), ({"frozen_stages": 8}, "frozen_stages")],
)
def test_stages_out_of_range_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        EfficientNetLite(**kwargs)
