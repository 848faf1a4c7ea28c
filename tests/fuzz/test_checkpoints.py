"""Checkpoints meet anything: weights come out, or an error of this package."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from mmengine.logging import HistoryBuffer
from torch import nn

from mmdgdm.apis.inference.models import _box_threshold, _class_names
from mmdgdm.converters.efficientnet_lite import convert_efficientnet_lite
from mmdgdm.converters.names import read_weights
from mmdgdm.engine.hooks.checkpoint_check_hook import check_weights
from mmdgdm.engine.setup.resume import check_resume
from mmdgdm.utils.checkpoint import load_checkpoint_file
from mmdgdm.utils.safetensors_files import write_safetensors

from .changes import VALUES, changed_bytes, changed_content

pytestmark = pytest.mark.faults
WEIGHTS = nn.Linear(2, 3).state_dict()
META = dict(
    epoch=1,
    iter=4,
    dataset_meta=dict(classes=["a", "b", "c"]),
    wsol_thresholds={"wsol/threshold/max_box_acc": 0.3},
    cfg="optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))\n",
)


def _content():
    """What mmengine writes, with a state of SGD."""
    module = nn.Linear(2, 3)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    schedule = dict(param_name="lr", begin=0, end=5, by_epoch=True, last_step=1)
    return dict(
        state_dict=dict(module.state_dict()),
        meta=dict(META),
        message_hub={},
        optimizer=optimizer.state_dict(),
        param_schedulers=[dict(schedule, _get_lr_called_within_step=False)],
    )


def _bytes_of(content, **options):
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def _use(path):
    """All that is asked of a checkpoint, from reading to resuming."""
    checkpoint = load_checkpoint_file(path)
    if "state_dict" in checkpoint:
        meta = checkpoint.get("meta") or {}
        names = _class_names(meta, {}, num_classes=3)
        assert names is None or all(isinstance(name, str) for name in names)
        threshold = _box_threshold(meta)
        assert threshold is None or 0 <= threshold < 1
    return checkpoint


@pytest.mark.parametrize("form", ["zip", "old"])
def test_bytes(provoke, tmp_path, form):
    path = tmp_path / "a.pth"
    content = _content()
    content["message_hub"] = {"loss": HistoryBuffer([1.0], [1]), "a": np.arange(3.0)}
    options = {} if form == "zip" else dict(_use_new_zipfile_serialization=False)
    valid = _bytes_of(content, **options)

    def run(data):
        path.write_bytes(data)
        _use(path)

    provoke(changed_bytes(valid) | changed_bytes(_bytes_of(WEIGHTS, **options)), run)


def test_bytes_of_safetensors(provoke, tmp_path):
    pytest.importorskip("safetensors", reason="needs the extra `export`")
    path = tmp_path / "a.safetensors"
    write_safetensors(path, _content())
    valid = path.read_bytes()

    def run(data):
        path.write_bytes(data)
        _use(path)

    provoke(changed_bytes(valid), run)


#: What is put into the content, with tensors of many kinds.
PARTS = [
    *VALUES,
    *(torch.zeros(3), torch.zeros(3, 2), torch.zeros(0), torch.tensor(1), nn.Parameter),
    torch.zeros(3, 2, dtype=torch.complex64),
    torch.zeros(3, dtype=torch.bool),
    torch.sparse_coo_tensor([[0]], [1.0], (3,)),
    torch.zeros(1).expand(3),
    torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8),
    {1: 2},
    {"weight": 1},
]
PARTS.remove(nn.Parameter)


def test_content(provoke, tmp_path):
    path = tmp_path / "a.pth"
    runner = SimpleNamespace(
        cfg=SimpleNamespace(pretty_text=META["cfg"]),
        optim_wrapper=torch.optim.SGD(
            nn.Linear(2, 3).parameters(), lr=0.1, momentum=0.9
        ),
        param_schedulers=None,
    )

    def run(content):
        path.write_bytes(_bytes_of(content))
        checkpoint = _use(path)
        check_weights(nn.Linear(2, 3), checkpoint, source="a.pth")
        check_resume(runner, checkpoint, source="a.pth")

    provoke(changed_content(_content(), PARTS), run)


def test_foreign_weights(provoke, tmp_path):
    path = tmp_path / "a.pth"
    valid = {"_conv_stem.weight": torch.zeros(32, 3, 3, 3), "_fc.bias": torch.zeros(3)}

    def run(content):
        path.write_bytes(_bytes_of(content))
        convert_efficientnet_lite("lite0", read_weights(path))

    few = changed_content({"state_dict": valid, "epoch": 3}, PARTS)
    provoke(few | changed_content(valid, PARTS) | st.just(valid), run)
