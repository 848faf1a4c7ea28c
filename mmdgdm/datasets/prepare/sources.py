"""Where data sets come from and how many images they hold when they are whole."""

from __future__ import annotations

#: Images per split and number of classes, as their makers publish them. CUB: Wah et
#: al. 2011; ILSVRC: Russakovsky et al. 2015; ImageNetV2: Recht et al. 2019; CUBV2 and
#: OpenImages30k: Choe et al. 2020.
PUBLISHED: dict[str, dict[str, int]] = {
    "cub": {"classes": 200, "train": 5994, "val": 1000, "test": 5794},
    "ilsvrc": {"classes": 1000, "train": 1_281_167, "val": 10_000, "test": 50_000},
    "openimages": {"classes": 100, "train": 29_819, "val": 2500, "test": 5000},
}

_BENCHMARK = "https://github.com/clovaai/wsolevaluation"
_IMAGE_NET = (
    "https://image-net.org (registration needed), or Kaggle's "
    "imagenet-object-localization-challenge"
)

#: Where each part comes from, by data set and part.
SOURCES: dict[str, dict[str, str]] = {
    "cub": {
        "archive": "CUB_200_2011.tgz from https://data.caltech.edu/records/65de6-vp158",
        "val images": f"CUBV2.tar, linked in the README of {_BENCHMARK}",
        "val metadata": f"metadata/CUB of {_BENCHMARK}",
    },
    "ilsvrc": {
        "train images": f"ILSVRC2012_img_train.tar from {_IMAGE_NET}",
        "test images": f"ILSVRC2012_img_val.tar from {_IMAGE_NET}",
        "test boxes": "ILSVRC2012_bbox_val_v3.tgz from https://image-net.org, "
        "LOC_val_solution.csv from Kaggle, or metadata/ILSVRC/test of "
        f"{_BENCHMARK}",
        "val images": "imagenetv2-threshold0.7.tar.gz, linked in "
        "https://github.com/modestyachts/ImageNetV2",
        "val metadata": f"metadata/ILSVRC/val of {_BENCHMARK}",
    },
    "openimages": {
        "images": "OpenImages_images.zip, linked in the README of " + _BENCHMARK,
        "masks": "OpenImages_annotations.zip, linked in the README of " + _BENCHMARK,
        "metadata": f"metadata/OpenImages of {_BENCHMARK}",
    },
}
