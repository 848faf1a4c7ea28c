"""Serve the page of the web demo on this machine."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import Any, NamedTuple

from mmdgdm.errors import ConfigError
from mmdgdm.web.page import CSS, build_page
from mmdgdm.web.views import Model

#: Files that are larger are refused.
MAX_UPLOAD = "20mb"
#: Browsers then refuse to ask other hosts, whatever the page says.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:"
)


class Server(NamedTuple):
    """A page that waits to be served.

    Attributes:
        url: Where it is.
        run: Serves it until the process is interrupted or ``stop`` is called.
        stop: Ends it, from another thread.
    """

    url: str
    run: Any
    stop: Any


def check_web() -> None:
    """Raise unless the extra ``web`` is installed.

    Raises:
        ConfigError: If it is not; says how to install it.
    """
    if find_spec("gradio") is None:
        raise ConfigError(
            "The web demo needs gradio, which is not installed: install it with "
            '`pip install "mmdgdm[web]"`.'
        )


def open_socket(host: str, port: int) -> socket.socket:
    """Take a port.

    Args:
        host: Name or address of this machine.
        port: The port; 0 takes a free one.

    Returns:
        The socket, bound.

    Raises:
        ConfigError: If there is no such host here, or the port is taken.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        # Newer releases of Python add the address, which stands there already.
        reason = str(getattr(error, "strerror", error)).partition(" (while")[0]
        raise ConfigError(
            f"Expected port {port} of {host} to be free, but got: {reason}. Choose "
            "another with `--port` or `--host`."
        ) from error


@contextmanager
def open_server(models: Sequence[Model], *, host: str, port: int) -> Iterator[Server]:
    """Make the page of models and take a port for it.

    Images of visitors lie in a folder of its own, which is removed at the end.

    Args:
        models: One, or several to be shown side by side.
        host: Name or address of this machine; ``"127.0.0.1"`` is seen by it alone.
        port: The port; 0 takes a free one.

    Yields:
        The server.

    Raises:
        ConfigError: If gradio is missing, the models name different classes, or the
            port is taken.
    """
    check_web()
    with ExitStack() as stack:
        place = stack.enter_context(open_socket(host, port))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mmdgdm_web_"))
        stack.enter_context(_environment(folder))
        server = _make_server(build_page(models))
        shown = f"[{host}]" if ":" in host else host
        yield Server(
            f"http://{shown}:{place.getsockname()[1]}",
            lambda: server.run(sockets=[place]),
            lambda: setattr(server, "should_exit", True),
        )


@contextmanager
def _environment(folder: str) -> Iterator[None]:
    """Let gradio keep files in a folder and report to nobody."""
    wanted = {
        "GRADIO_TEMP_DIR": folder,
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _make_server(page: Any) -> Any:
    import gradio as gr
    import uvicorn
    from fastapi import FastAPI

    theme = gr.themes.Default(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    ).set(  # the theme's own grey is too pale to be read
        block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_300"
    )
    app = gr.mount_gradio_app(
        FastAPI(),
        page,
        path="/",
        footer_links=[],
        run_history=False,
        max_file_size=MAX_UPLOAD,
        ssr_mode=False,
        enable_monitoring=False,
        theme=theme,
        css=CSS,
    )
    config = uvicorn.Config(
        app,
        log_level="critical",  # else it shows how it ends connections as errors
        headers=[("Content-Security-Policy", _POLICY)],
        # Pages that are still open hold a connection, which would keep it alive.
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)
