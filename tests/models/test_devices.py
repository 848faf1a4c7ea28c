"""Layers, heads and whole methods in mixed precision, channels_last and compiled.

On a GPU where there is one (marked ``cuda``), and on the CPU.
"""

from __future__ import annotations

import copy
import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from mmdgdm.models.necks import ADL, DGDM, DropBlock

METHODS_ON_BACKBONES = Path(__file__).with_name("test_methods_on_backbones.py")
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.cuda, GPU])]
#: CUDA has kernels for both; the CPU's autocast is made for bfloat16.
PRECISIONS = [
    ("cpu", torch.bfloat16),
    *(
        pytest.param("cuda", dtype, marks=[pytest.mark.cuda, GPU])
        for dtype in (torch.float16, torch.bfloat16)
    ),
]
NAMES = ("CAM", "CutMix", "ACoL", "SPG", "background loss", "ADL", "DropBlock", "DGDM")
LAYERS = {
    "ADL": ADL,
    "DropBlock": lambda: DropBlock(drop_prob=0.3),
    "DGDM": lambda: DGDM(
        dict(scale="mean"), dict(scale="mean", bg_threshold=1.0, bg_rule="mean")
    ),
}


@pytest.fixture(scope="module")
def methods():
    name = METHODS_ON_BACKBONES.stem
    spec = importlib.util.spec_from_file_location(name, METHODS_ON_BACKBONES)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("method", NAMES)
@pytest.mark.parametrize(("device", "dtype"), PRECISIONS)
def test_a_step_in_mixed_precision(methods, method, device, dtype):
    model = methods.build("resnet18_toy", method).to(device).train()
    model = model.to(memory_format=torch.channels_last)
    start = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    data = model.data_preprocessor(methods.draw_batch(method, 64), training=True)
    # mmengine's wrapper for mixed precision refuses the CPU.
    with torch.autocast(device, dtype=dtype):
        loss, losses = model.parse_losses(model(**data, mode="loss"))
    loss.backward()
    optimizer.step()
    assert all(torch.isfinite(value).all() for value in losses.values())
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter).all(), name
        assert not torch.equal(parameter.detach(), start[name]), name


@pytest.mark.parametrize("method", NAMES)
@pytest.mark.parametrize("device", DEVICES[1:])
def test_a_gpu_predicts_as_the_cpu(methods, method, device):
    model = methods.build("resnet18_toy", method).eval()
    batch = methods.draw_batch("CAM", 64)
    on_cpu = model.test_step(copy.deepcopy(batch))
    on_gpu = model.to(device).test_step(batch)
    for one, other in zip(on_cpu, on_gpu):
        torch.testing.assert_close(
            one.pred_score, other.pred_score.cpu(), rtol=1e-3, atol=1e-3
        )
        torch.testing.assert_close(one.cam, other.cam.cpu(), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_a_layer_compiles_without_a_break(name, device, training):
    layer = LAYERS[name]().to(device).train(training)
    seen = []

    def backend(graph, inputs):
        seen.append(graph)
        return graph.forward

    compiled = torch.compile(layer, backend=backend, fullgraph=True)
    for seed in range(3):
        torch.manual_seed(seed)
        feat = torch.rand(4, 16, 14, 14, device=device, requires_grad=True)
        torch.manual_seed(seed)
        expected = layer(feat)
        torch.manual_seed(seed)
        found = compiled(feat)
        torch.testing.assert_close(found, expected)
        if training:
            found.sum().backward()
            assert torch.isfinite(feat.grad).all()
    # Compiled once, and in eval nothing is done.
    (graph,) = seen
    done = [node for node in graph.graph.nodes if node.op.startswith("call")]
    assert bool(done) is training
