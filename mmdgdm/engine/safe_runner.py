"""The Runner that survives: whole files, exact resumption, a way to leave."""

from __future__ import annotations

import os
from typing import Any, Optional

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, EarlyStoppingHook, EMAHook, Hook

from mmdgdm.engine.brief_console import BriefRunner
from mmdgdm.engine.course import STATE_KEY, Course
from mmdgdm.engine.loops import ResumableEpochLoop, ResumableIterLoop
from mmdgdm.engine.setup.newest_checkpoint import LAST_FILE
from mmdgdm.errors import DataError
from mmdgdm.utils.resources import explain_write_error
from mmdgdm.utils.whole_files import whole_file, write_whole_text

#: The checkpoint of a run that was asked to stop.
STOP_FILE = "stopped.pth"
#: Where in ``meta`` stands what early stopping has counted.
_EARLY_STOPPING = "early_stopping"


class SafeRunner(BriefRunner):
    """mmengine's Runner, with checkpoints that are whole and resumed exactly."""

    _hooks: list[Hook]
    _resumed_meta: Optional[dict[str, Any]] = None

    def build_train_loop(self, loop: Any) -> Any:
        """Build the training loop; mmengine's two give way to those of this package.

        Args:
            loop: The config, or a loop.

        Returns:
            The loop.
        """
        kinds = {
            "EpochBasedTrainLoop": ResumableEpochLoop,
            "IterBasedTrainLoop": ResumableIterLoop,
        }
        if not isinstance(loop, dict):
            return super().build_train_loop(loop)
        settings = dict(loop)
        if "type" in settings:
            kind = settings.pop("type")
            name = getattr(kind, "__name__", str(kind)).split(".")[-1]
            if name not in kinds:
                return super().build_train_loop(loop)
        else:
            by_epoch = settings.pop("by_epoch", True)
            name = "EpochBasedTrainLoop" if by_epoch else "IterBasedTrainLoop"
        return kinds[name](self, self._train_dataloader, **settings)

    @property
    def course(self) -> Optional[Course]:
        """Where training stands in its data, if the loop can tell."""
        return getattr(self._train_loop, "course", None)

    def load_checkpoint(self, *args: Any, **kwargs: Any) -> Any:
        """Load a checkpoint; see mmengine."""
        checkpoint = super().load_checkpoint(*args, **kwargs)
        self._resumed_meta = checkpoint.get("meta")
        return checkpoint

    def resume(self, *args: Any, **kwargs: Any) -> None:
        """Resume a training, its order of data and its random states."""
        super().resume(*args, **kwargs)
        loop = self._train_loop
        if isinstance(loop, (ResumableEpochLoop, ResumableIterLoop)):
            loop.take_state(self._resumed_meta or {})
        counted = (self._resumed_meta or {}).get(_EARLY_STOPPING, [])
        for hook, (waited, best) in zip(self._early_stopping_hooks(), counted):
            hook.wait_count, hook.best_score = waited, best

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        """Register hooks; early stopping counts before a checkpoint is saved."""
        super().register_hooks(*args, **kwargs)
        counting = self._early_stopping_hooks()
        others = [h for h in self._hooks if not isinstance(h, EarlyStoppingHook)]
        saving = [isinstance(hook, CheckpointHook) for hook in others]
        place = saving.index(True) if any(saving) else len(others)
        self._hooks = [*others[:place], *counting, *others[place:]]

    def _early_stopping_hooks(self) -> list[EarlyStoppingHook]:
        return [hook for hook in self.hooks if isinstance(hook, EarlyStoppingHook)]

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: Optional[dict] = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: Optional[dict] = None,
        by_epoch: bool = True,
        backend_args: Optional[dict] = None,
    ) -> None:
        """Save a checkpoint whole, or not at all; all processes call it.

        The arguments are those of mmengine.

        Raises:
            ResourceError: If it cannot be written; what stood there is unchanged.
            DataError: If a weight is no finite number.
        """
        meta = dict(meta or {})
        if save_optimizer and self.course is not None:
            meta[STATE_KEY] = self.course.make_state()
            hooks = self._early_stopping_hooks()
            meta[_EARLY_STOPPING] = [(h.wait_count, h.best_score) for h in hooks]
        if not is_main_process():
            return
        self._check_weights(filename)
        rest = (save_optimizer, save_param_scheduler, meta, by_epoch, backend_args)
        if "://" in out_dir or file_client_args or backend_args:
            super().save_checkpoint(out_dir, filename, file_client_args, *rest)
            return
        path = os.path.join(out_dir, filename)
        try:
            os.makedirs(out_dir, exist_ok=True)
            with whole_file(path) as part:
                super().save_checkpoint(out_dir, part.name, None, *rest)
        except OSError as error:
            raise explain_write_error(error, path) from error

    def _check_weights(self, filename: str) -> None:
        for name, value in self.model.state_dict().items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise DataError(
                    f"Weight `{name}` holds numbers that are not finite after "
                    f"iteration {self.iter}: {filename} is not written, and the "
                    "checkpoints before it are kept. Lower the learning rate, or "
                    "clip gradients (`optim_wrapper.clip_grad`)."
                )

    def save_stop(self) -> str:
        """Save a run that is left before its end.

        Returns:
            The path of the checkpoint.
        """
        hooks = [hook for hook in self.hooks if isinstance(hook, CheckpointHook)]
        folder = hooks[0].out_dir if hooks else self.work_dir
        meta = {"epoch": self.epoch, "iter": self.iter}
        self.save_checkpoint(folder, STOP_FILE, meta=meta, by_epoch=False)
        path = os.path.join(folder, STOP_FILE)
        if is_main_process():
            write_whole_text(os.path.join(self.work_dir, LAST_FILE), path)
        return path

    def leave_validation(self) -> None:
        """Undo what a validation that is broken off has begun."""
        for hook in self.hooks:
            if isinstance(hook, EMAHook):
                hook._swap_ema_parameters()
