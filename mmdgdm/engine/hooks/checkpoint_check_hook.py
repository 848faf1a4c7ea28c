"""Check that a checkpoint was made for the model it is loaded into.

mmengine loads what fits and warns about the rest in the log: a test of the
wrong checkpoint then reports the numbers of a random head.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from mmdgdm.engine.setup.resume import check_resume
from mmdgdm.errors import CheckpointError


def _state_dict(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The weights of a checkpoint, as mmengine names them when it loads."""
    state = checkpoint.get("state_dict", checkpoint)
    return {re.sub(r"^module\.", "", key): value for key, value in state.items()}


def _shapes(state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {
        key: tuple(getattr(value, "shape", ()))
        for key, value in state.items()
        if "num_batches_tracked" not in key
    }


def check_weights(
    model: nn.Module, checkpoint: Mapping[str, Any], *, source: str
) -> None:
    """Check that a checkpoint holds every weight of a model, in its shape.

    The weights are loaded on the way, so that models which convert older files
    while loading do so here too. Weights that the model lacks are left to
    mmengine, which names them in the log.

    Args:
        model: The model, not wrapped.
        checkpoint: A state dict, or a dict that holds one as ``state_dict``.
        source: The name of the checkpoint, for the message.

    Raises:
        CheckpointError: If a weight is missing or has another shape. The
            message names the first one, and both shapes.
    """
    state = _state_dict(checkpoint)
    try:
        result = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        saved, built = _shapes(state), _shapes(model.state_dict())
        misfits = [key for key in built if saved.get(key, built[key]) != built[key]]
        if not misfits:
            raise CheckpointError(f"Checkpoint {source}: {error}") from error
        key = misfits[0]
        shapes = f"{saved[key]} in the checkpoint but {built[key]} in the model"
        if len(misfits) > 1:
            shapes += f", and {len(misfits) - 1} more differ"
        hint = (
            "is `model.head.num_classes` right?"
            if key.startswith("head.")
            else "is it the config that the checkpoint was trained with?"
        )
        raise CheckpointError(
            f"Checkpoint {source} was made for another model: `{key}` has shape "
            f"{shapes}; {hint}"
        ) from error
    missing = [key for key in result.missing_keys if "num_batches_tracked" not in key]
    if missing:
        raise CheckpointError(
            f"Checkpoint {source} was made for another model: it holds no weights "
            f"for `{missing[0]}`, and lacks {len(missing)} of the model's "
            f"{len(model.state_dict())} entries."
        )


class CheckpointCheckHook(Hook):
    """Compare a checkpoint with the model just before mmengine loads it.

    Args:
        source: The name of the checkpoint.
        strict: Whether every weight of the model must be in it (testing,
            resuming). Otherwise (``load_from``) the head may differ, and what
            is not loaded is named in the log; but something must fit.
        resume: Whether a training run is continued.
    """

    # Before EMAHook, which loads the same weights into its own copy.
    priority = "VERY_HIGH"

    def __init__(self, source: str, strict: bool, *, resume: bool = False) -> None:
        self.source = source
        self.strict = strict
        self.resume = resume

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check the checkpoint that has been read.

        Raises:
            CheckpointError: If it does not fit.
        """
        model = runner.model
        while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
            model = model.module
        if self.strict:
            check_weights(model, checkpoint, source=self.source)
            if self.resume:
                self._explain_resume(runner, checkpoint)
            return
        saved = _shapes(_state_dict(checkpoint))
        built = _shapes(model.state_dict())
        others = [key for key, shape in built.items() if saved.get(key) != shape]
        if len(others) == len(built):
            raise CheckpointError(
                f"Checkpoint {self.source} (`load_from`) fits no weight of the model; "
                "for the weights of a backbone alone set model.backbone.init_cfg="
                "dict(type='Pretrained', checkpoint=...) instead."
            )
        if others:
            runner.logger.warning(
                f"{self.source} fills {len(built) - len(others)} of {len(built)} "
                "weights; these start as the config initializes them: "
                f"{', '.join(others)}",
            )

    def _explain_resume(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Say in the log what the checkpoint decides and what the config does."""
        kept = check_resume(runner, checkpoint, source=self.source)
        meta = checkpoint["meta"]
        say = runner.logger.warning if kept else runner.logger.info
        say(
            f"{self.source} is resumed after epoch {meta['epoch']}, iteration "
            f"{meta['iter']}. The checkpoint decides the weights, the state and the "
            "settings of the optimizer, the schedules and the seed. The config decides "
            "the data, the batch size, the number of epochs, validation and hooks."
            + (
                f" Kept from the checkpoint although the config differs: {kept}. For "
                "the values of the config start a new run from the weights, with "
                "`load_from` and without `resume`."
                if kept
                else ""
            ),
        )
