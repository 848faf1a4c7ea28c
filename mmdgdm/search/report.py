"""What a search leaves: a table, and the best setting as a config and as options."""

from __future__ import annotations

import csv
import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from mmengine.config import Config

from mmdgdm.utils.whole_files import whole_file, write_whole_text

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from mmdgdm.search.study import Search


def save_trials(search: Search) -> None:
    """Write all finished trials as a table, ``trials.csv`` in the search's folder.

    The columns are ``trial``, ``state`` (``complete`` or ``failed``), each key,
    ``metric: <name>`` (the score that decides), each validation score as
    ``val/<name>``, ``seconds``, ``work_dir`` and ``error``. What a trial lacks stays
    empty.

    Args:
        search: The search.
    """
    lacking = {"metrics": {}, "seconds": 0.0, "error": "interrupted before it began"}
    trials = [(t, {**lacking, **t.user_attrs}) for t in search.finished()]
    keys = list(search.space)
    # A dict keeps the order in which the names were met.
    names = list(dict.fromkeys(n for _, found in trials for n in found["metrics"]))
    head = ["trial", "state", *keys, f"metric: {search.metric}"]
    rows: list[list[Any]] = [
        [*head, *(f"val/{name}" for name in names), "seconds", "work_dir", "error"]
    ]
    for trial, found in trials:
        row: list[Any] = [trial.number, "failed" if found["error"] else "complete"]
        row += [*map(search.values(trial).get, keys), trial.value]
        row += [*map(found["metrics"].get, names), f"{found['seconds']:.1f}"]
        rows.append([*row, search.folder(trial), found["error"]])
    path = search.work_dir / "trials.csv"
    with (
        whole_file(path) as part,
        part.open("w", encoding="utf-8", newline="") as stream,
    ):
        csv.writer(stream).writerows(rows)


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


def save_best(
    search: Search, trial: FrozenTrial, *, config: Union[str, Path], options: dict
) -> dict[str, Any]:
    """Write the settings of a trial into the folder of its search.

    ``best.json`` holds ``trial``, ``metric``, ``score`` and ``values`` (by dotted
    key). ``best.py`` is a config that inherits the searched one and states only the
    difference; a list that a key enters is stated whole, since a config cannot
    inherit a part of it.

    Args:
        search: The search.
        trial: Its best trial.
        config: Path of the searched config.
        options: What ``--cfg-options`` had changed in it, by dotted key.

    Returns:
        Those options and the values of the trial.
    """
    values = search.values(trial)
    content = dict(trial=trial.number, metric=search.metric, score=trial.value)
    text = json.dumps({**content, "values": values}, indent=1)
    write_whole_text(search.work_dir / "best.json", text + "\n")
    base = Config.fromfile(config)
    changed = base.copy()
    changed.merge_from_dict({**options, **values})
    difference = Config(_difference(base.to_dict(), changed.to_dict()))
    inherited = Path(os.path.relpath(config, search.work_dir)).as_posix()
    text = f"_base_ = {inherited!r}\n\n{difference.pretty_text}"
    write_whole_text(search.work_dir / "best.py", text)
    return {**options, **values}


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
