"""Scores and maps of WSOLHead, against the textbook's definition of CAM."""

from __future__ import annotations

import pytest
import torch
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample
from torch import nn

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.models.heads import WSOLHead


@pytest.fixture
def head():
    torch.manual_seed(0)
    head = WSOLHead(num_classes=6, in_channels=5)
    nn.init.normal_(head.fc.weight)
    nn.init.normal_(head.fc.bias)
    return head


@pytest.fixture
def feats():
    return (torch.rand(1), torch.rand(3, 5, 4, 7, generator=torch.manual_seed(1)))


def textbook_cam(head, feat, k):
    """Sum of the feature maps, weighted by class k's weights, place by place."""
    n, c, h, w = feat.shape
    cam = torch.zeros(n, h, w)
    for i in range(n):
        for y in range(h):
            for x in range(w):
                for channel in range(c):
                    cam[i, y, x] += head.fc.weight[k, channel] * feat[i, channel, y, x]
    return cam


def test_hand_sized_example(scores_and_maps):
    head = WSOLHead(num_classes=2, in_channels=2)
    head.fc.weight.data = torch.tensor([[1.0, -1.0], [2.0, 0.5]])
    head.fc.bias.data = torch.tensor([10.0, 0.0])
    feat = torch.tensor([[[[1.0, 3.0]], [[2.0, 0.0]]]])
    score, cam = scores_and_maps(head, (feat,))
    assert cam.tolist() == [[[[-1, 3]], [[3, 6]]]]
    assert score.tolist() == [[11, 4.5]]


def test_scores_are_those_of_pooling_and_linear_head(head, feats):
    plain = LinearClsHead(num_classes=6, in_channels=5)
    plain.load_state_dict(head.state_dict())
    pooled = nn.AdaptiveAvgPool2d(1)(feats[-1]).flatten(1)
    assert torch.allclose(head(feats), plain((pooled,)), atol=1e-6)


@torch.no_grad()
def test_all_maps_are_the_textbooks(head, feats, scores_and_maps):
    cam = scores_and_maps(head, feats).cam
    assert cam.shape == (3, 6, 4, 7)
    for k in range(6):
        assert torch.allclose(cam[:, k], textbook_cam(head, feats[-1], k), atol=1e-5)


@torch.no_grad()
def test_only_the_classes_asked_for(head, feats, scores_and_maps):
    labels = torch.tensor([[5, 0], [1, 1], [2, 4]])
    cam = scores_and_maps(head, feats, labels).cam
    full = scores_and_maps(head, feats).cam
    expected = torch.stack([full[i, row] for i, row in enumerate(labels)])
    assert torch.allclose(cam, expected, atol=1e-6)


@torch.no_grad()
def test_the_score_is_bias_plus_mean_of_the_map(head, feats, scores_and_maps):
    score, cam = scores_and_maps(head, feats)
    assert torch.allclose(score, cam.mean((2, 3)) + head.fc.bias, atol=1e-5)


def test_linear_head_weights_load_as_they_are(head):
    keys = LinearClsHead(num_classes=6, in_channels=5).state_dict().keys()
    assert head.state_dict().keys() == keys == {"fc.weight", "fc.bias"}


def sample(label=None):
    return DataSample() if label is None else DataSample().set_gt_label(label)


@torch.no_grad()
def test_predict_keeps_ground_truth_and_top_classes_once(feats, scores_and_maps):
    head = WSOLHead(6, 5, cam_targets=("gt", "top2"))
    head.fc.bias.data = torch.tensor([9.0, 8, 0, 0, 0, 0])
    out = head.predict(feats, [sample(4), sample(1), sample()])
    assert [s.cam_labels.tolist() for s in out] == [[4, 0, 1], [1, 0], [0, 1]]
    assert [tuple(s.cam.shape) for s in out] == [(3, 4, 7), (2, 4, 7), (2, 4, 7)]
    full = scores_and_maps(head, feats).cam
    for i, s in enumerate(out):
        assert torch.allclose(s.cam, full[i, s.cam_labels], atol=1e-6)


@torch.no_grad()
def test_predict_scores_are_the_softmax(head, feats):
    out = head.predict(feats, [sample(0) for _ in range(3)])
    expected = head(feats).softmax(1)
    assert torch.allclose(torch.stack([s.pred_score for s in out]), expected)
    assert [s.pred_label.item() for s in out] == expected.argmax(1).tolist()


@torch.no_grad()
def test_predict_without_samples_maps_the_best_class(head, feats):
    for out, best in zip(head.predict(feats), head(feats).argmax(1).tolist()):
        assert out.cam_labels.tolist() == [best]


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_mixed_precision_changes_no_map_and_no_score(
    head, feats, dtype, scores_and_maps
):
    exact = scores_and_maps(head.eval(), feats)
    with torch.autocast("cpu", dtype=dtype):
        score, cam = scores_and_maps(head, feats)
        predicted = head.predict(feats)
    assert torch.equal(cam, exact.cam)
    assert torch.equal(score, exact.score)
    for sample, row in zip(predicted, exact.score.softmax(1)):
        assert torch.equal(sample.pred_score, row)
        assert sample.cam.dtype == torch.float32


@torch.no_grad()
def test_scores_that_half_precision_would_round_together_keep_their_order(feats):
    # In bfloat16 both are 256.
    head = WSOLHead(2, 5).eval()
    head.fc.weight.zero_()
    head.fc.bias.data = torch.tensor([256.0, 256.5])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = head.predict(feats)
    assert [sample.pred_label.item() for sample in out] == [1, 1, 1]


@torch.no_grad()
def test_features_of_half_precision_give_maps_and_scores_of_float32(
    head, feats, scores_and_maps
):
    half = tuple(feat.bfloat16() for feat in feats)
    expected = scores_and_maps(head.eval(), tuple(feat.float() for feat in half))
    found = scores_and_maps(head, half)
    assert torch.equal(found.score, expected.score)
    assert torch.equal(found.cam, expected.cam)
    assert head.bfloat16().predict(half)[0].pred_score.dtype == torch.float32


def test_loss_is_cross_entropy(head, feats):
    samples = [sample(k) for k in (0, 3, 5)]
    loss = head.loss(feats, samples)["loss"]
    expected = nn.functional.cross_entropy(head(feats), torch.tensor([0, 3, 5]))
    assert loss.item() == pytest.approx(expected.item())


def test_forward_is_exportable(head, feats, scores_and_maps):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = head

        def forward(self, x):
            return scores_and_maps(self.head, (x,))

    exported = torch.export.export(Net().eval(), (feats[-1],))
    score, cam = exported.module()(feats[-1])
    assert torch.allclose(score, head(feats), atol=1e-6)
    assert cam.shape == (3, 6, 4, 7)


@pytest.mark.parametrize(
    ("targets", "match"),
    [
        ((), "non-empty"),
        ("gt", "non-empty list"),
        (("best",), "'best'"),
        (("top7",), r"num_classes \(6\).*'top7'"),
        (("top0",), "'top0'"),
    ],
)
def test_malformed_targets(targets, match):
    with pytest.raises(ConfigError, match=match):
        WSOLHead(6, 5, cam_targets=targets)


def test_a_pooled_input_points_to_the_neck(head):
    with pytest.raises(ConfigError, match=r"GlobalAveragePooling.*`neck`"):
        head((torch.rand(2, 5),))


def test_a_wrong_channel_count(head):
    with pytest.raises(ConfigError, match=r"5 channels.*\(2, 4, 3, 3\)"):
        head((torch.rand(2, 4, 3, 3),))


def test_ground_truth_alone_needs_labels(feats):
    with pytest.raises(DataError, match="Add 'top1' to `cam_targets`"):
        WSOLHead(6, 5, cam_targets=("gt",)).predict(feats)


def test_several_labels_are_refused(head, feats):
    with pytest.raises(DataError, match=r"one class, but got \[0, 1\]"):
        head.predict(feats, [sample([0, 1]), sample(0), sample(0)])


@pytest.mark.parametrize("label", [-1, 6])
def test_labels_out_of_range_are_refused(head, feats, label):
    with pytest.raises(DataError, match=rf"\[0, 6\), but got {label}"):
        head.predict(feats, [sample(label), sample(0), sample(0)])


@torch.no_grad()
def test_maps_weighted_by_attention(scores_and_maps):
    head = WSOLHead(num_classes=2, in_channels=2, attention_power=2.0)
    head.fc.weight.data = torch.tensor([[1.0, -1.0], [2.0, 0.5]])
    feat = torch.tensor([[[[1.0, 3.0, -1.0]], [[2.0, 0.0, -3.0]]]])
    # Plain maps are -1, 3, 2 and 3, 6, -3.5; the attention is 1.5, 1.5, -2.
    cam = scores_and_maps(head, (feat,)).cam
    assert cam.tolist() == [[[[0.0, 9.0, 0.0]], [[14.625, 21.375, 0.0]]]]
    assert torch.equal(
        scores_and_maps(head, (feat,), torch.tensor([[1]])).cam, cam[:, 1:]
    )


@torch.no_grad()
def test_without_attention_maps_are_plain(head, feats, scores_and_maps):
    plain = scores_and_maps(head, feats).cam
    head.attention_power = 0.0
    assert torch.equal(scores_and_maps(head, feats).cam, plain)
    head.attention_power = 1.0
    assert not torch.allclose(scores_and_maps(head, feats).cam, plain)


@pytest.mark.parametrize("power", [-0.5, "1", True, float("inf")])
def test_an_impossible_power_is_named(power):
    with pytest.raises(ConfigError, match=r"`attention_power`.*>= 0"):
        WSOLHead(num_classes=2, in_channels=2, attention_power=power)
