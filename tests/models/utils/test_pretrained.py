"""A pretrained file of which nothing fits is an error with a remedy."""

from __future__ import annotations

import pytest
import torch
import torchvision
from mmengine.registry import MODELS, init_default_scope

from mmdgdm.errors import CheckpointError
from mmdgdm.models.backbones import ResNet
from mmdgdm.models.classifiers import WSOLClassifier


@pytest.fixture(autouse=True)
def scope():
    init_default_scope("mmpretrain")


def write(path, state_dict, prefix=""):
    torch.save({prefix + name: value for name, value in state_dict.items()}, path)
    return str(path)


def pretrained(path, prefix=None):
    config = {"type": "Pretrained", "checkpoint": path}
    return config if prefix is None else {**config, "prefix": prefix}


def torchvision_weights(arch):
    with torch.device("meta"):
        network = getattr(torchvision.models, arch)()
    return {k: torch.zeros(v.shape) for k, v in network.state_dict().items()}


CONVERT = r"names are such as 'features\.0\.\S+': convert the file by tools"


@pytest.mark.parametrize(
    ("name", "backbone"),
    [
        ("vgg11", {"type": "mmdgdm.VGGGAP", "depth": 11}),
        ("mobilenet_v2", {"type": "mmdgdm.MobileNetV2"}),
        ("mobilenet_v2", {"type": "MobileNetV2"}),  # mmpretrain's own
    ],
)
@pytest.mark.parametrize("prefix", [None, "backbone", "backbone."])
def test_files_of_torchvision_are_to_be_converted(name, backbone, prefix, tmp_path):
    path = write(tmp_path / "weights.pth", torchvision_weights(name))
    config = {**backbone, "init_cfg": pretrained(path, prefix)}
    model = WSOLClassifier(backbone=config)
    where = "under `prefix=" if prefix else "without a `prefix`"
    with pytest.raises(CheckpointError, match=f"weights.pth .*{where}.*{CONVERT}"):
        model.init_weights()


@pytest.mark.parametrize(
    ("kept", "given", "remedy"),
    [
        ("", "backbone", "without it: leave `prefix` out of `init_cfg`"),
        ("backbone.", None, "under 'backbone': set `prefix='backbone'`"),
        ("backbone.", "model", "under 'backbone': set `prefix='backbone'`"),
        ("net.", "backbone", r"convert the file"),
    ],
)
def test_a_wrong_prefix_is_told(kept, given, remedy, tmp_path):
    path = write(tmp_path / "weights.pth", ResNet(18).state_dict(), kept)
    backbone = ResNet(18, init_cfg=pretrained(path, given))
    with pytest.raises(
        CheckpointError, match=rf"holds no weights of ResNet .*{remedy}"
    ):
        backbone.init_weights()


def test_names_of_another_shape_do_not_fit(tmp_path):
    weights = {k: torch.zeros(3, 7) for k in ResNet(18).state_dict()}
    path = write(tmp_path / "weights.pth", weights)
    with pytest.raises(CheckpointError, match="holds no weights of ResNet"):
        ResNet(18, init_cfg=pretrained(path)).init_weights()


@pytest.mark.parametrize(
    ("kept", "given"),
    [("", None), ("module.", None), ("backbone.", "backbone"), ("a.b.", "a.b.")],
)
def test_what_fits_is_loaded(kept, given, tmp_path):
    wanted = ResNet(18).state_dict()
    path = write(tmp_path / "weights.pth", wanted, kept)
    backbone = ResNet(18, init_cfg=pretrained(path, given))
    backbone.init_weights()
    assert all(torch.equal(v, wanted[k]) for k, v in backbone.state_dict().items())


def test_a_part_is_enough(tmp_path):
    path = write(tmp_path / "weights.pth", {"conv1.weight": torch.ones(64, 3, 7, 7)})
    backbone = ResNet(18, init_cfg=pretrained(path))
    backbone.init_weights()
    assert (backbone.conv1.weight == 1).all()


def test_heads_are_checked_as_backbones_are(tmp_path):
    path = write(tmp_path / "weights.pth", ResNet(18).state_dict(), "backbone.")
    head = {"type": "mmdgdm.WSOLHead", "num_classes": 2, "in_channels": 512}
    head["init_cfg"] = pretrained(path, "head")
    backbone = {"type": "mmdgdm.ResNet", "depth": 18}
    config = {"type": "mmdgdm.WSOLClassifier", "backbone": backbone, "head": head}
    with pytest.raises(CheckpointError, match="holds no weights of WSOLHead under"):
        MODELS.build(config).init_weights()


def test_a_missing_file_is_told(tmp_path):
    backbone = ResNet(18, init_cfg=pretrained(str(tmp_path / "no.pth")))
    # The second where the safe loader is switched on.
    with pytest.raises((FileNotFoundError, CheckpointError), match=r"no\.pth"):
        backbone.init_weights()
