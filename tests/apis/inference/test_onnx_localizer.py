"""Exported models localize as in torch, and where there is no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import CheckpointLoader

from mmdgdm.apis import OnnxLocalizer, WSOLInferencer, export_model
from mmdgdm.errors import ConfigError, DataError

TOY = "cam_resnet18_1xb32-12e_toy"
BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('torch', 'torchvision', 'mmengine', 'mmcv',
                                  'mmpretrain'):
            raise ImportError(name + ' is blocked')

sys.meta_path.insert(0, Blocker())
import runpy

sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory, repo_root):
    """A checkpoint with names and a threshold, and its export."""
    pytest.importorskip("onnxruntime", reason="needs the extra `export`")
    pytest.importorskip("onnxscript", reason="needs the extra `export`")
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        model = MODELS.build(Config.fromfile(repo_root / f"configs/cam/{TOY}.py").model)
    meta = dict(
        dataset_meta=dict(classes=tuple(f"shape {i}" for i in range(8))),
        wsol_thresholds={"wsol/threshold/max_box_acc": 0.35},
    )
    folder = tmp_path_factory.mktemp("toy")
    weights, exported = str(folder / "toy.pth"), folder / "toy.onnx"
    torch.save(dict(state_dict=model.state_dict(), meta=meta), weights)
    loaders = CheckpointLoader._schemes.copy()
    try:
        export_model(TOY, exported, weights=weights)
    finally:
        CheckpointLoader._schemes = loaders
    return weights, exported


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, size in (("a.png", (120, 90)), ("b.png", (64, 64)), ("c.png", (50, 80))):
        small = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        image = cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / name), image)
    return folder


@pytest.mark.slow
def test_the_tool_localizes_without_torch_as_with_it(
    files, photos, tmp_path, repo_root, monkeypatch
):
    weights, exported = files
    (photos / "d.png").write_text("no image")
    out = tmp_path / "out"
    tool = repo_root / "tools" / "localize.py"
    argv = [tool, photos, "--model", exported, "--out-dir", out, "--topk", "3"]
    argv += ["--save", "image,json,coco,csv,npy", "--batch-size", "2"]
    paths = [str(repo_root), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", BLOCKER, *map(str, argv)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert done.returncode == 1, done.stderr  # one image is none
    assert "1 could not be read" in done.stdout
    predictions = json.loads((out / "predictions.json").read_text())
    schemes = CheckpointLoader._schemes.copy()
    monkeypatch.setattr(CheckpointLoader, "_schemes", schemes)
    images = [str(photos / name) for name in ("a.png", "b.png", "c.png")]
    expected = WSOLInferencer(TOY, weights, device="cpu")(images, topk=3)
    assert len(predictions["images"]) == 3
    for entry, found in zip(predictions["images"], expected):
        known = found.to_dict()
        assert entry["threshold"] == known["threshold"] == 0.35
        for one, other in zip(entry["classes"], known["classes"]):
            assert (one["label"], one["name"]) == (other["label"], other["name"])
            assert one["score"] == pytest.approx(other["score"], abs=1e-5)
            np.testing.assert_allclose(one["boxes"], other["boxes"], atol=1)
    assert (out / "images" / "a.png").is_file()
    assert np.load(out / "maps" / "c.png.npy").shape == (3, 8, 8)


@pytest.mark.slow
def test_classes_thresholds_and_what_is_refused(files, photos, tmp_path):
    _, exported = files
    localize = OnnxLocalizer(exported, 0.5)
    assert (localize.threshold, localize.threshold_source) == (0.5, "the argument")
    (found,) = localize(photos / "a.png", classes=["shape 6", 1])
    assert [one.label for one in found.classes] == [6, 1]
    with pytest.raises(ConfigError, match="did you mean `shape 6`"):
        localize(photos / "a.png", classes=["shape  6"])
    with pytest.raises(ConfigError, match="at most the 8 classes"):
        localize(photos / "a.png", topk=9)
    (tmp_path / "broken.onnx").write_text("no model")
    with pytest.raises(DataError, match=r"broken\.onnx to be an ONNX file"):
        OnnxLocalizer(tmp_path / "broken.onnx")
    with pytest.raises(ConfigError, match=r"gone\.onnx does not exist"):
        OnnxLocalizer(tmp_path / "gone.onnx")
