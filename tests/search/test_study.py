"""The search itself, with a made-up trial in place of a training run."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import signal
import threading
import time

import cv2
import pytest
from mmengine.config import Config

from mmdgdm.engine.setup.overrides import read_option
from mmdgdm.errors import ConfigError
from mmdgdm.search.trial import CancelledTrialError, TrialError, choose_validation

pytest.importorskip("optuna", reason="needs the extra `search`")
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from mmdgdm.search.plot import save_plots
from mmdgdm.search.report import format_options, save_best, save_trials
from mmdgdm.search.study import Search

CFG = Config(dict(a=0.0, b=1))
REAL = {
    "a": FloatDistribution(0.0, 1.0),
    "b": FloatDistribution(1e-3, 1.0, log=True),
    "c": CategoricalDistribution([json.dumps(c) for c in ("x", 1, True, [0, 16])]),
    "d": IntDistribution(2, 4),
}
GRID = {
    "a": IntDistribution(1, 3),
    "b": FloatDistribution(0.0, 0.2, step=0.1),
    "c": CategoricalDistribution(['"x"', "null"]),
}


def score_a(values, folder, log):
    """Validations whose last score is the value of `a`, in percent."""
    return [{"acc": 0.0, "other": 1.0}, {"acc": 100.0 * values["a"], "other": 2.0}]


def drawn(search):
    return [search.values(trial) for trial in search.finished()]


def test_draws_keep_to_the_space_and_to_the_types_of_its_choices(tmp_path):
    search = Search(CFG, REAL, tmp_path, "acc")
    search.run(40, score_a)
    values = drawn(search)
    assert len(values) == 40
    assert all(0 <= v["a"] <= 1 and 1e-3 <= v["b"] <= 1 for v in values)
    assert {v["d"] for v in values} == {2, 3, 4}
    assert {repr(v["c"]) for v in values} == {"'x'", "1", "True", "[0, 16]"}
    # Half of a log-uniform draw lies below the geometric mean of its bounds.
    assert 10 <= sum(v["b"] < 1e-3**0.5 for v in values) <= 30


def test_the_best_is_the_best_of_all(tmp_path):
    for direction, choose in (("maximize", max), ("minimize", min)):
        search = Search(CFG, REAL, tmp_path / direction, "acc", direction)
        search.run(8, score_a)
        best = search.best()
        assert best.value == choose(100 * v["a"] for v in drawn(search))
        assert best.user_attrs["metrics"] == {"acc": best.value, "other": 2.0}


def test_the_first_of_equal_trials_is_the_best(tmp_path):
    search = Search(CFG, REAL, tmp_path, "other")
    search.run(3, score_a)
    assert search.best().number == 0


@pytest.mark.parametrize("sampler", ["random", "tpe", "qmc", "grid"])
def test_a_continued_search_draws_what_one_that_ran_through_does(tmp_path, sampler):
    space = GRID if sampler == "grid" else REAL
    settings = dict(metric="acc", sampler=sampler)
    whole = Search(CFG, space, tmp_path / "whole", **settings, seed=3)
    whole.run(14, score_a)
    for number in (2, 13, 14, 14):
        parts = Search(CFG, space, tmp_path / "parts", **settings, seed=3)
        parts.run(number, score_a)
        assert len(parts.finished()) == number
    assert drawn(parts) == drawn(whole)
    assert len({repr(values) for values in drawn(whole)}) == 14
    other = Search(CFG, space, tmp_path / "other", **settings, seed=4)
    other.run(14, score_a)
    assert drawn(other) != drawn(whole)


def test_tpe_draws_near_what_scored_well(tmp_path):
    space = {"a": REAL["a"]}
    search = Search(CFG, space, tmp_path, "acc", sampler="tpe")
    search.run(40, score_a)
    late = [values["a"] for values in drawn(search)[20:]]
    assert sum(late) / len(late) > 0.8


def test_quasi_random_draws_cover_the_space_evenly(tmp_path):
    space = {"a": REAL["a"], "b": FloatDistribution(0.0, 1.0)}
    search = Search(CFG, space, tmp_path, "acc", sampler="qmc")
    search.run(9, score_a)
    # Eight points of a Sobol sequence: one in each eighth, along both axes.
    for key in space:
        eighths = [int(8 * values[key]) for values in drawn(search)[1:]]
        assert sorted(eighths) == list(range(8))


@pytest.mark.parametrize("sampler", ["random", "tpe", "qmc"])
def test_draws_are_not_repeated_while_all_trials_fail(tmp_path, sampler):
    def fail(values, folder, log):
        raise TrialError("boom")

    for number in (2, 4):
        search = Search(CFG, REAL, tmp_path, "acc", sampler=sampler)
        search.run(number, fail)
    assert len({values["a"] for values in drawn(search)}) == 4


def test_an_interrupted_trial_is_run_again_with_its_values(tmp_path):
    seen = []

    def interrupt(values, folder, log):
        seen.append((folder.name, dict(values)))
        if len(seen) == 2:
            raise KeyboardInterrupt
        return score_a(values, folder, log)

    search = Search(CFG, REAL, tmp_path, "acc")
    with pytest.raises(KeyboardInterrupt):
        search.run(3, interrupt)
    assert len(search.finished()) == 1
    again = Search(CFG, REAL, tmp_path, "acc")
    again.run(3, interrupt)
    assert [name for name, _ in seen] == ["0000", "0001", "0001", "0002"]
    assert seen[1] == seen[2]
    assert all(trial.value is not None for trial in again.finished())


def test_breaking_off_cancels_what_runs(tmp_path):
    released = threading.Event()

    class Trial:
        def __call__(self, values, folder, log):
            if folder.name == "0000":
                assert released.wait(20)
                raise CancelledTrialError
            raise KeyboardInterrupt

        def cancel(self):
            released.set()

    search = Search(CFG, REAL, tmp_path, "acc")
    with pytest.raises(KeyboardInterrupt):
        search.run(2, Trial(), jobs=2)
    assert released.is_set()
    # Neither has failed: both are there to be run again.
    assert search.finished() == []


@pytest.mark.parametrize(
    "change",
    [
        dict(cfg=Config(dict(a=0.0, b=2))),
        dict(space={**REAL, "a": FloatDistribution(0.0, 0.9)}),
        dict(space=dict(reversed(REAL.items()))),
        dict(metric="other"),
        dict(direction="minimize"),
        dict(sampler="tpe"),
        dict(at="best"),
        dict(seed=1),
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_search_in_the_same_folder_is_refused(tmp_path, change):
    def start(cfg=CFG, space=REAL, metric="acc", **more):
        return Search(cfg, space, tmp_path, metric, **more)

    start().run(1, score_a)
    name = "config" if "cfg" in change else next(iter(change))
    with pytest.raises(ConfigError, match=f"holds a search with another {name}:"):
        start(**change)
    assert len(start().finished()) == 1


def help_search(folder):
    """Run trials in a process of its own, slowly enough that others run meanwhile."""

    def slow(values, folder, log):
        time.sleep(0.05)
        return score_a({"a": values["a"] / 100}, folder, log)

    Search(CFG, GRID, folder, "acc", sampler="grid").run(99, slow, jobs=2)


@pytest.fixture
def start():
    """Starts a process that does not share this one's threads and open files."""
    started = []

    def start_process(target, *arguments):
        process = multiprocessing.get_context("fork").Process(
            target=target, args=arguments
        )
        process.start()
        started.append(process)
        return process

    yield start_process
    for process in started:
        process.kill()
        process.join()


def test_processes_share_a_search_and_no_draw_is_made_twice(tmp_path, start):
    processes = [start(help_search, tmp_path) for _ in range(3)]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    search = Search(CFG, GRID, tmp_path, "acc", sampler="grid")
    every = [(a, b, c) for a in (1, 2, 3) for b in (0.0, 0.1, 0.2) for c in ("x", None)]
    made = [tuple(values.values()) for values in drawn(search)]
    assert sorted(made, key=repr) == sorted(every, key=repr)
    # In an order of its own, so that the first trials are a fair sample.
    assert made != every
    assert [trial.number for trial in search.finished()] == list(range(18))


def train_forever(folder):
    def sleep(values, folder, log):
        log.write("begun\n")
        log.flush()
        time.sleep(60)

    Search(CFG, REAL, folder, "acc").run(1, sleep)


def test_a_trial_is_taken_over_once_its_process_is_dead(tmp_path, start):
    process = start(train_forever, tmp_path)
    log = tmp_path / "trials" / "0000" / "train.log"
    end = time.monotonic() + 30
    while not (log.is_file() and log.read_text()):
        assert time.monotonic() < end
        time.sleep(0.02)
    search = Search(CFG, REAL, tmp_path, "acc")
    (running,) = search.study.get_trials()
    search.run(2, score_a)
    assert [trial.number for trial in search.finished()] == [1]
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    search.run(2, score_a)
    assert [trial.number for trial in search.finished()] == [0, 1]
    assert search.finished()[0].params == running.params


def test_a_trial_that_was_interrupted_before_its_draw_has_failed(tmp_path):
    search = Search(CFG, REAL, tmp_path, "acc")
    search.study.ask({"a": REAL["a"]})
    search.run(2, score_a)
    save_trials(search)
    with (tmp_path / "trials.csv").open(newline="") as stream:
        first, second = csv.DictReader(stream)
    assert (first["state"], first["error"]) == ("failed", "interrupted before it began")
    assert second["state"] == "complete"


def test_failed_trials_are_kept_and_the_search_goes_on(tmp_path):
    def fail(values, folder, log):
        if folder.name == "0001":
            raise TrialError("boom")
        scores = score_a(values, folder, log)
        return [{"acc": float("nan")}] if folder.name == "0002" else scores

    search = Search(CFG, REAL, tmp_path, "acc")
    search.run(4, fail)
    errors = [trial.user_attrs["error"] for trial in search.finished()]
    logs = [tmp_path / "trials" / f"{number:04d}" / "train.log" for number in range(4)]
    nan = "`acc` is nan, not a finite number"
    assert errors == [None, f"boom; see {logs[1]}", f"{nan}; see {logs[2]}", None]
    assert [trial.value is None for trial in search.finished()] == list(
        map(bool, errors)
    )
    assert search.best().number in (0, 3)


def test_without_a_success_there_is_no_best(tmp_path):
    def fail(values, folder, log):
        raise TrialError("boom")

    search = Search(CFG, REAL, tmp_path, "acc")
    search.run(2, fail)
    assert search.best() is None
    save_plots(search)
    assert not list(tmp_path.glob("*.png"))


def test_an_unknown_metric_lists_those_there_are(tmp_path):
    search = Search(CFG, REAL, tmp_path, "acccc")
    with pytest.raises(ConfigError, match=r"did you mean `acc`.*There are: acc, other"):
        search.run(2, score_a)


@pytest.mark.parametrize("name", ["trials", "jobs"])
def test_numbers_below_one_are_refused(tmp_path, name):
    search = Search(CFG, REAL, tmp_path, "acc")
    with pytest.raises(ConfigError, match=f"`{name}` to be a whole number >= 1"):
        search.run(**{"trials": 1, name: 0}, run_trial=score_a)


def test_settings_are_checked(tmp_path):
    with pytest.raises(
        ConfigError, match="`direction` to be one of 'maximize', 'minimize'"
    ):
        Search(CFG, REAL, tmp_path / "s", direction="up")
    with pytest.raises(
        ConfigError, match="`a` to be `choice`, `int` or `uniform` with"
    ):
        Search(CFG, REAL, tmp_path / "s", sampler="grid")
    assert not (tmp_path / "s").exists()


def test_the_first_of_equal_best_validations_counts():
    scores = [{"m": 1.0, "n": 0}, {"m": 2.0, "n": 1}, {"m": 2.0, "n": 2}, {"m": 0.0}]
    assert choose_validation(scores, "m", direction="maximize", at="best")["n"] == 1
    assert choose_validation(scores, "m", direction="minimize", at="best") == {"m": 0.0}
    assert choose_validation(scores, "m", direction="maximize", at="last") == {"m": 0.0}


def test_the_table_holds_every_trial(tmp_path):
    def trial(values, folder, log):
        if folder.name == "0001":
            raise TrialError("boom")
        return score_a(values, folder, log)

    search = Search(CFG, REAL, tmp_path, "acc")
    search.run(2, trial)
    save_trials(search)
    with (tmp_path / "trials.csv").open(newline="") as stream:
        first, second = csv.DictReader(stream)
    columns = "trial,state,a,b,c,d,metric: acc,val/acc,val/other,seconds,work_dir,error"
    assert list(first) == columns.split(",")
    assert float(first["metric: acc"]) == float(first["val/acc"])
    assert float(first["val/acc"]) == 100 * float(first["a"])
    assert second["state"] == "failed"
    assert second["error"] == f"boom; see {second['work_dir']}/train.log"
    assert second["metric: acc"] == second["val/other"] == ""


@pytest.mark.parametrize("trials", [1, 12])
def test_plots_are_written_from_the_first_score_on(tmp_path, trials, recwarn):
    search = Search(CFG, REAL, tmp_path, "acc")
    search.run(trials, score_a)
    save_plots(search)
    names = {"history", "slices"} | ({"importances"} if trials > 1 else set())
    assert {path.stem for path in tmp_path.glob("*.png")} == names
    assert all(cv2.imread(str(path)) is not None for path in tmp_path.glob("*.png"))
    assert not recwarn.list


def test_ticks_and_names_of_keys_do_not_collide(tmp_path, monkeypatch):
    """Nothing that is written beneath a panel of the slices overlaps another text."""
    from matplotlib.figure import Figure

    keys = ["model.stage_necks.0.sagd.drop_threshold", "optim_wrapper.optimizer.lr"]
    choices = [json.dumps(text) for text in ("layer1.1", "layer4.1", "layer4.1.conv2")]
    space = {
        keys[0]: FloatDistribution(0.75, 0.98),
        keys[1]: FloatDistribution(2e-3, 1e-2, log=True),
        "model.stage_necks.0.after": CategoricalDistribution(choices),
    }
    boxes = []

    def save(figure, path, **options):
        figure.canvas.draw()
        for axes in figure.axes if path.stem == "slices" else ():
            boxes.append(axes.xaxis.label.get_window_extent())
            ticks = axes.get_xticklabels(which="both")
            found = [tick.get_window_extent() for tick in ticks if tick.get_text()]
            # Those beyond the ends of the axis are not drawn.
            boxes.extend(
                b for b in found if axes.bbox.x0 < b.x1 and b.x0 < axes.bbox.x1
            )

    monkeypatch.setattr(Figure, "savefig", save)
    search = Search(CFG, space, tmp_path, "acc")
    search.run(12, lambda values, folder, log: [{"acc": 1e3 * values[keys[1]]}])
    save_plots(search)
    assert len(boxes) > 9
    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
    assert not any(a.overlaps(b) for a, b in pairs)


def test_options_say_what_the_command_line_reads():
    values = {
        "a.0.b": 0.25,
        "c": 1e-05,
        "d": None,
        "e": True,
        "f": "plain",
        "g": [0, 16],
    }
    text = format_options(values)
    words = [word.strip("'") for word in text.split()]
    parsed = dict(word.split("=", 1) for word in words)
    assert {k: read_option(k, v) for k, v in parsed.items()} == values


def test_the_best_config_inherits_and_states_the_difference(repo_root, tmp_path):
    config = repo_root / "configs/dgdm/dgdm_resnet18_1xb32-12e_toy.py"
    options = {"train_cfg.max_epochs": 3}
    space = {
        "optim_wrapper.optimizer.lr": FloatDistribution(0.01, 0.01),
        "model.stage_necks.0.sagd.scale": CategoricalDistribution(['"plain"']),
        "model.head.cam_targets": CategoricalDistribution(['["gt"]']),
    }
    values = dict(zip(space, (0.01, "plain", ["gt"])))
    search = Search(CFG, space, tmp_path, "acc")
    search.run(1, lambda values, folder, log: [{"acc": 5.0}])
    given = save_best(search, search.best(), config=config, options=options)
    assert given == {**options, **values}
    told = json.loads((tmp_path / "best.json").read_text())
    assert told == dict(trial=0, metric="acc", score=5.0, values=values)
    expected = Config.fromfile(config)
    expected.merge_from_dict({**options, **values})
    assert Config.fromfile(tmp_path / "best.py").to_dict() == expected.to_dict()
    stated = {}
    text = (tmp_path / "best.py").read_text()
    exec(text, stated)
    assert stated["_base_"].endswith("dgdm_resnet18_1xb32-12e_toy.py")
    assert stated["optim_wrapper"] == dict(optimizer=dict(lr=0.01))
    assert stated["train_cfg"] == dict(max_epochs=3)
    assert "train_dataloader" not in stated
    assert "test_dataloader" not in stated
