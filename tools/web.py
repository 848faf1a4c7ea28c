"""Show in the browser what models see in your images, on this machine alone.

Example:
    python tools/web.py
    python tools/web.py cam_resnet18_1xb32-12e_toy cam.pth \
        --second dgdm_resnet18_1xb32-12e_toy dgdm.pth

A second model, or maps of a second method (--second-cam-method), stand beside the
first. It needs the extra `web`: pip install "mmdgdm[web]"
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from mmdgdm.cli import commands
from mmdgdm.errors import ConfigError
from mmdgdm.utils.cam_methods import CAM_METHODS

if TYPE_CHECKING:
    from mmdgdm.web.views import Model


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Show in the browser what models see in your images.",
        formatter_class=commands.DefaultsFormatter,
    )
    parser.add_argument(
        "model",
        nargs="?",
        default="efficientnet-lite0",
        metavar="MODEL",
        help="a config, the name of one, a model of mmpretrain, efficientnet-lite0, or "
        "a file.onnx of tools/export.py",
    )
    parser.add_argument(
        "weights",
        nargs="?",
        metavar="CHECKPOINT",
        help="path or address of a checkpoint; else what the model names",
    )
    commands.add_cam_method(parser)
    parser.add_argument(
        "--second",
        nargs="+",
        metavar=("MODEL", "CHECKPOINT"),
        help="what stands beside it; else the same model if --second-cam-method is set",
    )
    parser.add_argument(
        "--second-cam-method",
        metavar="METHOD",
        choices=CAM_METHODS,
        help="how maps of the second are made",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="0.0.0.0 lets other machines in"
    )
    parser.add_argument("--port", type=int, default=7860, help="0 takes a free one")
    parser.add_argument("--device", help="cpu, cuda, ...; else a GPU if there is one")
    return parser.parse_args(argv)


def name_model(model: str, weights: Optional[str], cam_method: str) -> str:
    """What the page calls a model."""
    parts = [Path(model).stem if model.endswith((".py", ".onnx")) else model]
    if weights is not None:
        parts.append(Path(weights).name)
    if cam_method != "cam":
        parts.append(cam_method)
    return ", ".join(parts)


def load_models(args: argparse.Namespace) -> list[Model]:
    """Load one or two models as the command line says."""
    # Here, so that `--help` need not wait.
    from mmdgdm.apis.inference.loading import load_localizer
    from mmdgdm.web.views import Model

    first = (args.model, args.weights)
    wanted = [(*first, args.cam_method)]
    if args.second is not None and len(args.second) > 2:
        raise ConfigError(
            f"Expected `--second` with a model and its checkpoint, but got "
            f"{len(args.second)} words."
        )
    if args.second is not None or args.second_cam_method is not None:
        second = (*(args.second or first), None)[:2]
        wanted.append((*second, args.second_cam_method))
    models = []
    for model, weights, method in wanted:
        localizer = load_localizer(
            model, weights, device=args.device, cam_method=method
        )
        title = name_model(model, weights, localizer.cam_method)
        models.append(Model(title, localizer))
    return models


def serve(args: argparse.Namespace) -> None:
    """Serve the page as the command line says."""
    from mmdgdm.web.server import check_web, open_server, open_socket

    check_web()  # before the models are loaded
    open_socket(args.host, args.port).close()
    with open_server(load_models(args), host=args.host, port=args.port) as server:
        print(f"Open {server.url} in a browser; Ctrl+C ends it.", flush=True)
        # Both end the block in order: images of visitors are removed.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            server.run()


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the tool.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code.
    """
    args = parse_args(argv)
    return commands.run_command(lambda: serve(args))


if __name__ == "__main__":
    sys.exit(main())
