"""One trial in a process of its own, with a small script in place of training."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time

import pytest
from mmengine.config import Config

from mmdgdm.search.trial import (
    CancelledTrialError,
    TrainingTrials,
    TrialError,
    read_validations,
)

pytest.importorskip("optuna", reason="needs the extra `search`")
from optuna.distributions import FloatDistribution

from mmdgdm.search.study import Search

SPACE = {"rate": FloatDistribution(0.0, 1.0)}
CFG = Config(dict(rate=0.0, test_dataloader=dict(a=1), test_cfg={}, test_evaluator={}))
#: Notes its arguments and logs two validations, the last one with the rate it got.
TRAIN = """
import json, pathlib, sys
from mmengine.config import Config
cfg = Config.fromfile(sys.argv[1])
folder = pathlib.Path(sys.argv[3])
(folder / "argv").write_text(" ".join(sys.argv[4:]))
out = folder / "20260101_000000" / "vis_data"
out.mkdir(parents=True, exist_ok=True)
lines = [dict(loss=1.0, iter=1, step=1), dict(acc=1.0, time=0.1, data_time=0.1, step=1),
         dict(loss=1.0, iter=2, step=2), dict(acc=cfg.rate, time=0.1, step=2)]
(out / "scalars.json").write_text("".join(json.dumps(line) + chr(10) for line in lines))
"""


@pytest.fixture
def make(tmp_path):
    """Makes trials of a script, called with their values and the name of a folder."""

    def make_trials(text, **more):
        script = tmp_path / "train.py"
        script.write_text(text)
        trials = TrainingTrials(CFG, script, seed=7, **more)

        def call(values, name):
            (tmp_path / name).mkdir()
            with (tmp_path / name / "train.log").open("a") as log:
                return trials(values, tmp_path / name, log)

        call.cancel = trials.cancel
        return call

    return make_trials


def test_scores_of_each_validation_are_read(make, tmp_path):
    scores = make(TRAIN)({"rate": 42.5}, "t")
    assert scores == [{"acc": 1.0}, {"acc": 42.5}]
    assert (tmp_path / "t" / "argv").read_text() == "--seed 7 --resume"


def test_the_config_of_a_trial_has_no_test_set(make, tmp_path):
    make(TRAIN)({"rate": 1.0}, "t")
    cfg = Config.fromfile(tmp_path / "t" / "trial.py")
    assert cfg.rate == 1.0
    assert cfg.test_dataloader is cfg.test_cfg is cfg.test_evaluator is None
    assert CFG.rate == 0.0
    assert CFG.test_dataloader == dict(a=1)


def test_scores_of_a_resumed_run_follow_each_other(tmp_path):
    for name, score in (("20260102_000000", 2), ("20260101_000000", 1)):
        (tmp_path / name / "vis_data").mkdir(parents=True)
        (tmp_path / name / "vis_data" / "scalars.json").write_text(
            f'{{"acc": {score}, "step": 1}}\n{{"acc'  # ended while it wrote
        )
    assert read_validations(tmp_path) == [{"acc": 1}, {"acc": 2}]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("raise SystemExit('error: no such data')", "^no such data$"),
        ("1 / 0", "^ZeroDivisionError: division by zero$"),
        ("raise SystemExit(3)", "^exit code 3$"),
        ("", "^the run did not validate$"),
    ],
)
def test_a_failed_run_tells_why(make, text, sentence):
    with pytest.raises(TrialError, match=sentence):
        make(text)({}, "t")


SLEEP = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
out = pathlib.Path(sys.argv[3]) / "child"
out.with_suffix(".new").write_text(str(child.pid))
out.with_suffix(".new").rename(out)
time.sleep(60)
"""


def is_running(pid):
    """Whether a process runs; one that waits to be collected has ended."""
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_a_run_that_takes_too_long_ends_with_its_children(make, tmp_path):
    with pytest.raises(TrialError, match="took more than 3 seconds"):
        make(SLEEP, timeout=3)({}, "t")
    pid = (tmp_path / "t" / "child").read_text()
    wait_for(lambda: not is_running(pid))


def test_cancelling_ends_running_trials_and_starts_no_other(make, tmp_path):
    trials, caught = make(SLEEP), []

    def run():
        try:
            trials({}, "t")
        except CancelledTrialError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for((tmp_path / "t" / "child").is_file)
    trials.cancel()
    thread.join(20)
    assert not thread.is_alive()
    assert len(caught) == 1
    with pytest.raises(CancelledTrialError):
        trials({}, "u")


def search_once(folder, script):
    search = Search(CFG, SPACE, folder, "acc")
    search.run(1, TrainingTrials(CFG, script, seed=0))


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_training_that_outlives_its_search_is_not_started_again(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SLEEP.replace("time.sleep(60)", "time.sleep(300)"))
    process = multiprocessing.get_context("fork").Process(
        target=search_once, args=(tmp_path, script)
    )
    process.start()
    note = tmp_path / "trials" / "0000" / "child"
    wait_for(note.is_file)
    process.kill()
    process.join()
    pid = int(note.read_text())
    assert is_running(pid)
    search, calls = Search(CFG, SPACE, tmp_path, "acc"), []

    def run(values, folder, log):
        calls.append(folder.name)
        return [{"acc": 1.0}]

    search.run(1, run)
    assert calls == []
    os.killpg(os.getpgid(pid), signal.SIGKILL)
    wait_for(lambda: not is_running(pid))

    def has_run():
        search.run(1, run)  # the other processes of the group may still be ending
        return bool(calls)

    wait_for(has_run)
    assert calls == ["0000"]
