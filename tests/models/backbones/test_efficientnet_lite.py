"""EfficientNetLite against the published weights and a second writing of the net."""

from __future__ import annotations

import functools
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import MODELS as ROOT_MODELS
from torch.nn import functional

from mmdgdm.converters.efficientnet_lite import (
    LITE_ARCHS,
    convert_efficientnet_lite,
    find_efficientnet_lite,
)
from mmdgdm.converters.names import convert_file
from mmdgdm.errors import CheckpointError, ConfigError
from mmdgdm.models.backbones import EfficientNetLite

# (repeats, kernel, stride, expansion, channels) of the seven groups of blocks.
LITE0 = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]
LITE1 = [
    (1, 3, 1, 1, 16),
    (3, 3, 2, 6, 24),
    (3, 5, 2, 6, 40),
    (4, 3, 2, 6, 80),
    (4, 5, 1, 6, 112),
    (5, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]
LITE2 = [
    (*group[:4], channels)
    for group, channels in zip(LITE1, (16, 24, 48, 88, 120, 208, 352))
]
ARCHITECTURES = {"lite0": LITE0, "lite1": LITE1, "lite2": LITE2}
SIZES = {"lite0": 224, "lite1": 240, "lite2": 260}
every_arch = pytest.mark.parametrize("arch", LITE_ARCHS)


@functools.cache
def published(arch: str) -> dict[str, torch.Tensor]:
    try:
        path = find_efficientnet_lite(arch)
    except CheckpointError as error:
        pytest.skip(str(error))
    return torch.load(path, weights_only=True)


@functools.cache
def converted(arch: str) -> dict[str, torch.Tensor]:
    return convert_efficientnet_lite(arch, published(arch)).state_dict


def load_backbone(arch, **kwargs) -> EfficientNetLite:
    backbone = EfficientNetLite(arch, **kwargs)
    prefix, weights = "backbone.", converted(arch)
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


def restated_logits(architecture, weights, x):
    """EfficientNet-Lite in plain functions on the published names."""

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
    for repeats, kernel, stride, expansion, channels in architecture:
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


@pytest.mark.parametrize(
    ("arch", "size"), [("lite0", 224), ("lite0", 161), ("lite1", 240), ("lite2", 260)]
)
@torch.inference_mode()
def test_logits_equal_a_plain_restatement(arch, size):
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    images = images * 2 - 1
    logits = classify(load_backbone(arch), converted(arch), images)
    wanted = restated_logits(ARCHITECTURES[arch], published(arch), images)
    torch.testing.assert_close(logits, wanted, atol=1e-5, rtol=1e-5)


def read_image(path: Path, size: int) -> torch.Tensor:
    """The central 7/8 of an image, as the weights were trained: RGB, square."""
    image = cv2.imread(str(path))[..., ::-1]
    height, width = image.shape[:2]
    side = min(height, width) * 7 // 8
    top, left = (height - side) // 2, (width - side) // 2
    image = cv2.resize(image[top : top + side, left : left + side], (size, size))
    return torch.from_numpy((image.astype(np.float32) - 127) / 128).permute(2, 0, 1)


def accuracy(backbone, arch, folder: Path, *, step: int) -> float:
    """Share of right classes among every ``step``-th of 1,000 images."""
    lines = (folder / "labels.txt").read_text(encoding="utf-8").split("\n")
    pairs = [line.rsplit(" ", 1) for line in lines if line][::step]
    hits = 0
    for name, label in pairs:
        image = read_image(folder / name, SIZES[arch])[None]
        hits += classify(backbone, converted(arch), image).argmax() == int(label)
    return float(hits) / len(pairs)


@pytest.fixture(scope="module")
def imagenet(shared_data) -> Path:
    folder = shared_data / "imagenet_sample"
    if not folder.is_dir():
        pytest.skip(f"needs the images of {folder}, which is missing")
    return folder


@every_arch
@torch.inference_mode()
def test_published_weights_classify_real_images(arch, imagenet):
    assert accuracy(load_backbone(arch), arch, imagenet, step=10) > 0.7


@torch.inference_mode()
def test_dilation_keeps_the_accuracy_of_the_published_weights(imagenet):
    backbone = load_backbone("lite0", output_stride=16, dilate=True)
    assert accuracy(backbone, "lite0", imagenet, step=40) > 0.6


@every_arch
def test_converted_file_loads_through_init_cfg(arch, tmp_path):
    published(arch)
    target = tmp_path / "lite.pth"
    convert_file(
        convert_efficientnet_lite,
        arch,
        source=find_efficientnet_lite(arch),
        target=target,
    )
    init_cfg = {"type": "Pretrained", "checkpoint": str(target), "prefix": "backbone"}
    backbone = EfficientNetLite(arch, init_cfg=init_cfg)
    backbone.init_weights()
    expected = load_backbone(arch).state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in backbone.state_dict().items())


def expected_keys(arch: str) -> set[str]:
    counts = (2, 2, 6, 5) if arch == "lite0" else (3, 3, 8, 6)
    norms = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    convs = ["layers.0", "layers.6", "layers.1.0.depthwise_conv"]
    convs += ["layers.1.0.linear_conv"]
    for stage, blocks in enumerate(counts, 2):
        for name in ("expand_conv", "depthwise_conv", "linear_conv"):
            convs += [f"layers.{stage}.{i}.{name}" for i in range(blocks)]
    keys = {f"{conv}.bn.{name}" for conv in convs for name in norms}
    return keys | {f"{conv}.conv.weight" for conv in convs}


@every_arch
@pytest.mark.parametrize("output_stride", [32, 16, 8])
@pytest.mark.parametrize("dilate", [False, True])
def test_state_dict_keys_are_pinned(arch, output_stride, dilate):
    backbone = EfficientNetLite(arch, output_stride=output_stride, dilate=dilate)
    assert set(backbone.state_dict()) == expected_keys(arch)


@pytest.mark.parametrize(
    ("output_stride", "sizes"),
    [
        (32, [112, 112, 56, 28, 14, 7, 7]),
        (16, [112, 112, 56, 28, 14, 14, 14]),
        (8, [112, 112, 56, 28, 28, 28, 28]),
    ],
)
@every_arch
@torch.inference_mode()
def test_output_stride_sets_the_size_of_the_maps(arch, output_stride, sizes):
    backbone = EfficientNetLite(arch, output_stride=output_stride, out_indices=range(7))
    backbone.eval()
    maps = backbone(torch.rand(1, 3, 224, 224))
    channels = [32, 16, 24, 40, 112, 320, 1280]
    if arch == "lite2":
        channels[3:6] = [48, 120, 352]
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
        (
            {"arch": "b0"},
            r"Expected `arch` to be one of 'lite0', 'lite1', 'lite2', but got 'b0'",
        ),
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
