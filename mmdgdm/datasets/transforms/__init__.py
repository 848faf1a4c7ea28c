"""Steps of data pipelines: loading images and masks, views, packing inputs."""

from mmdgdm.datasets.transforms.crop_window import CropWindow
from mmdgdm.datasets.transforms.formatting import PackWSOLInputs, check_pipeline
from mmdgdm.datasets.transforms.hide_and_seek import HideAndSeek
from mmdgdm.datasets.transforms.loading import LoadWSOLImage, LoadWSOLMask

__all__ = [
    "CropWindow",
    "HideAndSeek",
    "LoadWSOLImage",
    "LoadWSOLMask",
    "PackWSOLInputs",
    "check_pipeline",
]
