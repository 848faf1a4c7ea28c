"""mmpretrain's own inferencers on the package's configs: a path and an array."""

from __future__ import annotations

from pathlib import Path

import mmcv
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain import FeatureExtractor, ImageClassificationInferencer

from mmdgdm.datasets import Toy

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
TOY = CONFIGS / "dgdm/dgdm_resnet18_1xb32-12e_toy.py"


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    mmcv.imwrite(Toy("test", num_images=1)[0]["img"], str(path))
    return str(path)


def with_pipeline_of(name: str) -> Config:
    """The toy's model, which is small, with the pipeline of another data set."""
    config = Config.fromfile(TOY)
    other = Config.fromfile(CONFIGS / "_base_/datasets" / f"{name}.py")
    dataset = config.test_dataloader.dataset
    dataset.pipeline = other.test_dataloader.dataset.pipeline
    return config


@pytest.mark.parametrize("name", ["toy", "cub", "openimages"])
def test_a_path_and_an_array_give_the_same(name, photo, tmp_path):
    torch.manual_seed(0)
    config = with_pipeline_of(name)
    classify = ImageClassificationInferencer(config, pretrained=False, device="cpu")
    extract = FeatureExtractor(classify.model)
    array = mmcv.imread(photo)

    first, second = classify([photo, array], batch_size=2)
    assert 0 <= first["pred_label"] < 8
    assert np.array_equal(first["pred_scores"], second["pred_scores"])
    first, second = (extract(image)[0] for image in (photo, array))
    assert first[0].ndim == 3
    assert torch.equal(first[0], second[0])

    classify(photo, show_dir=str(tmp_path / "shown"))
    assert [path.name for path in (tmp_path / "shown").iterdir()] == ["photo.png"]
