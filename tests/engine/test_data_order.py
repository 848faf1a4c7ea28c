"""Random numbers of an image follow from its place, whoever reads it."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, RandomSampler

from mmdgdm.engine.data_order import make_resumable
from mmdgdm.engine.random_states import set_random_states, take_random_states


class _Draws(torch.utils.data.Dataset):
    """Gives an index and what is drawn for it."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> tuple:
        numbers = (random.random(), np.random.rand(), torch.rand(1).item())
        return (int(index), *numbers)


class _Flag:
    value = 0


def _pass(workers: int, number: int = 0, *, skip: int = 0, keep: bool = False) -> list:
    loader = make_resumable(
        DataLoader(
            _Draws(),
            batch_size=3,
            sampler=RandomSampler(
                range(10), generator=torch.Generator().manual_seed(5)
            ),
            num_workers=workers,
            collate_fn=list,
            persistent_workers=keep,
        ),
        _Flag(),
    )
    loader.batch_sampler.open((0, 0, number), skip)
    return [batch.data for batch in loader]


def test_number_of_workers_changes_nothing():
    assert _pass(1) == _pass(2) == _pass(2, keep=True)


def test_pass_can_start_after_any_batch():
    whole = _pass(2)
    assert [len(batch) for batch in whole] == [3, 3, 3, 1]
    for skip in range(5):
        assert _pass(2, skip=skip) == whole[skip:]


def test_each_pass_draws_other_numbers():
    first, second = _pass(1), _pass(1, 1)
    assert [i[0] for b in first for i in b] == [i[0] for b in second for i in b]
    drawn = {number for b in first + second for item in b for number in item[1:]}
    assert len(drawn) == 2 * 10 * 3


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_draw_nothing_from_the_process_that_trains(workers):
    before = take_random_states()
    _pass(workers)
    after = take_random_states()
    assert torch.equal(before["torch"], after["torch"])
    assert torch.equal(before["numpy"][1], after["numpy"][1])
    assert before["python"] == after["python"]


def test_states_are_set_again():
    states = take_random_states()
    drawn = [(random.random(), np.random.randn(), torch.rand(3).tolist())]
    set_random_states(states)
    assert drawn == [(random.random(), np.random.randn(), torch.rand(3).tolist())]
