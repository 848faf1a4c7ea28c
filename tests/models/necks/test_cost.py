"""What the layers add to a training step, counted, so that no machine decides."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[3] / "benchmarks" / "layers.py"


@pytest.fixture(scope="module")
def layers():
    spec = importlib.util.spec_from_file_location("layers_benchmark", BENCHMARK)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("network", ["resnet50", "vgg16_gap"])
def test_dgdm_costs_less_than_adl_and_nothing_in_evaluation(layers, network):
    place, _ = layers.PLACES[network]
    models = {
        name: layers.build(network, layer, place)
        for name, layer in {"none": None, **layers.layers()}.items()
    }
    step = {name: layers.count_step(model, 8).bytes for name, model in models.items()}
    assert step["none"] < step["DGDM"] < step["ADL"]
    assert step["DGDM"] <= 1.03 * step["none"]
    # A pass over the maps reads and writes at least the weights.
    assert step["none"] > 2 * sum(4 * p.numel() for p in models["none"].parameters())
    forward = {name: layers.count_forward(model, 8) for name, model in models.items()}
    assert forward["none"].operators > 30
    assert forward["DGDM"] == forward["ADL"] == forward["none"]
