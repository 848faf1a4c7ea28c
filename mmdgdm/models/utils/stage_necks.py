"""Insert layers after named submodules of a backbone, by forward hooks.

No module is replaced and no key of the backbone's state dict changes, so that
published weights load as they are.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import torch
from torch import Tensor, fx, nn

from mmdgdm.errors import ConfigError
from mmdgdm.registry import MODELS

LAYOUTS = ("NCHW", "NHWC", "NLC")


def _describe(value: Any) -> str:
    """Say what a module returned: shapes of tensors, types of the rest."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, (tuple, list)):
        inner = ", ".join(_describe(item) for item in value)
        return f"a {type(value).__name__} of ({inner})"
    return f"an object of type {type(value).__name__}"


def _unknown_submodule(backbone: nn.Module, after: str) -> str:
    names = [name for name, _ in backbone.named_modules() if name]
    close = difflib.get_close_matches(after, names, n=3)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    return (
        f"Expected `after` of a stage neck to name a submodule of "
        f"{type(backbone).__name__}, but got {after!r}.{hint} "
        f"Valid names: {', '.join(names)}."
    )


class StageNeck(nn.Module):
    """A layer that acts on the output of one submodule of a backbone.

    A submodule may be replaced after the layer was attached (batch norm by SyncBN,
    say): :meth:`attach` follows it; where it is wrapped (by FSDP or activation
    checkpointing), the layer goes with it. Where torch.fx traces the backbone, as for
    mmengine's ``efficient_conv_bn_eval``, the layer becomes a call of the graph. The
    hook is a bound method, never a closure: a deep copy of the whole model (as an
    exponential moving average makes) then drives the copy's own layer. A submodule
    that a pass calls several times (an activation that several convolutions share,
    say) is followed by the layer each time.

    Args:
        neck: The layer; takes and returns a map (N, C, H, W).
        after: Name of the submodule, as in ``backbone.named_modules()``.
        layout: Layout of the submodule's output: ``"NCHW"``, ``"NHWC"``, or
            ``"NLC"`` for tokens of a square grid.
        num_extra_tokens: Leading tokens that are no place of the grid (a class
            token, say) and are passed on untouched; for ``"NLC"`` only.
        output_index: Which item to act on when the submodule returns a tuple or
            list; the others are passed on.

    Raises:
        ConfigError: If an argument is impossible.
    """

    def __init__(
        self,
        neck: nn.Module,
        after: str,
        *,
        layout: str = "NCHW",
        num_extra_tokens: int = 0,
        output_index: Optional[int] = None,
    ) -> None:
        super().__init__()
        if layout not in LAYOUTS:
            raise ConfigError(
                f"Expected `layout` of the stage neck after {after!r} to be one of "
                f"{', '.join(LAYOUTS)}, but got {layout!r}."
            )
        whole = isinstance(num_extra_tokens, int) and num_extra_tokens >= 0
        if not whole or (num_extra_tokens > 0 and layout != "NLC"):
            raise ConfigError(
                f"Expected `num_extra_tokens` of the stage neck after {after!r} to be "
                "a whole number >= 0, and 0 without layout='NLC', but got "
                f"{num_extra_tokens!r}."
            )
        self.neck = neck
        self.after = after
        self.layout = layout
        self.num_extra_tokens = num_extra_tokens
        self.output_index = output_index
        self.fired = False

    def attach(self, backbone: nn.Module) -> None:
        """Hook the layer to its submodule, unless it is hooked already.

        Args:
            backbone: The network that holds the submodule.

        Raises:
            ConfigError: If there is no such submodule; valid names are listed.
        """
        try:
            module = backbone.get_submodule(self.after)
        except AttributeError:
            module = backbone
        if module is backbone:
            raise ConfigError(_unknown_submodule(backbone, self.after))
        # A wrapper (FSDP, activation checkpointing) holds the hooked one inside it.
        if not any(self._hook in m._forward_hooks.values() for m in module.modules()):
            module.register_forward_hook(self._hook)

    def _hook(self, module: nn.Module, args: Any, output: Any) -> Any:
        if not isinstance(output, fx.Proxy):
            return self.act(output)
        # The graph finds the layer by its submodule, so that copies have their own.
        tracer: Any = output.tracer
        holder = tracer.create_proxy("get_attr", tracer.path_of_module(module), (), {})
        position = list(module._forward_hooks.values()).index(self._hook)
        arguments = (holder, position, output)
        return tracer.create_proxy("call_function", _act_traced, arguments, {})

    def act(self, output: Any) -> Any:
        """Apply the layer to what the submodule returned.

        Args:
            output: A tensor of the stated layout, or a tuple or list with one.

        Returns:
            The same, with the layer's result in place; in evaluation ``output`` itself.

        Raises:
            ConfigError: If it has not the stated layout.
        """
        self.fired = True
        feat = self._select(output)
        if not self.training:
            return output
        if self.layout == "NHWC":
            out = self.neck(feat.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        elif self.layout == "NLC":
            out = self._apply_to_tokens(feat)
        else:
            out = self.neck(feat)
        if self.output_index is None:
            return out
        items = list(output)
        items[self.output_index] = out
        if hasattr(output, "_make"):  # a namedtuple
            return output._make(items)
        return type(output)(items)

    def _select(self, output: Any) -> Tensor:
        feat = output
        if self.output_index is not None:
            if not isinstance(output, (tuple, list)):
                raise ConfigError(
                    f"Expected the output of {self.after!r} to be a tuple or list for "
                    f"`output_index`, but got {_describe(output)}."
                )
            if not -len(output) <= self.output_index < len(output):
                raise ConfigError(
                    f"Expected `output_index` of the stage neck after {self.after!r} "
                    f"to be one of the {len(output)} outputs, but got "
                    f"{self.output_index}."
                )
            feat = output[self.output_index]
        dims = 3 if self.layout == "NLC" else 4
        if not isinstance(feat, Tensor) or feat.dim() != dims:
            raise ConfigError(
                f"Expected the output of {self.after!r} to be a tensor of layout "
                f"{self.layout}, but got {_describe(output)}. Set `layout` to one of "
                f"{', '.join(LAYOUTS)}, and `output_index` if it is a tuple."
            )
        return feat

    def _apply_to_tokens(self, tokens: Tensor) -> Tensor:
        extra = tokens[:, : self.num_extra_tokens]
        grid = tokens[:, self.num_extra_tokens :]
        batch, length, channels = grid.shape
        side = math.isqrt(length)
        if side * side != length or length == 0:
            raise ConfigError(
                f"Expected the tokens after {self.after!r} to form a square grid, but "
                f"got {length} of them in shape {tuple(tokens.shape)} with "
                f"num_extra_tokens={self.num_extra_tokens}."
            )
        feat = grid.transpose(1, 2).reshape(batch, channels, side, side)
        out = self.neck(feat).flatten(2).transpose(1, 2)
        return torch.cat([extra, out], dim=1) if self.num_extra_tokens else out

    def extra_repr(self) -> str:
        """Where the layer acts, for ``repr``."""
        return f"after={self.after!r}, layout={self.layout!r}"


def _act_traced(module: nn.Module, position: int, output: Any) -> Any:
    """Apply the layer of a submodule's hook of this position."""
    hook: Any = list(module._forward_hooks.values())[position]
    return hook.__self__.act(output)


def build_stage_necks(
    backbone: nn.Module, configs: Optional[Sequence[Mapping[str, Any]]]
) -> nn.ModuleList:
    """Build layers from configs and attach each to a backbone.

    Args:
        backbone: The network that the layers act in.
        configs: One dict a layer: ``type`` and ``after``, optionally ``layout``,
            ``num_extra_tokens`` and ``output_index`` (see :class:`StageNeck`), and
            the layer's own arguments. ``None`` for no layer.

    Returns:
        The attached :class:`StageNeck` modules, in the order of ``configs``.

    Raises:
        ConfigError: If a dict lacks a key or names no submodule.
    """
    if isinstance(configs, Mapping):
        raise ConfigError(
            "Expected `stage_necks` to be a list of dicts, but got a single dict: "
            "write stage_necks=[dict(...)]."
        )
    necks = nn.ModuleList()
    for config in configs or ():
        arguments = dict(config)
        for key in ("type", "after"):
            if key not in arguments:
                raise ConfigError(
                    f"Expected every dict of `stage_necks` to have the key {key!r}, "
                    f"but got {dict(config)!r}."
                )
        keys = ("after", "layout", "num_extra_tokens", "output_index")
        placing = {key: arguments.pop(key) for key in keys if key in arguments}
        stage_neck = StageNeck(MODELS.build(arguments), **placing)
        stage_neck.attach(backbone)
        necks.append(stage_neck)
    return necks


def check_fired(stage_necks: nn.ModuleList, backbone: nn.Module) -> None:
    """Raise if a layer's submodule was never called in a forward pass.

    Args:
        stage_necks: The attached :class:`StageNeck` modules.
        backbone: The network they act in.

    Raises:
        ConfigError: Naming each submodule that was not called. A container that
            its owner indexes instead of calling (``features`` of a VGG) is the
            usual cause, or a convolution or norm layer that was joined with another.
    """
    silent = [neck.after for neck in stage_necks if not neck.fired]
    if not silent:
        return
    modules = dict(backbone.named_modules())
    parts = [
        f"{name}.{part}"
        for name in silent
        for part, _ in modules[name].named_children()
    ]
    hint = f" Name one of its parts instead: {', '.join(parts)}." if parts else ""
    if "forward" in vars(backbone):
        hint = (
            " Its forward was replaced, as `efficient_conv_bn_eval` does, which joins "
            "convolutions and norm layers: name the block that holds them instead."
        )
    raise ConfigError(
        f"The stage necks after {', '.join(map(repr, silent))} never acted: "
        f"{type(backbone).__name__} does not call these submodules in its forward "
        f"pass.{hint}"
    )
