"""The newest checkpoint that a run can be resumed from."""

from __future__ import annotations

import logging
import os
import zipfile
from pathlib import Path
from typing import Optional, Union

from mmengine.logging import print_log

from mmdgdm.errors import CheckpointError
from mmdgdm.utils.checkpoint import load_checkpoint_file

#: Names the newest checkpoint, in the output folder.
LAST_FILE = "last_checkpoint"


def find_newest_checkpoint(work_dir: Union[str, os.PathLike[str]]) -> Optional[str]:
    """Find the newest whole checkpoint of a training; the log says what is skipped.

    Candidates are the file that ``last_checkpoint`` names and all ``.pth`` files of
    that folder and of ``work_dir``, except the best ones, which hold no optimizer.

    Args:
        work_dir: Output folder of the run.

    Returns:
        The path, or ``None`` if there is no checkpoint at all.

    Raises:
        CheckpointError: If there are checkpoints but none is whole.
    """
    skipped: list[str] = []
    for path in _candidates(Path(work_dir)):
        reason = find_damage(path)
        if reason is None:
            for text in skipped:
                message = f"Skipped to resume: {text}; {path} is taken."
                print_log(message, "current", logging.WARNING)
            return str(path)
        skipped.append(reason)
    if not skipped:
        return None
    raise CheckpointError(
        f"None of the checkpoints in {work_dir} can be resumed: {'; '.join(skipped)}. "
        "Name another one (`--resume CHECKPOINT`), or start anew without `--resume`."
    )


def _candidates(work_dir: Path) -> list[Path]:
    """Checkpoints of a run, the newest first."""
    folders, named = {work_dir: None}, []
    last = work_dir / LAST_FILE
    text = last.read_text(encoding="utf-8").strip() if last.is_file() else ""
    if text:
        named.append(Path(text))
        folders[named[0].parent] = None
    found = [
        path
        for folder in folders
        for path in folder.glob("*.pth")
        if not path.name.startswith("best_")
    ]
    # Of the same age, the one that is named comes first.
    found.sort(key=lambda path: (path.stat().st_mtime, path in named), reverse=True)
    missing = [path for path in named if not path.is_file()]
    return [*missing, *found]


def find_damage(path: Path) -> Optional[str]:
    """Say why a training cannot be resumed from a checkpoint.

    Args:
        path: The file; it is read whole.

    Returns:
        The reason, or ``None`` if it can.
    """
    try:
        if zipfile.is_zipfile(path):
            # torch does not compare the check sums.
            with zipfile.ZipFile(path) as archive:
                if archive.testzip() is not None:
                    return f"{path} is damaged (a check sum is wrong)"
        checkpoint = load_checkpoint_file(path)
    except (CheckpointError, OSError, zipfile.BadZipFile) as error:
        return str(error).rstrip(".")
    if not {"meta", "message_hub", "optimizer"} <= checkpoint.keys():
        return f"{path} holds weights alone"
    return None
