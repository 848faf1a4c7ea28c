"""Data sets and transforms of weakly supervised object localization."""

from mmdgdm.datasets.cub import CUB
from mmdgdm.datasets.ilsvrc import ILSVRC
from mmdgdm.datasets.toy import Toy, write_toy
from mmdgdm.datasets.transforms import LoadWSOLImage, LoadWSOLMask, PackWSOLInputs
from mmdgdm.datasets.wsol_dataset import BaseWSOLDataset, WSOLDataset

__all__ = [
    "CUB",
    "ILSVRC",
    "BaseWSOLDataset",
    "LoadWSOLImage",
    "LoadWSOLMask",
    "PackWSOLInputs",
    "Toy",
    "WSOLDataset",
    "write_toy",
]
