"""WSOLLogProcessor: a validation in one line that can be read."""

from __future__ import annotations

from typing import Any

from mmengine.runner import LogProcessor

from mmdgdm.evaluation.functional.names import is_main, repeated_names
from mmdgdm.registry import LOG_PROCESSORS


@LOG_PROCESSORS.register_module()
class WSOLLogProcessor(LogProcessor):
    """Show the main scores in the log; all of them stand in the scalars' file.

    A validation gives some fifty numbers. The lines of the log keep about six of ours
    (:func:`mmdgdm.evaluation.functional.names.is_main`) and all of other metrics. What
    goes to TensorBoard, to ``vis_data/scalars.json`` and to other backends is not
    touched. Arguments are those of mmengine's ``LogProcessor``.

    Example:
        >>> log_processor = dict(type="mmdgdm.WSOLLogProcessor", by_epoch=True)
    """

    def get_log_after_epoch(
        self, runner: Any, batch_idx: int, mode: str, with_non_scalar: bool = False
    ) -> tuple[dict, str]:
        """Format what an epoch of validation or testing gave.

        Args:
            runner: The running experiment.
            batch_idx: Place of the last batch.
            mode: ``"val"`` or ``"test"``.
            with_non_scalar: Whether the values hold lists and texts as well.

        Returns:
            All values by name, and the line of the log.
        """
        values, line = super().get_log_after_epoch(
            runner, batch_idx, mode, with_non_scalar
        )
        # mmengine parts "name: value" items by two spaces.
        parts = line.split("  ")
        names = [part.partition(": ")[0].removeprefix(f"{mode}/") for part in parts]
        hidden = repeated_names(names)
        kept = [
            part
            for name, part in zip(names, parts)
            if is_main(name) and name not in hidden
        ]
        return values, "  ".join(kept)
