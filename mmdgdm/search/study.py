"""Hyperparameter search: which settings score best on the validation set.

Optuna draws the settings and keeps what was found, so that a search can be
interrupted and continued. Nothing here reads the test set.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional, Union

from mmengine.config import Config

from mmdgdm.engine.setup.config_check import did_you_mean
from mmdgdm.errors import ConfigError
from mmdgdm.search.space import Dimension, Space, grid_settings
from mmdgdm.search.trial import TrialError, choose_validation

try:
    import filelock
    import optuna
    from optuna.storages.journal import JournalFileBackend
except ImportError as error:
    raise ImportError(
        "A search needs Optuna and filelock: install them with "
        '`pip install "mmdgdm[search]"`.'
    ) from error

#: Trains with the given values in the given folder; the scores of each validation.
RunTrial = Callable[[Mapping[str, Any], Path], list[dict[str, float]]]

_JOURNAL = "search.journal"
_CHOICES = {
    "direction": ("maximize", "minimize"),
    "sampler": ("random", "grid"),
    "at": ("last", "best"),
}


@dataclass(frozen=True)
class SearchSettings:
    """What makes a search this one and no other.

    Args:
        space: The keys and their values.
        metric: Name of the validation score that decides.
        direction: ``'maximize'`` or ``'minimize'``.
        sampler: ``'random'``, or ``'grid'`` for all combinations of choices and
            whole numbers, in an order drawn by the seed.
        at: Which validation of a run counts: ``'last'`` or ``'best'``.
        seed: Seed of the draws, and of every training run.

    Raises:
        ConfigError: If a setting is none of those named, or a space of real
            numbers meets the grid sampler.
    """

    space: Space
    metric: str = "wsol/gt_known"
    direction: str = "maximize"
    sampler: str = "random"
    at: str = "last"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"Expected `{name}` to be one of {', '.join(known)}, but got "
                    f"{getattr(self, name)!r}."
                )
        if self.sampler == "grid":
            grid_settings(self.space)

    def identity(self, cfg: Config) -> dict[str, Any]:
        """What must not change while a search goes on, as plain JSON."""
        identity = {
            "config": cfg.to_dict(),
            "space": [[k, d.kind, list(d.values)] for k, d in self.space.items()],
            **{k: getattr(self, k) for k in ("metric", *_CHOICES, "seed")},
        }
        return json.loads(json.dumps(identity, default=str))


@dataclass(frozen=True)
class TrialRecord:
    """A finished trial.

    Args:
        number: Its number, from 0 on.
        state: ``'complete'`` or ``'failed'``.
        values: The values by key.
        score: The metric that decides; ``None`` if the trial failed.
        folder: Its work dir.
        metrics: All scores of the validation that counted.
        seconds: How long it took, without what came before an interruption.
        error: Why it failed, with the path of the log; ``None`` if it did not.
    """

    number: int
    state: str
    values: dict[str, Any]
    score: Optional[float]
    folder: Path
    metrics: dict[str, float]
    seconds: float
    error: Optional[str]


class Search:
    """A search in a folder: opened, run up to a number of trials, and read.

    One process at a time may run trials in a folder.

    Args:
        cfg: The config that the trials change.
        settings: What is searched and how.
        work_dir: Folder of the search; trial 3 works in ``trials/0003``.

    Raises:
        ConfigError: If the folder holds another search, which is left as it is.
    """

    def __init__(
        self, cfg: Config, settings: SearchSettings, work_dir: Union[str, Path]
    ) -> None:
        self.settings = settings
        self.work_dir = Path(work_dir)
        self._study = _open_study(cfg, settings, self.work_dir)

    def run(
        self,
        trials: int,
        run_trial: RunTrial,
        jobs: int = 1,
        on_trial: Callable[[TrialRecord], None] = lambda record: None,
    ) -> None:
        """Run trials until there are so many in all, failed ones included.

        Interrupted trials are run first, with the settings they had.

        Args:
            trials: Number of trials of the whole search; a grid ends by itself.
            run_trial: Runs one trial. It is called from ``jobs`` threads, and
                raises :class:`~mmdgdm.search.trial.TrialError` if the trial
                fails. If it has a method ``cancel``, that is called when the
                search is broken off, and must make running calls return.
            jobs: Number of trials at a time.
            on_trial: Called after each trial, from this thread.

        Raises:
            ConfigError: If ``trials`` or ``jobs`` is below 1, no validation score has
                the name of the metric, or another process works on the folder.
        """
        for name, count in (("trials", trials), ("jobs", jobs)):
            if count < 1:
                raise ConfigError(
                    f"Expected `{name}` to be 1 or more, but got {count}."
                )
        with _only_one_process(self.work_dir):
            self._run(trials, run_trial, jobs, on_trial)

    def _run(
        self,
        trials: int,
        run_trial: RunTrial,
        jobs: int,
        on_trial: Callable[[TrialRecord], None],
    ) -> None:
        todo = self._trials_to_run(trials)
        pending: dict[Future, int] = {}
        with ThreadPoolExecutor(jobs) as pool:
            try:
                while True:
                    for number, values in itertools.islice(todo, jobs - len(pending)):
                        folder = self._folder(number)
                        task = pool.submit(_timed, run_trial, values, folder)
                        pending[task] = number
                    if not pending:
                        return
                    for task in wait(pending, return_when=FIRST_COMPLETED).done:
                        on_trial(self._finish(pending.pop(task), task))
            finally:
                if pending:
                    getattr(run_trial, "cancel", lambda: None)()

    def records(self) -> list[TrialRecord]:
        """All finished trials, in order."""
        finished = [t for t in self._study.get_trials() if t.state.is_finished()]
        return [self._record(trial) for trial in finished]

    def best(self) -> Optional[TrialRecord]:
        """The best trial, the first one on a tie; ``None`` if none succeeded."""
        scored = [r for r in self.records() if r.score is not None]
        choose = max if self.settings.direction == "maximize" else min
        return choose(scored, key=lambda r: r.score or 0.0) if scored else None

    def _folder(self, number: int) -> Path:
        return self.work_dir / "trials" / f"{number:04d}"

    def _trials_to_run(self, trials: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Number and values of interrupted trials, then of new ones."""
        state = optuna.trial.TrialState
        distributions = {k: _distribution(d) for k, d in self.settings.space.items()}
        for trial in self._study.get_trials(states=(state.RUNNING,)):
            if set(trial.params) == set(distributions):
                yield trial.number, self._decode(trial.params)
            else:
                self._note(trial.number, {}, 0.0, "interrupted before it began")
                self._study.tell(trial.number, state=state.FAIL)
        grid = self._grid()
        while True:
            known = self._study.get_trials(deepcopy=False)
            number = sum(trial.state != state.WAITING for trial in known)
            if number >= trials or (grid is not None and number >= len(grid)):
                return
            # Seeded by its number, a trial has the same values in a search that
            # was continued as in one that ran through.
            seed = random.Random(f"{self.settings.seed} {number}").getrandbits(32)
            self._study.sampler = optuna.samplers.RandomSampler(seed=seed)
            if grid is not None and number == len(known):
                self._study.enqueue_trial(self._encode(grid[number]))
            asked = self._study.ask(distributions)
            yield asked.number, self._decode(asked.params)

    def _grid(self) -> Optional[list[dict[str, Any]]]:
        if self.settings.sampler != "grid":
            return None
        grid = grid_settings(self.settings.space)
        # Shuffled, so that the first trials of a long grid are a fair sample.
        random.Random(self.settings.seed).shuffle(grid)
        return grid

    def _encode(self, values: Mapping[str, Any]) -> dict[str, Any]:
        space = self.settings.space
        return {
            k: json.dumps(v) if space[k].kind == "choice" else v
            for k, v in values.items()
        }

    def _decode(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: json.loads(params[key]) if d.kind == "choice" else params[key]
            for key, d in self.settings.space.items()
            if key in params
        }

    def _finish(self, number: int, task: Future) -> TrialRecord:
        """Store what came out of a trial."""
        validations, seconds, error = task.result()
        wanted = self.settings
        metrics: dict[str, float] = {}
        if error is None:
            _check_metric(wanted.metric, validations)
            try:
                metrics = choose_validation(
                    validations, wanted.metric, wanted.direction, wanted.at
                )
            except TrialError as failure:
                error = f"{failure}; see {self._folder(number)}"
        self._note(number, metrics, seconds, error)
        if error is None:
            self._study.tell(number, metrics[wanted.metric])
        else:
            self._study.tell(number, state=optuna.trial.TrialState.FAIL)
        return self._record(self._study.get_trials()[number])

    def _note(
        self,
        number: int,
        metrics: Mapping[str, float],
        seconds: float,
        error: Optional[str],
    ) -> None:
        noted = {"metrics": dict(metrics), "seconds": seconds, "error": error}
        self._study.set_user_attr(f"trial {number}", noted)

    def _record(self, trial: Any) -> TrialRecord:
        complete = trial.state == optuna.trial.TrialState.COMPLETE
        return TrialRecord(
            number=trial.number,
            state="complete" if complete else "failed",
            values=self._decode(trial.params),
            score=trial.value if complete else None,
            folder=self._folder(trial.number),
            **self._study.user_attrs[f"trial {trial.number}"],
        )


@contextmanager
def _only_one_process(folder: Path) -> Iterator[None]:
    # The system lets go of the lock when its process ends, however it ends.
    try:
        with filelock.FileLock(folder / "search.lock", timeout=0):
            yield
    except filelock.Timeout:
        raise ConfigError(
            f"Another process searches in {folder}: wait for it, or choose another "
            "work dir."
        ) from None


def _check_metric(metric: str, validations: list[dict[str, float]]) -> None:
    for scores in validations:
        if metric not in scores:
            raise ConfigError(
                f"Expected `metric` to be a score that validation gives, but got "
                f"`{metric}`{did_you_mean(metric, [*scores])} There are: "
                f"{', '.join(scores)}. Start again in another work dir."
            )


def _timed(
    run_trial: RunTrial, values: Mapping[str, Any], folder: Path
) -> tuple[list[dict[str, float]], float, Optional[str]]:
    """Validations, seconds and, of a failed trial, the reason."""
    start = time.perf_counter()
    try:
        return run_trial(values, folder), time.perf_counter() - start, None
    except TrialError as error:
        return [], time.perf_counter() - start, str(error)


def _distribution(dimension: Dimension) -> Any:
    distributions = optuna.distributions
    if dimension.kind == "choice":
        # As JSON text: Optuna takes no lists, and holds 1 and True for the same.
        choices = [json.dumps(value) for value in dimension.values]
        return distributions.CategoricalDistribution(choices)
    low, high = dimension.values
    if dimension.kind == "int":
        return distributions.IntDistribution(low, high)
    return distributions.FloatDistribution(
        low, high, log=dimension.kind == "log_uniform"
    )


def _open_study(cfg: Config, settings: SearchSettings, work_dir: Path) -> Any:
    work_dir.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    backend = JournalFileBackend(str(work_dir / _JOURNAL))
    study = optuna.create_study(
        storage=optuna.storages.JournalStorage(backend),
        study_name="search",
        # Of a study that is there already, its own direction stays.
        direction=optuna.study.StudyDirection[settings.direction.upper()],
        load_if_exists=True,
    )
    identity = settings.identity(cfg)
    known = study.user_attrs.get("settings")
    if known is None:
        study.set_user_attr("settings", identity)
    elif known != identity:
        changed = [key for key in identity if known.get(key) != identity[key]]
        raise ConfigError(
            f"{work_dir} holds a search with another {', '.join(changed)}: choose "
            "another work dir, or remove it."
        )
    return study
