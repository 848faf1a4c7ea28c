"""Training loops that go on after any batch as if nothing had happened.

mmengine 0.10 resumes at the start of an epoch, with random states of a new run, and
passes over a validation that was due when the run ended. These loops keep in the
checkpoint's ``meta['resume_state']`` what is missing: the place in the data, the random
states of every process, gradients that wait for the rest of their batches, and the
images that were left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from mmdgdm.engine.course import Course, StopRequest

#: Where the last iteration stands after which val has been run.
_VALIDATED = "iter_of_validation"
#: Counts of mmengine's message hub, which stand at the last iteration begun.
_COUNTS = ("epoch", "iter")


class _StopInValidation(Exception):  # noqa: N818  it is no error
    """Validation is broken off, since the run was asked to stop."""


class _StopHook(Hook):
    """Breaks off a validation when the run is asked to stop."""

    def __init__(self, stop: StopRequest) -> None:
        self.stop = stop

    def after_val_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        if self.stop.is_asked_here():
            raise _StopInValidation


class _Resumable:
    """What both loops share; comes before a loop of mmengine among the bases."""

    runner: Any
    dataloader: Any
    course: Course
    _iter: int
    _epoch: int
    _infos: dict[str, Any]

    def _open(self, runner: Runner, dataloader: Any) -> Any:
        if not isinstance(dataloader, DataLoader):
            differs = runner._randomness_cfg.get("diff_rank_seed", False)
            dataloader = runner.build_dataloader(
                dataloader, seed=runner.seed, diff_rank_seed=differs
            )
        self.course = Course(runner, dataloader)
        return self.course.loader

    def take_state(self, meta: Mapping[str, Any]) -> None:
        """Go on where a checkpoint stands.

        Args:
            meta: The ``meta`` of the checkpoint.

        Raises:
            CheckpointError: If it was made amid an epoch of other batches.
        """
        self.course.take_state(meta, by_epoch=isinstance(self, EpochBasedTrainLoop))
        hub = self.runner.message_hub
        self._infos = {
            key: hub.get_info(key) for key in _COUNTS if key in hub.runtime_info
        }

    def _validate_if_due(self) -> None:
        """Run val after an iteration for which it is due and has not been run."""
        hub = self.runner.message_hub
        before = hub.get_info(_VALIDATED, -1)
        if self.runner.val_loop is None or not self._is_due() or before == self._iter:
            return
        # Before val: the best checkpoint is saved at its end.
        hub.update_info(_VALIDATED, self._iter)
        with self.course.keep_states():
            try:
                self.runner.val_loop.run()
            except _StopInValidation:
                hub.update_info(_VALIDATED, before)
                self.runner.leave_validation()
                self.course.leave()

    def _is_due(self) -> bool:
        raise NotImplementedError

    def _resume(self) -> None:
        """Set the random states, or else part those of the processes.

        A validation that a kill prevented is made up for.
        """
        if self.course.set_states():
            # mmengine's hook has counted on; a validation saves them as they stood.
            for key, value in self._infos.items():
                self.runner.message_hub.update_info(key, value)
            self._decide_current_val_interval()  # type: ignore[attr-defined]
            if self.course.is_between_passes or not self.course.by_epoch:
                self._validate_if_due()
        else:
            self.course.part_ways()


class ResumableEpochLoop(_Resumable, EpochBasedTrainLoop):
    """mmengine's loop over epochs, which resumes after any batch.

    Args:
        runner: The Runner.
        dataloader: The data loader, or its config.
        **kwargs: ``max_epochs``, ``val_begin``, ``val_interval``,
            ``dynamic_intervals``.
    """

    def __init__(self, runner: Runner, dataloader: Any, **kwargs: Any) -> None:
        super().__init__(runner, self._open(runner, dataloader), **kwargs)

    def run(self) -> Any:
        """Train."""
        # Not when the loop is built, which may be amid the calls of hooks.
        self.runner.register_hook(_StopHook(self.course.stop))
        self.runner.call_hook("before_train")
        with self.course.stop.listen():
            self._resume()
            while self._epoch < self._max_epochs and not self.stop_training:
                self.run_epoch()
                self._decide_current_val_interval()
                self._validate_if_due()
                self.course.leave_if_asked(at_once=True)
        self.course.tell_left_out()
        self.runner.call_hook("after_train")
        return self.runner.model

    def run_epoch(self) -> None:
        """Train on what is left of an epoch."""
        self.runner.call_hook("before_train_epoch")
        self.runner.model.train()
        for index, batch in self.course.batches(self._epoch):
            self.run_iter(index, batch)
            self.course.leave_if_asked()
        self.runner.call_hook("after_train_epoch")
        self._epoch += 1

    def _is_due(self) -> bool:
        return (
            self._epoch > 0
            and self._epoch >= self.val_begin
            and (
                self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
            )
        )


class _Unopened:
    """Stands for a data loader, so that mmengine's loop starts no workers yet."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __iter__(self) -> Iterator[Any]:
        return iter(())


class ResumableIterLoop(_Resumable, IterBasedTrainLoop):
    """mmengine's loop over iterations, which resumes after any of them.

    Nothing is read that has been trained on already: mmengine reads it all again.

    Args:
        runner: The Runner.
        dataloader: The data loader, or its config.
        **kwargs: ``max_iters``, ``val_begin``, ``val_interval``,
            ``dynamic_intervals``.
    """

    def __init__(self, runner: Runner, dataloader: Any, **kwargs: Any) -> None:
        loader = self._open(runner, dataloader)
        super().__init__(runner, _Unopened(loader.dataset), **kwargs)
        self.dataloader = loader
        self.dataloader_iterator = self._endless()

    def _endless(self) -> Iterator[Any]:
        """The batches of one pass over the data after another."""
        number = self.course.first_pass()
        while True:
            for _, batch in self.course.batches(number):
                yield batch
            number += 1
            self.course.set_epoch(number)

    def run(self) -> Any:
        """Train."""
        # Not when the loop is built, which may be amid the calls of hooks.
        self.runner.register_hook(_StopHook(self.course.stop))
        self.runner.call_hook("before_train")
        self.runner.call_hook("before_train_epoch")
        with self.course.stop.listen():
            self._resume()
            while self._iter < self._max_iters and not self.stop_training:
                self.runner.model.train()
                self.run_iter(next(self.dataloader_iterator))
                self._decide_current_val_interval()
                self._validate_if_due()
                self.course.leave_if_asked()
        self.course.tell_left_out()
        self.runner.call_hook("after_train_epoch")
        self.runner.call_hook("after_train")
        return self.runner.model

    def _is_due(self) -> bool:
        return (
            self._iter > 0
            and self._iter >= self.val_begin
            and (self._iter % self.val_interval == 0 or self._iter == self._max_iters)
        )
