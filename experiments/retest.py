"""Test the checkpoints that ``experiments/methods.py`` left, in another way."""

from __future__ import annotations

import json
from pathlib import Path

from methods import call, config_of


def retest(
    data: str, method: str, folder: Path, name: str, options: list[str], split: str
) -> dict[str, float]:
    """Test one run once more.

    Args:
        data: Key of ``methods.DATA``.
        method: Name of the method.
        folder: Folder of its run, with ``last_checkpoint``.
        name: Name of the file of scores, without ending.
        options: Pairs for ``--cfg-options``.
        split: ``"val"`` or ``"test"``.

    Returns:
        The scores that are numbers.
    """
    if not (folder / "last_checkpoint").is_file():
        raise SystemExit(
            f"error: {folder} holds no checkpoint: run experiments/methods.py first"
        )
    checkpoint = (folder / "last_checkpoint").read_text().strip()
    out = folder / f"{name}.json"
    command = ["tools/test.py", config_of(data, method), checkpoint, "--split", split]
    command += ["--work-dir", folder / name, "--out", out, "--cfg-options", *options]
    call(command, folder / "log.txt")
    scores = json.loads(out.read_text())
    return {key: value for key, value in scores.items() if isinstance(value, float)}
