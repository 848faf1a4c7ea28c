"""Logs of trainings, with their resumed parts."""

from __future__ import annotations

import json

import pytest

from mmdgdm.errors import DataError
from mmdgdm.utils.training_logs import read_training


def write_log(folder, part, lines):
    path = folder / part / "vis_data" / "scalars.json"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_what_was_trained_twice_counts_once(tmp_path):
    first = [dict(loss=3.0, epoch=1, iter=5, step=5, time=1.0)]
    first += [dict(loss=2.0, epoch=1, iter=10, step=10)]
    first += [{"wsol/gt_known": 40.0, "step": 1}]
    first += [dict(loss=9.0, epoch=2, iter=15, step=15)]
    write_log(tmp_path, "20260101", first)
    second = [dict(loss=1.0, epoch=2, iter=15, step=15)]
    second += [dict(loss=0.5, epoch=2, iter=20, step=20)]
    second += [{"wsol/gt_known": 50.0, "step": 2}]
    write_log(tmp_path, "20260102", second)
    log = read_training(tmp_path, "mine")
    assert (log.name, log.unit) == ("mine", "epoch")
    assert log.train == {"loss": ([0.5, 1.0, 1.5, 2.0], [3.0, 2.0, 1.0, 0.5])}
    assert log.val == {"wsol/gt_known": ([1.0, 2.0], [40.0, 50.0])}


def test_trainings_by_iterations(tmp_path):
    write_log(tmp_path / "run", "1", [dict(loss=3.0, iter=5, step=5)])
    log = read_training(tmp_path / "run")
    assert (log.name, log.unit, log.train["loss"]) == ("run", "iteration", ([5], [3]))


def test_what_is_no_training(tmp_path):
    with pytest.raises(DataError, match="to be the folder of a training"):
        read_training(tmp_path)
    write_log(tmp_path, "1", [dict(loss=3.0, iter=5)])
    with pytest.raises(DataError, match=r"scalars\.json, line 1: .* with `step`"):
        read_training(tmp_path)
