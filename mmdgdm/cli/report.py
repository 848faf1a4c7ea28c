"""Metrics as a table for people and as a file for programs."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmdgdm.errors import ConfigError

#: The metrics that a localization result is known by, in the order shown.
FIRST_METRICS = ("Top-1 Cls", "GT-known", "Top-1 Loc", "MaxBoxAcc", "MaxBoxAccV2")
_THRESHOLD = " threshold"
_FIXED = " (fixed)"
_FIXED_THRESHOLD = _FIXED + _THRESHOLD


def _position(item: tuple[int, str]) -> tuple[int, int]:
    place, key = item
    name = key.rpartition("/")[2]
    known = FIRST_METRICS.index(name) if name in FIRST_METRICS else len(FIRST_METRICS)
    return known, place


def _stands_beside(key: str, suffix: str, metrics: Mapping[str, Any]) -> bool:
    return key.endswith(suffix) and key.removesuffix(suffix) in metrics


def _plain(value: Any) -> Any:
    """Numbers, text and lists in place of arrays and tensors; NaN becomes null."""
    if hasattr(value, "detach"):  # a tensor; the tools for stored maps need no torch
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
    order. ``NAME threshold`` and ``NAME (fixed)`` entries stand beside ``NAME``, the
    latter under the fixed threshold if there is one only.

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
    fixed = {value for key, value in metrics.items() if key.endswith(_FIXED_THRESHOLD)}
    title = f"at {fixed.pop():g}" if len(fixed) == 1 else "fixed"
    columns = {_THRESHOLD: ("threshold", 3), _FIXED: (title, 2)}
    beside = {
        suffix: {key for key in metrics if _stands_beside(key, suffix, metrics)}
        for suffix in columns
    }
    columns = {suffix: what for suffix, what in columns.items() if beside[suffix]}
    names = [key for key in metrics if not any(key in keys for keys in beside.values())]
    names = [key for _, key in sorted(enumerate(names), key=_position)]
    table = Table(box=box.MARKDOWN)
    table.add_column("metric", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    for title, _ in columns.values():
        table.add_column(title, justify="right", no_wrap=True)
    for name in names:
        cells = [name, _cell(metrics[name], 2)]
        for suffix, (_, digits) in columns.items():
            key = name + suffix
            cells.append(_cell(metrics[key], digits) if key in beside[suffix] else "")
        table.add_row(*(Text(cell) for cell in cells))
    stream = io.StringIO()
    Console(file=stream, width=10_000, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().strip().splitlines())


def check_metrics_path(path: Union[str, Path, None], option: str = "--out") -> None:
    """Check before a long run that its metrics can be written.

    Args:
        path: The file to be written, or ``None`` for none.
        option: The option that names it, for the message.

    Raises:
        ConfigError: If it does not end in ``.json`` or is a folder.
    """
    if path is not None and (Path(path).suffix != ".json" or Path(path).is_dir()):
        raise ConfigError(f"Expected `{option}` to be a .json file, but got {path}.")


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
