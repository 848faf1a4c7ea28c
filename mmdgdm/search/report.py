"""What a search leaves: a table, and the best setting as a config and as options."""

from __future__ import annotations

import csv
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union

from mmengine.config import Config

from mmdgdm.search.study import TrialRecord


def save_trials(
    records: Sequence[TrialRecord], metric: str, path: Union[str, Path]
) -> None:
    """Write all trials as a table.

    The columns are ``trial``, ``state``, each key, ``metric`` (the score that
    decides), each validation score as ``val/<name>``, ``seconds``, ``work_dir`` and
    ``error``. What a trial lacks stays empty.

    Args:
        records: From :meth:`mmdgdm.search.study.Search.records`; at least one.
        metric: Name of the score that decides, to stand in the head of its column.
        path: The file, in CSV.
    """
    # A dict keeps the order in which the names were met.
    keys = dict.fromkeys(key for r in records for key in r.values)
    names = dict.fromkeys(name for r in records for name in r.metrics)
    head = ["trial", "state", *keys, f"metric: {metric}"]
    head += [*(f"val/{name}" for name in names), "seconds", "work_dir", "error"]
    rows = [
        [
            *(r.number, r.state, *(r.values.get(key) for key in keys), r.score),
            *(r.metrics.get(name) for name in names),
            *(f"{r.seconds:.1f}", r.folder, r.error),
        ]
        for r in records
    ]
    with Path(path).open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([head, *rows])


def format_options(values: Mapping[str, Any]) -> str:
    """Write settings as arguments of ``--cfg-options``, quoted for a shell.

    Args:
        values: Values by dotted key.

    Returns:
        ``KEY=VALUE`` pairs.

    Example:
        >>> format_options({"model.a.0.rate": 0.5, "sizes": [0, 16], "x": None})
        "model.a.0.rate=0.5 'sizes=[0,16]' x=None"
    """
    return " ".join(shlex.quote(f"{key}={_option(v)}") for key, v in values.items())


def _option(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{','.join(_option(item) for item in value)}]"
    return str(value)


def save_best(record: TrialRecord, metric: str, path: Union[str, Path]) -> None:
    """Write the best trial for programs: ``trial``, ``metric``, ``score``, ``values``.

    Args:
        record: The trial.
        metric: Name of the score that decides.
        path: The file, in JSON; ``values`` maps dotted keys to their values.
    """
    content = {
        "trial": record.number,
        "metric": metric,
        "score": record.score,
        "values": record.values,
    }
    Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def save_config(
    config: Union[str, Path],
    options: Mapping[str, Any],
    values: Mapping[str, Any],
    path: Union[str, Path],
) -> None:
    """Write a config that inherits another one and states only the difference.

    A list of the config that a key enters is stated whole, since a config cannot
    inherit a part of it.

    Args:
        config: The config to inherit.
        options: What ``--cfg-options`` had changed in it, by dotted key.
        values: The settings to add, by dotted key.
        path: The file to write, in Python.
    """
    base = Config.fromfile(config)
    changed = base.copy()
    changed.merge_from_dict({**options, **values})
    difference = Config(_difference(base.to_dict(), changed.to_dict()))
    inherited = os.path.relpath(config, Path(path).parent)
    Path(path).write_text(
        f"_base_ = {Path(inherited).as_posix()!r}\n\n{difference.pretty_text}",
        encoding="utf-8",
    )


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            inner = _difference(before, value)
            if inner:
                found[key] = inner
        elif key not in old or repr(value) != repr(before):
            found[key] = value
    return found
