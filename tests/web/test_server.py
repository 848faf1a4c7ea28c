"""The server of the page: what it needs, and where it listens."""

from __future__ import annotations

import os
import socket

import pytest

from mmdgdm.errors import ConfigError
from mmdgdm.web import server
from mmdgdm.web.server import open_server, open_socket


def test_a_port_in_use_is_said_in_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port} of 127\.0\.0\.1 .*in use"):
            open_socket("127.0.0.1", port)
    with pytest.raises(ConfigError, match="Expected port 70000"):
        open_socket("127.0.0.1", 70000)
    with pytest.raises(ConfigError, match=r"of no-such-host\.invalid to be free"):
        open_socket("no-such-host.invalid", 0)


def test_without_gradio_it_says_how_to_install_it(models, monkeypatch):
    monkeypatch.setattr(server, "find_spec", lambda name: None)
    with (
        pytest.raises(ConfigError, match=r'`pip install "mmdgdm\[web\]"`'),
        open_server(models, host="127.0.0.1", port=0),
    ):
        pass


def test_it_leaves_nothing_behind(models):
    pytest.importorskip("gradio", reason="needs the extra `web`")
    before = dict(os.environ)
    with open_server(models, host="127.0.0.1", port=0) as opened:
        assert opened.url.startswith("http://127.0.0.1:")
        folder = os.environ["GRADIO_TEMP_DIR"]
        assert os.path.isdir(folder)
        assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert dict(os.environ) == before
    assert not os.path.exists(folder)
