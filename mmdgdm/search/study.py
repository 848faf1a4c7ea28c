"""Hyperparameter search: which settings score best on the validation set.

Optuna draws the settings and keeps what was found, so that a search can be
interrupted, continued and helped by other processes. Nothing here reads the test set.
"""

from __future__ import annotations

import fcntl
import json
import math
import random
import time
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Callable, Optional, TextIO, Union

import optuna
from mmengine.config import Config
from optuna import samplers
from optuna.distributions import distribution_to_json
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from mmdgdm.errors import ConfigError
from mmdgdm.search.space import Space, decode, list_values
from mmdgdm.search.trial import TrialError, choose_validation
from mmdgdm.utils.argument_checks import check_choice, check_positive_int

#: Trains with the given values in the given folder, prints to the given file, and
#: gives the scores of each validation.
RunTrial = Callable[[Mapping[str, Any], Path, TextIO], list[dict[str, float]]]

#: The names that a setting may have; the first is the default.
CHOICES = {
    "sampler": ("random", "tpe", "qmc", "grid"),
    "direction": ("maximize", "minimize"),
    "at": ("last", "best"),
}


@dataclass
class Search:
    """A search in a folder: opened, run up to a number of trials, and read.

    Several processes may run trials in one folder at a time. Optuna's ``study`` holds
    the trials; each finished one has the user attributes ``metrics`` (all scores of
    the validation that counted), ``seconds`` (without what came before an
    interruption) and ``error`` (why it failed, with the path of the log, or ``None``).

    Args:
        cfg: The config that the trials change.
        space: From :func:`mmdgdm.search.space.read_space`.
        work_dir: Folder of the search; trial 3 works in ``trials/0003``.
        metric: Name of the validation score that decides.
        direction: ``'maximize'`` or ``'minimize'``.
        sampler: ``'random'``, ``'tpe'`` (draws near what scored well), ``'qmc'`` (a
            scrambled Sobol sequence, which covers the space evenly) or ``'grid'``
            (all combinations, in an order drawn by the seed).
        at: Which validation of a run counts: ``'last'`` or ``'best'``.
        seed: Seed of the draws, and of every training run.

    Raises:
        ConfigError: If a setting is none of those named, the grid sampler meets a
            range without steps, or the folder holds another search.
    """

    cfg: Config
    space: Space
    work_dir: Path
    metric: str = "wsol/gt_known"
    direction: str = "maximize"
    sampler: str = "random"
    at: str = "last"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            check_choice(name, getattr(self, name), choices=known)
        self._size = math.inf
        if self.sampler == "grid":
            self._size = math.prod(map(len, list_values(self.space).values()))
        self.work_dir.mkdir(parents=True, exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        backend = JournalFileBackend(str(self.work_dir / "search.journal"))
        with self._locked():
            # A study that is there already keeps its direction.
            self.study = optuna.create_study(
                storage=JournalStorage(backend),
                study_name="search",
                direction=StudyDirection[self.direction.upper()],
                load_if_exists=True,
            )
            self._check_identity()

    def _check_identity(self) -> None:
        own = {
            "config": self.cfg.to_dict(),
            "space": [[k, distribution_to_json(d)] for k, d in self.space.items()],
            **{name: getattr(self, name) for name in ("metric", *CHOICES, "seed")},
        }
        own = json.loads(json.dumps(own, default=str))
        known = self.study.user_attrs.get("settings")
        if known is None:
            self.study.set_user_attr("settings", own)
        elif known != own:
            changed = [name for name in own if known.get(name) != own[name]]
            raise ConfigError(
                f"{self.work_dir} holds a search with another {', '.join(changed)}: "
                "choose another work dir, or remove it."
            )

    def run(
        self,
        trials: int,
        run_trial: RunTrial,
        *,
        jobs: int = 1,
        on_trial: Callable[[FrozenTrial], None] = lambda trial: None,
    ) -> None:
        """Run trials until there are so many in all, failed ones included.

        Interrupted trials are run first, with the settings they had.

        Args:
            trials: Number of trials of the whole search; a grid ends by itself.
            run_trial: Runs one trial, in one of ``jobs`` threads. It raises
                :class:`~mmdgdm.search.trial.TrialError` if the trial fails. Its
                method ``cancel``, if it has one, is called when the search is broken
                off, and must make running calls raise another error.
            jobs: Number of trials at a time.
            on_trial: Called after each trial, never twice at a time.

        Raises:
            ConfigError: If ``trials`` or ``jobs`` is below 1, or no validation score
                has the name of the metric.
        """
        check_positive_int("trials", trials)
        check_positive_int("jobs", jobs)
        stopped = Event()

        def work() -> None:
            while not stopped.is_set():
                with self._locked():
                    claimed = self._claim(trials)
                if claimed is None:
                    return
                trial, log = claimed
                with log:
                    self._run_trial(trial, log, run_trial)
                    with self._locked():
                        on_trial(self.study.get_trials()[trial.number])

        with ThreadPoolExecutor(jobs) as pool:
            try:
                for task in as_completed([pool.submit(work) for _ in range(jobs)]):
                    task.result()
            except BaseException:
                stopped.set()
                getattr(run_trial, "cancel", lambda: None)()
                raise

    def finished(self) -> list[FrozenTrial]:
        """All finished trials, in order."""
        return [t for t in self.study.get_trials() if t.state.is_finished()]

    def best(self) -> Optional[FrozenTrial]:
        """The best trial, the first one on a tie; ``None`` if none succeeded."""
        scored = self.study.get_trials(states=(TrialState.COMPLETE,))
        return self.study.best_trial if scored else None

    def values(self, trial: Union[Trial, FrozenTrial]) -> dict[str, Any]:
        """The values of a trial by dotted key."""
        return decode(self.space, trial.params)

    def folder(self, trial: Union[Trial, FrozenTrial]) -> Path:
        """The work dir of a trial."""
        return self.work_dir / "trials" / f"{trial.number:04d}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One thread of all processes at a time."""
        with (self.work_dir / "search.lock").open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def _claim(self, trials: int) -> Optional[tuple[Trial, TextIO]]:
        """An interrupted trial or a new one, with its log; ``None`` at the end."""
        for known in self.study.get_trials(states=(TrialState.RUNNING,)):
            try:
                log = self._open_log(known, fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # it runs, here or in another process
            if set(known.params) == set(self.space):
                return Trial(self.study, known._trial_id), log
            with log:  # interrupted before it had all its values
                self.study.tell(known.number, state=TrialState.FAIL)
        number = len(self.study.get_trials(deepcopy=False))
        if number >= min(trials, self._size):
            return None
        drawing = optuna.load_study(
            study_name="search",
            storage=self.study._storage,
            sampler=self._make_sampler(number),
        )
        trial = drawing.ask(self.space)
        return trial, self._open_log(trial)

    def _make_sampler(self, number: int) -> samplers.BaseSampler:
        """Seeded by the trial's number, so that a continued search draws as a whole.

        The grid and the Sobol sequence keep their place in the storage.
        """
        own = random.Random(f"{self.seed} {number}").getrandbits(32)
        if self.sampler == "grid":
            return samplers.GridSampler(list_values(self.space), seed=self.seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if self.sampler == "tpe":
                return samplers.TPESampler(seed=own, constant_liar=True)
            first = samplers.RandomSampler(seed=own)
            if self.sampler == "random":
                return first
            return samplers.QMCSampler(
                scramble=True, seed=self.seed, independent_sampler=first
            )

    def _open_log(self, trial: Union[Trial, FrozenTrial], flags: int = 0) -> TextIO:
        """The log of a trial, locked while this process or its training is alive."""
        self.folder(trial).mkdir(parents=True, exist_ok=True)
        log = (self.folder(trial) / "train.log").open("a", encoding="utf-8")
        try:
            fcntl.flock(log, fcntl.LOCK_EX | flags)
        except OSError:
            log.close()
            raise
        return log

    def _run_trial(self, trial: Trial, log: TextIO, run_trial: RunTrial) -> None:
        start, metrics, error = time.perf_counter(), {}, None
        try:
            validations = run_trial(self.values(trial), self.folder(trial), log)
            metrics = choose_validation(
                validations, self.metric, direction=self.direction, at=self.at
            )
        except TrialError as failure:
            error = f"{failure}; see {log.name}"
        trial.set_user_attr("metrics", metrics)
        trial.set_user_attr("seconds", time.perf_counter() - start)
        trial.set_user_attr("error", error)
        state = TrialState.FAIL if error else TrialState.COMPLETE
        self.study.tell(trial, metrics.get(self.metric), state)
