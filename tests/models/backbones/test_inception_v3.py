"""What is special to InceptionV3; its maps are compared in the converters' tests."""

from __future__ import annotations

import mmpretrain.models.backbones as mmpretrain_backbones
import pytest
import torch

from mmdgdm.models.backbones import InceptionV3


def parent_names(*left_out):
    names = mmpretrain_backbones.InceptionV3().state_dict()
    return [name for name in names if not name.startswith(("fc.", *left_out))]


def test_names_at_32_are_mmpretrains_without_classifiers():
    assert list(InceptionV3(output_stride=32).state_dict()) == parent_names()


@pytest.mark.parametrize("stride", [16, 8])
def test_names_at_16_and_8_have_two_added_convolutions(stride):
    added = [f"gap_convs.{i}.conv.{p}" for i in (0, 1) for p in ("weight", "bias")]
    names = list(InceptionV3(output_stride=stride).state_dict())
    assert names == [*parent_names("Mixed_7"), *added]


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_the_parts_of_stage_4_exist_only_for_its_map(stride):
    backbone = InceptionV3(output_stride=stride, out_indices=(2, 3))
    assert list(backbone.state_dict()) == parent_names("Mixed_7")
    assert len(backbone(torch.rand(2, 3, 96, 96))) == 2


@torch.inference_mode()
def test_dropout_acts_in_training_around_the_added_convolutions():
    backbone = InceptionV3(
        gap_channels=(64, 64), dropout=0.5, out_indices=(3, 4), norm_eval=True
    )
    images = torch.rand(1, 3, 96, 96)
    wanted, mapped = backbone.eval()(images)
    torch.manual_seed(0)
    kept, dropped = backbone.train()(images)
    torch.testing.assert_close(kept, wanted)  # stage 3 comes before any dropout
    zeros = (dropped[mapped > 0] == 0).float().mean()
    assert 0.3 < float(zeros) < 0.9
    off = InceptionV3(gap_channels=(64, 64), dropout=0.0, norm_eval=True)
    off.load_state_dict(backbone.state_dict())
    torch.testing.assert_close(off.train()(images)[0], mapped)


def test_the_added_convolutions_start_at_a_sound_scale():
    backbone = InceptionV3()
    backbone.init_weights()
    # Not mmpretrain's 0.1 for all convolutions, which would blow 9216 inputs up.
    for conv in backbone.gap_convs:
        std = float(conv.conv.weight.detach().std())
        assert std == pytest.approx((2 / (1024 * 9)) ** 0.5, rel=0.01)
