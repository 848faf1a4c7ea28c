"""One trial of a search: a training run in a process of its own."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional, Union

from mmengine.config import Config

from mmdgdm.errors import MMDGDMError
from mmdgdm.search.check import without_test

#: What else stands in a validation's line of the log.
_NOT_METRICS = ("time", "data_time", "step")


class TrialError(MMDGDMError, RuntimeError):
    """A trial failed; the search goes on with the next one."""


class TrainingTrials:
    """Runs trials by a training script and reads their validation scores.

    The config that a trial runs has no test set.

    Args:
        cfg: The config that the trials change.
        script: Path of ``tools/train.py``.
        seed: Seed of every training run.
        timeout: Seconds after which a trial is ended; ``None`` sets no limit.
    """

    def __init__(
        self,
        cfg: Config,
        script: Union[str, Path],
        seed: int,
        timeout: Optional[float] = None,
    ) -> None:
        self.cfg = without_test(cfg)
        self.script = Path(script)
        self.seed = seed
        self.timeout = timeout
        self._running: set[subprocess.Popen] = set()
        self._cancelled = False
        self._lock = threading.Lock()

    def __call__(
        self, values: Mapping[str, Any], folder: Path
    ) -> list[dict[str, float]]:
        """Train with some settings, or go on where such a run was interrupted.

        Args:
            values: New values by dotted key.
            folder: The work dir of the run.

        Returns:
            The scores of each validation, in order.

        Raises:
            TrialError: If the run fails, takes too long or never validates. The
                message names the log.
        """
        folder.mkdir(parents=True, exist_ok=True)
        cfg = self.cfg.copy()
        cfg.merge_from_dict(dict(values))
        config = folder / "trial.py"
        cfg.dump(config)
        command = [sys.executable, str(self.script), str(config)]
        command += ["--work-dir", str(folder), "--seed", str(self.seed), "--resume"]
        log = folder / "train.log"
        code = self._run(command, log)
        if code is None:
            raise TrialError(f"took more than {self.timeout:g} seconds; see {log}")
        if code != 0:
            raise TrialError(f"{_last_line(log) or f'exit code {code}'}; see {log}")
        validations = read_validations(folder)
        if not validations:
            raise TrialError(f"the run did not validate; see {log}")
        return validations

    def cancel(self) -> None:
        """End all running trials, and start no other."""
        with self._lock:
            self._cancelled = True
            for process in self._running:
                _kill(process)

    def _run(self, command: list[str], log: Path) -> Optional[int]:
        """The exit code of a command, or ``None`` if it took too long."""
        with log.open("a", encoding="utf-8") as stream:
            with self._lock:
                if self._cancelled:
                    raise TrialError("the search was stopped")
                # A session of its own: the workers of its data loaders end with it.
                process = subprocess.Popen(
                    command,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                self._running.add(process)
            try:
                return process.wait(self.timeout)
            except subprocess.TimeoutExpired:
                return None
            finally:
                with self._lock:
                    self._running.discard(process)
                    _kill(process)


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

    They come from ``<time>/vis_data/scalars.json``, which mmengine's
    ``LocalVisBackend`` writes, one JSON object a line; lines of training have the
    key ``iter``. A resumed run has several such files.

    Args:
        folder: The work dir of the run.

    Returns:
        The metrics by name of each validation, in order.
    """
    found = []
    for path in sorted(Path(folder).glob("*/vis_data/scalars.json")):
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            if "iter" not in line:
                found.append({k: v for k, v in line.items() if k not in _NOT_METRICS})
    return found


def choose_validation(
    validations: list[dict[str, float]], metric: str, direction: str, at: str
) -> dict[str, float]:
    """The validation that counts for a trial.

    Args:
        validations: From :func:`read_validations`; all must hold the metric.
        metric: What is compared.
        direction: ``'maximize'`` or ``'minimize'``.
        at: ``'last'`` for the last validation, ``'best'`` for the one whose metric
            is best, the first such on a tie.

    Returns:
        One of the validations.

    Raises:
        TrialError: If the metric is not a finite number there.

    Example:
        >>> scores = [{"acc": 3.0}, {"acc": 5.0}, {"acc": 4.0}]
        >>> choose_validation(scores, "acc", "maximize", "best")
        {'acc': 5.0}
        >>> choose_validation(scores, "acc", "maximize", "last")
        {'acc': 4.0}
    """
    chosen = validations[-1]
    if at == "best":
        choose = max if direction == "maximize" else min
        finite = [v for v in validations if math.isfinite(v[metric])]
        chosen = choose(finite or validations, key=lambda scores: scores[metric])
    if not math.isfinite(chosen[metric]):
        raise TrialError(f"`{metric}` is {chosen[metric]}, not a finite number")
    return chosen
