"""Weights as .safetensors: there and back, and what is refused."""

from __future__ import annotations

import pytest
import torch

from mmdgdm.errors import CheckpointError
from mmdgdm.utils.checkpoint import load_checkpoint_file
from mmdgdm.utils.safetensors_files import write_safetensors


def test_there_and_back(tmp_path):
    pytest.importorskip("safetensors", reason="needs the extra `export`")
    weight = torch.randn(3, 4)
    weights = {"a.weight": weight, "b.weight": weight.T, "n": torch.tensor(7)}
    meta = dict(
        dataset_meta=dict(classes=("cat", "dog")),
        wsol_thresholds={"wsol/threshold/max_box_acc": 0.35},
        epoch=3,
    )
    path = tmp_path / "new" / "model.safetensors"
    write_safetensors(path, dict(state_dict=weights, meta=meta, optimizer={}))
    found = load_checkpoint_file(path)
    assert found["state_dict"].keys() == weights.keys()
    for name, value in weights.items():
        assert torch.equal(found["state_dict"][name], value)
    assert found["meta"] == dict(
        dataset_meta=dict(classes=["cat", "dog"]),
        wsol_thresholds={"wsol/threshold/max_box_acc": 0.35},
    )
    write_safetensors(path, weights)  # a bare state dict
    assert load_checkpoint_file(path)["meta"] == {}


def test_what_is_refused(tmp_path):
    pytest.importorskip("safetensors", reason="needs the extra `export`")
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"no weights, but some text")
    with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be read"):
        load_checkpoint_file(path)
    with pytest.raises(CheckpointError, match="'epoch' is int"):
        write_safetensors(path, {"epoch": 3})
