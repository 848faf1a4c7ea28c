"""What a user imports: training, testing and the evaluation of stored maps.

The names load on first use: the evaluation of stored maps needs no torch.
"""

from __future__ import annotations

from typing import Any

from mmdgdm.evaluation.stored.evaluate import evaluate_scoremaps

__all__ = ["build_runner", "evaluate_scoremaps", "run_test", "run_training"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mmdgdm.apis import runner

    return getattr(runner, name)
