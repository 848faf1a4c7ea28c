"""Converted weights of torchvision give torchvision's own logits and maps."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import mmpretrain.models.backbones as mmpretrain_backbones
import pytest
import torch
import torchvision
from mmengine.registry import MODELS, init_default_scope
from torch import nn
from torch.nn import functional

from mmdgdm.converters.names import convert_file
from mmdgdm.converters.torchvision import (
    TORCHVISION_ARCHS,
    convert_torchvision,
)
from mmdgdm.errors import CheckpointError, ConfigError
from mmdgdm.utils.checkpoint import use_safe_checkpoint_loader

CLASSES = 7


def build(arch) -> nn.Module:
    """torchvision's own network with random weights, double precision, eval mode."""
    options = {"init_weights": False} if arch == "inception_v3" else {}
    with torch.device("meta"):  # every value is drawn below
        network = getattr(torchvision.models, arch)(num_classes=CLASSES, **options)
        if arch == "vgg16":  # of another size, since it has no place in the result
            for index in (0, 3, 6):
                network.classifier[index] = nn.Linear(2, 2)
    generator = torch.Generator().manual_seed(0)
    network.to_empty(device="cpu")
    for name, tensor in network.state_dict().items():
        if not tensor.is_floating_point():
            tensor.zero_()
        elif tensor.dim() == 1 or "layer_scale" in name:
            low = -0.2 if "mean" in name else 0.8
            tensor.uniform_(low, low + 0.4, generator=generator)
        else:
            scale = (2 / tensor[0].numel()) ** 0.5
            tensor.normal_(std=scale, generator=generator)
    return network.double().eval()


@pytest.fixture(scope="module")
def networks():
    made = {}

    def get(arch):
        if arch not in made:
            made[arch] = build(arch)
        return made[arch]

    return get


def build_ours(conversion) -> nn.Module:
    init_default_scope("mmpretrain")
    config = {"type": "mmdgdm.WSOLClassifier", "backbone": conversion.backbone}
    model = MODELS.build({**config, "head": conversion.head})
    model.load_state_dict(conversion.state_dict)  # strict
    return model.double().eval()


def last_map(arch, network, images):
    """The map that torchvision averages over places, and its last linear layer."""
    if arch == "resnet50":
        parts = list(network.children())[:-2]
        return nn.Sequential(*parts)(images), network.fc
    if arch == "inception_v3":
        seen = []
        hook = network.Mixed_7c.register_forward_hook(
            lambda *args: seen.append(args[2])
        )
        network(images)
        hook.remove()
        return seen[0], network.fc
    if arch == "convnext_tiny":
        # The norm at each place, as class activation maps need it.
        return network.classifier[0](network.features(images)), network.classifier[2]
    return network.features(images), network.classifier[1]


@pytest.mark.parametrize(
    ("arch", "size"),
    [
        ("resnet50", 64),
        ("inception_v3", 107),
        ("mobilenet_v2", 64),
        ("convnext_tiny", 64),
    ],
)
@torch.no_grad()
def test_logits_and_maps_equal_torchvisions(arch, size, networks, scores_and_maps):
    network = networks(arch)
    images = torch.rand(1, 3, size, size, dtype=torch.float64) - 0.5
    model = build_ours(convert_torchvision(arch, network.state_dict()))
    wanted_map, linear = last_map(arch, network, images)
    wanted_cams = functional.conv2d(wanted_map, linear.weight[:, :, None, None])
    found = scores_and_maps(model.head, model.extract_feat(images))
    scale = float(wanted_cams.abs().max())
    torch.testing.assert_close(
        found.cam.double() / scale, wanted_cams / scale, atol=1e-5, rtol=1e-5
    )
    wanted = linear(wanted_map.mean((2, 3)))
    score = found.score.double() / scale  # heads end in float32
    torch.testing.assert_close(score, wanted / scale, atol=1e-6, rtol=1e-5)
    if arch != "convnext_tiny":
        logits = network(images) / scale
        torch.testing.assert_close(score, logits, atol=1e-6, rtol=1e-5)
    assert float(wanted.std()) > 1e-3 * scale  # else nothing was compared


@torch.no_grad()
def test_convnext_in_mmpretrains_own_order_gives_torchvisions_logits(networks):
    network = networks("convnext_tiny")
    weights = convert_torchvision("convnext_tiny", network.state_dict()).state_dict
    backbone = mmpretrain_backbones.ConvNeXt("tiny")
    prefix = "backbone."
    own = {k[len(prefix) :]: v for k, v in weights.items() if k.startswith(prefix)}
    backbone.load_state_dict(own)
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    backbone.double().eval()  # returns nothing
    [features] = backbone(images)
    logits = functional.linear(
        features, weights["head.fc.weight"], weights["head.fc.bias"]
    )
    torch.testing.assert_close(logits, network(images), atol=1e-9, rtol=1e-9)


@torch.no_grad()
def test_the_maps_of_vgg16_before_its_last_pooling_are_equal(networks):
    network = networks("vgg16")
    conversion = convert_torchvision("vgg16", network.state_dict())
    assert conversion.head is None
    assert conversion.left_out == [
        f"classifier.{i}.{p}" for i in (0, 3, 6) for p in ("weight", "bias")
    ]
    backbone = MODELS.build({**conversion.backbone, "out_indices": [0, 1, 2, 3, 4]})
    weights = {k[len("backbone.") :]: v for k, v in conversion.state_dict.items()}
    backbone.load_state_dict(weights)
    images = torch.rand(1, 3, 48, 48, dtype=torch.float64) - 0.5
    found = backbone.double().eval()(images)
    for index, end in enumerate((5, 10, 17, 24, 30)):  # pool1 to pool4, conv5_3
        wanted = network.features[:end](images)
        torch.testing.assert_close(found[index], wanted, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("arch", ["resnet50", "vgg16", "inception_v3"])
def test_left_out_names_are_those_of_the_docstring(arch, networks):
    conversion = convert_torchvision(arch, networks(arch).state_dict())
    prefixes = {name.split(".")[0] for name in conversion.left_out}
    wanted = {"resnet50": set(), "vgg16": {"classifier"}, "inception_v3": {"AuxLogits"}}
    assert prefixes == wanted[arch]


@pytest.mark.parametrize("stride", [16, 8])
def test_inception_weights_load_up_to_mixed_6e(stride, networks):
    conversion = convert_torchvision(
        "inception_v3", networks("inception_v3").state_dict()
    )
    config = {"type": "mmdgdm.InceptionV3", "output_stride": stride}
    backbone = MODELS.build(config)
    weights = {k[len("backbone.") :]: v for k, v in conversion.state_dict.items()}
    missing, unexpected = backbone.load_state_dict(weights, strict=False)
    assert {name.split(".")[0] for name in missing} == {"gap_convs"}
    # What is left of "head." without the length of "backbone." is no name.
    modules = {n.split(".")[0] for n in unexpected if n.startswith("Mixed")}
    assert modules == {"Mixed_7a", "Mixed_7b", "Mixed_7c"}
    assert len([n for n in unexpected if not n.startswith("Mixed")]) == 2


@pytest.mark.parametrize("arch", TORCHVISION_ARCHS)
def test_nothing_is_lost_or_doubled(arch, networks):
    weights = networks(arch).state_dict()
    before = dict(weights)
    conversion = convert_torchvision(arch, weights)
    assert len(conversion.state_dict) + len(conversion.left_out) == len(weights)
    assert weights == before


@pytest.mark.parametrize("arch", TORCHVISION_ARCHS)
def test_unknown_missing_and_odd_names_are_errors(arch, networks):
    weights = networks(arch).state_dict()
    first = next(iter(weights))
    for name in ("features.99.conv.0.weight", "backbone.conv1.weight", "extra"):
        with pytest.raises(CheckpointError, match=rf"1 unknown name\(s\): {name}\.$"):
            convert_torchvision(arch, {**weights, name: torch.zeros(1)})
    less = {name: value for name, value in weights.items() if name != first}
    with pytest.raises(CheckpointError, match=r"1 missing name\(s\).*: backbone\."):
        convert_torchvision(arch, less)
    odd = {**weights, first: weights[first][:-1]}
    with pytest.raises(
        CheckpointError, match=rf"1 name\(s\) of another shape: {first} \(\("
    ):
        convert_torchvision(arch, odd)


def test_files_of_old_torch_without_counters_are_read(networks):
    weights = networks("resnet50").state_dict()
    old = {k: v for k, v in weights.items() if not k.endswith("num_batches_tracked")}
    conversion = convert_torchvision("resnet50", old)
    assert len(conversion.state_dict) == len(old)


def test_an_unknown_arch_is_named():
    with pytest.raises(ConfigError, match=r"`arch` .*'vgg16', but got 'alexnet'"):
        convert_torchvision("alexnet", {})


def load_tool(repo_root):
    path = repo_root / "tools" / "convert.py"
    spec = importlib.util.spec_from_file_location("torchvision_weights_tool", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tool_writes_the_file_and_says_what_it_left_out(
    networks, tmp_path, repo_root, capsys
):
    source, target = tmp_path / "source.pth", tmp_path / "new" / "inception.pth"
    torch.save(networks("inception_v3").state_dict(), source)
    tool = load_tool(repo_root)
    assert tool.main(["torchvision", "inception_v3", str(source), str(target)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Wrote {target}"
    assert "  left out: AuxLogits.fc.bias" in lines
    assert len([line for line in lines if "left out" in line]) == 14
    content = torch.load(target, weights_only=True)
    assert content["meta"]["source"] == "source.pth"
    assert content["meta"]["backbone"]["type"] == "mmdgdm.InceptionV3"
    assert content["meta"]["head"]["num_classes"] == CLASSES


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_pretrained_init_takes_the_file(networks, tmp_path, ending):
    if ending == "safetensors":
        pytest.importorskip("safetensors", reason="needs the extra `export`")
    target = tmp_path / f"vgg16.{ending}"
    torch.save(networks("vgg16").state_dict(), tmp_path / "source.pth")
    convert_file(
        convert_torchvision, "vgg16", source=tmp_path / "source.pth", target=target
    )
    use_safe_checkpoint_loader()
    init = {"type": "Pretrained", "checkpoint": str(target), "prefix": "backbone"}
    backbone = MODELS.build({"type": "mmdgdm.VGGGAP", "init_cfg": init})
    backbone.init_weights()
    weight = networks("vgg16").features[28].weight.float()
    torch.testing.assert_close(backbone.features[16].conv.weight, weight)


def test_a_folder_as_target_is_an_error(networks, tmp_path):
    source = tmp_path / "source.pth"
    torch.save(networks("mobilenet_v2").state_dict(), source)
    with pytest.raises(CheckpointError, match="is a folder"):
        convert_file(
            convert_torchvision, "mobilenet_v2", source=source, target=tmp_path
        )


def test_tool_as_a_process_finds_torchvision_and_fails_without_a_traceback(
    tmp_path, repo_root
):
    tool = str(repo_root / "tools" / "convert.py")
    command = [sys.executable, tool, "torchvision", "resnet50"]
    done = subprocess.run(
        [*command, str(tmp_path / "no.pth"), str(tmp_path / "x.pth")],
        capture_output=True,
        text=True,
        check=False,
        cwd=repo_root,
        env={"PYTHONPATH": str(repo_root), "PATH": ""},
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.endswith("no.pth does not exist.\n")
