"""Where a training stands in its data, and when it is asked to stop."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, Optional

import torch
from mmengine.dist import (
    all_gather_object,
    all_reduce,
    barrier,
    get_rank,
    get_world_size,
)
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmdgdm.engine.data_order import (
    STOP_SIGNALS,
    Batch,
    ResumableBatchSampler,
    make_resumable,
)
from mmdgdm.engine.random_states import (
    seed_random_states,
    set_random_states,
    take_random_states,
)
from mmdgdm.errors import CheckpointError, StoppedError
from mmdgdm.utils.whole_files import write_whole_text

#: Where the state stands in the ``meta`` of a checkpoint.
STATE_KEY = "resume_state"
#: Lists the images that were left out, in the output folder.
LEFT_OUT_FILE = "left_out_images.txt"
#: Several processes ask each other so many iterations apart.
_ASK_EVERY = 10


class StopRequest:
    """Whether a signal asked this process to save and leave."""

    def __init__(self) -> None:
        self.number: Optional[int] = None
        #: Shared with the workers of the data loader.
        self.is_listening = multiprocessing.RawValue("b", 0)
        self._iterations = 0

    @contextlib.contextmanager
    def listen(self) -> Iterator[None]:
        """Inside, SIGTERM and SIGUSR1 ask to stop and do nothing else."""
        if threading.current_thread() is not threading.main_thread():
            yield  # Python hands signals to the main thread alone
            return
        owner = os.getpid()

        def ask(number: int, frame: Any) -> None:
            if os.getpid() == owner:
                self.number = number
                return
            # A process that was forked from this one ends as it would have.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

        before = {number: signal.signal(number, ask) for number in STOP_SIGNALS}
        self.is_listening.value = 1
        try:
            yield
        finally:
            self.is_listening.value = 0
            for number, handler in before.items():
                signal.signal(number, handler)

    def is_asked_here(self) -> bool:
        """Whether this process, being the only one, is asked."""
        return self.number is not None and get_world_size() == 1

    def is_asked(self, *, at_once: bool = False) -> bool:
        """Whether any process is asked; all of them ask in the same iterations.

        Args:
            at_once: Whether several processes ask each other in any case.

        Returns:
            The same in every process.
        """
        if get_world_size() == 1:
            return self.number is not None
        self._iterations += 1
        if not at_once and self._iterations % _ASK_EVERY:
            return False
        device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
        asked = torch.tensor([int(self.number is not None)], device=device)
        all_reduce(asked, op="sum")
        return bool(asked.item())

    @property
    def name(self) -> str:
        """The signal, or what stands for that of another process."""
        return "a signal" if self.number is None else signal.Signals(self.number).name


class Course:
    """The batches of a training, and what a checkpoint must say of them.

    Args:
        runner: The Runner.
        loader: The data loader of training.
    """

    def __init__(self, runner: Runner, loader: DataLoader) -> None:
        self.runner = runner
        self.stop = StopRequest()
        self.loader = make_resumable(loader, self.stop.is_listening)
        self.by_epoch = True
        #: Image and reason of what was left out, with how often.
        self.left_out: Counter[tuple[str, str]] = Counter()
        self._pass = 0
        self._done = 0
        #: Random states at the start of this pass.
        self._start: Optional[dict[str, Any]] = None
        #: Random states that a validation must not touch.
        self._kept: Optional[dict[str, Any]] = None
        #: That of a checkpoint, until the first batch.
        self._saved: Optional[dict[str, Any]] = None

    @property
    def is_between_passes(self) -> bool:
        """Whether no batch of the pass has been trained on yet."""
        return self._done == 0

    def first_pass(self) -> int:
        """The pass that comes first, and the samplers are told so."""
        self.set_epoch(self._pass)
        return self._pass

    def set_epoch(self, number: int) -> None:
        """Tell the samplers of the data loader which pass comes next."""
        for sampler in (self.loader.sampler, self._sampler):
            if hasattr(sampler, "set_epoch"):
                sampler.set_epoch(number)

    @property
    def _sampler(self) -> Any:
        return getattr(self.loader.batch_sampler, "sampler", None)

    def batches(self, number: int) -> Iterator[tuple[int, Any]]:
        """The batches of a pass that have not been trained on.

        Args:
            number: Number of the pass, from 0.

        Yields:
            Number in the pass, and data.
        """
        saved, self._saved = self._saved, None
        done = self._done if number == self._pass else 0
        self._pass, self._done = number, done
        now = take_random_states()
        self._start = (saved or {}).get("start", now) if done else now
        set_random_states(self._start)
        sampler = self.loader.batch_sampler
        if isinstance(sampler, ResumableBatchSampler):
            sampler.open((self.runner.seed, self.runner.rank, number), done)
        # What the pass draws first it draws from the states of its start.
        batches = iter(self.loader)
        if done:
            set_random_states(now)
        for index, batch in enumerate(batches, start=done):
            self._done = index + 1
            yield index, self._note_left_out(batch)
        self._pass, self._done = number + 1, 0

    def _note_left_out(self, batch: Any) -> Any:
        if not isinstance(batch, Batch):
            return batch
        for image in batch.left_out:
            key = (image.image_id, image.reason)
            if not self.left_out[key]:
                self.runner.logger.warning(f"An image is left out: {image.reason}")
            self.left_out[key] += 1
        return batch.data

    # What a checkpoint holds.

    def states_now(self) -> dict[str, Any]:
        """The state of this process at this moment."""
        state: dict[str, Any] = {
            "now": self._kept or take_random_states(),
            "sampler_seed": getattr(self._sampler, "seed", None),
            "left_out": [(*key, count) for key, count in self.left_out.items()],
            "gradients": self._waiting_gradients(),
        }
        if self._done:
            state["start"] = self._start
        return state

    @contextlib.contextmanager
    def keep_states(self) -> Iterator[None]:
        """Inside, nothing that is drawn touches the random states of training.

        A validation draws other numbers where its workers are started than where they
        wait from the one before.
        """
        # One number is drawn all the same, as a loader without workers does: runs
        # end as they did before validation was set apart.
        torch.empty((), dtype=torch.int64).random_()
        self._kept = take_random_states()
        try:
            yield
        finally:
            set_random_states(self._kept)
            self._kept = None

    def make_state(self) -> dict[str, Any]:
        """Gather the states of all processes; all of them must call it.

        Returns:
            What :meth:`take_state` goes on from.
        """
        return {
            "pass": self._pass,
            "done": self._done,
            **self._batches_facts(),
            "processes": all_gather_object(self.states_now()),
        }

    def _batches_facts(self) -> dict[str, Any]:
        return {
            "batch_size": getattr(self.loader.batch_sampler, "batch_size", None),
            "num_batches": len(self.loader),
            "world_size": get_world_size(),
        }

    def _waiting_gradients(self) -> dict[str, torch.Tensor]:
        """Gradients of an accumulated batch that has not been stepped on."""
        wrapper = self.runner.optim_wrapper
        if not isinstance(wrapper, OptimWrapper) or wrapper.should_update():
            return {}
        return {
            name: weight.grad.detach().cpu().clone()
            for name, weight in self.runner.model.named_parameters()
            if weight.grad is not None
        }

    def take_state(self, meta: Mapping[str, Any], *, by_epoch: bool) -> None:
        """Go on where a checkpoint stands; see the loops."""
        self.by_epoch = by_epoch
        state = meta.get(STATE_KEY)
        warn = self.runner.logger.warning
        if state is None:
            self._take_place(meta)
            warn(
                "The checkpoint holds no random states, being of an older release or "
                "of mmengine's own Runner: the run goes on, but not bit for bit as "
                "without a break."
            )
            return
        facts = self._batches_facts()
        differs = [
            f"{key} {state[key]} (now {value})"
            for key, value in facts.items()
            if state[key] != value
        ]
        if not differs:
            self._pass, self._done = state["pass"], state["done"]
            self._saved = state["processes"][self.runner.rank]
            self._take_left_out([self._saved])
            return
        if by_epoch and state["done"]:
            raise CheckpointError(
                f"The checkpoint was saved after {state['done']} of "
                f"{state['num_batches']} batches of an epoch and can be resumed with "
                f"the same batches alone, but these differ: {', '.join(differs)}; set "
                "them back, or resume from a checkpoint of a whole epoch."
            )
        # Each process would else take the same list, which then counts double.
        self._take_left_out(state["processes"] if self.runner.rank == 0 else [])
        self._pass, self._done = state["pass"] + bool(state["done"]), 0
        warn(
            f"These differ from the checkpoint: {', '.join(differs)}. A new pass over "
            "the data starts, with random numbers of its own."
        )

    def _take_place(self, meta: Mapping[str, Any]) -> None:
        """Find the place in the data from the numbers of epoch and iteration."""
        length = len(self.loader)
        if not self.by_epoch:
            self._pass, self._done = divmod(meta["iter"], length)
            return
        self._pass = meta["epoch"]
        done = meta["iter"] - meta["epoch"] * length
        if not 0 <= done <= length:
            done = 0
        self._done = done

    def _take_left_out(self, states: list[dict[str, Any]]) -> None:
        for state in states:
            for image_id, reason, count in state["left_out"]:
                self.left_out[image_id, reason] += count

    def set_states(self) -> bool:
        """Set what :meth:`take_state` took, except what the next pass draws first.

        Returns:
            Whether there was anything to set.
        """
        saved = self._saved
        if saved is None:
            return False
        if saved["sampler_seed"] is not None and hasattr(self._sampler, "seed"):
            self._sampler.seed = saved["sampler_seed"]
        for name, weight in self.runner.model.named_parameters():
            if name in saved["gradients"]:
                weight.grad = saved["gradients"][name].to(weight.device)
        set_random_states(saved["now"])
        where = f"batch {self._done} of pass {self._pass + 1}"
        self.runner.logger.info(f"Order of data and random states go on at {where}.")
        return True

    def part_ways(self) -> None:
        """Let each process draw numbers of its own; the first one draws as one alone.

        mmengine seeds all processes alike, so that they would erase the same places.
        """
        if get_rank() > 0:
            seed_random_states(self.runner.seed, get_rank(), self.runner.iter)

    # Leaving.

    def leave_if_asked(self, *, at_once: bool = False) -> None:
        """Save and leave if a signal asked for it.

        Raises:
            StoppedError: If the run is left.
        """
        if self.stop.is_asked(at_once=at_once):
            self.leave()

    def leave(self) -> NoReturn:
        """Save and leave, all processes together.

        Raises:
            StoppedError: Always.
        """
        path = self.runner.save_stop()
        barrier()
        raise StoppedError(
            f"{self.stop.name} asked to stop after iteration {self.runner.iter}: "
            f"all is saved in {path}, and `--resume` goes on from there."
        )

    def tell_left_out(self) -> None:
        """List at the end what was left out, of all processes."""
        gathered: Counter[tuple[str, str]] = Counter()
        for part in all_gather_object(dict(self.left_out)):
            gathered.update(part)
        if not gathered or self.runner.rank != 0:
            return
        lines = [f"{image}\t{n}\t{why}" for (image, why), n in sorted(gathered.items())]
        path = os.path.join(self.runner.work_dir, LEFT_OUT_FILE)
        write_whole_text(path, "\n".join(["image\ttimes\treason", *lines, ""]))
        self.runner.logger.warning(
            f"{len(lines)} images could not be read and were left out of the training, "
            f"{sum(gathered.values())} times together; {path} lists them."
        )
