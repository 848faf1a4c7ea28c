"""What layers that erase did in a forward pass: their attention and their masks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from mmdgdm.models.functional import channel_attention, spatial_attention
from mmdgdm.models.necks.base import AttentionDropout
from mmdgdm.models.utils.stage_necks import StageNeck


@dataclass(frozen=True, eq=False)
class MaskRecord:
    """One call of a layer that erases.

    Attributes:
        name: The layer and where it acts, ``DGDM after layer1.1``.
        attention: (N, h, w) float32, the mean of its input over the channels.
        spatial: (N, h, w) float32, what each place is multiplied by, the mean over
            channels if they differ; ``None`` if the layer masks channels alone.
        channel: (N, C) float32, what each channel is multiplied by, the strongest by
            its mean activation first; ``None`` if the layer masks places alone.
    """

    name: str
    attention: NDArray[np.float32]
    spatial: Optional[NDArray[np.float32]]
    channel: Optional[NDArray[np.float32]]


@contextmanager
def record_masks(model: nn.Module) -> Iterator[list[MaskRecord]]:
    """Record the masks that a model's layers draw; they draw them in training mode.

    Args:
        model: The model. Layers are as before after the block.

    Yields:
        A list that gets a record of each call of a layer.
    """
    records: list[MaskRecord] = []
    layers = dict(_list_layers(model))
    for name, layer in layers.items():
        _watch(layer, name, records)
    try:
        yield records
    finally:
        for layer in layers.values():
            del layer.__dict__["masks"]


def _watch(layer: Any, name: str, records: list[MaskRecord]) -> None:
    draw = layer.masks

    def draw_and_record(feat: Tensor) -> Any:
        drawn = draw(feat)
        records.append(_record(name, feat, drawn))
        return drawn

    layer.masks = draw_and_record


def _list_layers(model: nn.Module) -> Iterator[tuple[str, AttentionDropout]]:
    """The layers that are no part of another one, with their names."""
    inner = {
        id(part)
        for layer in model.modules()
        if isinstance(layer, AttentionDropout)
        for part in layer.modules()
        if part is not layer
    }
    places = {
        id(module.neck): module.after
        for module in model.modules()
        if isinstance(module, StageNeck)
    }
    for path, module in model.named_modules():
        if isinstance(module, AttentionDropout) and id(module) not in inner:
            kind, place = type(module).__name__, places.get(id(module))
            yield f"{kind} after {place}" if place else f"{kind}, {path}", module


def _record(name: str, feat: Tensor, masks: Any) -> MaskRecord:
    spatial: Optional[NDArray[np.float32]] = None
    channel: Optional[NDArray[np.float32]] = None
    for mask in masks:
        values = mask.detach().float().cpu()
        if mask.shape[2:] == (1, 1) and feat.shape[2:] != (1, 1):
            order = channel_attention(feat.detach()).abs().cpu()
            order = order.argsort(dim=1, descending=True)
            channel = values[:, :, 0, 0].gather(1, order).numpy()
        else:
            spatial = values.mean(dim=1).numpy()
    attention = spatial_attention(feat.detach()).float().cpu()[:, 0].numpy()
    return MaskRecord(name, attention, spatial, channel)
