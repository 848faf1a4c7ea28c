"""ModuleClassifier: any torch classifier, with maps of its classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import torch
from mmengine.registry import MODELS as ROOT_MODELS
from torch import Tensor, nn

from mmdgdm.errors import ConfigError
from mmdgdm.models.classifiers.localized import ChooseClasses, Localized
from mmdgdm.models.utils.gradient_maps import check_cam_method, gradient_maps

#: By how much, of the largest score, a module may differ from its linear form.
_TOLERANCE = 1e-3


class ModuleClassifier(nn.Module):
    r"""A torch classifier that ends in averaged features and a linear layer.

    On the output F of ``layer``, (N, C, H, W), with the weights W and bias b of
    ``classifier``, the scores of such a network are
    :math:`y_k = b_k + \sum_c W_{kc}\,\overline{F_c}`, as in torchvision's and timm's
    ResNets, and :math:`M_k = \sum_c W_{kc} F_c` maps where class k is. Whether the
    network is of that form is tried with a random image. Gradient methods take
    networks of any form.

    Args:
        module: The network; (N, 3, H, W) in, class scores (N, K) out. It is put into
            evaluation mode.
        layer: Name of the submodule whose output is mapped, such as ``"layer4"``.
        classifier: Name of its linear classifier, such as ``"fc"``; gradient methods
            do not need it.
        size: (width, height) of its images.
        mean: Of the red, green and blue of its images, in levels of 0 to 255.
        std: Likewise.
        cam_method: As for :class:`WSOLClassifier`.

    Attributes:
        num_classes: The number of classes.

    Raises:
        ConfigError: If a name is no submodule, ``classifier`` is not linear, or the
            network is not of the form above.
    """

    def __init__(
        self,
        module: nn.Module,
        layer: str,
        *,
        classifier: Optional[str],
        size: tuple[int, int],
        mean: Sequence[float],
        std: Sequence[float],
        cam_method: str = "cam",
    ) -> None:
        super().__init__()
        self.cam_method = check_cam_method(cam_method)
        self.module = module.eval()
        self.layer = find_submodule(module, "layer", name=layer)
        self.data_preprocessor = ROOT_MODELS.build(
            dict(
                type="mmpretrain.ClsDataPreprocessor",
                mean=list(mean),
                std=list(std),
                to_rgb=True,
            )
        )
        self.names = (layer, classifier)
        feat, scores = self._try(size)
        self.num_classes = int(scores.shape[1])
        self.linear: Any = None
        if self.cam_method == "cam":
            self.linear = find_submodule(module, "classifier", name=classifier)
            self._check_form(feat, scores)

    def forward(self, inputs: Tensor) -> Tensor:
        """Class scores of the network, (N, num_classes)."""
        scores: Tensor = self.module(inputs)
        return scores

    def localize(self, inputs: Tensor, choose: ChooseClasses) -> Localized:
        """Score classes, and map those that are chosen by their scores.

        Args:
            inputs: Batch of images as the data preprocessor gives them, (N, 3, H, W).
            choose: As for :meth:`WSOLClassifier.localize`.

        Returns:
            Scores, classes and maps.
        """
        feat, scores = self._look(inputs)
        labels = choose(scores)
        if self.cam_method == "cam":
            maps = self.linear.weight.float()[labels] @ feat.float().flatten(2)
            return Localized(scores, labels, maps.unflatten(2, feat.shape[2:]))
        maps = gradient_maps(
            self.cam_method,
            self.module,
            layer=self.layer,
            inputs=inputs,
            labels=labels,
        )
        return Localized(scores, labels, maps)

    def _look(self, inputs: Tensor) -> tuple[Any, Tensor]:
        """The output of the layer, and the scores."""
        outputs: list[Any] = []
        hook = self.layer.register_forward_hook(lambda *args: outputs.append(args[2]))
        try:
            scores = self.module(inputs)
        finally:
            hook.remove()
        if not outputs:
            raise ConfigError(
                f"Expected the layer {self.names[0]!r} to be called by the network, "
                "but it was not: name the one that holds it."
            )
        return outputs[-1], scores.float()

    @torch.no_grad()
    def _try(self, size: tuple[int, int]) -> tuple[Any, Tensor]:
        """Pass one random image."""
        image = torch.rand(
            1, 3, *size[::-1], generator=torch.Generator().manual_seed(0)
        )
        parameter = next(self.module.parameters())
        feat, scores = self._look(image.to(parameter))
        if scores.dim() != 2:
            raise ConfigError(
                "Expected the network to give class scores (N, K), but got shape "
                f"{tuple(scores.shape)}."
            )
        return feat, scores

    def _check_form(self, feat: Any, scores: Tensor) -> None:
        layer, classifier = self.names
        linear = self.linear
        if not isinstance(linear, nn.Linear):
            raise ConfigError(
                "Expected `classifier` to name a torch.nn.Linear, but "
                f"{classifier!r} is a {type(linear).__name__}."
            )
        shape = tuple(getattr(feat, "shape", ()))
        if len(shape) != 4 or shape[1] != linear.in_features:
            raise ConfigError(
                f"Expected the output of {layer!r} to be a map (N, "
                f"{linear.in_features}, H, W), as many channels as {classifier!r} "
                f"takes, but got {shape or type(feat).__name__}."
            )
        with torch.no_grad():
            linear_scores = linear(feat.mean(dim=(2, 3))).float()
        same = linear_scores.shape == scores.shape
        difference = (linear_scores - scores).abs().max() if same else torch.inf
        if not difference <= _TOLERANCE * scores.abs().max():
            raise ConfigError(
                f"Expected {classifier!r} of the average of {layer!r} to be the scores "
                f"of the network, but they differ by up to {float(difference):.3g}: "
                "something stands between the two. Name a later layer, or take a "
                "gradient method such as cam_method='gradcam'."
            )


def find_submodule(module: nn.Module, argument: str, *, name: Optional[str]) -> Any:
    """Return a submodule by its name.

    Args:
        module: The network.
        argument: What the name was given as, for the message.
        name: The dotted name.

    Returns:
        The submodule.

    Raises:
        ConfigError: If there is none of that name; the message lists those at the top.
    """
    try:
        return module.get_submodule(name or "?")
    except AttributeError as error:
        known = ", ".join(repr(child) for child, _ in module.named_children())
        raise ConfigError(
            f"Expected `{argument}` to name a submodule of {type(module).__name__} "
            f"(at its top are {known}), but got {name!r}."
        ) from error
