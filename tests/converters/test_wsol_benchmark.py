"""Checkpoints of the WSOL benchmark's code give its logits and maps.

The benchmark's networks are written here a second time, under the names of its files,
with parts of torchvision where they are the same.
"""

from __future__ import annotations

import functools
import importlib.util

import pytest
import torch
import torchvision
from mmengine.registry import MODELS, init_default_scope
from torch import nn
from torch.nn import functional
from torchvision.models.inception import BasicConv2d

from mmdgdm.converters.names import convert_file
from mmdgdm.converters.wsol_benchmark import convert_wsol_benchmark
from mmdgdm.errors import CheckpointError, ConfigError

CLASSES = 7


def convs(*channels, size=3):
    """3 x 3 convolutions, each followed by a ReLU."""
    layers = []
    for before, after in zip(channels, channels[1:]):
        layers += [nn.Conv2d(before, after, size, padding=size // 2), nn.ReLU()]
    return nn.Sequential(*layers)


def branch(channels):
    """A classifier branch of ACoL."""
    return convs(channels, 1024, 1024).append(nn.Conv2d(1024, CLASSES, 1))


def guide(before, width):
    return convs(before, width).append(nn.Conv2d(width, 1, 1))


class Plain(nn.Module):
    """CAM: scores from the averaged map; maps as means over channels."""

    def finish(self, x):
        cams = functional.conv2d(x, self.fc.weight[:, :, None, None]) / x.shape[1]
        return self.fc(x.mean((2, 3))), cams * x.shape[1]


class ClassMaps(nn.Module):
    """SPG and Inception: the last convolution gives maps, scores are their means."""

    def finish(self, maps, bias):
        return maps.mean((2, 3)), maps - bias[:, None, None]


class ACoL(nn.Module):
    def finish(self, x):
        return self.classifier_A(x).mean((2, 3)), None


class ResNet50(Plain, ClassMaps, ACoL):
    def __init__(self, method, large):
        super().__init__()
        net = torchvision.models.resnet50(weights=None)
        for layer in (net.layer3, net.layer4) if large else (net.layer4,):
            layer[0].conv2.stride = layer[0].downsample[0].stride = (1, 1)
        for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2"):
            setattr(self, name, getattr(net, name))
        self.stages = ["layer3", "layer4"]
        layer3, layer4 = list(net.layer3), list(net.layer4)
        if method == "spg":
            self.SPG_A1 = nn.Sequential(*layer3[:1])
            self.SPG_A2 = nn.Sequential(*layer3[1:])
            self.stages = ["SPG_A1", "SPG_A2", "layer4"]
            self.SPG_A4 = nn.Conv2d(2048, CLASSES, 1)
            self.SPG_B_1a, self.SPG_B_2a = convs(1024, 1024), convs(1024, 1024)
            self.SPG_B_shared, self.SPG_C = guide(1024, 1024), guide(2048, 512)
        else:
            if method == "adl":  # a layer without parameters after 3.0, 4.0 and 4.2
                layer3.insert(1, nn.Identity())
                layer4.insert(1, nn.Identity())
                layer4.append(nn.Identity())
            self.layer3 = nn.Sequential(*layer3)
        self.layer4 = nn.Sequential(*layer4)
        if method in ("cam", "adl"):
            self.fc = nn.Linear(2048, CLASSES)
        if method == "acol":
            self.classifier_A, self.classifier_B = branch(2048), branch(2048)
        self.method = method

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for name in ("layer1", "layer2", *self.stages):
            x = getattr(self, name)(x)
        if self.method == "spg":
            return ClassMaps.finish(self, self.SPG_A4(x), self.SPG_A4.bias)
        return (ACoL if self.method == "acol" else Plain).finish(self, x)


class VGG16(Plain, ClassMaps, ACoL):
    def __init__(self, method, large):
        super().__init__()
        layers, before = [], 3
        groups = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]
        for group, (width, count) in enumerate(groups[: 3 if method == "spg" else 5]):
            for _ in range(count):
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
                before = width
            if method == "adl" and group > 2:
                layers.append(nn.Identity())
            if method == "acol":
                step = 2 if group < (3 if large else 4) else 1
                layers.append(nn.MaxPool2d(3, step, padding=1))
            elif group < (3 if large else 4):
                layers.append(nn.MaxPool2d(2, 2))
            if method == "adl" and group == 2:
                layers.append(nn.Identity())
        self.features = nn.Sequential(*layers)
        self.method, self.large = method, large
        if method == "spg":
            self.SPG_A_1 = convs(256, 512, 512, 512)
            self.SPG_A_2 = convs(512, 512, 512, 512)
            self.SPG_A_3 = convs(512, 512, 512)
            self.SPG_A_4 = nn.Conv2d(512, CLASSES, 1)
            self.SPG_B_1a, self.SPG_B_2a = convs(512, 512), convs(512, 512)
            self.SPG_B_shared, self.SPG_C = guide(512, 512), guide(512, 512)
        elif method == "acol":
            self.classifier_A, self.classifier_B = branch(512), branch(512)
        else:
            self.conv6 = nn.Conv2d(512, 1024, 3, padding=1)
            self.fc = nn.Linear(1024, CLASSES)

    def forward(self, x):
        x = self.features(x)
        if self.method == "acol":
            return ACoL.finish(self, functional.avg_pool2d(x, 3, 1, padding=1))
        if self.method != "spg":
            return Plain.finish(self, self.conv6(x).relu())
        x = self.SPG_A_1(x)
        if not self.large:
            x = functional.max_pool2d(x, 3, 2, padding=1)
        x = self.SPG_A_3(self.SPG_A_2(x))
        return ClassMaps.finish(self, self.SPG_A_4(x), self.SPG_A_4.bias)


STEM = ["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "POOL"]
STEM += ["Conv2d_3b_1x1", "Conv2d_4a_3x3", "POOL"]
MIXED = [f"Mixed_5{letter}" for letter in "bcd"] + ["HALVE"]
MIXED += [f"Mixed_6{letter}" for letter in "abcde"]
INCEPTION = STEM + MIXED


class MixedB(nn.Module):
    """Mixed_6a without a stride."""

    def __init__(self):
        super().__init__()
        self.branch3x3 = BasicConv2d(288, 384, kernel_size=3, padding=1)
        self.branch3x3dbl_1 = BasicConv2d(288, 64, kernel_size=1)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, kernel_size=3, padding=1)

    def forward(self, x):
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = functional.max_pool2d(x, 3, 1, padding=1)
        return torch.cat([self.branch3x3(x), self.branch3x3dbl_3(double), pooled], 1)


class InceptionV3(ClassMaps, ACoL):
    def __init__(self, method, large):
        super().__init__()
        net = torchvision.models.inception_v3(weights=None, init_weights=False)
        net.Conv2d_1a_3x3.conv.padding = (1, 1)
        net.Mixed_6a = MixedB()
        for name in INCEPTION:
            if name not in ("POOL", "HALVE"):
                setattr(self, name, getattr(net, name))
        self.method, self.large = method, large
        if method == "acol":
            self.classifier_A, self.classifier_B = branch(768), branch(768)
            return
        self.SPG_A3_1b, self.SPG_A3_2b = convs(768, 1024), convs(1024, 1024)
        self.SPG_A4 = nn.Conv2d(1024, CLASSES, 1)
        if method == "spg":
            self.SPG_B_1a, self.SPG_B_2a = convs(288, 512), convs(768, 512)
            self.SPG_B_shared, self.SPG_C = guide(512, 512), guide(1024, 512)

    def forward(self, x):
        for name in INCEPTION:
            if name == "POOL":
                x = functional.max_pool2d(x, 3, 2, padding=1, ceil_mode=True)
            elif name != "HALVE":
                x = getattr(self, name)(x)
            elif not self.large:
                x = functional.max_pool2d(x, 3, 2, ceil_mode=True)
        if self.method == "acol":
            return ACoL.finish(self, x)
        maps = self.SPG_A4(self.SPG_A3_2b(self.SPG_A3_1b(x)))
        return ClassMaps.finish(self, maps, self.SPG_A4.bias)


NETWORKS = {"resnet50": ResNet50, "vgg16": VGG16, "inception_v3": InceptionV3}
CASES = [
    (arch, method)
    for arch in NETWORKS
    for method in ("cam", "adl", "spg", "acol")
    if (arch, method) != ("inception_v3", "adl")
]
every_case = pytest.mark.parametrize(
    ("arch", "method"), CASES, ids=["-".join(case) for case in CASES]
)
SIZED_CASES = [(*case, False) for case in CASES]
SIZED_CASES += [("resnet50", "cam", True), ("inception_v3", "cam", True)]
SIZED_CASES += [("vgg16", method, True) for method in ("cam", "adl", "spg", "acol")]


@functools.lru_cache(maxsize=1)
def build(arch, method, large=False):
    with torch.device("meta"):  # every value is drawn below
        network = NETWORKS[arch](method, large)
    generator = torch.Generator().manual_seed(0)
    network.to_empty(device="cpu")
    for name, tensor in network.state_dict().items():
        if tensor.dim() > 1:
            scale = (2 / tensor[0].numel()) ** 0.5
            tensor.normal_(std=scale, generator=generator)
        elif tensor.is_floating_point():
            low = -0.2 if "mean" in name else 0.8
            tensor.uniform_(low, low + 0.4, generator=generator)
        else:
            tensor.zero_()
    return network.double().eval()


def build_ours(conversion, **backbone):
    init_default_scope("mmpretrain")
    config = {"type": "mmdgdm.WSOLClassifier", "head": conversion.head}
    model = MODELS.build({**config, "backbone": {**conversion.backbone, **backbone}})
    model.load_state_dict(conversion.state_dict)  # strict
    return model.double().eval()


@pytest.mark.parametrize(("arch", "method", "large"), SIZED_CASES)
@torch.no_grad()
def test_logits_and_maps_equal_a_restatement(arch, method, large, scores_and_maps):
    network = build(arch, method, large)
    conversion = convert_wsol_benchmark(arch, network.state_dict())
    options = {"output_stride": 8 if large else 16}
    if (arch, method, large) == ("vgg16", "spg", False):
        options["pool_sizes"] = (2, 2, 2, 3)
    model = build_ours(conversion, **options)
    images = torch.rand(1, 3, 64, 64, dtype=torch.float64) - 0.5
    logits, cams = network(images)
    found = scores_and_maps(model.head, model.extract_feat(images))
    scale = float(logits.abs().max())
    torch.testing.assert_close(  # heads end in float32
        found.score.double() / scale, logits / scale, atol=1e-6, rtol=1e-5
    )
    if cams is not None:
        scale = float(cams.abs().max())
        torch.testing.assert_close(
            found.cam.double() / scale, cams / scale, atol=1e-5, rtol=1e-5
        )
        assert found.cam.shape[-1] == (8 if large else 4)


@every_case
def test_only_the_guides_of_spg_are_left_out(arch, method):
    weights = build(arch, method).state_dict()
    conversion = convert_wsol_benchmark(arch, weights)
    guides = [name for name in weights if name.startswith(("SPG_B_", "SPG_C."))]
    assert conversion.left_out == guides
    assert bool(guides) is (method == "spg")
    assert len(conversion.state_dict) == len(weights) - len(guides)


@pytest.mark.parametrize("method", ["cam", "adl"])
@pytest.mark.parametrize("large", [False, True])
def test_the_numbers_in_a_vgg16_tell_its_output_stride(method, large):
    conversion = convert_wsol_benchmark(
        "vgg16", build("vgg16", method, large).state_dict()
    )
    assert conversion.backbone["output_stride"] == (8 if large else 16)


def test_acol_keeps_both_branches():
    weights = build("resnet50", "acol").state_dict()
    conversion = convert_wsol_benchmark("resnet50", weights)
    assert conversion.head["type"] == "mmdgdm.ACoLHead"
    for source, target in (("A", "a"), ("B", "b")):
        kept = conversion.state_dict[f"head.branch_{target}.2.bias"]
        assert torch.equal(kept, weights[f"classifier_{source}.2.bias"])


def test_a_vgg16_of_another_layout_is_refused():
    weights = build("vgg16", "cam").state_dict()
    weights["features.30.weight"] = weights.pop("features.28.weight")
    with pytest.raises(CheckpointError, match=r"numbers \[0, 2, .*, 28, 30\]"):
        convert_wsol_benchmark("vgg16", weights)


@pytest.mark.parametrize(
    ("arch", "method"), [("resnet50", "adl"), ("vgg16", "cam"), ("inception_v3", "spg")]
)
def test_unknown_missing_and_odd_names_are_errors(arch, method):
    weights = build(arch, method).state_dict()
    first = next(iter(weights))
    with pytest.raises(CheckpointError, match=r"1 unknown name\(s\): extra\.w\.$"):
        convert_wsol_benchmark(arch, {**weights, "extra.w": torch.zeros(1)})
    last = [name for name in weights if "running_var" in name or "fc.b" in name][-1]
    less = {name: value for name, value in weights.items() if name != last}
    with pytest.raises(CheckpointError, match=r"missing name\(s\)"):
        convert_wsol_benchmark(arch, less)
    odd = {**weights, first: weights[first][:-1]}
    with pytest.raises(CheckpointError, match=rf"of another shape: {first} \(\("):
        convert_wsol_benchmark(arch, odd)


def test_weights_of_another_network_are_refused():
    weights = build("resnet50", "cam").state_dict()
    for arch in ("vgg16", "inception_v3"):
        with pytest.raises(CheckpointError):
            convert_wsol_benchmark(arch, weights)


def test_an_unknown_arch_is_named():
    with pytest.raises(ConfigError, match=r"`arch` .*'vgg16', but got 'resnet18'"):
        convert_wsol_benchmark("resnet18", {})


@pytest.mark.parametrize("prefix", ["", "module."])
def test_training_checkpoints_are_read(prefix, tmp_path):
    weights = build("vgg16", "cam").state_dict()
    content = {
        "architecture": "vgg16",
        "epoch": 3,
        "state_dict": {prefix + name: value for name, value in weights.items()},
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
    }
    source, target = tmp_path / "last_checkpoint.pth.tar", tmp_path / "vgg16.pth"
    torch.save(content, source)
    convert_file(convert_wsol_benchmark, "vgg16", source=source, target=target)
    written = torch.load(target, weights_only=True)
    found = written["state_dict"]["backbone.gap_convs.0.conv.weight"]
    assert torch.equal(found, weights["conv6.weight"])
    assert written["meta"]["source"] == "last_checkpoint.pth.tar"


def test_a_file_without_weights_is_an_error(tmp_path):
    torch.save({"state_dict": {}, "epoch": 1}, tmp_path / "source.pth")
    with pytest.raises(
        CheckpointError, match=r"source.pth to hold weights, but got no"
    ):
        convert_file(
            convert_wsol_benchmark,
            "vgg16",
            source=tmp_path / "source.pth",
            target=tmp_path / "x.pth",
        )


def test_tool_says_what_it_left_out(tmp_path, repo_root, capsys):
    path = repo_root / "tools" / "convert.py"
    spec = importlib.util.spec_from_file_location("wsol_benchmark_tool", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    source, target = tmp_path / "source.pth", tmp_path / "spg.pth"
    torch.save({"state_dict": build("resnet50", "spg").state_dict()}, source)
    assert tool.main(["wsol_benchmark", "resnet50", str(source), str(target)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Wrote {target}"
    assert "  left out: SPG_C.2.bias" in lines
    assert tool.main(["wsol_benchmark", "vgg16", str(source), str(target)]) == 2
    assert capsys.readouterr().err.startswith("error: Expected the")
