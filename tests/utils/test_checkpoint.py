"""Safe loading of checkpoints."""

from __future__ import annotations

import functools
import os
import pickle
import threading
from collections import OrderedDict
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import load_checkpoint

from mmdgdm.errors import CheckpointError
from mmdgdm.utils.checkpoint import (
    check_checkpoint_path,
    load_checkpoint_file,
    load_fetched_checkpoint,
    use_safe_checkpoint_loader,
)


class _Call:
    """Pickles as a call of any function."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


class _Filled:
    """Pickles as a call of any function whose result is then filled with a state."""

    def __init__(self, function, args, state):
        self.parts = (function, args, state)

    def __reduce__(self):
        return self.parts


#: mmengine's own: no test has run yet when this is imported.
PLAIN_LOADERS = OrderedDict(CheckpointLoader._schemes)


@pytest.fixture
def loaders():
    """Put mmengine's loaders back afterwards."""
    before = CheckpointLoader._schemes
    http = mmengine_checkpoint.load_from_http
    CheckpointLoader._schemes = OrderedDict(PLAIN_LOADERS)
    yield CheckpointLoader._schemes
    CheckpointLoader._schemes = before
    mmengine_checkpoint.load_from_http = http


def _save(folder: Path, content) -> Path:
    path = folder / "file.pth"
    torch.save(content, path)
    return path


def test_log_history_of_mmengine_loads_with_its_statistics(tmp_path):
    history = HistoryBuffer([1.0, 2.0, 6.0], [1, 1, 1])
    loaded = load_checkpoint_file(_save(tmp_path, {"message_hub": {"loss": history}}))
    buffer = loaded["message_hub"]["loss"]
    assert isinstance(buffer, HistoryBuffer)
    assert buffer.mean() == 3.0
    assert buffer.statistics("max") == 6.0
    buffer.update(11.0)
    assert buffer.mean() == 5.0


@pytest.mark.parametrize("dtype", ["?", "u1", "i4", ">i8", "f2", "f4", "f8"])
def test_arrays_and_scalars_of_numbers_load(tmp_path, dtype):
    array = np.asfortranarray(np.arange(6).reshape(2, 3).astype(dtype))
    loaded = load_checkpoint_file(_save(tmp_path, {"a": array, "s": array[0, 1]}))
    np.testing.assert_array_equal(loaded["a"], array)
    assert loaded["a"].dtype == array.dtype.newbyteorder("=")
    assert loaded["s"] == array[0, 1]
    assert type(loaded["s"]) is type(array[0, 1])


def test_loaded_arrays_are_saved_as_plain_arrays(tmp_path):
    loaded = load_checkpoint_file(_save(tmp_path, {"a": np.arange(3)}))
    again = _save(tmp_path, loaded)
    assert b"mmdgdm" not in again.read_bytes()
    np.testing.assert_array_equal(load_checkpoint_file(again)["a"], [0, 1, 2])


def test_state_dict_keeps_its_order_and_metadata(tmp_path):
    state = torch.nn.Linear(2, 3).state_dict()
    loaded = load_checkpoint_file(_save(tmp_path, state))
    assert list(loaded) == ["weight", "bias"]
    assert loaded._metadata == state._metadata


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (os.system, r"posix\.system"),
        (eval, "eval"),
        (exec, "exec"),
        (pickle.loads, r"pickle\.loads"),
        (np.load, r"numpy\.load"),
        (torch.load, r"torch\.serialization\.load"),
    ],
)
def test_foreign_function_is_refused_by_name_and_does_not_run(tmp_path, function, name):
    target = tmp_path / "ran"
    argument = f"touch '{target}'" if function is os.system else f"open('{target}','w')"
    path = _save(tmp_path, {"state_dict": _Call(function, argument)})
    with pytest.raises(CheckpointError, match=rf"file\.pth is refused.*{name}"):
        load_checkpoint_file(path)
    assert not target.exists()


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (HistoryBuffer, "register_statistics"),
        (HistoryBuffer, "__init__"),
        (HistoryBuffer, "__globals__"),
        (torch.Tensor, "mean"),
        ("text", "format"),
    ],
)
def test_getattr_gives_the_four_statistics_only(tmp_path, owner, name):
    path = _save(tmp_path, {"x": _Call(getattr, owner, name)})
    with pytest.raises(CheckpointError, match=r"builtins\.getattr\(.*" + name):
        load_checkpoint_file(path)


def test_forged_dtype_is_refused(tmp_path):
    forged = (3, "<", None, ("x",), {"x": (np.dtype("f8"), 0)}, 8, 8, 63)
    dtype = _Filled(np.dtype, ("f8", False, True), forged)
    with pytest.raises(CheckpointError, match=r"numpy\.dtype\(structured\)"):
        load_checkpoint_file(_save(tmp_path, {"x": dtype}))


@pytest.mark.parametrize(
    "array",
    [np.array([print], dtype=object), np.array(["a"]), np.zeros(2, dtype="i4,f4")],
    ids=["objects", "text", "records"],
)
def test_arrays_of_other_things_than_numbers_are_refused(tmp_path, array):
    with pytest.raises(CheckpointError, match=r"file\.pth is refused"):
        load_checkpoint_file(_save(tmp_path, {"x": array}))


def test_array_type_cannot_be_called(tmp_path):
    path = _save(tmp_path, {"x": _Call(np.ndarray, (2,), "O")})
    with pytest.raises(CheckpointError, match=r"refused.*numpy\.ndarray"):
        load_checkpoint_file(path)


def test_foreign_class_is_refused_by_name(tmp_path):
    path = _save(tmp_path, {"x": SimpleNamespace(a=1)})
    with pytest.raises(CheckpointError, match=r"types\.SimpleNamespace"):
        load_checkpoint_file(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"no\.pth does not exist"):
        load_checkpoint_file(tmp_path / "no.pth")


def test_folder_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"to be a file, but .* is a folder"):
        load_checkpoint_file(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"not a checkpoint", b"\x80\x02}q\x00X", b"PK\x03\x04 cut off", bytes(200)],
)
def test_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "damaged.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"damaged\.pth cannot be read \(.+\)"):
        load_checkpoint_file(path)


def test_truncated_checkpoint_is_named(tmp_path):
    path = _save(tmp_path, {"x": torch.zeros(1000)})
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CheckpointError, match=r"file\.pth cannot be read"):
        load_checkpoint_file(path)


def test_other_content_than_a_dict_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match=r"to hold a dict of weights.*list"):
        load_checkpoint_file(_save(tmp_path, [1, 2]))


def test_addresses_are_not_looked_up_on_the_disk():
    check_checkpoint_path("https://example.org/a.pth")


def test_mmengine_uses_the_safe_loader_only_once_it_is_switched_on(tmp_path, loaders):
    path = str(_save(tmp_path, {"log": HistoryBuffer([1.0], [1])}))
    assert CheckpointLoader._schemes[""] is mmengine_checkpoint.load_from_local
    use_safe_checkpoint_loader()
    loaded = CheckpointLoader.load_checkpoint(path)
    assert loaded["log"].current() == 1.0


def test_switching_on_twice_changes_nothing(loaders):
    use_safe_checkpoint_loader()
    once = dict(CheckpointLoader._schemes)
    use_safe_checkpoint_loader()
    assert dict(CheckpointLoader._schemes) == once


def test_loading_leaves_no_trace_in_the_process(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    before = set(torch.serialization.get_safe_globals())
    load_checkpoint_file(_save(tmp_path, {"log": HistoryBuffer([1.0], [1])}))
    assert set(torch.serialization.get_safe_globals()) == before
    assert os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] == "1"
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


def test_a_global_that_the_user_allowed_stays_allowed(tmp_path):
    with torch.serialization.safe_globals([HistoryBuffer]):
        load_checkpoint_file(_save(tmp_path, {"log": HistoryBuffer([1.0], [1])}))
        assert HistoryBuffer in torch.serialization.get_safe_globals()


def test_downloads_are_restricted_too(tmp_path, loaders, monkeypatch):
    use_safe_checkpoint_loader()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    # Without the option this one would make torch run the pickle.
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    target = tmp_path / "ran"
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    torch.save({"x": _Call(os.system, f"touch '{target}'")}, cache / "bad.pth")
    torch.save({"log": HistoryBuffer([1.0], [1])}, cache / "good.pth")
    with pytest.raises(CheckpointError, match=r"https://.*bad\.pth is refused"):
        CheckpointLoader.load_checkpoint("https://example.org/bad.pth")
    assert not target.exists()
    good = CheckpointLoader.load_checkpoint("https://example.org/good.pth")
    assert good["log"].current() == 1.0


def test_a_download_that_fails_says_what_to_do(loaders, monkeypatch):
    def refuse(*_, **__):
        raise URLError("refused")

    CheckpointLoader.register_scheme(("http://", "https://"), refuse, force=True)
    use_safe_checkpoint_loader()
    message = (
        r"https://.*\.pth cannot be downloaded \(URLError: .*refused.*name the file"
    )
    with pytest.raises(CheckpointError, match=message):
        CheckpointLoader.load_checkpoint("https://example.org/far.pth")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder, and the address at which a server on this machine offers it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    folder = tmp_path / "site"
    folder.mkdir()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _shared_zeros(folder):
    """A file of some hundred bytes that stands for 4 TB, as of one number repeated."""
    return torch.save({"x": torch.zeros(1).expand(10**12)}, folder / "large.pth")


def test_what_a_server_sends_is_checked_as_a_local_file_is(site, loaders, monkeypatch):
    folder, address = site
    _shared_zeros(folder)
    torch.save({"x": torch.ones(2)}, folder / "good.pth")
    use_safe_checkpoint_loader()
    with pytest.raises(CheckpointError, match=r"http://\S+/large\.pth .*\(10{12},\)"):
        CheckpointLoader.load_checkpoint(f"{address}/large.pth")
    zoo = {"good": f"{address}/good.pth", "large": f"{address}/large.pth"}
    monkeypatch.setattr(mmengine_checkpoint, "get_torchvision_models", lambda: zoo)
    assert CheckpointLoader.load_checkpoint("torchvision://good")["x"].tolist() == [
        1,
        1,
    ]
    with pytest.raises(CheckpointError, match="declares a tensor"):
        CheckpointLoader.load_checkpoint("torchvision://large")


def test_a_file_is_downloaded_once_and_a_missing_one_leaves_nothing(site):
    folder, address = site
    _save(folder, {"x": torch.ones(2)})
    load_fetched_checkpoint(f"{address}/file.pth")
    (folder / "file.pth").unlink()
    assert load_fetched_checkpoint(f"{address}/file.pth")["x"].tolist() == [1, 1]
    with pytest.raises(CheckpointError, match=r"gone\.pth cannot be downloaded"):
        load_fetched_checkpoint(f"{address}/gone.pth")
    kept = [path.name for path in (folder.parent / "home").rglob("*.*")]
    assert kept == ["file.pth"]


def test_unknown_name_of_a_model_zoo_is_an_error(loaders):
    use_safe_checkpoint_loader()
    with pytest.raises(CheckpointError, match=r"openmmlab://nothing cannot be read"):
        CheckpointLoader.load_checkpoint("openmmlab://nothing")


def test_weights_reach_the_model_through_mmengine(tmp_path, loaders):
    use_safe_checkpoint_loader()
    saved, fresh = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    path = _save(tmp_path, {"state_dict": saved.state_dict(), "meta": {}})
    load_checkpoint(fresh, str(path))
    assert torch.equal(fresh.weight, saved.weight)
