"""Metrics as a table for people and as a file for programs."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

import numpy as np
import torch
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmdgdm.errors import ConfigError

#: The metrics that a localization result is known by, in the order shown.
FIRST_METRICS = ("Top-1 Cls", "GT-known", "Top-1 Loc", "MaxBoxAcc", "MaxBoxAccV2")
_THRESHOLD = " threshold"


def _position(item: tuple[int, str]) -> tuple[int, int]:
    place, key = item
    name = key.rpartition("/")[2]
    known = FIRST_METRICS.index(name) if name in FIRST_METRICS else len(FIRST_METRICS)
    return known, place


def _plain(value: Any) -> Any:
    """Numbers, text and lists in place of arrays and tensors; NaN becomes null."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _cell(value: Any, digits: int) -> str:
    value = _plain(value)
    if isinstance(value, float):
        return f"{value:.{digits}f}"
    if isinstance(value, (list, dict)):
        return f"{len(value)} values"
    return "nan" if value is None else str(value)


def format_metrics(metrics: Mapping[str, Any]) -> str:
    """A Markdown table of metrics in plain ASCII, never cut to a terminal's width.

    The known localization metrics come first, the others follow in their own
    order. A ``NAME threshold`` entry stands beside ``NAME``.

    Args:
        metrics: Values by name; a prefix such as ``wsol/`` is allowed.

    Returns:
        The lines of the table.

    Example:
        >>> print(format_metrics({'GT-known': 61.5, 'GT-known threshold': 0.2}))
        metric     value   threshold
        ----------------------------
        GT-known   61.50       0.200
    """
    beside = {key for key in metrics if key.removesuffix(_THRESHOLD) in metrics}
    beside = {key for key in beside if key.endswith(_THRESHOLD)}
    names = [key for key in metrics if key not in beside]
    names = [key for _, key in sorted(enumerate(names), key=_position)]
    table = Table(box=box.MARKDOWN)
    table.add_column("metric", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    if beside:
        table.add_column("threshold", justify="right", no_wrap=True)
    for name in names:
        cells = [name, _cell(metrics[name], 2)]
        if beside:
            key = name + _THRESHOLD
            cells.append(_cell(metrics[key], 3) if key in beside else "")
        table.add_row(*(Text(cell) for cell in cells))
    stream = io.StringIO()
    Console(file=stream, width=10_000, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().strip().splitlines())


def check_metrics_path(path: Union[str, Path, None]) -> None:
    """Check before a long run that its metrics can be written.

    Args:
        path: The file to be written, or ``None`` for none.

    Raises:
        ConfigError: If it does not end in ``.json`` or is a folder.
    """
    if path is not None and (Path(path).suffix != ".json" or Path(path).is_dir()):
        raise ConfigError(f"Expected `--out` to be a .json file, but got {path}.")


def save_metrics(metrics: Mapping[str, Any], path: Union[str, Path]) -> None:
    """Write metrics as one JSON object; what is not a number becomes ``null``.

    Args:
        metrics: Values by name: numbers, text, lists, arrays or tensors.
        path: The file; missing folders are made.

    Raises:
        ConfigError: If the file cannot be written.
    """
    path = Path(path)
    text = json.dumps(_plain(metrics), indent=2, allow_nan=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"Metrics cannot be written to {path} ({error}).") from error
