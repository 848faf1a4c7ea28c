"""Layers inside backbones: where they act, and every way to get it wrong."""

from __future__ import annotations

import copy
from typing import NamedTuple

import pytest
import torch
from mmengine.model.efficient_conv_bn_eval import (
    turn_on_efficient_conv_bn_eval_for_single_model,
)
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (
    checkpoint_wrapper,
)

from mmdgdm.errors import ConfigError
from mmdgdm.models.utils import StageNeck, build_stage_necks
from mmdgdm.models.utils.stage_necks import check_fired


class Double(nn.Module):
    """A layer whose effect is easy to see."""

    def forward(self, x):
        assert x.dim() == 4
        return 2 * x


class Returns(nn.Module):
    """A stage that returns whatever it was made with."""

    def __init__(self, make):
        super().__init__()
        self.make = make

    def forward(self, x):
        return self.make(x)


class Net(nn.Module):
    """A stage, and a container that forward never calls as a whole."""

    def __init__(self, make=lambda x: x):
        super().__init__()
        self.stage = Returns(make)
        self.parts = nn.ModuleList([nn.Identity(), nn.Identity()])
        self.unused = nn.Sequential(nn.Identity())

    def forward(self, x):
        x = self.stage(x)
        return self.unused[0](self.parts[1](x))


def attach(net, **kwargs):
    neck = StageNeck(Double(), "stage", **kwargs)
    neck.attach(net)
    return neck


def test_acts_after_the_named_module_in_training_only():
    net = Net()
    neck = attach(net)
    feat = torch.ones(1, 2, 3, 3)
    assert net(feat).mean() == 2
    neck.eval()
    assert net(feat) is feat
    assert neck.fired


def test_unknown_name_lists_close_and_valid_names():
    with pytest.raises(ConfigError, match=r"'stag'.*mean 'stage'.*parts\.0, parts\.1"):
        StageNeck(Double(), "stag").attach(Net())


def test_the_backbone_itself_is_no_valid_name():
    with pytest.raises(ConfigError, match="got ''"):
        StageNeck(Double(), "").attach(Net())


def test_a_container_that_is_never_called_is_named_with_its_parts():
    net = Net()
    necks = nn.ModuleList([StageNeck(Double(), "unused")])
    necks[0].attach(net)
    net(torch.ones(1, 1, 2, 2))
    with pytest.raises(ConfigError, match=r"'unused' never acted.*unused\.0"):
        check_fired(necks, net)


def test_tokens_need_a_stated_layout():
    net = Net(lambda x: x.flatten(2).transpose(1, 2))
    attach(net)
    with pytest.raises(ConfigError, match=r"NCHW.*\(1, 9, 2\).*`layout`"):
        net(torch.ones(1, 2, 3, 3))


def test_wrong_layout_fails_in_eval_too():
    net = Net(lambda x: x.flatten(2))
    attach(net).eval()
    with pytest.raises(ConfigError, match="layout"):
        net(torch.ones(1, 2, 3, 3))


def test_tokens_of_a_grid():
    net = Net(lambda x: x.flatten(2).transpose(1, 2))
    attach(net, layout="NLC")
    feat = torch.rand(2, 4, 3, 3)
    assert torch.equal(net(feat), 2 * feat.flatten(2).transpose(1, 2))


def test_extra_tokens_pass_untouched():
    tokens = torch.rand(2, 1 + 9, 4)
    net = Net(lambda x: tokens)
    attach(net, layout="NLC", num_extra_tokens=1)
    out = net(tokens)
    assert torch.equal(out[:, 0], tokens[:, 0])
    assert torch.equal(out[:, 1:], 2 * tokens[:, 1:])


def test_tokens_of_no_square_grid():
    net = Net(lambda x: torch.ones(1, 8, 4))
    attach(net, layout="NLC")
    with pytest.raises(ConfigError, match="square grid, but got 8"):
        net(torch.ones(1))


def test_channels_at_the_end():
    class Shift(nn.Module):
        def forward(self, x):
            return x + torch.arange(x.shape[1])[:, None, None]

    net = Net(lambda x: x)
    StageNeck(Shift(), "stage", layout="NHWC").attach(net)
    assert net(torch.zeros(1, 2, 2, 3))[0, 0, 0].tolist() == [0, 1, 2]


def test_a_tuple_needs_an_index():
    net = Net(lambda x: (x, x))
    attach(net)
    with pytest.raises(ConfigError, match=r"tuple of .*`output_index`"):
        net.stage(torch.ones(1, 2, 3, 3))


def test_only_the_indexed_item_changes():
    net = Net(lambda x: [x, x + 1])
    attach(net, output_index=1)
    first, second = net.stage(torch.ones(1, 2, 3, 3))
    assert first.mean() == 1
    assert second.mean() == 4


def test_an_index_out_of_range():
    net = Net(lambda x: (x,))
    attach(net, output_index=3)
    with pytest.raises(ConfigError, match=r"`output_index`.*1 outputs.*3"):
        net.stage(torch.ones(1, 2, 3, 3))


def test_a_deepcopy_drives_its_own_layer():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Net()
            self.neck = attach(self.net)

        def forward(self, x):
            return self.net(x)

    model = Model()
    twin = copy.deepcopy(model).eval()
    feat = torch.ones(1, 1, 2, 2)
    assert model(feat).mean() == 2
    assert twin(feat).mean() == 1
    model.eval()
    twin.train()
    assert model(feat).mean() == 1
    assert twin(feat).mean() == 2


def test_attached_twice_it_acts_once():
    net = Net()
    attach(net).attach(net)
    assert net(torch.ones(1, 2, 3, 3)).mean() == 2


def test_a_replaced_submodule_is_followed():
    net = Net()
    neck = attach(net)
    net.stage = Returns(lambda x: x + 1)
    neck.attach(net)
    assert net(torch.ones(1, 2, 3, 3)).mean() == 4


def test_in_a_wrapped_submodule_it_acts_once():
    net = Net()
    neck = attach(net)
    net.stage = checkpoint_wrapper(net.stage)
    neck.attach(net)
    assert net(torch.ones(1, 2, 3, 3)).mean() == 2


class Blocks(nn.Module):
    """A convolution and its norm in a block, and a norm layer at the end."""

    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))
        self.relu = nn.ReLU()
        self.last = nn.BatchNorm2d(2)

    def forward(self, x):
        return self.last(self.relu(self.block(x)))


@pytest.mark.parametrize("after", ["block", "last", "block.1"])
def test_efficient_conv_bn_eval_keeps_the_layers(after):
    torch.manual_seed(0)
    net, feat = Blocks(), torch.rand(2, 2, 4, 4)
    necks = [StageNeck(Double(), after), StageNeck(Double(), after)]
    for neck in necks:
        neck.attach(net)
    plain, expected = copy.deepcopy(net), net(feat)
    turn_on_efficient_conv_bn_eval_for_single_model(net)
    twin = copy.deepcopy((net, necks))
    for model, layers in ((net, necks), twin):
        for neck in layers:
            neck.fired = False
        assert torch.allclose(model(feat), expected, atol=1e-6)
        assert all(neck.fired for neck in layers)
    # A copy drives its own layers, in its own mode.
    for neck in twin[1]:
        neck.eval()
    assert torch.allclose(net(feat), plain(feat), atol=1e-6)
    if after == "last":
        assert torch.allclose(twin[0](feat), plain(feat) / 4, atol=1e-6)


def test_a_layer_lost_between_joined_convolution_and_norm_is_named():
    net = Blocks()
    necks = nn.ModuleList([StageNeck(Double(), "block.0")])
    necks[0].attach(net)
    turn_on_efficient_conv_bn_eval_for_single_model(net)
    net(torch.rand(2, 2, 4, 4))
    with pytest.raises(ConfigError, match=r"'block\.0'.*efficient_conv_bn_eval.*block"):
        check_fired(necks, net)


@pytest.mark.parametrize(
    ("configs", "match"),
    [
        (dict(type="mmdgdm.ADL", after="stage"), "list of dicts"),
        ([dict(after="stage")], "'type'"),
        ([dict(type="mmdgdm.ADL")], "'after'"),
        ([dict(type="mmdgdm.ADL", after="stage", layout="HWC")], "`layout`.*'HWC'"),
        ([dict(type="mmdgdm.ADL", after="stage", num_extra_tokens=1)], "layout='NLC'"),
        (
            [dict(type="mmdgdm.ADL", after="stage", layout="NLC", num_extra_tokens=-1)],
            "`num_extra_tokens`.*-1",
        ),
    ],
)
def test_malformed_configs(configs, match):
    with pytest.raises(ConfigError, match=match):
        build_stage_necks(Net(), configs)


def test_configs_are_not_changed():
    config = dict(type="mmdgdm.ADL", after="stage", drop_rate=0.5)
    necks = build_stage_necks(Net(), [config])
    assert config == dict(type="mmdgdm.ADL", after="stage", drop_rate=0.5)
    assert necks[0].neck.drop_rate == 0.5


def test_none_means_no_layers():
    assert len(build_stage_necks(Net(), None)) == 0


def test_more_extra_tokens_than_tokens():
    net = Net(lambda x: torch.ones(1, 4, 2))
    attach(net, layout="NLC", num_extra_tokens=4)
    with pytest.raises(ConfigError, match="square grid, but got 0"):
        net(torch.ones(1))


def test_an_index_into_a_plain_tensor_fails_in_eval_too():
    net = Net()
    attach(net, output_index=0).eval()
    with pytest.raises(ConfigError, match="tuple or list for `output_index`"):
        net(torch.ones(1, 2, 3, 3))


def test_a_namedtuple_stays_one():
    class Pair(NamedTuple):
        map: torch.Tensor
        size: int

    net = Net(lambda x: Pair(x, 3))
    attach(net, output_index=0)
    out = net.stage(torch.ones(1, 2, 3, 3))
    assert isinstance(out, Pair)
    assert (out.map.mean().item(), out.size) == (2, 3)
