"""One trial of a search: a training run in a process of its own."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, TextIO, Union

from mmengine.config import Config

from mmdgdm.engine.setup.config_check import did_you_mean
from mmdgdm.errors import ConfigError, MMDGDMError
from mmdgdm.utils.training_logs import read_scalars

#: What trials and their checks leave out of a config.
NO_TEST = dict.fromkeys(("test_dataloader", "test_cfg", "test_evaluator"))
#: What else stands in a validation's line of the log.
_NOT_METRICS = ("time", "data_time", "step")


class TrialError(MMDGDMError, RuntimeError):
    """A trial failed; the search goes on with the next one."""


class CancelledTrialError(MMDGDMError, RuntimeError):
    """A trial was ended with the search, and can go on where it was."""


@dataclass
class TrainingTrials:
    """Runs trials by a training script, from a config without its test set.

    Args:
        cfg: The config that the trials change.
        script: Path of ``tools/train.py``.
        seed: Seed of every training run.
        timeout: Seconds after which a trial is ended; ``None`` sets no limit.
    """

    cfg: Config
    script: Union[str, Path]
    seed: int
    timeout: Optional[float] = None

    def __post_init__(self) -> None:
        self._running: set[subprocess.Popen] = set()
        self._cancelled = False
        self._lock = threading.Lock()

    def __call__(
        self, values: Mapping[str, Any], folder: Path, log: TextIO
    ) -> list[dict[str, float]]:
        """Train with some settings, or go on where such a run was interrupted.

        Args:
            values: New values by dotted key.
            folder: The work dir of the run.
            log: File that takes what the run prints.

        Returns:
            The scores of each validation, in order.

        Raises:
            TrialError: If the run fails, takes too long or never validates.
            CancelledTrialError: If :meth:`cancel` was called.
        """
        cfg = self.cfg.copy()
        cfg.merge_from_dict({**values, **NO_TEST})
        cfg.dump(folder / "trial.py")
        command = [sys.executable, str(self.script), str(folder / "trial.py")]
        command += ["--work-dir", str(folder), "--seed", str(self.seed), "--resume"]
        code = self._run(command, log)
        if code is None:
            raise TrialError(f"took more than {self.timeout:g} seconds")
        if code != 0:
            raise TrialError(_last_line(Path(log.name)) or f"exit code {code}")
        validations = read_validations(folder)
        if not validations:
            raise TrialError("the run did not validate")
        return validations

    def cancel(self) -> None:
        """End all running trials, and start no other."""
        with self._lock:
            self._cancelled = True
            for process in self._running:
                _kill(process)

    def _run(self, command: list[str], log: TextIO) -> Optional[int]:
        """The exit code of a command, or ``None`` if it took too long."""
        with self._lock:
            if self._cancelled:
                raise CancelledTrialError
            # A session of its own: the workers of its data loaders end with it.
            process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
            self._running.add(process)
        code = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(self.timeout)
        with self._lock:
            self._running.discard(process)
            _kill(process)
            if self._cancelled:
                raise CancelledTrialError
        return code


def _kill(process: subprocess.Popen) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_line(log: Path) -> str:
    """The tool's own error if there is one, else the last line of a traceback."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    lines = [line.strip() for line in lines if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines or [""])[-1].removeprefix("error: ")


def read_validations(folder: Union[str, Path]) -> list[dict[str, float]]:
    """Read the scores of all validations of a run.

    They come from what the training logged
    (:func:`mmdgdm.utils.training_logs.read_scalars`).

    Args:
        folder: The work dir of the run.

    Returns:
        The metrics by name of each validation, in order.
    """
    return [
        {name: value for name, value in line.items() if name not in _NOT_METRICS}
        for line in read_scalars(folder)
        if "iter" not in line
    ]


def choose_validation(
    validations: list[dict[str, float]], metric: str, *, direction: str, at: str
) -> dict[str, float]:
    """The validation that counts for a trial.

    Args:
        validations: From :func:`read_validations`.
        metric: What is compared.
        direction: ``'maximize'`` or ``'minimize'``.
        at: ``'last'`` for the last validation, ``'best'`` for the one whose metric
            is best, the first such on a tie.

    Returns:
        One of the validations.

    Raises:
        ConfigError: If a validation has no such metric.
        TrialError: If the metric is not a finite number there.

    Example:
        >>> scores = [{"acc": 3.0}, {"acc": 5.0}, {"acc": 4.0}]
        >>> choose_validation(scores, "acc", direction="maximize", at="best")
        {'acc': 5.0}
    """
    for scores in validations:
        if metric not in scores:
            raise ConfigError(
                f"Expected `metric` to be a score that validation gives, but got "
                f"`{metric}`{did_you_mean(metric, [*scores])} There are: "
                f"{', '.join(scores)}. Start again in another work dir."
            )
    chosen = validations[-1]
    if at == "best":
        choose = max if direction == "maximize" else min
        finite = [v for v in validations if math.isfinite(v[metric])]
        chosen = choose(finite or validations, key=lambda scores: scores[metric])
    if not math.isfinite(chosen[metric]):
        raise TrialError(f"`{metric}` is {chosen[metric]}, not a finite number")
    return chosen
