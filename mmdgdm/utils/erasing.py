"""What layers that erase features and their schedules know each other by."""

from __future__ import annotations


class Erasing:
    """Interface of a layer that erases features with some probability in training.

    Attributes:
        strength: What each probability of erasing is multiplied by, in [0, 1]: 1 unless
            a schedule (:class:`mmdgdm.engine.hooks.DropRampHook`) sets it. It is no
            part of the state dict.
    """

    strength: float = 1.0
