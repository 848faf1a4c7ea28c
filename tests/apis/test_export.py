"""Exported models give the scores and maps of the model in torch."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import CheckpointLoader

from mmdgdm.apis import export_model
from mmdgdm.apis.export import ScoresAndMaps, trace_model
from mmdgdm.errors import ConfigError
from mmdgdm.utils.model_facts import FACTS_FILE, ModelFacts

TOY = "cam_resnet18_1xb32-12e_toy"
THRESHOLDS = {"wsol/threshold/max_box_acc": 0.35}
BACKBONES = [
    *("convnext_tiny", "efficientnet_lite0", "efficientnet_lite1"),
    *("efficientnet_lite2", "inception_v3", "mobilenet_v2", "resnet50"),
    *("seresnet50", "vgg16_gap"),
]


@pytest.fixture(autouse=True)
def keep_loaders(monkeypatch):
    """Loading a model makes all loaders safe ones."""
    monkeypatch.setattr(CheckpointLoader, "_schemes", CheckpointLoader._schemes.copy())


def build(config):
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        return MODELS.build(config).eval()


@pytest.fixture(scope="module")
def toy_weights(tmp_path_factory, repo_root):
    torch.manual_seed(0)
    model = build(Config.fromfile(repo_root / f"configs/cam/{TOY}.py").model)
    names = tuple(f"shape {i}" for i in range(8))
    meta = dict(dataset_meta=dict(classes=names), wsol_thresholds=THRESHOLDS)
    path = tmp_path_factory.mktemp("toy") / "toy.pth"
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return str(path)


def run_in_torch(model, images):
    with torch.no_grad():
        return [out.numpy() for out in ScoresAndMaps(model)(torch.from_numpy(images))]


def assert_agree(found, expected):
    for one, other in zip(found, expected):
        assert one.shape == other.shape
        assert np.abs(one - other).max() <= 1e-4 * np.abs(other).max()


def images_of(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_in_onnx(name, repo_root, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra `export`")
    pytest.importorskip("onnxscript", reason="needs the extra `export`")
    from mmdgdm.apis.export import _is_size_free, _save_onnx

    config = Config.fromfile(repo_root / f"configs/_base_/models/{name}.py").model
    config.backbone.pop("init_cfg")
    config.head.num_classes = 5
    torch.manual_seed(0)
    model = build(config)
    torch.nn.init.normal_(next(model.head.parameters()))  # else all maps are near 0
    program = trace_model(model, height=96, width=128)
    facts = ModelFacts(("a",), (128, 96), True, mean=(0.0,), std=(1.0,), to_rgb=True)
    _save_onnx(program, facts, path=tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    is_free = _is_size_free(program)
    assert is_free == (not name.startswith("efficientnet"))
    for shape in ((1, 3, 96, 128), (3, 3, 160 if is_free else 96, 128)):
        images = images_of(*shape)
        found = session.run(["scores", "maps"], {"images": images})
        assert_agree(found, run_in_torch(model, images))


def test_a_program_of_torch_export(toy_weights, tmp_path, repo_root):
    path = tmp_path / "new" / "toy.pt2"
    facts = export_model(TOY, path, weights=toy_weights).facts
    assert (facts.threshold, facts.input_size) == (0.35, (64, 64))
    assert facts.classes[7] == "shape 7"
    extra = {FACTS_FILE: ""}
    program = torch.export.load(path, extra_files=extra)
    assert ModelFacts.from_json(extra[FACTS_FILE], source="toy.pt2") == facts
    assert facts.is_size_free
    model = build(Config.fromfile(repo_root / f"configs/cam/{TOY}.py").model)
    weights = torch.load(toy_weights, weights_only=True)["state_dict"]
    model.load_state_dict(weights)
    for shape in ((1, 3, 64, 64), (3, 3, 96, 64)):
        images = images_of(*shape)
        found = program.module()(torch.from_numpy(images))
        expected = run_in_torch(model, images)
        assert_agree([out.detach().numpy() for out in found], expected)


def test_what_cannot_be_exported(toy_weights, tmp_path, repo_root):
    path = tmp_path / "toy.pt2"
    with pytest.raises(ConfigError, match=r"`path` to be a .onnx, .pt2 file"):
        export_model(TOY, tmp_path / "toy.pth", weights=toy_weights)
    config = Config.fromfile(repo_root / f"configs/cam/{TOY}.py")
    config.test_dataloader.dataset.pipeline = [
        dict(type="Resize", scale=(64, 64)),
        dict(type="RandomErasing"),
        dict(type="PackWSOLInputs"),
    ]
    with pytest.raises(ConfigError, match="its steps are Resize, RandomErasing"):
        export_model(config, path, weights=toy_weights)
    config.test_dataloader.dataset.pipeline = [
        dict(type="Resize", scale=(64, 64), keep_ratio=True)
    ]
    with pytest.raises(ConfigError, match="without `keep_ratio`"):
        export_model(config, path, weights=toy_weights)
    assert not path.exists()


def test_facts_of_another_form_are_refused():
    from mmdgdm.errors import DataError

    facts = ModelFacts(("a",), (8, 8), False, mean=(0.0,), std=(1.0,), to_rgb=False)
    later = json.dumps({**json.loads(facts.to_json()), "form": 2})
    with pytest.raises(DataError, match=r"form 1, but got 2"):
        ModelFacts.from_json(later, source="a.onnx")
    with pytest.raises(DataError, match=r"a\.onnx"):
        ModelFacts.from_json("{}", source="a.onnx")
