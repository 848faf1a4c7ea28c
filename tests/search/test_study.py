"""The search itself, with a made-up trial in place of a training run."""

from __future__ import annotations

import csv
import threading

import pytest
from mmengine.config import Config

from mmdgdm.engine.setup.overrides import read_option
from mmdgdm.errors import ConfigError
from mmdgdm.search.space import Dimension
from mmdgdm.search.trial import TrialError, choose_validation

pytest.importorskip("optuna", reason="needs the extra `search`")
from mmdgdm.search.plot import plot_search
from mmdgdm.search.report import format_options, save_config, save_trials
from mmdgdm.search.study import Search, SearchSettings

CFG = Config(dict(a=0.0, b=1))
REAL = {
    "a": Dimension("a", "uniform", (0.0, 1.0)),
    "b": Dimension("b", "log_uniform", (1e-3, 1.0)),
    "c": Dimension("c", "choice", ("x", 1, True, [0, 16])),
    "d": Dimension("d", "int", (2, 4)),
}
GRID = {k: Dimension(k, "choice", (1, 2, 3)) for k in ("a", "b")}


def score_a(values, folder):
    """Validations whose last score is the value of `a`, in percent."""
    return [{"acc": 0.0, "other": 1.0}, {"acc": 100.0 * values["a"], "other": 2.0}]


def drawn(search):
    return [record.values for record in search.records()]


def test_draws_keep_to_the_space_and_to_the_types_of_its_choices(tmp_path):
    search = Search(CFG, SearchSettings(REAL, "acc"), tmp_path)
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
        settings = SearchSettings(REAL, "acc", direction)
        search = Search(CFG, settings, tmp_path / direction)
        search.run(8, score_a)
        assert search.best().score == choose(100 * v["a"] for v in drawn(search))
        assert search.best().metrics["other"] == 2.0


def test_a_continued_search_draws_what_one_that_ran_through_does(tmp_path):
    settings = SearchSettings(REAL, "acc", seed=3)
    whole = Search(CFG, settings, tmp_path / "whole")
    whole.run(6, score_a)
    for number in (2, 6, 6):
        parts = Search(CFG, settings, tmp_path / "parts")
        parts.run(number, score_a)
        assert len(parts.records()) == number
    assert drawn(parts) == drawn(whole)
    other = Search(CFG, SearchSettings(REAL, "acc", seed=4), tmp_path / "other")
    other.run(6, score_a)
    assert drawn(other) != drawn(whole)


def test_an_interrupted_trial_is_run_again_with_its_values(tmp_path):
    seen = []

    def interrupt(values, folder):
        seen.append((folder.name, dict(values)))
        if len(seen) == 2:
            raise KeyboardInterrupt
        return score_a(values, folder)

    search = Search(CFG, SearchSettings(REAL, "acc"), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        search.run(3, interrupt)
    assert len(search.records()) == 1
    again = Search(CFG, SearchSettings(REAL, "acc"), tmp_path)
    again.run(3, interrupt)
    assert [name for name, _ in seen] == ["0000", "0001", "0001", "0002"]
    assert seen[1] == seen[2]
    assert [record.state for record in again.records()] == ["complete"] * 3


def test_breaking_off_cancels_what_runs(tmp_path):
    released = threading.Event()

    class Trial:
        def __call__(self, values, folder):
            if folder.name == "0000":
                assert released.wait(20)
                raise TrialError("cancelled")
            raise KeyboardInterrupt

        def cancel(self):
            released.set()

    search = Search(CFG, SearchSettings(REAL, "acc"), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        search.run(2, Trial(), jobs=2)
    assert released.is_set()
    # Neither has failed: both are there to be run again.
    assert search.records() == []


@pytest.mark.parametrize(
    "change",
    [
        dict(cfg=Config(dict(a=0.0, b=2))),
        dict(space={**REAL, "a": Dimension("a", "uniform", (0.0, 0.9))}),
        dict(space=dict(reversed(REAL.items()))),
        dict(metric="other"),
        dict(direction="minimize"),
        dict(at="best"),
        dict(seed=1),
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_search_in_the_same_folder_is_refused(tmp_path, change):
    def start(cfg=CFG, space=REAL, metric="acc", **more):
        return Search(cfg, SearchSettings(space, metric, **more), tmp_path)

    start().run(1, score_a)
    name = "config" if "cfg" in change else next(iter(change))
    with pytest.raises(ConfigError, match=f"holds a search with another {name}:"):
        start(**change)
    assert len(start().records()) == 1


def test_one_process_at_a_time_runs_trials(tmp_path):
    search = Search(CFG, SearchSettings(REAL, "acc"), tmp_path)

    def meanwhile(values, folder):
        with pytest.raises(ConfigError, match="Another process searches in"):
            Search(CFG, SearchSettings(REAL, "acc"), tmp_path).run(9, score_a)
        return score_a(values, folder)

    search.run(2, meanwhile)
    assert [record.state for record in search.records()] == ["complete"] * 2
    search.run(3, score_a)
    assert len(search.records()) == 3


def test_a_grid_visits_each_combination_once_and_ends(tmp_path):
    settings = SearchSettings(GRID, "acc", sampler="grid")
    for number in (4, 30):
        search = Search(CFG, settings, tmp_path)
        search.run(number, score_a, jobs=2)
    pairs = [(v["a"], v["b"]) for v in drawn(search)]
    assert sorted(pairs) == [(a, b) for a in (1, 2, 3) for b in (1, 2, 3)]
    assert pairs != sorted(pairs)


def test_failed_trials_are_kept_and_the_search_goes_on(tmp_path):
    def fail(values, folder):
        if folder.name == "0001":
            raise TrialError(f"boom; see {folder}/train.log")
        scores = score_a(values, folder)
        return [{"acc": float("nan")}] if folder.name == "0002" else scores

    search = Search(CFG, SearchSettings(REAL, "acc"), tmp_path)
    search.run(4, fail)
    records = search.records()
    states = [record.state for record in records]
    assert states == ["complete", "failed", "failed", "complete"]
    assert records[1].error == f"boom; see {tmp_path}/trials/0001/train.log"
    assert "`acc` is nan, not a finite number" in records[2].error
    assert search.best().number in (0, 3)


def test_without_a_success_there_is_no_best(tmp_path):
    def fail(values, folder):
        raise TrialError("boom")

    search = Search(CFG, SearchSettings(REAL, "acc"), tmp_path)
    search.run(2, fail)
    assert search.best() is None
    plot_search(search.records(), search.settings)


def test_an_unknown_metric_lists_those_there_are(tmp_path):
    search = Search(CFG, SearchSettings(REAL, "acccc"), tmp_path)
    with pytest.raises(ConfigError, match=r"did you mean `acc`.*There are: acc, other"):
        search.run(2, score_a)


@pytest.mark.parametrize("name", ["trials", "jobs"])
def test_numbers_below_one_are_refused(tmp_path, name):
    search = Search(CFG, SearchSettings(REAL, "acc"), tmp_path)
    with pytest.raises(ConfigError, match=f"`{name}` to be 1 or more, but got 0"):
        search.run(**{"trials": 1, name: 0}, run_trial=score_a)


def test_settings_are_checked():
    with pytest.raises(
        ConfigError, match="`direction` to be one of maximize, minimize"
    ):
        SearchSettings(REAL, direction="up")
    with pytest.raises(ConfigError, match="for the grid sampler"):
        SearchSettings(REAL, sampler="grid")


def test_the_first_of_equal_best_validations_counts():
    scores = [{"m": 1.0, "n": 0}, {"m": 2.0, "n": 1}, {"m": 2.0, "n": 2}, {"m": 0.0}]
    assert choose_validation(scores, "m", "maximize", "best")["n"] == 1
    assert choose_validation(scores, "m", "minimize", "best") == {"m": 0.0}
    assert choose_validation(scores, "m", "maximize", "last") == {"m": 0.0}


def test_the_table_holds_every_trial(tmp_path):
    def trial(values, folder):
        if folder.name == "0001":
            raise TrialError("boom")
        return score_a(values, folder)

    search = Search(CFG, SearchSettings(REAL, "acc"), tmp_path)
    search.run(2, trial)
    save_trials(search.records(), "acc", tmp_path / "trials.csv")
    with (tmp_path / "trials.csv").open(newline="") as stream:
        first, second = csv.DictReader(stream)
    columns = "trial,state,a,b,c,d,metric: acc,val/acc,val/other,seconds,work_dir,error"
    assert list(first) == columns.split(",")
    assert float(first["metric: acc"]) == float(first["val/acc"])
    assert float(first["val/acc"]) == 100 * float(first["a"])
    assert (second["state"], second["error"]) == ("failed", "boom")
    assert second["metric: acc"] == second["val/other"] == ""


def test_the_plot_has_a_panel_per_key_and_one_for_the_trials(tmp_path):
    search = Search(CFG, SearchSettings(REAL, "acc"), tmp_path)
    search.run(5, score_a)
    shown = [
        a
        for a in plot_search(search.records(), search.settings).axes
        if a.get_visible()
    ]
    assert [a.get_xlabel() for a in shown] == ["trial", "a", "b", "c", "d"]
    assert shown[2].get_xscale() == "log"
    assert list(shown[1].lines[0].get_ydata()) == [r.score for r in search.records()]
    best = list(shown[0].lines[1].get_ydata())
    assert best == sorted(best)
    assert best[-1] == search.best().score


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
    values = {
        "optim_wrapper.optimizer.lr": 0.01,
        "model.stage_necks.0.sagd.scale": "mean",
        "model.head.cam_targets": ["gt"],
    }
    save_config(config, options, values, tmp_path / "best.py")
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
