"""The order of the data and its random numbers, from any batch on.

mmengine 0.10 seeds the workers of a data loader once, so that their random numbers
depend on all that was drawn before. Here those of an image follow from its place: the
seed, the process, the pass over the data, the batch and the number in it. A resumed
run starts at any batch and draws the same, whatever the number of workers.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Optional

import torch
from torch.utils.data import DataLoader

from mmdgdm.engine.random_states import seed_random_states
from mmdgdm.errors import DataError
from mmdgdm.utils.samples import Unreadable

#: What asks a training run to save and leave.
STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name)
)


class SeededBatch(list):
    """Indices of a batch; who reads them draws each image's own random numbers."""

    def __init__(self, indices: list, place: tuple[int, ...]) -> None:
        super().__init__(indices)
        self.place = place

    def __iter__(self) -> Iterator[Any]:
        for slot, index in enumerate(super().__iter__()):
            seed_random_states(*self.place, slot)
            yield index

    def __reduce__(self) -> Any:
        # Pickled by its items, it would seed the process that sends it.
        return type(self), (list(super().__iter__()), self.place)


class ResumableBatchSampler:
    """A batch sampler that can start after any number of batches.

    Args:
        batch_sampler: The one that it stands for.
        is_seeded: Whether each image gets its own random numbers. It does in workers;
            in the process that trains, all numbers come from one stream.
    """

    def __init__(self, batch_sampler: Any, is_seeded: bool) -> None:
        self.batch_sampler = batch_sampler
        self.is_seeded = is_seeded
        self._opened: tuple[tuple[int, ...], int, Optional[list], Any] = (
            (),
            0,
            None,
            iter(()),
        )

    @property
    def sampler(self) -> Any:
        """The sampler, which hooks tell the epoch."""
        return self.batch_sampler.sampler

    @property
    def batch_size(self) -> Optional[int]:
        """Images of a batch."""
        return getattr(self.batch_sampler, "batch_size", None)

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def open(self, place: tuple[int, ...], skip: int) -> None:
        """Start a pass over the data; a sampler draws its order here, not later.

        Args:
            place: Seed, process and number of the pass.
            skip: Batches that are left out.
        """
        batches = iter(self.batch_sampler)
        for _ in range(skip):
            next(batches, None)
        self._opened = (place, skip, next(batches, None), batches)

    def __iter__(self) -> Iterator[list]:
        # torch asks for several iterators and advances the last one alone.
        place, number, batch, batches = self._opened
        while batch is not None:
            # A batch may be read by a worker, long before it is trained on.
            yield SeededBatch(batch, (*place, number)) if self.is_seeded else batch
            batch, number = next(batches, None), number + 1


@dataclass
class Batch:
    """A batch, and the images that were left out of it as unreadable."""

    data: Any
    left_out: list[Unreadable]

    def pin_memory(self) -> Batch:
        """Pin the data for a faster copy to a GPU; called by torch."""
        from torch.utils.data._utils.pin_memory import pin_memory

        return Batch(pin_memory(self.data), self.left_out)


def _collate_readable(collate: Callable[[list], Any], samples: list) -> Batch:
    left_out = [sample for sample in samples if isinstance(sample, Unreadable)]
    if len(left_out) == len(samples):
        raise DataError(
            f"None of the {len(samples)} images of a batch can be read, so there is "
            f"nothing to train on; the first: {left_out[0].reason}"
        )
    kept = [sample for sample in samples if not isinstance(sample, Unreadable)]
    return Batch(collate(kept), left_out)


def _start_worker(
    start: Optional[Callable[[int], None]], is_training: Any, worker: int
) -> None:
    """Start a worker that outlives requests to stop while training listens to them.

    A cluster signals all processes of a job. The one that trains still needs batches
    until it has saved, and then ends its workers itself.
    """

    def pass_over(number: int, frame: Any) -> None:
        if not is_training.value:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in STOP_SIGNALS:
        signal.signal(number, pass_over)
    if start is not None:
        start(worker)


def make_resumable(loader: DataLoader, is_training: Any) -> DataLoader:
    """Build a data loader anew that can start after any number of batches.

    Args:
        loader: The data loader of training.
        is_training: A value that processes share, set while training may be asked to
            stop.

    Returns:
        One with a :class:`ResumableBatchSampler`, which gives :class:`Batch`; the same
        object if it has no batches of indices.
    """
    if loader.batch_sampler is None:
        return loader
    workers = loader.num_workers
    # A loader draws more numbers when it starts workers than when it goes on with
    # them. Those that matter to an image are drawn from its place.
    apart = torch.Generator().manual_seed(0) if workers else None
    return DataLoader(
        loader.dataset,
        batch_sampler=ResumableBatchSampler(loader.batch_sampler, workers > 0),
        num_workers=workers,
        collate_fn=partial(_collate_readable, loader.collate_fn),
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=partial(_start_worker, loader.worker_init_fn, is_training),
        multiprocessing_context=loader.multiprocessing_context if workers else None,
        generator=loader.generator or apart,
        prefetch_factor=loader.prefetch_factor if workers else None,
        persistent_workers=loader.persistent_workers,
    )
