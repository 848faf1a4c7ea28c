"""Check that the head and the data set agree on the number of classes."""

from __future__ import annotations

from typing import Any, Optional

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmdgdm.errors import ConfigError
from mmdgdm.registry import HOOKS


def count_classes(dataset: Any) -> Optional[int]:
    """The number of classes of a data set, looked up through its wrappers.

    Args:
        dataset: A data set with ``num_classes`` or ``metainfo``, or a wrapper that
            keeps one in ``dataset`` or several in ``datasets`` (the first counts).

    Returns:
        ``num_classes``, else the length of ``metainfo['classes']``, or ``None`` if
        no layer says how many classes there are.
    """
    number = getattr(dataset, "num_classes", None)
    if isinstance(number, int):
        return number
    classes = (getattr(dataset, "metainfo", None) or {}).get("classes")
    if classes is not None:
        return len(classes)
    inner = getattr(dataset, "dataset", None)
    if inner is None:
        inner = next(iter(getattr(dataset, "datasets", None) or ()), None)
    return None if inner is None else count_classes(inner)


@HOOKS.register_module()
class NumClassesCheckHook(Hook):
    """Stop before the first batch if head and data set differ in classes.

    Without it a head with too many classes trains and evaluates without a
    word, and one with too few fails deep inside the loss. The check compares
    ``model.head.num_classes`` with the data set's (:func:`count_classes`) before
    training, validation and testing. A head without ``num_classes`` or a data
    set that says nothing of its classes cannot be compared and passes.

    Raises:
        ConfigError: At that moment, if they disagree.

    Example:
        >>> custom_hooks = [dict(type='mmdgdm.NumClassesCheckHook')]
    """

    def before_train(self, runner: Runner) -> None:
        """Check the training data."""
        self._check(runner, runner.train_dataloader.dataset, "train_dataloader")

    def before_val(self, runner: Runner) -> None:
        """Check the validation data."""
        self._check(runner, runner.val_dataloader.dataset, "val_dataloader")

    def before_test(self, runner: Runner) -> None:
        """Check the test data."""
        self._check(runner, runner.test_dataloader.dataset, "test_dataloader")

    @staticmethod
    def _check(runner: Runner, dataset: Any, key: str) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        num_classes = getattr(getattr(model, "head", None), "num_classes", None)
        expected = count_classes(dataset)
        if num_classes is None or expected is None or num_classes == expected:
            return
        raise ConfigError(
            f"Expected `model.head.num_classes` to be the number of classes in the "
            f"data set, but got {num_classes} for the head and {expected} for "
            f"{type(dataset).__name__}: edit `model.head.num_classes` or "
            f"`{key}.dataset`."
        )
