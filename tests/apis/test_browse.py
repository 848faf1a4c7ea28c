"""What a network is fed and what its layers erase, as pictures and as records."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.structures import DataSample

from mmdgdm.apis import browse
from mmdgdm.models.necks import ADL, CAGD, DGDM
from mmdgdm.models.utils.mask_record import record_masks
from mmdgdm.visualization.inputs import apply_mask

SMALL = {
    "model.backbone.base_channels": 4,
    "model.backbone.stem_channels": 4,
    "model.head.in_channels": 32,
    "train_dataloader.dataset.num_images": 16,
    "val_dataloader.dataset.num_images": 16,
}


@pytest.fixture
def config(repo_root):
    def load(name):
        cfg = Config.fromfile(repo_root / "configs" / name)
        cfg.merge_from_dict(SMALL)
        return cfg

    return load


def test_images_are_those_of_the_data_set_with_their_boxes(config, monkeypatch):
    cfg = config("cam/cam_resnet18_1xb32-12e_toy.py")
    seen = {}
    monkeypatch.setattr(browse, "draw_inputs", lambda fed: seen.setdefault("fed", fed))
    browse.browse_dataset(cfg, "val", count=3)
    toy = browse.DATASETS.build(cfg.val_dataloader.dataset)
    assert len(seen["fed"]) == 3
    first = seen["fed"][0]
    assert np.array_equal(first.image[..., ::-1], toy.draw(0).image)
    assert first.boxes == [tuple(map(float, toy.draw(0).box))]
    assert first.caption == "red_head"


def test_boxes_follow_a_resize_and_mixed_classes_have_shares():
    sample = DataSample().set_gt_label(1)
    sample.set_field(torch.tensor([[10.0, 20.0, 30.0, 40.0]]), "gt_bboxes")
    sample.set_metainfo(dict(ori_shape=(100, 50), img_shape=(50, 100)))
    assert browse._boxes(sample) == [(20.0, 10.0, 60.0, 20.0)]
    assert browse._caption(sample, ["cat", "dog"]) == "dog"
    mixed = SimpleNamespace(get=dict(gt_score=torch.tensor([0.25, 0.75])).get)
    assert browse._caption(mixed, None) == "label 0 0.25, label 1 0.75"


def test_the_tool_draws_what_layers_erase(repo_root, tmp_path, capsys):
    path = repo_root / "tools" / "visualization" / "browse_dataset.py"
    spec = importlib.util.spec_from_file_location("browse_tool", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    config = str(repo_root / "configs/dgdm/dgdm_resnet18_1xb32-12e_toy.py")
    options = ["--cfg-options", *(f"{key}={value}" for key, value in SMALL.items())]
    out = tmp_path / "new" / "erased.png"
    argv = [config, "--out", str(out), "--layers", "--num", "2", "--passes", "2"]
    assert tool.main([*argv, *options]) == 0
    # The input, the attention and a mask for each of two passes.
    assert cv2.imread(str(out)).shape[1] == 4 * 166 + 24
    other = str(repo_root / "configs/cam/cam_resnet18_1xb32-12e_toy.py")
    assert tool.main([other, *argv[1:], *options]) == 2
    assert "Expected the model to have layers that erase" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        tool.main([config, "--out", "a.png", "--checkpoint", "x.pth"])


def test_records_hold_what_was_multiplied_and_layers_are_left_as_they_were():
    torch.manual_seed(0)
    layer = DGDM(cagd=dict(drop_prob=0.9), sagd=dict(drop_prob=1.0, block_size=1))
    model = torch.nn.Sequential(layer, ADL(), CAGD())
    feat = torch.rand(2, 8, 6, 6) + 0.1
    with record_masks(model) as records:
        out = layer(feat)
        model[1](feat)
        model[2](feat)
    assert [record.name for record in records] == ["DGDM, 0", "ADL, 1", "CAGD, 2"]
    first = records[0]
    assert np.allclose(first.attention, feat.mean(1).numpy())
    order = feat.mean((2, 3)).argsort(1, descending=True)
    expected = feat * torch.from_numpy(first.spatial)[:, None]
    for i in range(2):
        for rank, channel in enumerate(order[i].tolist()):
            product = expected[i, channel] * float(first.channel[i, rank])
            assert torch.allclose(out[i, channel], product)
    assert records[1].channel is None
    assert records[2].spatial is None
    assert "masks" not in vars(layer)
    model(feat)
    assert len(records) == 3


def test_a_mask_is_named_and_erased_blocks_are_black():
    image = np.full((40, 40, 3), 200, np.uint8)
    mask = np.full((4, 4), 1.25)
    assert apply_mask(image, mask)[1] == "left as it is"
    mask[1, 1] = 0
    shown, text = apply_mask(image, mask)
    assert text == "drop mask: 6 % erased"
    assert (shown[13:17, 13:17] == 0).all()
    assert (shown[30:, 30:] == 200).all()
    mask[1, 1] = 0.25
    assert apply_mask(image, mask)[1] == "drop mask, weakened"
    shaded, text = apply_mask(image, np.arange(1, 17).reshape(4, 4) / 4)
    assert text == "importance map"
    assert shaded[0, 0, 0] == 12
    assert (image == 200).all()
