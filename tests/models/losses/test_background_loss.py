"""BackgroundLoss as a layer, and in the head of a classifier."""

from __future__ import annotations

import pytest
import torch
from mmpretrain.structures import DataSample

from mmdgdm.errors import ConfigError
from mmdgdm.models import BackgroundLoss, WSOLHead

LOSS = dict(type="mmdgdm.BackgroundLoss", loss_weight=2.0)


@pytest.fixture
def feats():
    return (torch.rand(3, 5, 4, 4, generator=torch.Generator().manual_seed(1)),)


def make_head(**options):
    torch.manual_seed(0)
    head = WSOLHead(num_classes=6, in_channels=5, **options)
    torch.nn.init.normal_(head.fc.weight)
    return head


def samples(*labels):
    return [DataSample().set_gt_label(label) for label in labels]


def test_head_adds_the_loss_of_the_true_classes(feats, scores_and_maps):
    plain = make_head().loss(feats, samples(4, 0, 4))
    head = make_head(background_loss=LOSS)
    losses = head.loss(feats, samples(4, 0, 4))
    assert set(plain) == {"loss"}
    assert torch.equal(losses["loss"], plain["loss"])
    maps = scores_and_maps(head, feats, torch.tensor([[4], [0], [4]])).cam[:, 0]
    expected = 2 * BackgroundLoss()(maps, feats[0])
    assert torch.allclose(losses["loss_background"], expected)
    losses["loss_background"].backward()
    assert head.fc.weight.grad.abs().sum(1).gt(0).tolist() == [1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize("detach_features", [False, True])
def test_features_learn_from_the_loss_unless_they_are_detached(feats, detach_features):
    feat = feats[0].requires_grad_()
    head = make_head(background_loss=dict(LOSS, detach_features=detach_features))
    loss = head.loss((feat,), samples(4, 0, 4))["loss_background"]
    plain = make_head(background_loss=LOSS).loss((feat,), samples(4, 0, 4))
    assert torch.equal(loss, plain["loss_background"])
    loss.backward()
    assert (feat.grad is None) is detach_features
    assert head.fc.weight.grad[4].abs().sum() > 0


def test_mixed_labels_mix_the_maps(feats, scores_and_maps):
    loss = dict(type="CrossEntropyLoss", use_soft=True)
    head = make_head(background_loss=LOSS, loss=loss)
    mixed = torch.tensor([0.25, 0, 0.75, 0, 0, 0])
    found = head.loss(feats, [DataSample().set_gt_score(mixed) for _ in range(3)])
    maps = scores_and_maps(head, feats).cam
    expected = BackgroundLoss()(0.25 * maps[:, 0] + 0.75 * maps[:, 2], feats[0])
    assert torch.allclose(found["loss_background"], 2 * expected)


def test_training_takes_maps_off_the_background(feats):
    head = make_head(background_loss=LOSS)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.5)
    found = []
    for _ in range(30):
        loss = head.loss(feats, samples(1, 2, 3))["loss_background"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(float(loss))
    assert found[-1] < found[0] - 0.03


def test_weights_of_a_plain_head_load(feats):
    head = make_head(background_loss=LOSS)
    assert set(head.state_dict()) == set(make_head().state_dict())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(loss_weight=-1), "`loss_weight`.*-1"),
        (dict(loss_weight="1"), "`loss_weight`.*'1'"),
        (dict(loss_weight=float("nan")), "`loss_weight`.*nan"),
        (dict(bg_threshold=0), "`bg_threshold`.*0"),
        (dict(bg_rule="median"), "`bg_rule`.*'median'"),
        (dict(detach_features="no"), "`detach_features`.*'no'"),
    ],
)
def test_impossible_arguments_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        BackgroundLoss(**options)
    assert "bg_rule='mean'" in repr(BackgroundLoss())
