"""NumClassesCheckHook."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmengine.model.wrappers import MMDistributedDataParallel
from mmengine.registry import HOOKS
from torch.utils.data import ConcatDataset as TorchConcatDataset
from torch.utils.data import Subset

from mmdgdm.engine.hooks import NumClassesCheckHook
from mmdgdm.engine.hooks.num_classes_check_hook import count_classes
from mmdgdm.errors import ConfigError


class _Data(BaseDataset):
    def __init__(self, classes):
        super().__init__(
            metainfo=classes and {"classes": classes}, serialize_data=False
        )

    def load_data_list(self):
        return [{"sample": i} for i in range(4)]


class _Wrapped(MMDistributedDataParallel):
    """A wrapper that mmengine knows as one, without a process group."""

    def __init__(self, module):
        object.__setattr__(self, "inner", module)

    @property
    def module(self):
        return self.inner


def _runner(num_classes, dataset, wrap=lambda model: model):
    head = SimpleNamespace(num_classes=num_classes)
    loader = SimpleNamespace(dataset=dataset)
    return SimpleNamespace(
        model=wrap(SimpleNamespace(head=head)),
        train_dataloader=loader,
        val_dataloader=loader,
        test_dataloader=loader,
    )


@pytest.mark.parametrize("stage", ["train", "val", "test"])
def test_different_numbers_stop_the_run_and_name_what_to_edit(stage):
    runner = _runner(5, _Data(["a", "b", "c"]))
    message = (
        r"got 5 for the head and 3 for _Data: edit `model\.head\.num_classes` or "
        rf"`{stage}_dataloader\.dataset`"
    )
    with pytest.raises(ConfigError, match=message):
        getattr(NumClassesCheckHook(), f"before_{stage}")(runner)


@pytest.mark.parametrize("stage", ["train", "val", "test"])
def test_equal_numbers_pass(stage):
    getattr(NumClassesCheckHook(), f"before_{stage}")(_runner(2, _Data(["a", "b"])))


def test_model_is_found_in_its_wrapper():
    with pytest.raises(ConfigError, match="5 for the head and 1"):
        NumClassesCheckHook().before_test(_runner(5, _Data(["a"]), _Wrapped))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda data: RepeatDataset(data, 2),
        lambda data: ConcatDataset([data, data]),
        lambda data: TorchConcatDataset([data, data]),
        lambda data: Subset(data, [0]),
        lambda data: Subset(TorchConcatDataset([RepeatDataset(data, 2)]), [0]),
    ],
    ids=["repeat", "concat", "torch-concat", "subset", "nested"],
)
def test_classes_are_found_in_wrapped_data(wrap):
    assert count_classes(wrap(_Data(["a", "b"]))) == 2


def test_data_without_class_names_cannot_be_compared():
    assert count_classes(_Data(None)) is None


def test_a_number_without_names_counts():
    data = _Data(None)
    data.num_classes = 7
    assert count_classes(RepeatDataset(data, 2)) == 7
    NumClassesCheckHook().before_train(_runner(5, _Data(None)))


def test_head_without_num_classes_cannot_be_compared():
    NumClassesCheckHook().before_train(_runner(None, _Data(["a"])))


def test_model_without_head_cannot_be_compared():
    runner = _runner(5, _Data(["a"]))
    runner.model = SimpleNamespace()
    NumClassesCheckHook().before_train(runner)


def test_hook_is_found_by_its_prefixed_name():
    hook = HOOKS.build(dict(type="mmdgdm.NumClassesCheckHook"))
    assert isinstance(hook, NumClassesCheckHook)
