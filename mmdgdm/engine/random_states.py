"""The random states of a process: taken, and set again."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


def take_random_states() -> dict[str, Any]:
    """Take the states of all generators that training draws from.

    Returns:
        Those of Python, numpy, torch and the GPU of this process, of types that the
        safe checkpoint loader allows.
    """
    kind, keys, *rest = np.random.get_state(legacy=True)
    # torch saves uint32 in newer releases alone; int64 holds it.
    words = torch.from_numpy(np.asarray(keys).astype(np.int64))
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": (kind, words, *rest),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def set_random_states(states: Mapping[str, Any]) -> None:
    """Set what :func:`take_random_states` took.

    Args:
        states: The states; that of a GPU is left out where there is none.
    """
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    kind, keys, place, has_gauss, cached = states["numpy"]
    words32 = keys.cpu().numpy().astype(np.uint32)
    np.random.set_state((kind, words32, place, has_gauss, cached))
    torch.set_rng_state(states["torch"].cpu())
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"].cpu())


def seed_random_states(*place: int) -> None:
    """Seed the generators from a place, such as (seed, epoch, batch, image).

    Args:
        *place: Whole numbers from 0; each list of them gives states of its own.
    """
    words = np.random.SeedSequence(place).generate_state(3).tolist()
    random.seed(words[0])
    np.random.seed(words[1])
    torch.manual_seed(words[2])
