"""Save a checkpoint before the one that it replaces is removed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmdgdm.engine.safe_runner import STOP_FILE
from mmdgdm.engine.setup.newest_checkpoint import LAST_FILE
from mmdgdm.registry import HOOKS
from mmdgdm.utils.whole_files import PART, write_whole_text

#: Where a checkpoint lists the files that its own existence makes superfluous.
_OLD = "replaced_ckpts"


class _Later:
    """A file backend that removes nothing yet."""

    def __init__(self, backend: Any, removed: list[str]) -> None:
        self._backend = backend
        self._removed = removed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self._removed.append(str(path))


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook``, in an order that a kill cannot spoil.

    A checkpoint is written first, then ``last_checkpoint`` names it, and only then is
    the one removed that it replaces; the same holds for the best one. A kill in between
    leaves a file too many, never one too few; a resumed run removes it.

    Args:
        **kwargs: As those of ``CheckpointHook``.

    Example:
        >>> default_hooks = dict(
        ...     checkpoint=dict(type='mmdgdm.SafeCheckpointHook', max_keep_ckpts=2))
    """

    file_backend: Any

    def before_train(self, runner: Runner) -> None:
        """Make ready, and remove what a killed run left behind."""
        super().before_train(runner)
        self._superfluous: list[str] = []
        if not is_main_process() or not os.path.isdir(self.out_dir):
            return
        for part in Path(self.out_dir).glob(f"*.pth{PART}"):
            part.unlink(missing_ok=True)
        if runner._resume:
            self._remove(runner.message_hub.get_info(_OLD, []))
            resumed = str(runner._load_from)
            if Path(resumed).resolve().parent == Path(self.out_dir).resolve():
                # A kill may have come before it was named, and before a validation
                # after which it is saved again.
                self.last_ckpt = resumed
                write_whole_text(os.path.join(runner.work_dir, LAST_FILE), resumed)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        superfluous = list(self._superfluous)
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                superfluous.append(self._path(self.keep_ckpt_ids[0]))
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info("keep_ckpt_ids", list(self.keep_ckpt_ids))
        runner.message_hub.update_info(_OLD, superfluous)
        self.last_ckpt = self._path(step)
        runner.message_hub.update_info("last_ckpt", self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            self.filename_tmpl.format(step),
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            write_whole_text(os.path.join(runner.work_dir, LAST_FILE), self.last_ckpt)
            stop_file = self.file_backend.join_path(self.out_dir, STOP_FILE)
            self._remove([*superfluous, stop_file])

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        backend = self.file_backend
        self.file_backend = _Later(backend, self._superfluous)
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        if is_main_process():
            self._remove(self._superfluous)
        self._superfluous = []

    def _path(self, step: int) -> str:
        name = self.filename_tmpl.format(step)
        return str(self.file_backend.join_path(self.out_dir, name))

    def _remove(self, paths: list[str]) -> None:
        for path in paths:
            if path not in (self.last_ckpt, getattr(self, "best_ckpt_path", None)):
                with suppress(FileNotFoundError):
                    self.file_backend.remove(path)
