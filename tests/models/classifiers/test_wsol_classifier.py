"""WSOLClassifier on real mmpretrain backbones."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.model import convert_sync_batchnorm, revert_sync_batchnorm
from mmengine.registry import MODELS
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch.utils.data import DataLoader, Dataset

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.models import WSOLClassifier

BACKBONES = {
    "ResNet": (dict(type="mmpretrain.ResNet", depth=18), "layer3.0", 512),
    "VGG": (
        dict(type="mmpretrain.VGG", depth=11, out_indices=(4,), with_last_pool=False),
        "features.10",
        512,
    ),
    "EfficientNet": (dict(type="mmpretrain.EfficientNet", arch="b0"), "layers.4", 1280),
}
every_backbone = pytest.mark.parametrize("name", BACKBONES)


def build(name, stage_necks="default", **kwargs):
    backbone, after, channels = BACKBONES[name]
    if stage_necks == "default":
        stage_necks = [dict(type="mmdgdm.DGDM", after=after)]
    head = dict(type="mmdgdm.WSOLHead", num_classes=5, in_channels=channels)
    torch.manual_seed(0)
    return WSOLClassifier(
        backbone=dict(backbone), head=head, stage_necks=stage_necks, **kwargs
    )


def images(n=2, size=64):
    return torch.rand(n, 3, size, size, generator=torch.manual_seed(4))


@every_backbone
def test_backbone_keys_are_those_of_mmpretrain(name):
    plain = MODELS.build(dict(BACKBONES[name][0])).state_dict()
    keys = build(name).state_dict()
    expected = {f"backbone.{key}" for key in plain}
    assert set(keys) == expected | {"head.fc.weight", "head.fc.bias"}


@every_backbone
def test_eval_equals_the_plain_classifier(name):
    model, plain = build(name).eval(), build(name, None).eval()
    plain.load_state_dict(model.state_dict())
    assert torch.equal(model(images()), plain(images()))


def stage_output(model, name):
    """What the stage hands on in training, with batch norm at rest."""
    for module in model.backbone.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.Module.train(module, False)
    seen = []
    # Hooks run in order: this one sees what the layer has made of the output.
    dict(model.backbone.named_modules())[name].register_forward_hook(
        lambda module, args, output: seen.append(output)
    )
    model(images())
    return seen[0]


@every_backbone
def test_the_layer_acts_in_training(name):
    model, plain = build(name), build(name, None)
    plain.load_state_dict(model.state_dict())
    after = BACKBONES[name][1]
    with_layer, without = stage_output(model, after), stage_output(plain, after)
    assert without.abs().sum() > 0
    scale = without.abs().max()
    assert not torch.allclose(with_layer / scale, without / scale)


@every_backbone
def test_one_training_step(name):
    model = build(name)
    samples = [DataSample().set_gt_label(k) for k in (1, 3)]
    model(images(), samples, mode="loss")["loss"].backward()
    grads = [p.grad for p in model.parameters() if p.requires_grad]
    assert all(g is not None and bool(torch.isfinite(g).all()) for g in grads)


def test_vgg_features_container_is_refused_at_the_first_pass():
    model = build("VGG", [dict(type="mmdgdm.ADL", after="features")])
    with pytest.raises(ConfigError, match=r"'features' never acted.*features\.0"):
        model(images())


def test_an_unknown_layer_lists_the_valid_ones():
    necks = [dict(type="mmdgdm.DGDM", after="layer5")]
    with pytest.raises(ConfigError, match=r"'layer5'.*layer3\.0"):
        build("ResNet", necks)


def test_several_layers_act_in_several_places():
    necks = [
        dict(type="mmdgdm.DGDM", after=after)
        for after in ("layer3.0", "layer4.0", "layer4.1")
    ]
    model = build("ResNet", necks)
    model(images(size=128))
    assert [neck.fired for neck in model.stage_necks] == [True] * 3


def test_tokens_of_a_vision_transformer():
    backbone = dict(
        type="mmpretrain.VisionTransformer",
        arch="deit-tiny",
        img_size=64,
        patch_size=16,
        out_type="featmap",
    )
    head = dict(type="mmdgdm.WSOLHead", num_classes=5, in_channels=192)
    placed = dict(type="mmdgdm.DGDM", after="layers.5")
    with pytest.raises(ConfigError, match=r"\(2, 17, 192\)"):
        WSOLClassifier(backbone, head=head, stage_necks=[placed])(images())
    placed.update(layout="NLC", num_extra_tokens=1)
    model = WSOLClassifier(backbone, head=head, stage_necks=[placed])
    assert model(images()).shape == (2, 5)


def test_a_layer_after_a_norm_that_becomes_syncbn_acts():
    necks = [dict(type="mmdgdm.DGDM", after="layer3.0.bn2")]
    model = build("ResNet", necks)
    other = revert_sync_batchnorm(convert_sync_batchnorm(build("ResNet", necks)))
    scores = []
    for classifier in (model, other):
        torch.manual_seed(0)
        scores.append(classifier(images()))
    assert other.stage_necks[0].fired
    assert torch.equal(*scores)


def test_a_block_that_covers_the_whole_map_is_refused():
    model = build("ResNet", [dict(type="mmdgdm.SAGD", after="layer4.0", block_size=3)])
    with pytest.raises(ConfigError, match=r"3 x 3 pixels.*2 x 2.*`block_size` of SAGD"):
        model(images())
    assert model.eval()(images()).shape == (2, 5)
    assert model.train()(images(size=96)).shape == (2, 5)


def test_deepcopy_follows_its_own_mode():
    model = build("ResNet")
    ema = copy.deepcopy(model).eval()
    before = ema(images())
    model(images())
    assert torch.equal(ema(images()), before)
    assert not ema.stage_necks[0].training
    assert model.stage_necks[0].training


def test_train_returns_the_model():
    model = build("ResNet")
    assert model.train() is model
    assert model.eval() is model


@torch.no_grad()
def test_predict_gives_scores_and_maps_in_one_pass():
    model = build("ResNet").eval()
    calls = []
    model.backbone.register_forward_hook(lambda *_: calls.append(1))
    samples = [DataSample().set_gt_label(k) for k in (1, 3)]
    out = model(images(), samples, mode="predict")
    assert len(calls) == 1
    assert [s.cam_labels[0].item() for s in out] == [1, 3]
    assert out[0].cam.shape[1:] == (2, 2)


class _Batches(Dataset):
    """Four images with one box each, as a pipeline packs them."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        sample = DataSample(metainfo=dict(image_id=str(index), ori_shape=(64, 64)))
        sample.set_gt_label(index).set_field(
            torch.tensor([[8.0, 8, 40, 40]]), "gt_bboxes"
        )
        return dict(inputs=images()[index % 2], data_samples=sample)


@pytest.mark.parametrize("head", ["WSOLHead", "ACoLHead", "SPGHead"])
def test_half_precision_validation_and_test_on_a_cpu(head, tmp_path):
    backbone, after, channels = BACKBONES["ResNet"]
    options = dict(type=f"mmdgdm.{head}", num_classes=5, in_channels=channels)
    if head == "SPGHead":
        backbone = dict(backbone, out_indices=(2, 3))
        options["in_channels"] = (256, channels)
    loader = DataLoader(_Batches(), batch_size=2, collate_fn=pseudo_collate)
    runner = Runner(
        model=dict(
            type="mmdgdm.WSOLClassifier",
            backbone=backbone,
            head=options,
            stage_necks=[dict(type="mmdgdm.DGDM", after=after)],
        ),
        work_dir=str(tmp_path),
        val_dataloader=loader,
        val_cfg=dict(fp16=True),
        val_evaluator=dict(type="mmdgdm.WSOLMetric"),
        test_dataloader=loader,
        test_cfg=dict(fp16=True),
        test_evaluator=dict(type="mmdgdm.WSOLMetric"),
        default_scope="mmpretrain",
        experiment_name=f"half_precision_{head}",
    )
    for figures in (runner.val(), runner.test()):
        values = [v for v in figures.values() if isinstance(v, float)]
        assert values
        assert all(0 <= value <= 100 for value in values)


def test_model_exports_in_eval():
    model = build("ResNet").eval()
    exported = torch.export.export(model, (images(),))
    assert torch.allclose(exported.module()(images()), model(images()), atol=1e-5)


def test_jit_trace_in_eval():
    model = build("ResNet").eval()
    traced = torch.jit.trace(model, images())
    assert torch.allclose(traced(images()), model(images()), atol=1e-5)


def test_the_layer_as_a_plain_mmpretrain_neck_without_custom_imports():
    config = dict(
        type="mmpretrain.ImageClassifier",
        backbone=BACKBONES["ResNet"][0],
        neck=[dict(type="mmdgdm.DGDM"), dict(type="mmpretrain.GlobalAveragePooling")],
        head=dict(type="mmpretrain.LinearClsHead", num_classes=5, in_channels=512),
    )
    model = MODELS.build(config)
    samples = [DataSample().set_gt_label(k) for k in (1, 3)]
    model(images(size=128), samples, mode="loss")["loss"].backward()
    assert model.eval()(images()).shape == (2, 5)


@every_backbone
def test_channels_last_changes_no_key_and_no_score(name):
    model, other = build(name).eval(), build(name, channels_last=True).eval()
    assert list(other.state_dict()) == list(model.state_dict())
    other.load_state_dict(model.state_dict())
    weights = [w for w in other.backbone.parameters() if w.dim() == 4]
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)
    feat = other.extract_feat(images(), stage="backbone")[-1]
    assert feat.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(model(images()), other(images()), atol=1e-5)


@pytest.mark.parametrize("shape", [(64, 48), (40, 64), (64, 48, 3)])
def test_an_image_that_was_padded_is_refused_in_prediction(shape):
    model = build("ResNet").eval()
    samples = [
        DataSample(metainfo=dict(img_shape=(64, 64), image_id="full")),
        DataSample(metainfo=dict(img_shape=shape, image_id="narrow.jpg")),
    ]
    with pytest.raises(DataError, match=r"'narrow.jpg'.*\(64, 64\).*keep_ratio"):
        model(images(), samples, mode="predict")
    assert len(model(images()[:1], samples[:1], mode="predict")) == 1
    assert len(model(images(), mode="predict")) == 2
