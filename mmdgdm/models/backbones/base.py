"""What the backbones share: one argument for the size of the last map."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from mmengine.logging import print_log
from torch import nn

from mmdgdm.errors import ConfigError
from mmdgdm.models.utils.pretrained import check_pretrained


class SizedBackbone:
    """What our backbones add to mmpretrain's; first among their base classes.

    The state dict says, in the metadata that torch keeps beside the weights, with
    which undilated stride they were trained; names and values stay mmpretrain's.
    """

    #: The output stride of published weights.
    published_stride = 32
    #: The modules that give up strides or follow one that does, by output stride.
    changed_modules: ClassVar[Mapping[int, Sequence[str]]] = {}
    output_stride: int
    dilate: bool

    def _set_stride(self, output_stride: int, dilate: bool = False) -> None:
        """Finish the built network: take strides out of stages, freeze others."""
        self.output_stride = output_stride
        self.dilate = dilate
        self._was_warned = False
        names = self.changed_modules.get(output_stride, ())
        modules = [self.get_submodule(name) for name in names]  # type: ignore
        take_out_strides(modules, dilate)
        self._register_state_dict_hook(_note_stride)  # type: ignore[attr-defined]
        # Most parents freeze at the first call of `train`, too late for a wrapper
        # that collects the trainable parameters before.
        self._freeze_stages()  # type: ignore[attr-defined]

    @property
    def undilated_stride(self) -> int:
        """Output stride of the undilated network whose convolutions see as much."""
        if self.dilate:
            return self.published_stride
        return min(self.output_stride, self.published_stride)

    def train(self, mode: bool = True) -> Any:
        """Set the training mode as mmpretrain's backbone does, which returns nothing.

        Args:
            mode: Whether to train (``True``) or to evaluate (``False``).

        Returns:
            The backbone itself.
        """
        super().train(mode)  # type: ignore[misc]
        return self

    def init_weights(self) -> None:
        """Initialize the weights as ``init_cfg`` says.

        Raises:
            CheckpointError: If nothing in a pretrained file fits this backbone.
        """
        check_pretrained(self)
        super().init_weights()  # type: ignore[misc]

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *args: Any
    ) -> None:
        local_metadata = args[0]
        trained = local_metadata.get("undilated_stride", self.published_stride)
        names = self.state_dict()  # type: ignore[attr-defined]
        is_odd = trained != self.undilated_stride and not self._was_warned
        if is_odd and any(f"{prefix}{name}" in state_dict for name in names):
            self._was_warned = True
            print_log(self._describe_odds(trained), "current", logging.WARNING)
        super()._load_from_state_dict(state_dict, prefix, *args)  # type: ignore[misc]

    def _describe_odds(self, trained: int) -> str:
        remedy = f"set `output_stride={trained}`"
        if self.published_stride == trained == 32:
            remedy = f"set `dilate=True` or `output_stride={trained}`"
        elif self.dilate:
            remedy += " and `dilate=False`"
        return (
            f"{type(self).__name__} with output_stride={self.output_stride} and "
            f"{'' if self.dilate else 'no '}dilation takes weights that were trained "
            f"at output_stride={trained} or do not say at which: its last stages see "
            f"another share of the image, so fine-tune them, or {remedy}."
        )


def _note_stride(module: nn.Module, *args: Any) -> None:
    local_metadata = args[-1]
    local_metadata["undilated_stride"] = module.undilated_stride


def check_out_indices(out_indices: Any, num_stages: int) -> list[int]:
    """Return the stages whose maps are asked for, checked.

    Args:
        out_indices: Stage numbers, or one; negative ones count from the end.
        num_stages: Number of stages.

    Returns:
        The stage numbers as a list.

    Raises:
        ConfigError: Unless they are distinct, ascending numbers of stages.
    """
    indices = [out_indices] if isinstance(out_indices, int) else out_indices
    if isinstance(indices, Sequence) and not isinstance(indices, str):
        stages = range(-num_stages, num_stages)
        numbers = [i % num_stages if i in stages else i for i in indices]
        if numbers and numbers == [i for i in range(num_stages) if i in numbers]:
            return numbers
    raise ConfigError(
        f"Expected `out_indices` to be ascending stage numbers in 0 to "
        f"{num_stages - 1}, but got {out_indices!r}."
    )


def drop_agreed(
    kwargs: Mapping[str, Any], decided: Mapping[str, tuple[Any, str]]
) -> dict[str, Any]:
    """Drop arguments of the parent that only repeat what is decided here.

    Args:
        kwargs: The arguments that are to be passed on.
        decided: By the name of an argument, its one value here and what to set in
            its place.

    Returns:
        The other arguments.

    Raises:
        ConfigError: If an argument has another value.
    """
    for name, (value, instead) in decided.items():
        given = kwargs.get(name, value)
        if (tuple(given) if isinstance(given, list) else given) != value:
            raise ConfigError(
                f"Expected `{name}` to be {value!r} or left out, but got {given!r}: "
                f"set {instead} instead."
            )
    return {name: value for name, value in kwargs.items() if name not in decided}


def take_out_strides(stages: Iterable[nn.Module], dilate: bool) -> None:
    """Take the strides out of built stages, so that their maps keep their size.

    Parameters and their names stay the same. With ``dilate``, the convolutions after
    a stride that was taken out are dilated in its place: at the places that the
    strided network would have computed, the maps are then the same as its own.

    Args:
        stages: The stages from the first that is changed to the last of the network,
            in order; each holds at most one stride on its main path. Changed in place.
        dilate: Whether to dilate.
    """
    dilation = 1
    for stage in stages:
        grown = dilation
        for module in stage.modules():
            if isinstance(module, nn.AvgPool2d):
                # The pooling before the convolution of a shortcut: size = stride.
                module.kernel_size = module.stride = 1
            if not isinstance(module, nn.Conv2d):
                continue
            # The strided convolution itself still sees the input as it was.
            _dilate(module, grown)
            if max(module.stride) > 1:
                module.stride = (1, 1)
                grown = dilation * 2 if dilate else dilation
        dilation = grown


def _dilate(conv: nn.Conv2d, dilation: int) -> None:
    if dilation > 1 and max(conv.kernel_size) > 1:
        conv.dilation = (dilation, dilation)
        if not isinstance(conv.padding, str):
            conv.padding = tuple(dilation * side for side in conv.padding)
