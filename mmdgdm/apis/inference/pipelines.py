"""From a config's test pipeline to one that takes any image whole."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from mmengine.config import Config
from mmengine.registry import DATASETS

from mmdgdm.engine.setup.config_check import type_name
from mmdgdm.errors import ConfigError

_PACK = dict(type="mmdgdm.PackWSOLInputs")
#: Images come loaded.
_LOADERS = re.compile("Load")
#: What would cut from the image, or add to it.
_CUTS = re.compile("Crop|Pad")
#: The argument that says how large an image becomes, by the name of the transform.
_SIZES = {
    "CenterCrop": "crop_size",
    "EfficientNetCenterCrop": "crop_size",
    "Resize": "scale",
    "ResizeEdge": "scale",
}


def whole_image_pipeline(cfg: Config) -> list[dict[str, Any]]:
    """The steps after loading that bring any image to the size a model takes.

    A map is stretched over the image that it was made from, so the network must see
    the whole image: a test pipeline that crops, as those of classifiers do, is
    replaced by one that resizes the whole image to the size of the crop.

    Args:
        cfg: A config with ``test_dataloader`` or ``test_pipeline``.

    Returns:
        Configs of transforms for an ``img`` with its shapes.

    Raises:
        ConfigError: If the config does not say the size.
    """
    dataset = (cfg.get("test_dataloader") or {}).get("dataset") or {}
    steps = dataset.get("pipeline", cfg.get("test_pipeline"))
    if steps is None:
        raise ConfigError(
            "Expected the config to set `test_dataloader.dataset.pipeline`, which says "
            "how large an image becomes, but it is missing."
        )
    kept = [dict(s) for s in copy.deepcopy(list(steps))]
    kept = [step for step in kept if not _LOADERS.search(type_name(step))]
    names = [type_name(step) for step in kept]
    if any(name == "TestTimeAug" for name in names):
        raise ConfigError(
            "Expected a test pipeline of one view, but got TestTimeAug: give a config "
            "without it."
        )
    if "Resize" in names and not any(map(_CUTS.search, names)):
        return kept
    size = _last_size(kept) or _size_of_dataset(dataset)
    if size is None:
        raise ConfigError(
            "Expected the test pipeline to say the size of images by "
            f"{', '.join(_SIZES)}, but got {', '.join(names)}."
        )
    return resize_pipeline(size, _interpolation(kept))


def resize_pipeline(
    size: Union[int, Sequence[int]], options: Optional[Mapping[str, str]] = None
) -> list[dict[str, Any]]:
    """Resize the whole image to a size.

    Args:
        size: Pixels of each side, or (width, height).
        options: Arguments of mmcv's ``Resize``: ``interpolation``, ``backend``.

    Returns:
        Configs of transforms.
    """
    scale = (size, size) if isinstance(size, int) else tuple(size)
    return [dict(type="Resize", scale=scale, **(options or {})), dict(_PACK)]


def _last_size(steps: Sequence[Mapping[str, Any]]) -> Any:
    for step in reversed(steps):
        size = step.get(_SIZES.get(type_name(step), ""))
        if size is not None:
            return size
    return None


def _interpolation(steps: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    names = ("interpolation", "backend")
    return {name: step[name] for step in steps for name in names if name in step}


def _size_of_dataset(dataset: Mapping[str, Any]) -> Optional[int]:
    """The size of images that a data set draws itself, such as the toy."""
    kind = DATASETS.get(str(dataset.get("type")))
    arguments = inspect.signature(kind.__init__).parameters if kind else {}
    if "image_size" not in arguments:
        return None
    return dataset.get("image_size", arguments["image_size"].default)
