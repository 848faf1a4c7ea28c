"""Checkpoints that are attacks: each is refused by what was found, and nothing runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmdgdm.engine.setup.resume import check_resume
from mmdgdm.errors import CheckpointError
from mmdgdm.utils.checkpoint import load_checkpoint_file

pytestmark = pytest.mark.faults
BY_TORCH = dict(_use_new_zipfile_serialization=False)


class Call:
    """Pickles as a call."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call

    def __call__(self):
        """Pickle asks for that of what is itself to be called."""


class Filled:
    """Pickles as a call whose result is then given a state."""

    def __init__(self, function, args, state):
        self.parts = (function, args, state)

    def __reduce__(self):
        return self.parts


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """A file that every payload makes. Without the loader torch would run them."""
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    return tmp_path / "ran"


def _refused(path, reason):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says what it takes the file for
        with pytest.raises(CheckpointError, match=reason) as caught:
            load_checkpoint_file(path)
    assert path.name in str(caught.value)


CALLS = {
    "os.system": (lambda f: Call(os.system, f"touch '{f}'"), r"asks for posix\.system"),
    "eval": (
        lambda f: Call(eval, f"open({str(f)!r}, 'w')"),
        r"asks for (builtins\.)?eval,",
    ),
    "chain": (
        lambda f: Call(Call(getattr, Call(__import__, "os"), "system"), f"touch '{f}'"),
        r"asks for (builtins\.)?__import__",
    ),
    "getattr": (
        lambda f: Call(getattr, Call(getattr, HistoryBuffer, "mean"), "__globals__"),
        r"asks for builtins\.getattr\(mean,__globals__\)",
    ),
    "getattr of one": (
        lambda f: Call(getattr, HistoryBuffer),
        r"asks for builtins\.getattr\(Hist",
    ),
    "nested": (
        lambda f: Call(OrderedDict, [["a", [Call(os.system, f"touch '{f}'")]]]),
        r"asks for posix\.system",
    ),
    "state": (
        lambda f: Filled(OrderedDict, (), {"a": Call(exec, f"open({str(f)!r}, 'w')")}),
        r"asks for (builtins\.)?exec,",
    ),
    "dtype": (
        lambda f: Filled(
            np.dtype,
            ("f8", False, True),
            (3, "<", None, ("x",), {"x": (np.dtype("O"), 0)}, 8, 8, 63),
        ),
        r"asks for numpy\.dtype\(structured\)",
    ),
    "objects": (lambda f: np.array([None]), r"asks for numpy\.dtype\(O8\)"),
    "bytearray": (lambda f: Call(bytearray, 1 << 40), r"asks for builtins\.bytearray"),
}


@pytest.mark.parametrize("options", [{}, BY_TORCH], ids=["zip", "old"])
@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_refused_by_its_name(ran, tmp_path, name, options):
    make, reason = CALLS[name]
    path = tmp_path / "file.pth"
    torch.save({"state_dict": {"a": make(ran)}}, path, **options)
    _refused(path, f"is refused: it {reason}")
    assert not ran.exists()


@pytest.mark.parametrize("protocol", range(6))
def test_a_bare_pickle_is_refused_by_what_it_asks_for(ran, tmp_path, protocol):
    path = tmp_path / "file.pth"
    content = {"a": Call(os.system, f"touch '{ran}'")}
    path.write_bytes(pickle.dumps(content, protocol))
    _refused(path, r"is refused: it .*asks for posix\.system")
    assert not ran.exists()


def test_the_tar_form_is_refused(ran, tmp_path):
    path = tmp_path / "file.pth"
    attack = pickle.dumps(Call(os.system, f"touch '{ran}'"))
    with tarfile.open(path, "w") as tar:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            member = tarfile.TarInfo(name)
            member.size = len(attack)
            tar.addfile(member, io.BytesIO(attack))
    _refused(path, r"is refused: it is of torch's legacy \.tar form")
    assert not ran.exists()


def test_a_program_is_refused(tmp_path):
    path = tmp_path / "file.pth"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(path))
    _refused(path, "is refused: it is of torch's TorchScript form")


def _zipped(path, content, *, data=b"", method=zipfile.ZIP_STORED):
    """A checkpoint by hand, with one storage."""
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("archive/data.pkl", content)
        file.writestr("archive/version", "3\n")
        file.writestr("archive/data/0", data)
    return path


def _tensor(numel, shape, strides):
    """A pickle of ``{'a': tensor}``."""

    def put(value):
        return pickle.dumps(value, 2)[2:-1]

    sizes, steps = b"".join(map(put, shape)), b"".join(map(put, strides))
    return b"".join(
        [
            *(b"\x80\x02}", put("a"), b"ctorch._utils\n_rebuild_tensor_v2\n(("),
            *(put("storage"), b"ctorch\nFloatStorage\n", put("0"), put("cpu")),
            *(put(numel), b"tQ", put(0), b"(", sizes, b"t(", steps, b"t"),
            *(put(False), b"ccollections\nOrderedDict\n)RtRs."),
        ]
    )


def _refused_in_little_memory(path, reason):
    """As above, and with less than 50 MB at its highest, where the system tells."""
    memory = Path("/proc/self/clear_refs")
    if not memory.exists():
        return _refused(path, reason)
    memory.write_text("5")  # the highest so far is forgotten
    before = _highest()
    _refused(path, reason)
    assert _highest() - before < 50 << 10
    return None


def _highest():
    """Memory of this process at its highest, in KB."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0])


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    size = 400 << 20
    content = _tensor(size // 4, (size // 4,), (1,))
    path = tmp_path / "file.pth"
    _zipped(path, content, data=bytes(size), method=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    _refused_in_little_memory(path, r"bytes would unpack to 419,43")


@pytest.mark.parametrize(
    ("numel", "shape", "strides", "reason"),
    [
        (
            10**12,
            (10**12,),
            (1,),
            r"does not match expected size|declares a tensor of shape",
        ),
        (4, (10**6, 10**6), (0, 0), r"declares a tensor of shape \(1000000, 1000000\)"),
        (4, (10**9,), (1,), "cannot be read"),
        (4, (2, 2), (-1, 1), "cannot be read"),
    ],
)
def test_a_tensor_larger_than_its_file_is_refused(
    tmp_path, numel, shape, strides, reason
):
    path = _zipped(tmp_path / "file.pth", _tensor(4, (4,), (1,)), data=bytes(16))
    assert load_checkpoint_file(path)["a"].shape == (4,)
    _zipped(path, _tensor(numel, shape, strides), data=bytes(16))
    _refused_in_little_memory(path, reason)


def test_a_tensor_made_of_a_number_is_refused(tmp_path):
    content = b"\x80\x02}X\x01\0\0\0actorch\nFloatTensor\nJ\0\0\0\x10\x85Rs."
    _refused(_zipped(tmp_path / "file.pth", content), r"declares a tensor of shape")


def _safetensors(path, header, data=b""):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"a": dict(dtype="F32", shape=[10**12], data_offsets=[0, 4 * 10**12])}, ""),
        ({"__metadata__": {"mmdgdm": "[" * 99_999}}, "RecursionError"),
        ({"__metadata__": {"mmdgdm": "[1]"}}, "to hold `meta` as a dict"),
        ({"__metadata__": {"mmdgdm": '{"dataset_meta": 3}'}}, "`dataset_meta` in"),
    ],
)
def test_odd_safetensors_are_refused(tmp_path, header, reason):
    pytest.importorskip("safetensors", reason="needs the extra `export`")
    _refused(_safetensors(tmp_path / "file.safetensors", header), reason)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"state_dict": [1]}, "weights by name as a dict with texts .* but got list"),
        ({1: torch.zeros(1)}, "weights by name"),
        ({"state_dict": {}, "meta": [1]}, "to hold `meta` as a dict"),
        ({"state_dict": {}, "meta": {"dataset_meta": "a"}}, "`dataset_meta` in"),
        ({"state_dict": {}, "meta": {"dataset_meta": {"classes": "ab"}}}, "class name"),
        ({"state_dict": {}, "meta": {"CLASSES": [1]}}, "class names as a list of tex"),
        ({"state_dict": {}, "meta": {"wsol_thresholds": [0.5]}}, "`wsol_thresholds`"),
        ({"state_dict": {}, "meta": {"wsol_thresholds": {"a": "b"}}}, "as numbers"),
        (
            {"state_dict": {}, "meta": {"wsol_thresholds": {"a": float("nan")}}},
            "as numbers",
        ),
    ],
)
def test_parts_of_another_form_are_refused(tmp_path, content, reason):
    path = tmp_path / "file.pth"
    torch.save(content, path)
    _refused(path, reason)


@pytest.mark.parametrize(
    "change",
    [
        dict(meta=dict(epoch="1", iter=1)),
        dict(meta=dict(epoch=-1, iter=1)),
        dict(optimizer=[]),
        dict(optimizer={"param_groups": [3]}),
        dict(param_schedulers=7),
        dict(param_schedulers=["a"]),
    ],
)
def test_a_state_of_another_form_is_not_resumed(change):
    wrapper = SimpleNamespace(state_dict=lambda: {"param_groups": [{"params": [0]}]})
    cfg = SimpleNamespace(pretty_text="")
    runner = SimpleNamespace(cfg=cfg, optim_wrapper=wrapper, param_schedulers=None)
    whole = dict(
        meta=dict(epoch=1, iter=1),
        message_hub={},
        optimizer={"param_groups": [{"params": [0]}]},
    )
    assert check_resume(runner, whole, source="file.pth") == ""
    with pytest.raises(CheckpointError, match=r"file\.pth"):
        check_resume(runner, {**whole, **change}, source="file.pth")
