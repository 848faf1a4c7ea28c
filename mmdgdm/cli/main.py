"""The console command ``mmdgdm``: the files of ``tools/``, each a command.

``mmdgdm train CONFIG`` runs the same file as ``python tools/train.py CONFIG``: in an
installed package ``tools/`` travels as ``mmdgdm/.mim/tools``. Neither torch nor
mmengine is loaded unless the tool needs it.
"""

from __future__ import annotations

import argparse
import ast
import glob
import importlib.util
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from mmdgdm.named_configs import configs_root, list_configs
from mmdgdm.version import __version__

#: Commands that are called otherwise than their file or folder.
_NAMES = {
    "eval_scoremaps": "eval",
    "prepare_data": "prepare",
    "visualization": "show",
}
#: Commands that take the name of a config.
_WITH_CONFIG = ("configs", "convert", "export", "show", "test", "train", "web")


def find_commands(folder: Path) -> dict[str, Path]:
    """The commands of a folder: its scripts, and folders of scripts.

    Args:
        folder: ``tools`` or a folder in it.

    Returns:
        Script or folder by the name of its command.
    """
    paths = [*folder.glob("*.py"), *{path.parent for path in folder.glob("*/*.py")}]
    return dict(sorted((_NAMES.get(path.stem, path.stem), path) for path in paths))


def describe(path: Path) -> str:
    """What a command does: the first line of its script, or its folder's commands."""
    if path.is_dir():
        return f"One of {', '.join(find_commands(path))}."
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def complete_words(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list:
    """What a word behind a command may become in the shell.

    Args:
        prefix: What is typed of it.
        parsed_args: The command line before it.

    Returns:
        Names of configs where the command takes one, and files.
    """
    found = glob.glob(f"{glob.escape(prefix)}*")
    words = [f"{path}/" if os.path.isdir(path) else path for path in found]
    if parsed_args.command in _WITH_CONFIG:
        words += [path.stem for path in list_configs()]
    return [word for word in words if word.startswith(prefix)]


def run_tool(path: Path, argv: Sequence[str], *, program: str) -> int:
    """Run a script by its ``main``.

    Args:
        path: The script.
        argv: Its arguments.
        program: What its messages call it.

    Returns:
        The exit code.
    """
    spec = importlib.util.spec_from_file_location(f"mmdgdm_tools_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.argv = [program, *argv]
    spec.loader.exec_module(module)
    return int(module.main(argv))


def _wrap(text: str, *, indent: int) -> str:
    """A line as wide as argparse's own; what does not fit goes below, indented."""
    width = shutil.get_terminal_size().columns - 2
    return textwrap.fill(text, width, subsequent_indent=" " * indent)


def run_command_of(folder: Path, argv: Sequence[str], *, program: str) -> int:
    """Run the command of a folder that the first argument names."""
    commands = find_commands(folder)
    width = max(map(len, commands))
    parser = argparse.ArgumentParser(
        prog=program,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="\n".join(
            _wrap(f"  {name:{width}}  {describe(path)}", indent=width + 4)
            for name, path in commands.items()
        ),
        epilog=f"`{program} COMMAND --help` tells more.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("command", choices=commands, metavar="COMMAND")
    words = parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...")
    words.completer = complete_words  # type: ignore[attr-defined]
    if "_ARGCOMPLETE" in os.environ:  # the shell asks what a word may become
        import argcomplete

        argcomplete.autocomplete(parser)
    args = parser.parse_args(argv)
    path, program = commands[args.command], f"{program} {args.command}"
    if path.is_dir():
        return run_command_of(path, args.arguments, program=program)
    return run_tool(path, args.arguments, program=program)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the console command.

    Args:
        argv: The command line; ``None`` takes the process's own.

    Returns:
        The exit code.
    """
    words = sys.argv[1:] if argv is None else argv
    return run_command_of(configs_root() / "tools", words, program="mmdgdm")
