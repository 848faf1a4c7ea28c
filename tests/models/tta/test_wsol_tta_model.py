"""WSOLTTAModel on networks whose maps can be worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import MODELS, init_default_scope
from mmpretrain.structures import DataSample
from torch import nn

from mmdgdm.engine.hooks import NumClassesCheckHook
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.models import WSOLClassifier, WSOLHead, WSOLTTAModel
from mmdgdm.models.heads.acol_head import ACoLHead

HORIZONTAL = dict(flip=True, flip_direction="horizontal")


class Identity(nn.Module):
    """A backbone whose map is the image."""

    def forward(self, x):
        return (x,)


def make_model(weight=((1.0, 0.0), (0.0, 1.0)), **head):
    """Two classes on two channels: with unit weights, each maps its own channel."""
    init_default_scope("mmpretrain")
    head = WSOLHead(num_classes=len(weight), in_channels=2, **head)
    head.fc.weight.data = torch.tensor(weight)
    head.fc.bias.data.zero_()
    preprocessor = dict(type="ClsDataPreprocessor")
    module = WSOLClassifier(
        backbone=Identity(), head=head, data_preprocessor=preprocessor
    )
    return WSOLTTAModel(module).eval()


def view(image, label=0, window=(0, 0, 1, 1), **meta):
    sample = DataSample().set_gt_label(label) if label is not None else DataSample()
    sample.set_metainfo(dict(image_id="a", view_window=window, **meta))
    return torch.as_tensor(image, dtype=torch.float32), sample


def predict(model, *views):
    """Of one image."""
    data = dict(
        inputs=[[image] for image, _ in views], data_samples=[[s] for _, s in views]
    )
    with torch.no_grad():
        return model.test_step(data)[0]


A = [[[1, 2], [3, 4]], [[5, 0], [0, 1]]]
B = [[[8, 0], [2, 2]], [[1, 1], [3, 7]]]


def test_one_view_is_the_plain_prediction():
    model = make_model()
    image, sample = view(A)
    got = predict(model, view(A))
    expected = model.module.test_step(dict(inputs=[image], data_samples=[sample]))[0]
    assert torch.equal(got.cam, expected.cam)
    assert got.cam_labels.tolist() == expected.cam_labels.tolist()
    assert torch.allclose(got.pred_score, expected.pred_score)
    assert got.pred_label.tolist() == expected.pred_label.tolist()
    assert got.gt_label.tolist() == [0]


def test_a_flipped_view_contributes_its_map_flipped():
    got = predict(make_model(), view(A), view(B, **HORIZONTAL))
    # Channel 0 of A, and of B mirrored: [[0, 8], [2, 2]].
    assert got.cam[0].tolist() == [[0.5, 5.0], [2.5, 3.0]]


def test_the_mirror_image_of_an_equivariant_model_changes_nothing():
    image = torch.rand(2, 5, 7, generator=torch.manual_seed(0))
    alone = predict(make_model(), view(image))
    both = predict(make_model(), view(image), view(image.flip(2), **HORIZONTAL))
    assert torch.equal(alone.cam, both.cam)
    assert torch.allclose(alone.pred_score, both.pred_score)


def test_scores_are_averaged_after_the_softmax():
    got = predict(make_model(), view(A), view(B))
    means = [torch.tensor([2.5, 1.5]), torch.tensor([3.0, 3.0])]
    expected = (means[0].softmax(0) + means[1].softmax(0)) / 2
    assert torch.allclose(got.pred_score, expected)
    assert got.pred_label.tolist() == [0]


def test_all_views_map_the_classes_that_are_best_together():
    # Alone, the first view would choose class 1 and the others class 2.
    weight = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    model = make_model(weight, cam_targets=("gt", "top1"))
    first = [[[2.0, 4.0]], [[0.0, 0.0]]]
    other = [[[0.0, 1.0]], [[6.0, 8.0]]]
    got = predict(model, view(first), view(other), view(other))
    assert got.cam_labels.tolist() == [0, 2]
    assert got.cam[0].tolist() == [[0, 0]]
    assert torch.allclose(got.cam[1], torch.tensor([[4.0, 16 / 3]]))


def test_crops_are_put_where_they_were_taken():
    left, right = (
        view([[[1.0]], [[0.0]]], window=(0, 0, 0.5, 1)),
        view([[[3.0]], [[0.0]]], window=(0.5, 0, 1, 1)),
    )
    assert predict(make_model(), left, right).cam[0].tolist() == [[1, 3]]


def test_images_of_a_batch_do_not_mix():
    model = make_model()
    first, second = (view(A), view(B, **HORIZONTAL)), (view(B, label=1), view(A, 1))
    views = list(zip(first, second))
    data = dict(
        inputs=[[image for image, _ in batch] for batch in views],
        data_samples=[[sample for _, sample in batch] for batch in views],
    )
    with torch.no_grad():
        got = model.test_step(data)
    expected = [
        predict(model, view(A), view(B, **HORIZONTAL)),
        predict(model, view(B, label=1), view(A, 1)),
    ]
    for one, other in zip(got, expected):
        assert torch.equal(one.cam, other.cam)
        assert one.cam_labels.tolist() == other.cam_labels.tolist()
        assert torch.allclose(one.pred_score, other.pred_score)
    assert got[1].cam_labels.tolist() == [1, 0]


def test_the_result_is_of_the_whole_image():
    got = predict(make_model(), view(A, **HORIZONTAL, scale_factor=(1.0, 1.0)))
    assert got.get("image_id") == "a"
    assert not {"flip", "flip_direction", "view_window", "scale_factor"} & set(
        got.all_keys()
    )


def test_images_without_labels_are_localized_by_their_best_class():
    got = predict(make_model(), view(A, None), view(B, None))
    assert got.cam_labels.tolist() == [0]


def test_a_direction_without_a_flip_says_nothing():
    got = predict(make_model(), view(A, flip=False, flip_direction="horizontal"))
    assert got.cam[0].tolist() == A[0]


def test_heads_with_maps_of_their_own_are_averaged_too(scores_and_maps):
    init_default_scope("mmpretrain")
    torch.manual_seed(0)
    head = ACoLHead(num_classes=3, in_channels=2, mid_channels=4)
    model = make_model()
    model.module.head = head
    with torch.no_grad():
        maps = [scores_and_maps(head, (view(x)[0][None],)) for x in (A, B)]
        score = sum(out.score.softmax(1) for out in maps) / 2
        got = predict(model.eval(), view(A), view(B))
    assert torch.allclose(got.pred_score, score[0])
    expected = sum(out.cam[0, got.cam_labels] for out in maps) / 2
    assert torch.allclose(got.cam, expected, atol=1e-6)


def test_is_built_from_a_config_around_any_model_with_maps():
    init_default_scope("mmpretrain")
    module = dict(
        type="mmdgdm.WSOLClassifier",
        backbone=dict(type="ResNet", depth=18, stem_channels=4, base_channels=4),
        head=dict(type="mmdgdm.WSOLHead", num_classes=3, in_channels=32),
    )
    model = MODELS.build(dict(type="mmdgdm.WSOLTTAModel", module=module))
    assert model.head is model.module.head
    assert model.head.num_classes == 3


def test_a_head_without_maps_is_refused():
    init_default_scope("mmpretrain")
    module = dict(
        type="ImageClassifier",
        backbone=dict(type="ResNet", depth=18, stem_channels=4, base_channels=4),
        neck=dict(type="GlobalAveragePooling"),
        head=dict(type="LinearClsHead", num_classes=3, in_channels=32),
    )
    with pytest.raises(ConfigError, match="got LinearClsHead"):
        WSOLTTAModel(module)


def test_a_head_for_other_classes_is_noticed_behind_the_views():
    runner = SimpleNamespace(model=make_model())
    runner.test_dataloader = SimpleNamespace(dataset=SimpleNamespace(num_classes=5))
    with pytest.raises(ConfigError, match="got 2 for the head and 5"):
        NumClassesCheckHook().before_test(runner)


def test_a_view_without_geometry_is_refused():
    image, sample = view(A)
    sample.pop("view_window")
    with pytest.raises(DataError, match="as_view=True"):
        predict(make_model(), (image, sample))


def test_maps_of_different_classes_are_never_mixed():
    samples = []
    for labels in ([0, 1], [1, 0]):
        sample = view(A)[1].set_pred_score(torch.tensor([0.5, 0.5]))
        sample.set_field(torch.ones(2, 2, 2), "cam")
        sample.set_field(torch.tensor(labels), "cam_labels")
        samples.append(sample)
    with pytest.raises(DataError, match="same classes"):
        make_model().merge_preds([samples])
