"""ModuleClassifier: any torch classifier, with maps of its classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from mmengine.registry import MODELS as ROOT_MODELS
from torch import Tensor, nn

from mmdgdm.errors import ConfigError
from mmdgdm.models.classifiers.localized import ChooseClasses, Localized

#: By how much, of the largest score, a module may differ from its linear form.
_TOLERANCE = 1e-3


class ModuleClassifier(nn.Module):
    r"""A torch classifier that ends in averaged features and a linear layer.

    On the output F of ``layer``, (N, C, H, W), with the weights W and bias b of
    ``classifier``, the scores of such a network are
    :math:`y_k = b_k + \sum_c W_{kc}\,\overline{F_c}`, as in torchvision's and timm's
    ResNets, and :math:`M_k = \sum_c W_{kc} F_c` maps where class k is. Whether the
    network is of that form is checked on the first batch.

    Args:
        module: The network; (N, 3, H, W) in, class scores (N, K) out. It is put into
            evaluation mode.
        layer: Name of the submodule whose output is mapped, such as ``"layer4"``.
        classifier: Name of its linear classifier, such as ``"fc"``.
        mean: Of the red, green and blue of its images, in levels of 0 to 255.
        std: Likewise.

    Raises:
        ConfigError: If a name is no submodule, ``classifier`` is not linear, or, with
            the first batch, the network is not of the form above.
    """

    def __init__(
        self,
        module: nn.Module,
        layer: str,
        *,
        classifier: str,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__()
        self.module = module.eval()
        self.layer = layer
        self.classifier = classifier
        find_submodule(module, "layer", name=layer)
        linear = find_submodule(module, "classifier", name=classifier)
        if not isinstance(linear, nn.Linear):
            raise ConfigError(
                "Expected `classifier` to name a torch.nn.Linear, but "
                f"{classifier!r} is a {type(linear).__name__}."
            )
        self.data_preprocessor = ROOT_MODELS.build(
            dict(
                type="mmpretrain.ClsDataPreprocessor",
                mean=list(mean),
                std=list(std),
                to_rgb=True,
            )
        )
        self._is_checked = False

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return int(self._linear.out_features)

    @property
    def _linear(self) -> Any:
        return self.module.get_submodule(self.classifier)

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

        Raises:
            ConfigError: If the network is not of the form that has such maps.
        """
        feat, scores = self._look(inputs)
        if not self._is_checked:
            self._check_form(feat, scores)
            self._is_checked = True
        labels = choose(scores)
        weight = self._linear.weight.float()[labels]
        maps = weight @ feat.float().flatten(2)
        return Localized(scores, labels, maps.unflatten(2, feat.shape[2:]))

    def _look(self, inputs: Tensor) -> tuple[Any, Tensor]:
        """The output of the layer, and the scores."""
        outputs: list[Any] = []
        layer = self.module.get_submodule(self.layer)
        hook = layer.register_forward_hook(lambda *args: outputs.append(args[2]))
        try:
            scores = self.module(inputs)
        finally:
            hook.remove()
        if not outputs:
            raise ConfigError(
                f"Expected the layer {self.layer!r} to be called by the network, but "
                "it was not: name the one that holds it."
            )
        return outputs[-1], scores.float()

    def _check_form(self, feat: Any, scores: Tensor) -> None:
        linear = self._linear
        shape = tuple(getattr(feat, "shape", ()))
        if len(shape) != 4 or shape[1] != linear.in_features:
            raise ConfigError(
                f"Expected the output of {self.layer!r} to be a map (N, "
                f"{linear.in_features}, H, W), as many channels as {self.classifier!r} "
                f"takes, but got {shape or type(feat).__name__}."
            )
        difference = (linear(feat.mean(dim=(2, 3))) - scores).abs().max()
        if not difference <= _TOLERANCE * scores.abs().max():
            raise ConfigError(
                f"Expected {self.classifier!r} of the average of {self.layer!r} to be "
                f"the scores of the network, but they differ by up to "
                f"{float(difference):.3g}: something stands between the two. Name a "
                "later layer, or take a gradient method such as cam_method='gradcam'."
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
