"""Between checkpoints of this package and plain ones of mmpretrain.

A ``WSOLClassifier`` with a ``WSOLHead`` is an ``ImageClassifier`` with
``GlobalAveragePooling`` and a ``LinearClsHead``, and its weights have the same names.
Both models are built and must give the same scores, or nothing is written.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from mmdgdm.apis.inference.models import find_model_config, linear_localizer
from mmdgdm.apis.inference.pipelines import whole_image_pipeline
from mmdgdm.engine.hooks.checkpoint_check_hook import check_weights
from mmdgdm.engine.setup.config_check import type_name
from mmdgdm.errors import CheckpointError, ConfigError
from mmdgdm.utils.argument_checks import check_output_file
from mmdgdm.utils.checkpoint import load_checkpoint_file
from mmdgdm.utils.safetensors_files import KEPT, write_weights

PathLike = Union[str, Path]
#: Endings of the checkpoints that can be written.
ENDINGS = ("pth", "safetensors")
#: Strides of the stages of a ResNet by its output stride, mmpretrain's argument.
_STRIDES = {32: (1, 2, 2, 2), 16: (1, 2, 2, 1), 8: (1, 2, 1, 1)}
#: Pixels of the images on which the scores of both models are compared.
_SIZE = 224
_TOLERANCE = 1e-4


def convert_to_mmpretrain(
    config: str, source: PathLike, *, target: PathLike
) -> tuple[Path, list[str]]:
    """Write a checkpoint and a config for mmpretrain alone.

    ResNets become mmpretrain's own; other backbones of this package keep their type,
    which mmpretrain finds where the package is installed.

    Args:
        config: Path or name of the config of the checkpoint, a ``WSOLClassifier`` with
            a ``WSOLHead``.
        source: The checkpoint.
        target: The checkpoint to write, ``.pth`` or ``.safetensors``; the config goes
            beside it as ``.py``.

    Returns:
        The config's path, and the weights left out: those of layers that act in
        training alone.

    Raises:
        ConfigError: If the model has another head, or ``target`` cannot be written.
        CheckpointError: If the checkpoint is another model's.
    """
    cfg, _ = find_model_config(config)
    steps = [dict(step) for step in whole_image_pipeline(cfg)[:-1]]
    pipeline = [*steps, dict(type="PackInputs")]
    plain = _plain_classifier(cfg, config)
    return _convert(
        linear_localizer(cfg), plain, pipeline=pipeline, source=source, target=target
    )


def convert_from_mmpretrain(
    config: str, source: PathLike, *, target: PathLike
) -> tuple[Path, list[str]]:
    """Write a checkpoint and a config for this package.

    Args:
        config: A config file, or the name of a model of mmpretrain, an
            ``ImageClassifier`` with ``GlobalAveragePooling`` and a ``LinearClsHead``.
        source: Its checkpoint.
        target: As for :func:`convert_to_mmpretrain`.

    Returns:
        The config's path, and the weights left out.

    Raises:
        ConfigError: If the model has another head, or ``target`` cannot be written.
        CheckpointError: If the checkpoint is another model's.
    """
    cfg, _ = find_model_config(config)
    given = copy.deepcopy(cfg.model)
    given.setdefault("data_preprocessor", cfg.get("data_preprocessor"))
    given.get("backbone", {}).pop("init_cfg", None)
    pipeline = whole_image_pipeline(cfg)
    return _convert(
        given, linear_localizer(cfg), pipeline=pipeline, source=source, target=target
    )


def _plain_classifier(cfg: Config, name: str) -> dict[str, Any]:
    """The config of mmpretrain's classifier with the scores of one of ours."""
    model: dict[str, Any] = linear_localizer(cfg).to_dict()
    head = model.get("head") or {}
    if type_name(head) != "WSOLHead":
        raise ConfigError(
            f"Expected {name} to have a mmdgdm.WSOLHead, whose scores are those of a "
            f"linear head of mmpretrain, but got {type_name(head) or 'none'}."
        )
    kept = ("num_classes", "in_channels", "loss", "topk", "cal_acc")
    necks = model.get("neck") or []
    necks = list(necks) if isinstance(necks, (list, tuple)) else [necks]
    return dict(
        type="ImageClassifier",
        data_preprocessor=model.get("data_preprocessor"),
        backbone=_plain_backbone(model["backbone"]),
        neck=[*necks, dict(type="GlobalAveragePooling")],
        head=dict(type="LinearClsHead", **{k: head[k] for k in kept if k in head}),
    )


def _plain_backbone(backbone: Mapping[str, Any]) -> dict[str, Any]:
    plain = dict(backbone)
    own = plain["type"] in ("mmdgdm.ResNet", "mmdgdm.SEResNet")
    if own and not plain.get("dilate"):
        plain.pop("dilate", None)
        stride = plain.pop("output_stride", 32)
        plain.setdefault("out_indices", (3,))
        plain.update(type=type_name(plain), strides=_STRIDES[stride])
    return plain


def _convert(
    given: Mapping[str, Any],
    wanted: Mapping[str, Any],
    *,
    pipeline: list[dict[str, Any]],
    source: PathLike,
    target: PathLike,
) -> tuple[Path, list[str]]:
    """Load both models, compare their scores, and write the wanted one."""
    check_output_file("target", target, endings=ENDINGS)
    config_path = Path(target).with_suffix(".py")
    if config_path.exists():
        raise ConfigError(f"Expected {config_path} not to exist yet, but it does.")
    checkpoint = load_checkpoint_file(source)
    before, after = _load(given, checkpoint, source), _load(wanted, checkpoint, source)
    images = torch.rand(1, 3, _SIZE, _SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        difference = float((before(images) - after(images)).abs().max())
    if not difference <= _TOLERANCE:
        raise CheckpointError(
            f"{source} cannot be converted: the scores of both models differ by "
            f"{difference:.2g}, so that its model does more in evaluation than a "
            "linear head on averaged features."
        )
    weights = checkpoint.get("state_dict", checkpoint)
    names = after.state_dict().keys()
    meta = {} if weights is checkpoint else checkpoint.get("meta") or {}
    content = {
        "state_dict": {k: v for k, v in weights.items() if k in names},
        "meta": {name: meta[name] for name in KEPT if name in meta},
    }
    write_weights(target, content)
    steps = [dict(type="LoadImageFromFile"), *pipeline]
    loader = dict(dataset=dict(type="CustomDataset", pipeline=steps))
    facts = dict(default_scope="mmpretrain", model=wanted, test_dataloader=loader)
    Config(facts).dump(config_path)
    return config_path, [name for name in weights if name not in names]


def _load(
    model_cfg: Mapping[str, Any], checkpoint: Mapping[str, Any], source: PathLike
) -> nn.Module:
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        model: nn.Module = MODELS.build(dict(model_cfg))
    check_weights(model, checkpoint, source=str(source))
    return model.eval()
