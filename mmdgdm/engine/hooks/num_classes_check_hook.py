"""Check that the head and the data set agree on the number of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmdgdm.errors import ConfigError
from mmdgdm.registry import HOOKS


def find_classes(dataset: Any) -> Optional[Sequence[str]]:
    """The class names of a data set, looked up through its wrappers.

    Args:
        dataset: A data set with ``metainfo``, or a wrapper that keeps one in
            ``dataset`` or several in ``datasets`` (the first one counts).

    Returns:
        ``metainfo['classes']``, or ``None`` if no layer names its classes.
    """
    classes = (getattr(dataset, "metainfo", None) or {}).get("classes")
    if classes is not None:
        return classes
    inner = getattr(dataset, "dataset", None)
    if inner is None:
        inner = next(iter(getattr(dataset, "datasets", None) or ()), None)
    return None if inner is None else find_classes(inner)


@HOOKS.register_module()
class NumClassesCheckHook(Hook):
    """Stop before the first batch if head and data set differ in classes.

    Without it a head with too many classes trains and evaluates without a
    word, and one with too few fails deep inside the loss. The check compares
    ``model.head.num_classes`` with the length of ``dataset.metainfo['classes']``
    before training, validation and testing. A head without ``num_classes`` or
    a data set that does not name its classes cannot be compared and passes.

    Example:
        >>> custom_hooks = [dict(type='mmdgdm.NumClassesCheckHook')]
    """

    def before_train(self, runner: Runner) -> None:
        """Check the training data.

        Args:
            runner: The running experiment.

        Raises:
            ConfigError: If head and data set disagree.
        """
        self._check(runner, runner.train_dataloader.dataset, "train_dataloader")

    def before_val(self, runner: Runner) -> None:
        """Check the validation data.

        Args:
            runner: The running experiment.

        Raises:
            ConfigError: If head and data set disagree.
        """
        self._check(runner, runner.val_dataloader.dataset, "val_dataloader")

    def before_test(self, runner: Runner) -> None:
        """Check the test data.

        Args:
            runner: The running experiment.

        Raises:
            ConfigError: If head and data set disagree.
        """
        self._check(runner, runner.test_dataloader.dataset, "test_dataloader")

    @staticmethod
    def _check(runner: Runner, dataset: Any, key: str) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        num_classes = getattr(getattr(model, "head", None), "num_classes", None)
        classes = find_classes(dataset)
        if num_classes is None or classes is None or num_classes == len(classes):
            return
        raise ConfigError(
            f"Expected `model.head.num_classes` to be the number of classes in the "
            f"data set, but got {num_classes} for the head and {len(classes)} for "
            f"{type(dataset).__name__}: edit `model.head.num_classes` or "
            f"`{key}.dataset`."
        )
